"""The real server in a container of its image, under limits; and that neither stays."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import docker as sdk
import pytest
from docker.errors import ImageNotFound, NotFound

from opdeploy.clients import docker
from opdeploy.clients.pip import sources
from opdeploy.errors import OpdeployError
from opdeploy.image import ImageSettings
from opdeploy.local import answers
from opdeploy.local.container import LABEL, RUN, ServerContainer, built_image, image_name, server_container
from opdeploy.local.served import Image, Limits
from opdeploy.local.server import ask, wait_until_ready
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
    return list(client.containers.list(all=True, filters={"label": f"{LABEL}={RUN}"}))


def test_the_image_is_described(image: tuple[str, Image], client: sdk.DockerClient) -> None:
    """Its name is that of this run alone; identity and size are the engine's."""
    tag, found = image
    assert tag.startswith("opdeploy/net:test-")
    assert re.fullmatch(r".+-[0-9a-f]{12}-[0-9a-f]{8}", tag)
    assert tag.endswith(f"-{RUN}")
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
        (container,) = client.containers.list(filters={"label": f"{LABEL}={RUN}"})
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
    small = shielded(server_container(engine, image[0], PORT, Limits(1, 0.02, None)))
    with small as server, pytest.raises(OpdeployError, match=r"exit code 137; killed: its memory was used up"):
        wait_until_ready(server, 120)
    assert containers(client) == []


def test_an_image_that_cannot_be_built_leaves_nothing(
    engine: docker.Engine, client: sdk.DockerClient, tried: Subject
) -> None:
    """A base that is not there is told with the end of the build's log."""
    settings = ImageSettings(base="opdeploy-test-gone:1", sources=sources())
    building = built_image(engine, tried.package, settings, kept=False, watch=lambda _line: None)
    with pytest.raises(docker.BuildError, match=r"^opdeploy-test-gone:1: the base image was not to be had: ") as caught:
        building.__enter__()
    with pytest.raises(ImageNotFound):
        client.images.get(image_name(tried.package, kept=False))
    assert caught.value.lines


HOLDS = """
import http.server, time
class Holds(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        held = self.path == "/hold" and bytearray(b"1") * 200_000_000
        time.sleep(1 if held else 0)
        held = None
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("", 8000), Holds).serve_forever()
"""


def test_memory_that_a_request_takes_is_seen(engine: docker.Engine, tmp_path: Path) -> None:
    """It is looked at while a request is under way, and not only between the steps of a load."""
    (tmp_path / "holds.py").write_text(HOLDS)
    (tmp_path / "Dockerfile").write_text(f'FROM {BASE}\nCOPY holds.py /holds.py\nENTRYPOINT ["python3", "/holds.py"]\n')
    name = f"opdeploy-test-holds:{RUN}"
    engine.build(docker.Order(tmp_path, name, network="none"))
    try:
        with shielded(server_container(engine, name, PORT, Limits(1, 0.5, None))) as server:
            wait_until_ready(server, 60)
            before = server.peak_memory_mb()
            assert ask(server.address, "/hold").status == 200
            assert before < 100
            assert 200 < server.peak_memory_mb() < 500
    finally:
        engine.remove_image(name)


class Ended:
    """A container that was seen once before it ended."""

    def address(self) -> tuple[str, int]:
        """Have none, as what has ended."""
        raise OpdeployError("it has ended")

    def __init__(self) -> None:
        self.looks = 0

    def stats(self) -> docker.Stats:
        """Tell once."""
        self.looks += 1
        if self.looks > 1:
            raise OpdeployError("the container has ended")
        return docker.Stats(cpu_seconds=1.5, peak=3_000_000)

    def state(self) -> docker.State:
        """Tell that it has ended."""
        return docker.State(exit_code=137, oom_killed=True)


def test_what_was_seen_last_of_a_server_stands() -> None:
    """Its figures are asked for after its end too."""
    server = ServerContainer(Ended(), 0.0)  # type: ignore[arg-type]  # a small fake
    assert [(server.cpu_seconds(), server.peak_memory_mb()) for _ in range(2)] == [(1.5, 3.0)] * 2


class Stuck:
    """An engine that can neither build an image nor remove one."""

    def build(self, *_: object) -> docker.Built:
        """Fail."""
        raise docker.BuildError("the image was not built", ("its last line",))

    def remove_image(self, tag: str) -> None:
        """Fail too."""
        raise OpdeployError(f"{tag}: was not removed: in use")


def test_an_image_that_is_not_removed_hides_no_error(tried: Subject) -> None:
    """The build's error is what a person needs; that something stays is a note to it."""
    settings = ImageSettings(base=BASE, sources=sources())
    building = built_image(Stuck(), tried.package, settings, kept=False, watch=str)  # type: ignore[arg-type]  # a fake
    with pytest.raises(docker.BuildError, match="the image was not built") as caught:
        building.__enter__()
    (note,) = caught.value.__notes__
    assert note == f"{image_name(tried.package, kept=False)}: was not removed: in use"


class Building:
    """An engine that builds, and has what it was told to remove."""

    def __init__(self) -> None:
        self.removed: list[str] = []

    def build(self, *_: object) -> docker.Built:
        """Build nothing."""
        return docker.Built("sha256:0a", "buildkit")

    def image(self, _reference: str) -> docker.Image:
        """Describe what was not built."""
        return docker.Image("sha256:0a", 330_400_000, "linux", "amd64", "", (), (), {}, {}, ())

    def remove_image(self, tag: str) -> None:
        """Note it."""
        self.removed.append(tag)


@pytest.mark.parametrize("kept", [True, False])
def test_only_an_image_that_is_kept_is_told_by_its_name(tried: Subject, *, kept: bool) -> None:
    """In what was measured, and with any error; the name of another would be of no use when it is read."""
    engine, tag = Building(), image_name(tried.package, kept=kept)
    building = built_image(engine, tried.package, ImageSettings(), kept=kept, watch=str)  # type: ignore[arg-type]  # a fake
    name, found = building.__enter__()
    assert (name, found.name) == (tag, tag if kept else None)
    interrupt = KeyboardInterrupt()
    assert not building.__exit__(KeyboardInterrupt, interrupt, None)
    notes = [f"kept the image {tag}; docker image rm {tag} removes it"]
    assert getattr(interrupt, "__notes__", []) == (notes if kept else [])
    assert engine.removed == ([] if kept else [tag])


def test_two_runs_have_names_of_their_own() -> None:
    """Whatever their process numbers are."""
    told = "from opdeploy.local.container import RUN; print(RUN)"
    runs = [subprocess.run([sys.executable, "-c", told], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] != runs[1]
