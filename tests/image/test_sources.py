"""Where a build gets packages from: the user's index, one behind a proxy with an authority of its own, or a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import docker as sdk
import pytest

from opdeploy.clients import docker, pip
from opdeploy.clients.docker.image import build_image
from opdeploy.image import ImageSettings, Sources, bundle
from opdeploy.render import write
from opdeploy.runtime.package import opened
from tests.image.conftest import BASE, buildkit, everything, prune
from tests.image.own_index import HOST, serving
from tests.wheels import PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opdeploy.render import Bundle

MINUTES = 60.0
BUILDERS: list[docker.Builder] = ["classic", "buildkit"]
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Workshop:
    """Builds images, which are removed in the end."""

    engine: docker.Engine
    artefacts: dict[str, Path]
    tag: str

    def order(self, sources: Sources, artefact: str = "plain") -> tuple[Bundle, ImageSettings]:
        """Return what an image is built of, with a file that no build had before: packages are fetched anew."""
        settings = ImageSettings(base=BASE, sources=sources)
        with opened(self.artefacts[artefact]) as package:
            return {**bundle(package, settings), "build/new": os.urandom(8)}, settings

    def build(self, order: tuple[Bundle, ImageSettings], builder: docker.Builder) -> docker.Image:
        """Build, and return what was built."""
        self.engine.remove_image(self.tag)
        prune()
        built = build_image(self.engine, order[0], self.tag, order[1], watch=print, builder=builder)
        assert built.builder == builder
        return self.engine.image(built.id)


@pytest.fixture
def workshop(engine: docker.Engine, artefacts: dict[str, Path]) -> Iterator[Workshop]:
    """Return a workshop for the artefacts."""
    found = Workshop(engine, artefacts, f"opdeploy-test-sources:{os.getpid()}")
    yield found
    engine.remove_image(found.tag)
    prune()


@pytest.mark.parametrize("builder", BUILDERS)
def test_packages_come_from_the_users_index(workshop: Workshop, builder: docker.Builder) -> None:
    """What this machine's pip uses, a build uses too."""
    assert workshop.build(workshop.order(pip.sources()), builder).labels["org.opencontainers.image.title"] == "plain"


@pytest.mark.parametrize("builder", BUILDERS)
def test_packages_come_through_a_proxy_with_its_own_authority(
    workshop: Workshop, wheels: Path, tmp_path: Path, builder: docker.Builder
) -> None:
    """All of them, and only so; the authority is not in the image, and neither is the proxy, whose password is none."""
    with serving(wheels, tmp_path) as own:
        sources = Sources(index_url=own.url, proxy=own.proxy, authorities=own.authorities, network="host")
        image = workshop.build(workshop.order(sources), builder)
    assert set(own.asked) == {f"{HOST}:443"}
    assert "secret" not in json.dumps(image.config) + str(image.history)
    look = "import os; print([name for _, _, names in os.walk('/') for name in names if name == 'authorities.pem'])"
    client = sdk.from_env()
    try:
        found = client.containers.run(image.id, ["-c", look], entrypoint="python3", remove=True)
        held = everything(client)
    finally:
        client.close()
    assert found == b"[]\n"
    assert not any(own.proxy in text for text in held.values())


@pytest.mark.parametrize("builder", BUILDERS)
def test_an_index_that_is_not_trusted_is_told(
    workshop: Workshop, wheels: Path, tmp_path: Path, builder: docker.Builder
) -> None:
    """Without its authority nothing is fetched, and pip's own words say why."""
    with serving(wheels, tmp_path) as own:
        order = workshop.order(Sources(index_url=own.url, proxy=own.proxy, network="host"))
        with pytest.raises(docker.BuildError) as raised:
            workshop.build(order, builder)
    assert any("CERTIFICATE_VERIFY_FAILED" in line for line in raised.value.lines)


def test_another_model_or_builder_makes_no_other_packages(workshop: Workshop, wheels: Path) -> None:
    """Layers of packages and of the server are the same whoever made them and when, so they are pushed once."""
    one, two = (workshop.order(Sources(wheels=wheels), name) for name in ("plain", "other"))
    plain = workshop.build(one, "classic")
    again = workshop.build(one, "classic")
    other = workshop.build(two, "buildkit")
    assert plain.diff_ids[3:5] == again.diff_ids[3:5] == other.diff_ids[3:5]
    assert plain.diff_ids[-1] == again.diff_ids[-1] != other.diff_ids[-1]


def test_the_folder_is_built_by_hand(workshop: Workshop, wheels: Path, tmp_path: Path) -> None:
    """With nothing but docker, as its README says; it is what opdeploy builds of it."""
    order = workshop.order(Sources(wheels=wheels))
    write(order[0], tmp_path)
    command = [
        buildkit() or "docker",
        "build",
        "--platform=linux/amd64",
        "--network=none",
        f"--tag={workshop.tag}",
        ".",
    ]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=10 * MINUTES, env=os.environ | {"DOCKER_BUILDKIT": "1"})
    by_hand, ours = workshop.engine.image(workshop.tag), workshop.build(order, "buildkit")
    assert (by_hand.labels, by_hand.diff_ids[3:5]) == (ours.labels, ours.diff_ids[3:5])


def test_all_that_a_gpu_needs_is_pinned(root: Path, tmp_path: Path) -> None:
    """Dependencies are not looked up when an image is built, so the list has all that ONNX Runtime loads there."""
    pins = (root / "templates/image/requirements/gpu.txt").read_text().split("\n")
    (runtime,) = [pin for pin in pins if pin.startswith("onnxruntime-gpu==")]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report=-"]
    command += ["--only-binary=:all:", f"--python-version={PYTHON}", f"--target={tmp_path}"]
    command += [
        "--platform=manylinux_2_28_x86_64",
        "--platform=manylinux_2_27_x86_64",
        "--platform=manylinux2014_x86_64",
    ]
    done = subprocess.run(
        [*command, runtime.replace("==", "[cuda,cudnn]=="), *(pin for pin in pins if pin.startswith("nvidia-"))],
        check=True,
        stdout=subprocess.PIPE,
        timeout=5 * MINUTES,
    )
    found = {item["metadata"]["name"].lower() for item in json.loads(done.stdout)["install"]}
    nvidia = {name for name in found if name.startswith("nvidia-")}
    assert nvidia == {pin.split("==")[0] for pin in pins if pin.startswith("nvidia-")}
