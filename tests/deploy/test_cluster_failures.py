"""What fails on a real cluster: the evidence is told, and the version that worked answers all the while."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.conftest import environment
from tests.deploy.clusters import KUBECONFIG, REGISTRY, kubectl
from tests.deploy.test_on_cluster import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.deploy.clusters import ClusterProject

pytestmark = pytest.mark.slow  # it builds images

CASES = {
    "refuses": (2, ["exit code 2", "its log ends with:", "OPDEPLOY_THREADS"]),
    "hangs": (1, ["was not ready within 5 s", "never gets ready"]),
}
"""By what is broken: the exit code of the command, and the evidence that it tells."""


def still_works(project: ClusterProject) -> None:
    """See that the first version is as before, and nothing else is left."""
    assert project.versions() == {1: ("running", True)}
    assert project.status()["ready"]
    assert project.run("diff").code == 0
    assert [name for name in project.names("pods") if "trial" in name] == []


@pytest.mark.parametrize("kind", CASES)
def test_a_broken_server_ends_on_the_old_version(
    cluster_project: ClusterProject, broken: Callable[[str], str], kind: str
) -> None:
    """The evidence comes before the return, and what failed is not there any more."""
    project = cluster_project
    code, evidence = CASES[kind]
    assert project.deploy().code == 0
    project.model(seed=1)
    done = project.deploy("--timeout", "5", base=broken(kind))
    assert done.code == code, done.err
    for words in evidence:
        assert words in done.err
    assert done.err.index(evidence[0]) < done.err.index("returns to version 1")
    assert done.err.splitlines()[-1].endswith("version 1 answers as before")
    still_works(project)


@pytest.mark.parametrize("record", [0, 7])
def test_a_model_with_wrong_answers_ends_on_the_old_version(cluster_project: ClusterProject, record: int) -> None:
    """The server finds the first record itself, and the command the last: both exit with 5, before any request."""
    project = cluster_project
    assert project.deploy().code == 0
    project.model(seed=1, wrong=record)
    done = project.deploy()
    assert done.code == 5, done.err
    assert "differs" in done.err
    assert "roll out" not in done.err.partition("failed after")[2].partition("returns to")[0]
    assert done.err.splitlines()[-1].endswith("version 1 answers as before")
    still_works(project)


def test_a_node_without_room_ends_on_the_old_version(cluster_project: ClusterProject) -> None:
    """The scheduler's own words are told."""
    project = cluster_project
    assert project.deploy().code == 0
    project.workload(kubernetes={"cpus": 900})
    done = project.deploy("--timeout", "5")
    assert done.code == 1, done.err
    assert "no node takes the pod: 0/1 nodes are available: 1 Insufficient cpu;" in done.err
    assert "event FailedScheduling" in done.err
    assert done.err.splitlines()[-1].endswith("version 1 answers as before")
    project.workload()
    still_works(project)


def test_an_image_that_cannot_be_pulled_ends_on_the_old_version(cluster_project: ClusterProject) -> None:
    """As where the registry lost it, and the node does not have it."""
    project = cluster_project
    assert project.deploy().code == 0
    project.model(seed=1)
    (node,) = kubectl("get", "nodes", "-o", "name").split()
    kubectl("cordon", node)  # until the image is gone
    try:
        with subprocess.Popen(
            project.command("deploy", "--yes", "--base-image", project.base),
            cwd=project.folder,
            encoding="utf-8",
            env=environment(KUBECONFIG=KUBECONFIG),
            stderr=subprocess.PIPE,
        ) as process:
            until(lambda: f"pod/{project.name}-trial" in project.names("pods"))
            image = project.get("pod", f"{project.name}-trial")["spec"]["containers"][0]["image"]
            project.client.images.remove(image, force=True)
            unpush(image)
            kubectl("uncordon", node)
            _, said = process.communicate(timeout=120)
    finally:
        kubectl("uncordon", node)
    assert process.returncode == 1, said
    assert "ImagePullBackOff" in said
    assert "event Failed" in said
    assert said.splitlines()[-1].endswith("version 1 answers as before")
    still_works(project)


def unpush(image: str) -> None:
    """Remove an image from its registry."""
    repository, _, tag = image.removeprefix(f"{REGISTRY}/").rpartition(":")
    url = f"http://{REGISTRY}/v2/{repository}/manifests/"
    kinds = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
    with urlopen(Request(url + tag, headers={"Accept": kinds}, method="HEAD"), timeout=10) as found:  # noqa: S310
        digest = found.headers["Docker-Content-Digest"]
    urlopen(Request(url + digest, method="DELETE"), timeout=10).close()  # noqa: S310


def test_a_first_deployment_that_fails_leaves_nothing(
    cluster_project: ClusterProject, broken: Callable[[str], str]
) -> None:
    """There is nothing to return to, and nothing half made is left."""
    project = cluster_project
    done = project.deploy("--timeout", "5", base=broken("refuses"))
    assert done.code == 2, done.err
    assert "nothing ran before, and what was made is removed" in done.err
    assert project.left() == []


def test_two_at_once_are_one_after_the_other(cluster_project: ClusterProject) -> None:
    """One holds the lock, which is a Lease, and the other says who."""
    project = cluster_project
    done: list[object] = []
    command = ("deploy", "--yes", "--base-image", project.base)
    threads = [threading.Thread(target=lambda: done.append(project.run(*command))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran.code for ran in done) == [0, 1], [ran.err for ran in done]  # type: ignore[attr-defined]
    (refused,) = (ran for ran in done if ran.code)  # type: ignore[attr-defined]
    assert "is at work on it" in refused.err  # type: ignore[attr-defined]
    assert project.versions() == {1: ("running", True)}
