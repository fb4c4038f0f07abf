"""A Docker engine, the wheels of the server's packages, and images of three small models, each built once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import docker as sdk
import onnx
import pytest
from docker.errors import ImageNotFound
from nets import linear, records
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Picture
from tokenizers import Tokenizer, models, pre_tokenizers

from opdeploy.artifact.data import Declared, read
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.clients import docker
from opdeploy.clients.docker.image import build_image
from opdeploy.errors import OpdeployError
from opdeploy.image import STAGE, ImageSettings, Sources, bundle
from opdeploy.runtime.package import opened
from opdeploy.runtime.processing.spec import Classification, Embedding, Image, Processing, Text
from opdeploy.runtime.session import Session
from tests.wheels import fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

BASE = "opdeploy-test-base:bookworm"
MINUTES = 60.0
MARK = f"opdeploy.test={os.getpid()}"
"""The label of what the tests of an engine build and run."""
SECONDS = 30.0
SECRET = "http://somebody:9a4f-not-in-the-history@proxy.invalid:3128"  # noqa: S105 - it opens nothing
LABEL = "a \"quoted\" $HOME \\ 'label'"


@dataclass(frozen=True)
class Made:
    """An image that was built, and what it was built of."""

    built: docker.Built
    image: docker.Image
    base: docker.Image
    artefact: Path

    @property
    def added(self) -> int:
        """Bytes of the layers above the base."""
        return self.image.size - self.base.size


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.Engine]:
    """Connect to the engine that answers here, with a docker program that has BuildKit where there is one."""
    try:
        with docker.connected(buildkit()) as found:
            found.image(BASE)
            yield found
    except OpdeployError as error:
        pytest.skip(f"needs a Docker engine with the image {BASE}: {error}")


def buildkit() -> str | None:
    """Return the first docker program on the path that builds with BuildKit; several may be installed."""
    for folder in os.environ["PATH"].split(os.pathsep):
        program = shutil.which("docker", path=folder)
        command = [program or "false", "build", "--help"]
        if (
            subprocess.run(
                command, check=False, env=os.environ | {"DOCKER_BUILDKIT": "1"}, capture_output=True
            ).returncode
            == 0
        ):
            return program
    return None


@pytest.fixture(scope="session")
def wheels(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fetch the wheels of every package that an image may need, but those for GPUs."""
    folder = tmp_path_factory.mktemp("wheels")
    fetch(root, folder, ("server", "cpu", "image", "text"))
    return folder


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return artefacts of two models of numbers, one of images and one of texts."""
    folder = tmp_path_factory.mktemp("artefacts")
    model = linear(folder / "linear.onnx")
    build(Contents("plain", model, Samples({"x": records(12)}, "records")), folder / "plain")
    build(Contents("other", model, Samples({"x": records(12, seed=2)}, "records")), folder / "other")
    (folder / "pictures").mkdir()
    for red in (0, 80, 160, 255):
        Picture.new("RGB", (8, 8), (red, 20, 250 - red)).save(folder / "pictures" / f"{red}.png")
    (folder / "texts.txt").write_text("the cat sat\nthe cat\nsat\n")
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "the", "cat", "sat"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))  # noqa: S106 - a token of text
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment,unused-ignore]
    tokenizer.save(str(folder / "tokenizer.json"))
    image = Image("image", scale=1 / 255)
    text = Text("ids", mask="mask", pad_token="[PAD]")  # noqa: S106 - likewise
    declare(folder, "image", folder / "pictures", Processing(image, Classification("y", labels=("a", "b"))))
    declare(folder, "text", folder / "texts.txt", Processing(text, Embedding("y", pool="mean")))
    return {name: folder / name for name in ("plain", "other", "image", "text")}


def declare(folder: Path, name: str, data: Path, processing: Processing) -> None:
    """Make an artefact of a model with declared processing, and of records to try it with."""
    model = pixels(folder / "pixels.onnx") if name == "image" else tokens(folder / "tokens.onnx")
    declared = Declared(processing, folder)
    given = read(data, Session(model), declared)
    build(Contents(name, model, given.samples, given.records, declared), folder / name)


def pixels(path: Path) -> Path:
    """Write a model of images of 8 by 8 pixels."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "w"], ["y"]),
    ]
    return save(path, nodes, [("image", TensorProto.FLOAT, ["n", 3, 8, 8])], ["n", 2], (3, 2))


