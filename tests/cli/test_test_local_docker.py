"""`opdeploy test-local` with the server in a container: the image that would be deployed, and that nothing is left."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from contextlib import suppress
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
from opdeploy.local.container import LABEL, built_image, image_name
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
def kept(folder: Path, client: sdk.DockerClient) -> Iterator[None]:
    """Keep an image of the artefact meanwhile, so that its layers are built once."""
    with docker.connected() as engine, opened(folder / "net") as package:
        settings = ImageSettings(base=BASE, sources=sources())
        with built_image(engine, package, settings, kept=True, watch=lambda _line: None):
            yield
        for tag in tags(client):  # those that the command kept have another digest in their names
            engine.remove_image(tag)


def command(program: str, *more: str) -> list[str]:
    """Return the command line."""
    return [program, "test-local", "net", "--runtime", "docker", "--base-image", BASE, *more]


def environment(clean: Environment, folder: Path) -> dict[str, str]:
    """Return the environment of a command, whose temporary files go to a folder of their own."""
    return clean(TMPDIR=str(folder / "temporary"), COLUMNS="80")


def tags(client: sdk.DockerClient) -> list[str]:
    """Return the names of the artefact's images."""
    return [tag for image in client.api.images(f"opdeploy/net-{os.getpid()}") for tag in image["RepoTags"] or ()]


def left(client: sdk.DockerClient, folder: Path) -> list[Any]:
    """Return what is left in the engine and in the folder of temporary files."""
    images = [tag for tag in tags(client) if ":test-" in tag]
    containers = client.containers.list(all=True, filters={"label": LABEL})
    return [*images, *containers, *(folder / "temporary").iterdir()]


def tried(program: str, clean: Environment, folder: Path, *options: str) -> Ran:
    """Return how the command ended, and what it printed."""
    from tests.conftest import Ran

    done = subprocess.run(
        command(program, *options),
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env=environment(clean, folder),
        timeout=10 * MINUTES,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def ran(program: str, clean: Environment, folder: Path, client: sdk.DockerClient) -> Ran:  # noqa: ARG001 - it is there
    """Return how the command ended under the limits of a target."""
    limits = ("--cpus", "1", "--memory", "0.5", "--target", "container-apps")
    return tried(program, clean, folder, "--seconds", "2", *limits)


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


def test_an_image_that_is_kept_is_named(
    program: str, clean: Environment, folder: Path, client: sdk.DockerClient
) -> None:
    """On stderr and in the JSON, by the name that the engine has it under."""
    done = tried(program, clean, folder, "--seconds", "1", "--no-save", "--keep-image", "-o", "json")
    assert done.code == 0, done.err
    image = done.json["image"]
    assert f"kept the image {image['name']}; docker image rm {image['name']} removes it\n" in done.err
    assert client.images.get(image["name"]).id == image["id"]
    assert left(client, folder) == []
    with opened(folder / "net") as package:
        assert image["name"] == image_name(package, kept=True)


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
    code, said = interrupted(command(program, "--seconds", "600", "--no-save"), folder, clean, step, number)
    assert code == (130 if number == signal.SIGINT else 143)
    assert "kept the image" not in said
    assert left(client, folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_what_was_to_be_kept_and_names_it(
    program: str, folder: Path, clean: Environment, client: sdk.DockerClient, number: int
) -> None:
    """Whoever stops the trial has the image all the same."""
    wanted = command(program, "--seconds", "600", "--no-save", "--keep-image")
    _, said = interrupted(wanted, folder, clean, "waits until", number)
    with opened(folder / "net") as package:
        name = image_name(package, kept=True)
    assert f"kept the image {name}; docker image rm" in said
    assert client.images.get(name).tags
    assert left(client, folder) == []


def interrupted(wanted: list[str], folder: Path, clean: Environment, step: str, number: int) -> tuple[int, str]:
    """Send a signal to a command when it is at a step; return its exit code and what it said on its terminal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    parent, child = pty.openpty()
    with subprocess.Popen(
        wanted,
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
        with suppress(OSError):  # Linux says so that nobody writes any more
            while more := os.read(parent, 65536):
                said += more
        code = process.wait(timeout=MINUTES)
    os.close(parent)
    signal.signal(signal.SIGINT, before)
    return code, said.decode()
