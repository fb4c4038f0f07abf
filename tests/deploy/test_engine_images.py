"""Images of deployments on a real engine: whose they are, and whether a registry has them."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
import yaml

from opdeploy.clients import docker
from opdeploy.clients.docker.images import push, silent
from tests.deploy.projects import BASE, Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker as sdk

    from opdeploy.clients.docker.host import Host

    Build = Callable[..., str]

pytestmark = pytest.mark.slow  # it builds images

REGISTRY = "127.0.0.1:5000"
NAME = f"m{os.getpid()}"
LABEL = f"opdeploy.built-for={NAME}"


@pytest.fixture
def host() -> Iterator[Host]:
    """Return what deployments are made with here."""
    with docker.connected() as engine:
        yield engine.host("ann@here")


@pytest.fixture
def build(client: sdk.DockerClient) -> Iterator[Build]:
    """Return a function that builds an image under a name, another for each word; all go in the end."""
    made: set[str] = set()

    def make(name: str, word: str, label: str = LABEL) -> str:
        dockerfile = f"FROM {BASE}\nLABEL {label}\nENV WORD={word}\n".encode()
        made.add(name)
        image, _ = client.images.build(fileobj=io.BytesIO(dockerfile), tag=name, rm=True)
        return str(image.id)

    yield make
    for name in made:
        client.images.remove(name)


def pushed(host: Host) -> dict[str, object]:
    """Return the images of the deployment, and whether each is pushed."""
    found = host.observe("local", NAME, pushed=True).found
    return {item.name: item.properties["pushed"] for item in found if item.kind == "image"}


def test_what_is_pushed_is_what_the_registry_has(client: sdk.DockerClient, host: Host, build: Build) -> None:
    """Not what the engine remembers: a name that leads to another image there is not this one's."""
    try:
        urlopen(f"http://{REGISTRY}/v2/", timeout=5).close()
    except OSError as error:
        pytest.skip(f"needs a registry on {REGISTRY}: {error}")
    name = f"{REGISTRY}/opdeploy-{NAME}:a"
    mine = build(name, "mine")
    assert pushed(host) == {name: False}
    push(client, name, silent)
    assert pushed(host) == {name: True}
    build(name, "other")
    push(client, name, silent)
    client.images.get(mine).tag(name)
    assert client.images.get(name).attrs["RepoDigests"]
    assert pushed(host) == {name: False}
    push(client, name, silent)
    assert pushed(host) == {name: True}


def test_an_image_is_a_deployment_s_by_its_label_and_its_name(host: Host, build: Build) -> None:
    """Neither alone will do: the files of `render` make images with the label, and names are anyone's."""
    build(f"opdeploy-{NAME}:a", "a")
    build(f"opdeploy-{NAME}:b", "b", label="another=1")
    build(f"opdeploy-{NAME}:c", "c", label=f"opdeploy.built-for={NAME}-v1")
    build(f"{NAME}:d", "d")
    build(f"opdeploy-{NAME}:e", "e", label=f"{LABEL} opdeploy.target=aks-cpu")  # of the same name, on a cluster
    assert pushed(host) == {f"opdeploy-{NAME}:a": False}


def test_deployments_share_all_layers_of_a_model(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Their images differ in a label alone, which is in no layer: the second takes no room, and no time to push."""
    other = Project(tmp_path_factory.mktemp("other"), project.client)
    try:
        layers = []
        for one in (project, other):
            assert one.deploy().code == 0
            (version,) = one.status()["versions"]
            layers.append(one.client.images.get(version["image"]).attrs["RootFS"]["Layers"])
        assert layers[0] == layers[1]
    finally:
        other.remove()


def test_what_is_built_of_rendered_files_is_no_part_of_a_deployment(project: Project) -> None:
    """Its image and its container have names of their own, and `remove` leaves them."""
    assert project.deploy().code == 0
    rendered = project.run("render", "-d", "made", "--base-image", project.base)
    assert rendered.code == 0, rendered.err
    compose = yaml.safe_load((project.folder / "made" / "compose.yaml").read_text())
    image = compose["services"]["model"]["image"]
    assert (compose["name"], image.partition(":")[0]) == (project.name, project.name)
    assert f"--name {project.name} " in (project.folder / "made" / "README.md").read_text()
    (version,) = project.status()["versions"]
    found = project.client.images.get(version["image"])
    assert found.labels["opdeploy.built-for"] == project.name
    found.tag(image)  # the same files make the same image
    container = project.client.containers.create(image, name=project.name)
    assert project.name not in {found["name"] for found in project.status()["found"]}
    try:
        removed = project.run("remove", "--yes")
        assert removed.code == 0, removed.err
        container.reload()
        assert project.name not in {found["deployment"] for found in json.loads(project.run("list", "-o", "json").out)}
    finally:
        container.remove()
    assert project.left() == [image]
