"""What fails on a real engine: the evidence is told, and the version that worked answers again."""

from __future__ import annotations

import socket
import time
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

import pytest
from docker.models.containers import Container

from opdeploy.clients import docker
from opdeploy.errors import OpdeployError
from tests.deploy.projects import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.clients.docker.host import Host
    from tests.deploy.projects import Project

pytestmark = pytest.mark.slow  # it builds images

CASES = {
    "refuses": (2, ["exit code 2", "the last probe, GET /v2/health/ready", "its log ends with:", "OPDEPLOY_THREADS"]),
    "hangs": (1, ["was not ready within 3 s", "the last probe, GET /v2/health/ready", "never gets ready"]),
}
"""By what is broken: the exit code of the command, and the evidence that it tells."""


def answer(project: Project) -> int:
    """Return the status of the endpoint's readiness."""
    with closing(HTTPConnection("127.0.0.1", project.port, timeout=10)) as connection:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status


@pytest.mark.parametrize("kind", CASES)
def test_a_broken_server_ends_on_the_old_version(project: Project, broken: Callable[[str], str], kind: str) -> None:
    """The evidence comes before the return, and what failed is not there any more."""
    code, evidence = CASES[kind]
    assert project.deploy().code == 0
    project.model(seed=1)
    done = project.deploy("--timeout", "3", base=broken(kind))
    assert done.code == code, done.err
    for words in evidence:
        assert words in done.err
    assert done.err.index(evidence[0]) < done.err.index("returns to version 1")
    assert done.err.splitlines()[-1].endswith("version 1 answers as before")
    assert project.versions() == {1: ("running", True)}
    assert answer(project) == 200
    assert project.run("diff").code == 0


@pytest.mark.parametrize("record", [0, 7])
def test_a_model_with_wrong_answers_ends_on_the_old_version(project: Project, record: int) -> None:
    """The server finds the first record itself, and the command the last: both exit with 5."""
    assert project.deploy().code == 0
    project.model(seed=1, wrong=record)
    done = project.deploy()
    assert done.code == 5, done.err
    assert "differs" in done.err
    assert done.err.splitlines()[-1].endswith("version 1 answers as before")
    assert project.versions() == {1: ("running", True)}


def test_a_first_deployment_that_fails_leaves_nothing(project: Project, broken: Callable[[str], str]) -> None:
    """There is nothing to return to, and nothing half made is left."""
    done = project.deploy("--timeout", "3", base=broken("refuses"))
    assert done.code == 2, done.err
    assert "nothing ran before, and what was made is removed" in done.err
    assert project.left() == []


def test_a_front_that_does_not_start_gives_the_old_one_back(project: Project) -> None:
    """As where its new port is taken by then."""
    assert project.deploy().code == 0
    with (
        docker.connected() as engine,
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OpdeployError, match="already in use"),
    ):
        front_again(engine.host("ann@here"), project, taken.getsockname()[1])
    until_it_answers(project)
    assert project.run("diff").code == 0


@pytest.mark.parametrize("called", ["stop", "rename", "start"])
def test_an_interrupt_gives_the_old_front_back(project: Project, monkeypatch: pytest.MonkeyPatch, called: str) -> None:
    """Wherever it comes while a front is made anew: before the old one has stopped, or has another name, or after."""
    assert project.deploy().code == 0
    port = free_port()
    with docker.connected() as engine:
        host = engine.host("ann@here")
        real = getattr(Container, called)

        def interrupted(container: Container, *arguments: object, **more: object) -> None:
            monkeypatch.undo()
            real(container, *arguments, **more)
            raise KeyboardInterrupt

        monkeypatch.setattr(Container, called, interrupted)
        with pytest.raises(KeyboardInterrupt):
            front_again(host, project, port)
    until_it_answers(project)
    assert project.run("diff").code == 0


def until_it_answers(project: Project) -> None:
    """Wait until the front, which was just started, listens, and its server is ready."""
    end = time.monotonic() + 30
    while True:
        with suppress(OSError, HTTPException):
            if answer(project) == 200:
                return
        assert time.monotonic() < end
        time.sleep(0.05)


def front_again(host: Host, project: Project, port: int) -> None:
    """Make the front of a project anew, on another port."""
    name = f"opdeploy-{project.name}"
    wanted = {"host": "127.0.0.1", "port": port, "restart": "unless-stopped", "networks": [name], "memory_mb": 256}
    host.run_front(name, deployment=project.name, image=f"{name}.v1", wanted=wanted)


def test_a_build_that_fails_changes_nothing(project: Project) -> None:
    """The old version answers all the while."""
    assert project.deploy().code == 0
    project.model(seed=1)
    done = project.deploy(base="opdeploy-test-no-such-base:1")
    assert done.code == 1, done.err
    assert "opdeploy-test-no-such-base" in done.err
    assert project.versions() == {1: ("running", True)}
    assert answer(project) == 200
