"""`opdeploy test-local` takes an engine of this machine alone: elsewhere a container's port is not this machine's."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from nets import linear

from opdeploy.cli.containers import _engine_address, _require_here
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

ELSEWHERE = "tcp://192.0.2.1:2375"
WHY = f"{ELSEWHERE}: this engine is on another machine, whose containers are not measured from here"


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("", True),
        ("unix:///var/run/docker.sock", True),
        ("http+unix:///var/run/docker.sock", True),
        ("npipe:////./pipe/docker_engine", True),
        ("tcp://127.0.0.1:2375", True),
        ("tcp://127.3.2.1:2375", True),
        ("tcp://[::1]:2376", True),
        ("tcp://localhost:2375", True),
        ("127.0.0.1:2375", True),
        ("tcp://[bad", True),
        (ELSEWHERE, False),
        ("192.0.2.1:2375", False),
        ("https://builder.example.org:2376", False),
        ("ssh://someone@builder", False),
        ("tcp://[2001:db8::1]:2376", False),
    ],
)
def test_an_engine_elsewhere_is_refused(address: str, *, here: bool) -> None:
    """Sockets, pipes and loopback are this machine; what is no address is told by the client."""
    if here:
        _require_here(address)
        return
    with pytest.raises(InputError, match=r"this engine is on another machine, .* take --runtime process"):
        _require_here(address)


def test_the_engine_of_a_context_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where DOCKER_HOST names none, that of the docker context is taken."""
    name = "far"
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": ELSEWHERE, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": name}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    assert _engine_address().endswith("192.0.2.1:2375")
    monkeypatch.setenv("DOCKER_HOST", "unix:///here")
    assert _engine_address() == "unix:///here"


def test_it_is_refused_before_it_is_asked(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """With exit code 2, where a container was asked for."""
    linear(tmp_path / "model.onnx")
    ran = opdeploy("test-local", "model.onnx", "--runtime", "docker", cwd=tmp_path, DOCKER_HOST=ELSEWHERE)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {WHY}")


def test_without_a_runtime_a_process_is_taken(
    opdeploy: Opdeploy, tmp_path: Path, one_line: Callable[[Ran], str]
) -> None:
    """And why is said."""
    linear(tmp_path / "model.onnx")
    ran = opdeploy("test-local", "model.onnx", "--seconds", "1", cwd=tmp_path, DOCKER_HOST=ELSEWHERE)
    assert ran.code == 0
    assert one_line(ran).startswith(f"the server runs as a process: {WHY}")
