"""The engine that answers here, projects to deploy to it, and bases whose images fail."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import docker as sdk
import pytest
from docker.errors import DockerException, ImageNotFound

from opdeploy.deploy.journal import Journal
from opdeploy.deploy.operate import Work
from tests.deploy.clusters import KUBECONFIG, ClusterProject
from tests.deploy.imagined import NAME
from tests.deploy.projects import BASE, Project
from tests.deploy.remembered import Place, Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opdeploy.deploy.execute import Progress

HANGS = (
    "import signal, sys, time\\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit())\\n"
    'if "--model" in getattr(sys, "orig_argv", ()):\\n'
    '    print("never gets ready", file=sys.stderr, flush=True)\\n'
    "    while True:\\n"
    "        time.sleep(1)\\n"
)
"""A sitecustomize with which a server does not start, and ends when it is told to."""
BASES = {
    "refuses": "ENV OPDEPLOY_THREADS=many",
    "hangs": f"RUN printf '{HANGS}' > /usr/lib/python3.11/sitecustomize.py",
}
"""Bases of images that are built, and whose server then fails: by name, the line of the Dockerfile that makes it so."""


@pytest.fixture(scope="session")
def client() -> Iterator[sdk.DockerClient]:
    """Connect to the engine that answers here."""
    try:
        found = sdk.from_env()
        found.images.get(BASE)
    except (DockerException, ImageNotFound) as error:
        pytest.skip(f"needs a Docker engine with the image {BASE}: {error}")
    yield found
    own = f"net-{os.getpid()}-"
    for image in found.api.images():
        for tag in image["RepoTags"] or ():
            if own in tag:  # of a cluster, whose pods have ended by now
                with suppress(DockerException):
                    found.api.remove_image(tag)
    found.close()


@pytest.fixture
def project(tmp_path: Path, client: sdk.DockerClient) -> Iterator[Project]:
    """Return a project of a name of its own, of which nothing is left in the end."""
    found = Project(tmp_path, client)
    yield found
    found.remove()


@pytest.fixture
def cluster_project(tmp_path: Path, client: sdk.DockerClient) -> Iterator[ClusterProject]:
    """Return a project whose namespace is its own, and of which nothing is left in the end."""
    if not KUBECONFIG:
        pytest.skip("needs a cluster of Kubernetes: name a kubeconfig with OPDEPLOY_TEST_KUBECONFIG")
    found = ClusterProject(tmp_path, client)
    yield found
    found.remove()


@pytest.fixture(scope="session")
def broken(client: sdk.DockerClient) -> Iterator[Callable[[str], str]]:
    """Return a function that makes a base whose servers fail, and gives its name."""
    made: dict[str, str] = {}

    def make(kind: str) -> str:
        if kind not in made:
            made[kind] = f"opdeploy-test-{kind}:{os.getpid()}"
            dockerfile = f"FROM {BASE}\n{BASES[kind]}\n".encode()
            client.images.build(fileobj=io.BytesIO(dockerfile), tag=made[kind], rm=True)
        return made[kind]

    yield make
    for name in made.values():
        client.images.remove(name)


@pytest.fixture
def work(tmp_path: Path) -> Callable[..., Work]:
    """Return a function that gives what a plan is carried out with; what is said is in the place's log."""

    def made(place: Place, target: Remembered | None = None) -> Work:
        def watch(_progress: Progress) -> None:
            """Show nothing."""

        journal = Journal(tmp_path, "remembered", NAME)
        return Work(
            target or Remembered(),
            place,
            {"memory": place},
            journal,
            watch,
            lambda text: place.log.append(f"say: {text}"),
        )

    return made
