"""`opdeploy test-local` takes an engine of this machine alone: elsewhere a container's port is not this machine's."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from nets import linear

from opdeploy.clients.docker.here import address as chosen
from opdeploy.clients.docker.here import is_here

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
def test_an_engine_elsewhere_is_known(address: str, *, here: bool) -> None:
    """Sockets, pipes and loopback are this machine; what is no address is told by the client."""
    assert is_here(address) is here


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
    assert chosen().endswith("192.0.2.1:2375")
    monkeypatch.setenv("DOCKER_HOST", "unix:///here")
    assert chosen() == "unix:///here"


def test_a_context_that_is_not_there_is_told(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """And no other engine is asked instead."""
    ran = opdeploy("list", "--target", "local", cwd=tmp_path, DOCKER_HOST="", DOCKER_CONTEXT="nosuch")
    assert ran.code == 1
    assert ran.err == "error: DOCKER_CONTEXT: there is no docker context nosuch; see docker context ls\n"


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


@pytest.mark.parametrize("command", ["list", "status", "remove"])
def test_a_deployment_is_on_this_machine(
    opdeploy: Opdeploy, tmp_path: Path, one_line: Callable[[Ran], str], command: str
) -> None:
    """Its containers' ports are asked here; the engine is not."""
    arguments = () if command == "list" else ("a",)
    ran = opdeploy(command, *arguments, "--target", "local", cwd=tmp_path, DOCKER_HOST=ELSEWHERE)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran) == (
        f"error: {ELSEWHERE}: this engine is on another machine, and local is the engine of this machine; "
        "name that one with DOCKER_HOST or docker context use"
    )
