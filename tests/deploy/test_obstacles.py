"""What keeps a deployment from being made, and what may."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Any

import pytest

from opdeploy.clients.docker.machine import HERE
from opdeploy.clients.docker.obstacles import obstacles, shortages
from opdeploy.deployment import Found
from tests.deploy.imagined import wanted
from tests.deploy.projects import free_port


@dataclass(frozen=True)
class Size:
    """A machine with four processors and 8 GB."""

    cpus: int = 4
    memory: int = 8_000_000_000
    has_gpus: bool = False


@dataclass
class Place:
    """An engine with fronts, and with what others made."""

    others: list[str] = field(default_factory=list)
    there: list[Found] = field(default_factory=list)
    machine = HERE

    def about(self) -> Size:
        """Return how large it is."""
        return Size()

    def fronts(self) -> list[Found]:
        """Return the fronts."""
        return self.there

    def foreign(self, _deployment: str) -> list[str]:
        """Return what others made."""
        return self.others


def front(name: str, port: int) -> Found:
    """Return a front that runs."""
    return Found(kind="container", name=name, properties={"state": "running", "host": "127.0.0.1", "port": port})


def test_nothing_stands_in_the_way_of_what_can_be_made() -> None:
    """Nor does the deployment's own front, which gives way, or all the processors that there are."""
    port = free_port()
    assert [*obstacles(wanted(port=port, cpus=4.0), Place())] == []
    assert [*obstacles(wanted(port=port), Place(there=[front("opdeploy-m", port)]))] == []
    assert [*shortages(wanted(memory=8.0), Place())] == []


@pytest.mark.parametrize(
    ("chosen", "place", "said"),
    [
        ({"cpus": 4.5}, Place(), "deploy.local.cpus: 4.5 are wanted, and the engine has 4; lower it"),
        ({}, Place(["opdeploy-m: is not ours"]), "opdeploy-m: is not ours"),
        (
            {"host": "192.0.2.1", "port": 8000},
            Place(),
            "port 8000 of 192.0.2.1: Cannot assign requested address; choose an address of that machine with --host",
        ),
    ],
    ids=["processors", "names", "an address of another machine"],
)
def test_what_stands_in_the_way_is_told(chosen: dict[str, Any], place: Place, said: str) -> None:
    """In one sentence, with what to do."""
    (found,) = obstacles(wanted(**{"port": free_port(), **chosen}), place)
    assert found.startswith(said)


def test_a_port_that_another_has_stands_in_the_way() -> None:
    """Whether that is a deployment or another program."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        (taken,) = obstacles(wanted(port=port), Place())
        assert (
            taken
            == f"port {port} of 127.0.0.1: Address already in use; choose another with --port or deploy.local.port"
        )
        (other,) = obstacles(wanted(port=port), Place(there=[front("opdeploy-n", port)]))
        assert other.startswith(f"port {port} of 127.0.0.1: opdeploy-n listens there, which is another deployment; ")


def test_too_little_memory_is_told() -> None:
    """It is a limit, and may be enough all the same."""
    assert [*shortages(wanted(memory=500.0), Place())] == ["it may take 500 GB of memory, and the engine has 8.0"]
