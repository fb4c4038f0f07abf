"""Workloads to ask about, and the command as a process on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.conftest import Ran

DAY = "2026-11-02"
"""The day on which the answers are given."""
EDITIONS = ("2018", "2026")

WORKLOADS: dict[str, dict[str, Any]] = {
    "bare": {"serving": {"pattern": "request-response"}},
    "stream": {"serving": {"pattern": "stream"}, "data": {"sensitivity": "regulated"}},
    "heavy": {
        "model": {"gflops": 23, "size_mb": 240},
        "serving": {"pattern": "request-response", "requests_per_second": {"average": 5, "peak": 40}},
        "hardware": {"gpu": "required"},
        "team": {"knows": ["docker", "kubernetes"]},
        "region": "westeurope",
    },
    "demo": {"serving": {"pattern": "request-response"}, "lifetime": "2h"},
    "pilot": {"serving": {"pattern": "request-response"}, "stage": "pilot", "team": {"knows": ["azure-ml"]}},
    "elsewhere": {"serving": {"pattern": "request-response"}, "region": "germanywestcentral"},
    "level": {
        "serving": {"pattern": "request-response"},
        "stage": "pilot",
        "priorities": {"ease_of_deployment": 0},
    },
    "spark": {"serving": {"pattern": "scheduled-batch"}, "batch": {"needs": "spark"}},
    "batch": {"serving": {"pattern": "triggered-batch"}, "model": {"gflops": 23}},
    "database": {"serving": {"pattern": "in-database"}, "data": {"location": "sql-server", "may_move": False}},
    "device": {"serving": {"pattern": "on-device"}},
    "nothing": {"serving": {"pattern": "request-response"}, "constraints": {"only": ["batch-ai"]}},
    "llm": {"serving": {"pattern": "request-response"}, "model": {"framework": "llm"}},
    "tokens": {"serving": {"pattern": "stream", "tokens": {"per_second": 50}}},
    "patternless": {"serving": {"tokens": 50}, "model": {"path": "gone.gguf"}},
}
"""What is asked about, but for the name, which is the key."""
REFUSED = ("nothing", "llm", "tokens", "patternless")
"""The workloads that no platform of either edition takes."""


@dataclass(frozen=True)
class Asked:
    """A workload, an edition, and the answer in JSON."""

    name: str
    edition: str
    path: Path
    answer: dict[str, Any]

    @property
    def leader(self) -> str:
        """The platform of the highest score, of equal ones the first by name; among those in a tie it may cost more."""
        return str(min(self.answer["ranked"], key=lambda item: (-item["score"], item["platform"]))["platform"])


@pytest.fixture(scope="session")
def answers(
    tmp_path_factory: pytest.TempPathFactory, many: Callable[[Iterable[list[str]]], list[str]]
) -> dict[tuple[str, str], Asked]:
    """Return the answers to every workload in every edition."""
    folder = tmp_path_factory.mktemp("workloads")
    for name, workload in WORKLOADS.items():
        (folder / f"{name}.yaml").write_text(json.dumps({"name": name, **workload}))
    keys = [(name, edition) for name in WORKLOADS for edition in EDITIONS]
    options = ["-o", "json", f"--as-of={DAY}"]
    printed = many(
        ["recommend", str(folder / f"{name}.yaml"), "--edition", edition, *options] for name, edition in keys
    )
    return {
        key: Asked(*key, folder / f"{key[0]}.yaml", json.loads(out)) for key, out in zip(keys, printed, strict=True)
    }


@pytest.fixture(params=[(name, edition) for name in WORKLOADS for edition in EDITIONS], ids="-".join)
def asked(request: pytest.FixtureRequest, answers: dict[tuple[str, str], Asked]) -> Asked:
    """Return each answer in turn."""
    return answers[request.param]


@pytest.fixture(
    params=[(name, edition) for name in WORKLOADS for edition in EDITIONS if name not in REFUSED], ids="-".join
)
def ranking(request: pytest.FixtureRequest, answers: dict[tuple[str, str], Asked]) -> Asked:
    """Return each answer in turn that ranks a platform."""
    return answers[request.param]


@pytest.fixture
def terminal(program: str, clean: Callable[..., dict[str, str]]) -> Callable[..., str]:
    """Return a function that runs the command on a terminal, and gives what appeared there."""

    def run(*arguments: str | Path, **variables: str) -> str:
        parent, child = pty.openpty()
        with closing(os.fdopen(parent, "rb", buffering=0)) as shown:
            with subprocess.Popen(
                [program, *map(str, arguments)], stdin=child, stdout=child, stderr=child, env=clean(**variables)
            ) as process:
                os.close(child)
                found = b"".join(_until_closed(shown.fileno()))
            assert process.returncode in {0, 2}
        return found.decode().replace("\r\n", "\n")

    return run


def _until_closed(terminal: int) -> Iterable[bytes]:
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # what Linux says when the last writer has gone
            return
        if not chunk:
            return
        yield chunk


@pytest.fixture
def one_line() -> Callable[[Ran], str]:
    """Return a function that gives the only line on stderr, and fails when there is none, or another."""

    def only(ran: Ran) -> str:
        (line,) = ran.err.splitlines()
        assert ran.err == line + "\n"
        return line

    return only
