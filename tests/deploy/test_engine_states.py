"""How containers of deployments stand on a real engine, and how they are stopped and reached."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.clients import docker
from tests.deploy.projects import BASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker as sdk
    from docker.models.containers import Container

    from opdeploy.clients.docker.host import Host
    from tests.deploy.projects import Project

    Start = Callable[..., Container]

pytestmark = pytest.mark.slow  # it builds images

NAME = f"opdeploy-m{os.getpid()}"
SLOW = ["sh", "-c", "trap 'sleep 12; exit 7' TERM; echo begun; while :; do sleep 0.1; done"]
"""Takes 12 s to end: more than an engine gives when it is not told."""


@pytest.fixture
def host() -> Iterator[Host]:
    """Return what deployments are made with here."""
    with docker.connected() as engine:
        yield engine.host("ann@here")


@pytest.fixture
def start(client: sdk.DockerClient) -> Iterator[Start]:
    """Return a function that starts a container, which goes in the end."""
    made: list[Container] = []

    def run(*command: str, **more: Any) -> Container:  # noqa: ANN401 - any option
        found = client.containers.run(BASE, [*command], name=NAME, detach=True, **more)
        made.append(found)
        return found

    yield run
    for name in {str(item.id) for item in made}:
        for found in client.containers.list(all=True, filters={"id": name}):
            found.remove(force=True)


def test_what_is_paused_goes_on_when_it_is_started(host: Host, start: Start) -> None:
    """The engine itself refuses to start it."""
    found = start("sleep", "60")
    found.pause()
    host.start(NAME)
    found.reload()
    assert found.status == "running"


def test_a_deployment_that_is_paused_is_told_and_mended(project: Project) -> None:
    """`diff` shows it as that, and `deploy` lets it go on."""
    assert project.deploy().code == 0
    for end in (".v1", ""):
        project.client.containers.get(f"opdeploy-{project.name}{end}").pause()
    drift = json.loads(project.run("diff", "-o", "json").out)
    assert {(item["wanted"]["state"], item["properties"]["state"]) for item in drift} == {("running", "paused")}
    assert project.versions() == {1: ("paused", True)}
    mended = project.deploy()
    assert mended.code == 0, mended.err
    assert project.run("diff").code == 0
    assert project.status()["ready"]


def test_what_is_removed_has_time_to_end(host: Host, start: Start, client: sdk.DockerClient) -> None:
    """As long as a server gives the requests that it has: it is not killed before."""
    found = start(*SLOW)
    until_it_says(found, "begun")
    codes = client.events(decode=True, filters={"container": str(found.id), "event": "die"})
    host.remove_container(NAME)
    assert next(codes)["Actor"]["Attributes"]["exitCode"] == "7"
    codes.close()


def until_it_says(container: Container, word: str) -> None:
    """Wait until a container has written a word."""
    end = time.monotonic() + 30
    while word not in container.logs().decode():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_front_has_a_limit_and_drift_shows_it(project: Project) -> None:
    """Of memory; where it was made without, it is made again."""
    assert project.deploy().code == 0
    front = project.client.containers.get(f"opdeploy-{project.name}")
    assert front.attrs["HostConfig"]["Memory"] == front.attrs["HostConfig"]["MemorySwap"] == 256_000_000
    front.update(mem_limit=512_000_000, memswap_limit=512_000_000)
    (drift,) = json.loads(project.run("diff", "-o", "json").out)
    assert (drift["wanted"]["memory_mb"], drift["properties"]["memory_mb"]) == (256, 512)
    assert project.deploy().code == 0
    assert project.run("diff").code == 0


@pytest.mark.parametrize(("host_name", "endpoint"), [("::1", "[::1]"), ("localhost", "127.0.0.1")])
def test_an_address_is_reached_as_it_is_written(project: Project, host_name: str, endpoint: str) -> None:
    """One of version 6 has brackets; localhost is the loopback address of version 4."""
    project.workload(local={"port": project.port, "host": host_name})
    done = project.deploy()
    assert done.code == 0, done.err
    assert f"answers at http://{endpoint}:{project.port}" in done.out
    assert project.status()["ready"]
    assert project.run("diff").code == 0
    found = json.loads(project.run("doctor", "-o", "json").out)
    (port,) = (item for item in found if item["what"].startswith("port "))
    assert (port["state"], port["said"]) == ("ok", "this deployment has it")


def test_all_addresses_are_reached_at_this_machine_s_own(host: Host, start: Start) -> None:
    """For `::`, the loopback address of version 6."""
    start("sleep", "60", ports={"8000/tcp": ("::", None)})
    address, port = host.address(NAME)
    assert address == "::1"
    assert port > 0
