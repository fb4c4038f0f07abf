"""Names of deployments that others have taken on a real engine: refused first, and never deleted."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from docker.errors import APIError, NotFound

from opdeploy.clients import docker
from opdeploy.errors import OpdeployError
from tests.deploy.projects import BASE
from tests.deploy.test_locking import of_another

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker as sdk

    from opdeploy.clients.docker.host import Host
    from tests.deploy.projects import Project

pytestmark = pytest.mark.slow  # it needs an engine

NAME = f"m{os.getpid()}"
OWN = f"opdeploy-{NAME}"
LABELS = {"opdeploy.deployment": NAME}
MAKE: dict[str, Callable[[sdk.DockerClient, str], Any]] = {
    "container": lambda client, name: client.containers.create(BASE, "true", name=name),
    "network": lambda client, name: client.networks.create(name),
    "volume": lambda client, name: client.volumes.create(name),
}


@pytest.fixture
def host(client: sdk.DockerClient) -> Iterator[Host]:
    """Return what deployments are made with here; what was made of the deployment goes in the end."""
    with docker.connected() as engine:
        yield engine.host("ann@here")
    with suppress(NotFound):
        client.containers.get(OWN).remove(force=True)
    for network in client.networks.list(names=[OWN]):
        network.remove()
    for volume in client.volumes.list(filters={"name": OWN}):
        volume.remove()


@pytest.mark.parametrize("kind", MAKE)
def test_a_name_that_is_taken_is_told_before_anything_is_made(project: Project, kind: str) -> None:
    """In one line, without a build; what has the name stays as it is."""
    name = f"opdeploy-{project.name}"
    MAKE[kind](project.client, name)
    done = project.deploy()
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert last == f"error: {name}: opdeploy did not make the {kind} of this name; rename or remove it"
    assert "returns" not in done.err
    assert project.left() == [name]


def test_a_volume_that_is_no_lock_is_told(client: sdk.DockerClient, host: Host) -> None:
    """It is somebody's, and neither taken nor given back."""
    client.volumes.create(f"{OWN}.lock")
    with pytest.raises(OpdeployError, match=r"opdeploy did not make the volume of this name; rename or remove it"):
        host.lock(NAME, of_another())
    host.unlock(NAME, of_another())
    assert client.volumes.get(f"{OWN}.lock")


@pytest.mark.parametrize("kind", ["network", "volume"])
def test_what_others_made_is_neither_taken_nor_removed(client: sdk.DockerClient, host: Host, kind: str) -> None:
    """Whatever its name is."""
    MAKE[kind](client, OWN)
    with pytest.raises(OpdeployError, match=rf"^{OWN}: opdeploy did not make the {kind} of this name"):
        getattr(host, f"create_{kind}")(OWN, NAME)
    getattr(host, f"remove_{kind}")(OWN)
    found = client.networks.list(names=[OWN]) if kind == "network" else client.volumes.list(filters={"name": OWN})
    assert len(found) == 1


def test_of_several_networks_one_is_left(client: sdk.DockerClient, host: Host) -> None:
    """The engine lets two have one name, and then starts no container in either; all are removed."""
    for _ in range(3):
        client.networks.create(OWN, labels=LABELS)
    assert [item.name for item in host.observe("local", NAME).found] == [OWN]
    host.create_network(OWN, NAME)
    assert len(client.networks.list(names=[OWN])) == 1
    with suppress(APIError):  # newer engines have no two of one name
        client.networks.create(OWN, labels=LABELS)
    host.remove_network(OWN)
    assert client.networks.list(names=[OWN]) == []


def test_a_lock_alone_is_no_deployment(host: Host) -> None:
    """What was killed before it made anything is in no list."""
    host.lock(NAME, of_another())
    assert NAME not in host.deployments()
    host.create_volume(OWN, NAME)
    assert NAME in host.deployments()
