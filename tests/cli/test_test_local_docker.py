"""`opdeploy test-local` with the server in a container: the image that would be deployed, and that nothing is left."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import docker as sdk
import pytest
from docker.errors import DockerException, ImageNotFound
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.clients import docker
from opdeploy.clients.pip import sources
from opdeploy.image import ImageSettings
from opdeploy.local.container import LABEL, built_image
from opdeploy.runtime.package import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Ran

    Environment = Callable[..., dict[str, str]]

pytestmark = pytest.mark.slow  # it builds images

BASE = "opdeploy-test-base:bookworm"
MINUTES = 60.0


@pytest.fixture(scope="module")
def client() -> Iterator[sdk.DockerClient]:
    """Connect to the engine that answers here."""
    try:
        found = sdk.from_env()
        found.images.get(BASE)
    except (DockerException, ImageNotFound) as error:
        pytest.skip(f"needs a Docker engine with the image {BASE}: {error}")
    yield found
    found.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an artefact of a name that no other run has, and a folder for temporary files."""
    made = tmp_path_factory.mktemp("docker")
    name = f"net-{os.getpid()}"
    build(Contents(name, linear(made / "model.onnx"), Samples({"x": records(12)}, "records")), made / "net")
    (made / "temporary").mkdir()
    return made


@pytest.fixture(scope="module", autouse=True)
def kept(folder: Path, client: sdk.DockerClient) -> Iterator[None]:  # noqa: ARG001 - it is there
    """Keep an image of the artefact meanwhile, so that its layers are built once."""
    with docker.connected() as engine, opened(folder / "net") as package:
        settings = ImageSettings(base=BASE, sources=sources())
        with built_image(engine, package, settings, kept=True, watch=lambda _line: None) as (tag, _image):
            yield
        engine.remove_image(tag)


def command(program: str, *more: str) -> list[str]:
    """Return the command line."""
    return [program, "test-local", "net", "--runtime", "docker", "--base-image", BASE, *more]


def environment(clean: Environment, folder: Path) -> dict[str, str]:
    """Return the environment of a command, whose temporary files go to a folder of their own."""
    return clean(TMPDIR=str(folder / "temporary"), COLUMNS="80")


def left(client: sdk.DockerClient, folder: Path) -> list[Any]:
    """Return what is left in the engine and in the folder of temporary files."""
    images = [tag for image in client.api.images(f"opdeploy/net-{os.getpid()}") for tag in image["RepoTags"] or ()]
    images = [tag for tag in images if ":test-" in tag]
    containers = client.containers.list(all=True, filters={"label": LABEL})
    return [*images, *containers, *(folder / "temporary").iterdir()]


@pytest.fixture(scope="module")
def ran(program: str, clean: Environment, folder: Path, client: sdk.DockerClient) -> Ran:  # noqa: ARG001 - it is there
    """Return how the command ended."""
    from tests.conftest import Ran

    done = subprocess.run(
        command(program, "--seconds", "2", "--cpus", "1", "--memory", "0.5", "--target", "container-apps"),
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env=environment(clean, folder),
        timeout=10 * MINUTES,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_the_image_is_tried_under_the_limits_of_the_target(ran: Ran, folder: Path, client: sdk.DockerClient) -> None:
    """Its size, its limits and the memory that it took are told, and it has gone with its container."""
    assert ran.code == 0, ran.err
    text = " ".join(ran.out.split())
    name = f"net-{os.getpid()}"
    assert re.search(r"memory: \d+ MB of 0\.5 GB at most\.", text)
    assert re.search(r"Image: \d+ MB, built in \d", text)
    assert f"/v2/models/{name}/infer: 8 golden records: y: agrees" in text
    assert "The server was a container within the limits of container-apps: 1 processor, 0.5 GB." in text
    assert left(client, folder) == []


def test_the_measurement_names_image_and_limits(ran: Ran, folder: Path) -> None:
    """It is kept under runtime, target and limits."""
    assert ran.code == 0, ran.err
    with opened(folder / "net") as package:
        (name,) = package.manifest.measurements
        text = package.path(name).read_text()
    assert name.startswith("measurements/served-docker-container-apps-1cpu-0.5gb.")
    assert '"runtime": "docker"' in text
    assert re.search(r'"id": "sha256:[0-9a-f]{64}"', text)


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("builds the image: ", signal.SIGINT),
        ("starts the container", signal.SIGTERM),
        ("waits until", signal.SIGINT),
        ("loads it: warm-up", signal.SIGTERM),
    ],
)
def test_an_interrupt_leaves_nothing(
    program: str, folder: Path, clean: Environment, client: sdk.DockerClient, step: str, number: int
) -> None:
    """Neither a container nor an image, nor a file, in whichever step it comes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    parent, child = pty.openpty()
    with subprocess.Popen(
        command(program, "--seconds", "600", "--no-save"),
        stdout=subprocess.PIPE,
        stderr=child,
        cwd=folder,
        env=environment(clean, folder),
    ) as process:
        os.close(child)
        said = b""
        while step.encode() not in said:
            said += os.read(parent, 65536)
        process.send_signal(number)
        assert process.wait(timeout=MINUTES) == (130 if number == signal.SIGINT else 143)
    os.close(parent)
    signal.signal(signal.SIGINT, before)
    assert left(client, folder) == []
