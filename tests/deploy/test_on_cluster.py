"""Deployments on a real cluster of Kubernetes: the first, the next, back, by other hands, and away."""

from __future__ import annotations

import json
import re
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from tests.deploy.asking import interrupted
from tests.deploy.clusters import ClusterClients, kubectl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.deploy.clusters import ClusterProject

pytestmark = pytest.mark.slow  # it builds images

MOST_EXCUSED = 3
OPEN = ("--allow-plain-http", "--public-no-auth")


def test_a_first_deployment_answers_and_is_removed(cluster_project: ClusterProject) -> None:
    """It tells where it answers; status, logs, score, history, diff and list see it; then it is gone."""
    project = cluster_project
    done = project.deploy()
    assert done.code == 0, done.err
    assert f"answers at http://{project.name}.{project.name}.svc:80" in done.out
    assert f"port-forward service/{project.name} 8000:80" in done.out
    assert project.versions() == {1: ("running", True)}
    status = project.status()
    assert status["ready"]
    (pod,) = [item for item in status["found"] if item["kind"] == "Pod"]
    assert (pod["properties"]["state"], pod["properties"]["restarts"]) == ("ready", 0)
    assert '"message":"ready"' in project.run("logs").out
    assert interrupted(project, "logs", "--follow") == (130, "")
    rows = project.folder / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert json.loads(project.run("score", str(rows)).out)["outputs"][0]["name"] == "y"
    assert project.run("diff").code == 0
    assert project.name in project.run("list").out
    again = project.run("plan", "--base-image", project.base, "--detailed-exitcode")
    assert again.code == 0, again.out

    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert "is gone" in removed.err
    assert project.left() == []
    assert project.run("status").code == 3


def test_a_second_version_takes_over_without_a_failed_request(
    cluster_project: ClusterProject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Clients ask at a port of the nodes, on kept and fresh connections; from another folder the old one comes back."""
    project = cluster_project
    project.workload(kubernetes={"service_type": "NodePort", "replicas": 2})
    first = project.deploy(*OPEN)
    assert first.code == 0, first.err
    project.model(seed=1)
    host, port = project.status()["endpoint"].removeprefix("http://").split(":")
    with ClusterClients(project, host, int(port), rare=False) as clients:
        done = project.deploy(*OPEN)
        until(lambda: len(project.running()) == 2)  # the last one of the old version has ended
    assert done.code == 0, done.err
    assert clients.errors == []
    assert clients.excused <= MOST_EXCUSED
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    for seen in clients.seen:
        assert (seen[0], seen[-1], {*seen}) == ("1", "2", {"1", "2"})
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(project.folder / "workload.yaml", elsewhere)
    back = project.run("rollback", "--yes", cwd=elsewhere)
    assert back.code == 0, back.err
    assert project.versions() == {1: ("running", True), 2: ("stopped", False)}


def until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_drift_is_found_and_mended(cluster_project: ClusterProject, tmp_path: Path) -> None:
    """What `kubectl edit` changed is named property by property; it is taken over only where that is said."""
    project = cluster_project
    assert project.deploy().code == 0
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/replicas: 1/replicas: 2/; s/periodSeconds: 10$/periodSeconds: 7/" "$1"\n')
    editor.chmod(0o755)
    kubectl("-n", project.name, "edit", "deployment", project.name, KUBE_EDITOR=str(editor))
    changed = project.run("diff", "-o", "json")
    assert changed.code == 6
    found = {item["kind"]: item for item in json.loads(changed.out)}["Deployment"]
    assert (found["wanted"]["spec.replicas"], found["properties"]["spec.replicas"]) == (1, 2)
    refused = project.deploy()
    assert refused.code == 1
    assert "kubectl-edit" in refused.err
    assert ".spec.replicas" in refused.err
    assert "--force-conflicts" in refused.err
    mended = project.deploy("--force-conflicts")
    assert mended.code == 0, mended.err
    assert "spec.replicas: 2 → 1" in mended.err
    assert project.run("diff").code == 0
    kubectl("-n", project.name, "delete", "service", project.name)
    assert project.run("diff").code == 6
    assert project.deploy().code == 0
    assert project.run("diff").code == 0


def test_a_deployment_that_others_reach_asks_for_a_key(cluster_project: ClusterProject) -> None:
    """Plain HTTP has to be allowed; the key is made and shown once, and kept in a Secret and in no file."""
    project = cluster_project
    refused = project.deploy("--service-type", "NodePort")
    assert refused.code == 2
    assert "--service-type NodePort: others may read along" in refused.err
    done = project.deploy("--service-type", "NodePort", "--allow-plain-http")
    assert done.code == 0, done.err
    found = re.search(r"API key: (\S{40,})", done.err)
    assert found
    key = found[1]
    project.model(seed=1)
    again = project.deploy("--service-type", "NodePort", "--allow-plain-http")
    assert again.code == 0, again.err
    assert key not in again.err
    rows = project.folder / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert json.loads(project.run("score", str(rows)).out)["outputs"][0]["name"] == "y"
    written = [path.read_text() for path in project.folder.rglob("*") if path.suffix in {".json", ".jsonl", ".yaml"}]
    assert not any(key in text for text in written)
    everything = kubectl("-n", project.name, "get", "deployments,replicasets,pods,services", "-o", "json")
    assert key not in everything
    assert key not in project.run("status", "-o", "json").out
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []


def test_what_is_others_stays(cluster_project: ClusterProject) -> None:
    """Objects of the same name are refused before anything is built; a namespace that others use is left to them."""
    project = cluster_project
    kubectl("create", "namespace", project.name)
    kubectl("-n", project.name, "create", "service", "clusterip", project.name, "--tcp=80:80")
    refused = project.deploy()
    assert refused.code == 1
    assert f"Service {project.name}: opdeploy deploy did not make it" in refused.err
    assert "build" not in refused.err
    kubectl("-n", project.name, "delete", "service", project.name)
    assert project.deploy().code == 0
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == [f"namespace/{project.name}"]


def test_a_namespace_of_its_own_that_others_use_stays(cluster_project: ClusterProject) -> None:
    """What they have in it is not removed with the deployment."""
    project = cluster_project
    assert project.deploy().code == 0
    kubectl("-n", project.name, "create", "configmap", "of-others")
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert "ConfigMap of-others" in removed.err
    assert "configmap/of-others" in project.names("configmaps")
    assert project.left() == [f"namespace/{project.name}"]


def test_the_files_are_what_kubectl_takes(cluster_project: ClusterProject) -> None:
    """Without opdeploy: the image is built and pushed, the manifests are applied, and the model answers."""
    project = cluster_project
    made = project.run("render", "--directory", "files")
    assert made.code == 0, made.err
    files = project.folder / "files"
    manifests = {path.name: path for path in (files / "manifests").iterdir()}
    manifests.pop("50-poddisruptionbudget.yaml").unlink()  # which 1.20 does not know
    text = manifests["30-deployment.yaml"].read_text()
    (image,) = re.findall(r'image: "(.*)"', text)
    project.client.images.build(
        path=str(files / "image"), tag=image, buildargs={"BASE": project.base}, network_mode="host"
    )
    project.client.images.push(image)
    kubectl("apply", "--filename", str(files / "manifests"))
    kubectl("-n", project.name, "rollout", "status", f"deployment/{project.name}", "--timeout=60s")
    assert kubectl("-n", project.name, "delete", "--filename", str(files / "manifests"))