def tokens(path: Path) -> Path:
    """Write a model that has a vector for each of five tokens; the mask is added as nothing."""
    nodes = [
        helper.make_node("Mul", ["ids", "mask"], ["kept"]),
        helper.make_node("Gather", ["w", "kept"], ["y"]),
    ]
    inputs = [(name, TensorProto.INT64, ["n", "length"]) for name in ("ids", "mask")]
    return save(path, nodes, inputs, ["n", "length", 4], (5, 4))


def save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: Sequence[tuple[str, int, Sequence[int | str]]],
    output: Sequence[int | str],
    weights: tuple[int, int],
) -> Path:
    """Write a model with one matrix of weights."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(*item) for item in inputs],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(records(weights[0])[:, : weights[1]], "w")],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture(scope="session")
def base(engine: docker.Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make a base as others have them: without byte code, with installers and compilers, and a user of its own."""
    folder = tmp_path_factory.mktemp("base")
    (folder / "Dockerfile").write_text(
        f"FROM {BASE}\n"
        "RUN find /usr -name __pycache__ -prune -exec rm -r {} +\n"
        "WORKDIR /usr/lib/python3/dist-packages\n"
        "RUN for name in pip setuptools pkg_resources wheel; do mkdir $name; touch $name/__init__.py; done\n"
        "WORKDIR /usr/bin\n"
        "RUN for name in pip3.11 gcc x86_64-linux-gnu-gcc-12 c++ ld.bfd as clang-14 uv; do cp true $name; done\n"
        "WORKDIR /usr/lib/python3/dist-packages\n"  # whose pip must not be run
        "USER 1000\n"
        'CMD ["sh"]\n'
    )
    name = f"opdeploy-test-other:{os.getpid()}"
    engine.build(docker.Order(folder, name, network="none"))
    yield name
    engine.remove_image(name)


@pytest.fixture(scope="session")
def made(engine: docker.Engine, base: str, wheels: Path, artefacts: dict[str, Path]) -> Iterator[Callable[[str], Made]]:
    """Return a function that builds the image of an artefact, once: of numbers with the classic builder."""
    tags: list[str] = []

    @cache
    def make(name: str) -> Made:
        sources = Sources(wheels=wheels)
        settings = ImageSettings(base=base, port=8123, labels={"org.example.note": LABEL}, sources=sources)
        with opened(artefacts[name]) as package, pytest.MonkeyPatch.context() as patch:
            patch.setenv("HTTPS_PROXY", SECRET)
            tag = f"opdeploy-test-{name}:{os.getpid()}"
            builder: docker.Builder = "classic" if name == "plain" else "auto"
            built = build_image(engine, bundle(package, settings), tag, settings, watch=print, builder=builder)
        tags.append(tag)
        return Made(built, engine.image(built.id), engine.image(base), artefacts[name])

    yield make
    for tag in tags:
        engine.remove_image(tag)  # by name: an equal image of another test, under its own name, has the same id
    prune()


def prune() -> None:
    """Remove the stages that the classic builder keeps as its cache."""
    client = sdk.from_env()
    client.images.prune(filters={"dangling": True, "label": STAGE})
    client.close()


def everything(client: sdk.DockerClient) -> dict[str, str]:
    """Return what the engine tells of every image, those between included, by its id, as text."""
    found = {}
    for item in client.api.images(all=True):
        with suppress(ImageNotFound):  # another test removed it meanwhile
            image = client.images.get(item["Id"])
            found[str(image.id)] = json.dumps([image.attrs, image.history()])
    return found


@pytest.fixture
def client() -> Iterator[sdk.DockerClient]:
    """Connect as the SDK does, to see what opdeploy's own client did."""
    found = sdk.from_env()
    yield found
    found.close()


@pytest.fixture
def ordered(client: sdk.DockerClient, tmp_path: Path) -> Iterator[Callable[..., docker.Order]]:
    """Return a function that writes a Dockerfile and orders its build, and remove what was built in the end."""

    def write(*lines: str, builder: docker.Builder = "classic", base: str = BASE) -> docker.Order:
        (tmp_path / "Dockerfile").write_text("\n".join([f"FROM {base}", f"LABEL {MARK}", *lines]))
        return docker.Order(tmp_path, f"opdeploy-test-docker:{os.getpid()}", builder=builder, network="none")

    yield write
    for image in client.images.list(filters={"label": MARK}):
        client.images.remove(str(image.id), force=True)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
