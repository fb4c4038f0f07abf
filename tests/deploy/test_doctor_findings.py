"""What `opdeploy doctor` finds of engines and ports, beside what other deployments have."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from opdeploy.deploy.doctor import examined
from opdeploy.deploy_settings import Deploy
from tests.deploy.daemon import Daemon, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deploy.finding import Finding

FRONT = {"opdeploy.deployment": "m", "opdeploy.role": "front"}


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Return an engine that answers, and has nothing."""
    with listening() as found:
        monkeypatch.setenv("DOCKER_HOST", found.address)
        yield found


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port on which somebody listens, at every address of version 4."""
    with closing(socket.socket()) as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104 - what is told of it is tried
        listener.listen()
        yield listener.getsockname()[1]


def of_the_port(host: str | None, port: int, name: str | None = "m") -> Finding:
    """Return what is found of a port, for a deployment."""
    local = {"port": port} | ({"host": host} if host else {})
    deploy = Deploy.model_validate({"local": local})
    (found,) = (item for item in examined(deploy, name, Path()) if item.what.startswith("port "))
    return found


@pytest.mark.parametrize(
    ("listens", "asked"),
    [
        ("0.0.0.0", None),  # noqa: S104 - nothing listens there
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - nothing listens there
        ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - nothing listens there
        ("127.0.0.1", "0.0.0.0"),  # noqa: S104 - nothing listens there
        ("127.0.0.1", "localhost"),
        ("::", "::1"),
    ],
)
def test_a_port_of_a_deployment_is_known(daemon: Daemon, taken: int, listens: str, asked: str | None) -> None:
    """Where the front listens at the address, or one of the two is all addresses: it gives way to its own next one."""
    daemon.container("opdeploy-m", "opdeploy-m:a", (listens, taken), FRONT)
    found = of_the_port(asked, taken)
    assert (found.state, found.said) == ("ok", "this deployment has it")
    another = of_the_port(asked, taken, "another")
    assert (another.state, another.said) == ("problem", "opdeploy-m listens there, which is another deployment")
    unnamed = of_the_port(asked, taken, None)
    assert (unnamed.state, unnamed.said) == ("note", "opdeploy-m listens there")


def test_a_port_of_another_is_taken(daemon: Daemon, taken: int) -> None:
    """Whatever fronts listen to other ports, and addresses, and whatever a front that is stopped once had."""
    daemon.container("opdeploy-m", "opdeploy-m:a", ("127.0.0.1", taken - 1), FRONT)
    daemon.container("opdeploy-n", "opdeploy-n:a", ("127.0.0.2", taken), FRONT | {"opdeploy.deployment": "n"})
    daemon.container("opdeploy-o", "opdeploy-o:a", ("127.0.0.1", taken), FRONT | {"opdeploy.deployment": "o"})
    daemon.containers["opdeploy-o"]["State"]["Status"] = "exited"
    found = of_the_port(None, taken)
    assert found.state == "problem"
    assert found.todo.startswith("choose another with --port")


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:2375", "ssh://someone@builder"])
def test_an_engine_elsewhere_is_told(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Without asking it: the ports of its containers are not this machine's."""
    monkeypatch.setenv("DOCKER_HOST", address)
    (found,) = (item for item in examined(Deploy.model_validate({}), None, Path()) if item.what == "Docker engine")
    assert found.state == "problem"
    assert found.said == f"{address}: this engine is on another machine, and local is the engine of this machine"
    assert found.todo == "name that one with DOCKER_HOST or docker context use"


def test_a_machine_that_is_not_named_is_told() -> None:
    """With the ways to name one; nothing else of it is looked at."""
    found = examined(Deploy.model_validate({"target": "vm"}), None, Path())
    (missing,) = (item for item in found if item.state == "problem")
    assert (missing.what, missing.said) == ("machine", "deploy.vm.host: no machine is named")
    assert missing.todo.startswith("name one that SSH reaches with --set vm.host=")
    assert "where in Azure it is, or is to be made, which costs money: --resource-group NAME" in missing.todo
