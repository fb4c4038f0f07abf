"""What a user may not do on a real cluster: told before anything is made, with the verbs that are missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.deploy.clusters import KUBECONFIG, kubectl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.deploy.clusters import ClusterProject

    Rules = list[dict[str, list[str]]]

pytestmark = pytest.mark.slow  # it builds images

WRITES = ["get", "list", "create", "patch", "delete"]
EDIT: Rules = [
    {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": WRITES},
    {"apiGroups": [""], "resources": ["pods", "services", "secrets"], "verbs": WRITES},
    {"apiGroups": [""], "resources": ["pods/log", "events"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods/portforward", "pods/exec"], "verbs": ["create", "get"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies", "ingresses"], "verbs": WRITES},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": WRITES},
]
"""Everything that a deployment needs in its namespace."""
VIEW: Rules = [{**rule, "verbs": ["get", "list"]} for rule in EDIT if "secrets" not in rule["resources"]] + [
    {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create", "get"]},
]
"""To look at everything but secrets, and to change nothing."""


@pytest.fixture
def as_user(cluster_project: ClusterProject, tmp_path: Path) -> Callable[[Rules], str]:
    """Return a function that makes a kubeconfig of a user with rights in the project's namespace alone."""
    space = cluster_project.name
    kubectl("create", "namespace", space)

    def made(rules: Rules) -> str:
        kubectl("-n", space, "create", "serviceaccount", "ann")
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "ann"},
            "rules": rules,
        }
        (tmp_path / "role.yaml").write_text(json.dumps(role))
        kubectl("-n", space, "apply", "--filename", str(tmp_path / "role.yaml"))
        kubectl("-n", space, "create", "rolebinding", "ann", "--role=ann", f"--serviceaccount={space}:ann")
        (tmp_path / "token.json").write_text(
            json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
        )
        path = f"/api/v1/namespaces/{space}/serviceaccounts/ann/token"
        token = json.loads(kubectl("create", "--raw", path, "--filename", str(tmp_path / "token.json")))["status"][
            "token"
        ]
        with open(KUBECONFIG) as file:  # noqa: PTH123
            config = yaml.safe_load(file)
        for user in config["users"]:
            user["user"] = {"token": token}
        kubeconfig = tmp_path / "ann.yaml"
        kubeconfig.write_text(json.dumps(config))
        return str(kubeconfig)

    return made


def test_rights_in_one_namespace_are_enough(cluster_project: ClusterProject, as_user: Callable[[Rules], str]) -> None:
    """To deploy, to look, to go back and to remove; no right in the cluster is asked for."""
    project = cluster_project
    variables = {"KUBECONFIG": as_user(EDIT)}

    def run(*arguments: str) -> None:
        done = project.run(*arguments, variables=variables)
        assert done.code == 0, done.err

    run("deploy", "--yes", "--base-image", project.base)
    project.model(seed=1)
    run("deploy", "--yes", "--base-image", project.base)
    for words in (["status"], ["logs"], ["diff"], ["history"], ["rollback", "--yes"], ["remove", "--yes"]):
        run(*words)
    refused = project.run("list", variables=variables)
    assert refused.code == 1
    assert "may not list deployments.apps in the cluster; ask for a ClusterRole" in refused.err
    assert (
        project.name
        not in project.run("list", "--set", f"kubernetes.namespace={project.name}", variables=variables).out
    )


def test_rights_that_are_missing_are_told_before_anything_is_built(
    cluster_project: ClusterProject, as_user: Callable[[Rules], str]
) -> None:
    """All of them at once, by their verbs; and who may look sees what others made."""
    project = cluster_project
    viewer = {"KUBECONFIG": as_user(VIEW)}
    refused = project.run("deploy", "--yes", "--base-image", project.base, variables=viewer)
    assert refused.code == 1
    for verb in ("create deployments.apps", "patch services", "create pods", "create leases.coordination.k8s.io"):
        assert verb in refused.err
    assert "build" not in refused.err
    assert project.deploy().code == 0
    for words in (["status"], ["logs"], ["diff"], ["history"]):
        done = project.run(*words, variables=viewer)
        assert done.code == 0, done.err
    for words in (["remove", "--yes"], ["rollback", "--to", "1", "--yes"]):
        done = project.run(*words, variables=viewer)
        assert done.code == 1
        assert "may not create leases.coordination.k8s.io in namespace" in done.err
    assert project.versions() == {1: ("running", True)}


def test_a_namespace_that_may_not_be_made_is_told(
    cluster_project: ClusterProject, as_user: Callable[[Rules], str]
) -> None:
    """Who has no right there may not even look whether it is there."""
    project = cluster_project
    variables = {"KUBECONFIG": as_user(EDIT)}
    other = ("--namespace", f"{project.name}-other")
    refused = project.run("deploy", "--yes", "--base-image", project.base, *other, variables=variables)
    assert refused.code == 1
    assert f"in namespace {project.name}-other; ask for a Role" in refused.err
