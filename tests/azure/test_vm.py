"""Machines that are made in Azure: at the stand-in, with a real SSH server and a real engine in their place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import docker as sdk
import pytest
from docker.errors import DockerException, ImageNotFound

from tests.azure.boxes import box, missing, on_machine
from tests.deploy.projects import BASE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.arm.arm import Arm
    from tests.azure.boxes import Box, OnMachine

pytestmark = pytest.mark.slow  # it builds images


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


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Return what is reached in the place of a machine."""
    if missing():
        pytest.skip(f"in the place of a machine are root and an SSH server: {missing()}")
    with box(tmp_path_factory.mktemp("box")) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, arm: Arm, there: Box, client: sdk.DockerClient) -> Iterator[OnMachine]:
    """Return a project of which nothing is left in the end."""
    found = on_machine(tmp_path, arm, there, client)
    yield found
    assert found.engine
    found.engine.remove()


def test_a_first_deployment_makes_a_machine_and_is_removed(project: OnMachine) -> None:
    """From nothing, with what the machine needs; all commands see both layers; then nothing is left, its disk included."""
    done = project.deploy()
    print(done.out, done.err)
    assert done.code == 0, done.err
    assert project.versions() == {1: ("running", True)}
    assert project.status()["ready"]
    assert '"message":"ready"' in project.run("logs").out
    rows = project.folder / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert json.loads(project.run("score", str(rows)).out)["outputs"][0]["name"] == "y"
    assert project.run("diff").code == 0
    assert project.name in project.run("list").out
    again = project.run("plan", "--base-image", BASE, "--detailed-exitcode")
    assert again.code == 0, again.out

    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == []
    assert project.run("status").code == 3
