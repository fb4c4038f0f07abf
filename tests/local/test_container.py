"""The real server in a container of its image, under limits; and that neither stays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import docker as sdk
import pytest
from docker.errors import ImageNotFound, NotFound

from opdeploy.clients import docker
from opdeploy.clients.pip import sources
from opdeploy.errors import OpdeployError
from opdeploy.image import ImageSettings
from opdeploy.local import answers
from opdeploy.local.container import LABEL, built_image, image_name, server_container
from opdeploy.local.served import Image, Limits
from opdeploy.local.server import wait_until_ready
from opdeploy.local.signals import shielded
from opdeploy.local.subject import Subject, subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BASE = "opdeploy-test-base:bookworm"
PORT = 8000


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.Engine]:
    """Connect to the engine that answers here."""
    try:
        with docker.connected() as found:
            found.image(BASE)
            yield found
    except OpdeployError as error:
        pytest.skip(f"needs a Docker engine with the image {BASE}: {error}")


@pytest.fixture(scope="module")
def client(engine: docker.Engine) -> Iterator[sdk.DockerClient]:  # noqa: ARG001 - there is one
    """Connect as the SDK does, to see what is there."""
    found = sdk.from_env()
    yield found
    found.close()


@pytest.fixture(scope="module")
def tried(plain: Path) -> Iterator[Subject]:
    """Give what is tried."""
    with subject(plain, "net") as found:
        yield found


@pytest.fixture(scope="module")
def image(engine: docker.Engine, client: sdk.DockerClient, tried: Subject) -> Iterator[tuple[str, Image]]:
    """Build the image once, and see that it goes."""
    settings = ImageSettings(base=BASE, sources=sources())
    lines: list[str] = []
    with built_image(engine, tried.package, settings, kept=False, watch=lines.append) as built:
        yield built
    assert lines
    with pytest.raises(ImageNotFound):
        client.images.get(built[0])


def containers(client: sdk.DockerClient) -> list[object]:
    """Return the containers that this process made."""
    return list(client.containers.list(all=True, filters={"label": f"{LABEL}={os.getpid()}"}))


def test_the_image_is_described(image: tuple[str, Image], client: sdk.DockerClient) -> None:
    """Its name is that of this run alone; identity and size are the engine's."""
    tag, found = image
    assert tag.startswith("opdeploy/net:test-")
    assert tag.endswith(f"-{os.getpid()}")
    assert found.id == client.images.get(tag).id
    assert 100 < found.size_mb < 1000
    assert found.build_s > 0


def test_an_image_that_is_kept_has_the_name_of_the_artefact(tried: Subject) -> None:
    """So that a user finds it again, and a later run takes the same."""
    assert image_name(tried.package, kept=True) == f"opdeploy/net:{tried.package.digest[:12]}"


def test_the_server_runs_under_its_limits(
    engine: docker.Engine, client: sdk.DockerClient, image: tuple[str, Image], tried: Subject
) -> None:
    """As its own user, read-only, with a share of the processors and of memory; it gives the golden answers."""
    limits = Limits(0.5, 0.4, None)
    with shielded(server_container(engine, image[0], PORT, limits, {"OPDEPLOY_MAX_BATCH": "1"})) as server:
        ready = wait_until_ready(server, 120)
        told = answers.about(server.address)
        (asked,) = answers.check(server.address, told, tried, tried.variant(told.variant))
        (container,) = client.containers.list(filters={"label": f"{LABEL}={os.getpid()}"})
        held = container.attrs["HostConfig"]
        assert (held["NanoCpus"], held["Memory"], held["MemorySwap"]) == (500_000_000, 400_000_000, 400_000_000)
        assert (held["ReadonlyRootfs"], held["CapDrop"], held.get("Tmpfs")) == (True, ["ALL"], None)
        assert container.attrs["Config"]["User"] == "65532:65532"
        assert server.address[0] == "127.0.0.1"
        assert (asked.agrees, told.max_batch) == (True, 1)
        assert 0 < ready < 120
        assert server.cpu_seconds() > 0
        assert 5 < server.peak_memory_mb() < 400
        assert (server.exit_code(), server.why()) == (None, "")
        assert any("listening" in line for line in server.log())
    assert containers(client) == []
    with pytest.raises(NotFound):
        client.containers.get(str(container.id))


def test_a_server_that_runs_out_of_memory_is_told(
    engine: docker.Engine, client: sdk.DockerClient, image: tuple[str, Image]
) -> None:
    """The engine knows that its memory was used up, and that is said with the exit code."""
    with shielded(server_container(engine, image[0], PORT, Limits(1, 0.02, None))) as server:
        with pytest.raises(OpdeployError, match=r"exit code 137; killed: its memory was used up"):
            wait_until_ready(server, 120)
        assert server.cpu_seconds() == server.cpu_seconds()
    assert containers(client) == []


def test_an_image_that_cannot_be_built_leaves_nothing(
    engine: docker.Engine, client: sdk.DockerClient, tried: Subject
) -> None:
    """A base that is not there is told with the end of the build's log."""
    settings = ImageSettings(base="opdeploy-test-gone:1", sources=sources())
    building = built_image(engine, tried.package, settings, kept=False, watch=lambda _line: None)
    with pytest.raises(docker.BuildError, match="the image was not built"):
        building.__enter__()
    with pytest.raises(ImageNotFound):
        client.images.get(image_name(tried.package, kept=False))
