"""Clusters of Azure that are made, or named, through the real SDKs, and deployments in a real cluster of Kubernetes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from opdeploy.clients.azure import Within
from opdeploy.clients.kubernetes import connected_to
from opdeploy.errors import TransientError
from opdeploy.targets.aks import plugin
from tests.arm import answers
from tests.azure.breaking import NO, killed, refused
from tests.azure.clouded import GROUP, REGION
from tests.azure.clustered import ClusteredProject, others_cluster
from tests.deploy.clusters import kubectl

if TYPE_CHECKING:
    from tests.conftest import Ran

pytestmark = pytest.mark.slow  # it builds images

TYPE = "Microsoft.ContainerService/managedClusters"


def where(project: ClusteredProject) -> str:
    """Return the id of the project's own cluster, below the subscription."""
    return f"resourceGroups/{GROUP}/providers/{TYPE}/{project.name}"


def pools(project: ClusteredProject) -> dict[str, Any]:
    """Return the properties of the nodes that were made for the pods, by name."""
    found = project.arm.below(project.arm.resource(where(project)).id)
    return {item.name: item.properties for item in found if item.name != "system"}


def test_a_first_deployment_makes_a_cluster_and_is_removed_with_it(cluster_of_azure: ClusteredProject) -> None:
    """From nothing; status, logs, score, history, diff and list see it; then nothing is left, disks included."""
    project = cluster_of_azure
    done = project.deploy()
    assert done.code == 0, done.err
    assert f"answers at http://{project.name}.{project.name}.svc:80" in done.out
    assert f"az aks get-credentials --resource-group {GROUP} --name {project.name} && kubectl" in done.out
    assert project.versions() == {1: ("running", True)}
    assert project.status()["ready"]
    assert '"message":"ready"' in project.run("logs").out
    rows = project.folder / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert json.loads(project.run("score", str(rows)).out)["outputs"][0]["name"] == "y"
    assert project.run("diff").code == 0
    assert project.name in project.run("list").out
    again = project.run("plan", "--base-image", project.more[1], "--detailed-exitcode")
    assert again.code == 0, again.out
    assert any("/disks/" in name for name in project.left())

    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert "is gone" in removed.err
    assert project.left() == []
    assert project.run("status").code == 3


def test_what_has_not_changed_is_not_written(cluster_of_azure: ClusteredProject) -> None:
    """No request changes anything in Azure but the lock, also where an autoscaler has moved the number of nodes."""
    project = cluster_of_azure
    project.workload(aks={"min_nodes": 0, "max_nodes": 3})
    assert project.deploy().code == 0
    (pool,) = pools(project).values()
    assert (pool["count"], pool["minCount"], pool["maxCount"]) == (1, 0, 3)
    pool["count"] = 3
    again: list[Ran] = []
    written = project.since(lambda: again.append(project.deploy()))
    assert again[0].code == 0, again[0].err
    assert "nothing has changed" in again[0].err
    assert [item.path for item in written if "listClusterUserCredential" not in item.path] == []
    project.workload(aks={"min_nodes": 0, "max_nodes": 5})
    changed = project.deploy()
    assert changed.code == 0, changed.err
    assert "properties.maxCount: 3 → 5" in changed.err
    (pool,) = pools(project).values()
    assert (pool["count"], pool["maxCount"]) == (3, 5)


def test_wrong_answers_end_on_the_old_version(cluster_of_azure: ClusteredProject) -> None:
    """A second version takes over; a third one is tried, and leaves nothing; then the first one answers again."""
    project = cluster_of_azure
    assert project.deploy().code == 0
    project.model(seed=1)
    assert project.deploy().code == 0
    project.model(seed=2, wrong=2)
    failed = project.deploy()
    assert failed.code == 5, failed.err
    assert "version 2 answers as before" in failed.err
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    back = project.run("rollback", "--yes")
    assert back.code == 0, back.err
    assert project.versions() == {1: ("running", True), 2: ("stopped", False)}
    assert project.run("diff").code == 0


def test_a_first_version_with_wrong_answers_leaves_nothing(cluster_of_azure: ClusteredProject) -> None:
    """The cluster goes, too."""
    project = cluster_of_azure
    project.model(seed=1, wrong=2)
    failed = project.deploy()
    assert failed.code == 5, failed.err
    assert project.left() == []


def test_drift_is_found_and_mended_on_both_layers(cluster_of_azure: ClusteredProject) -> None:
    """What others changed in Azure and in the cluster is named, and so is what they removed."""
    project = cluster_of_azure
    assert project.deploy().code == 0
    cluster = project.arm.resource(where(project))
    cluster.body["sku"]["tier"] = "Premium"
    (name,) = pools(project)
    kubectl("-n", project.name, "delete", "service", project.name)
    changed = project.run("diff", "-o", "json")
    assert changed.code == 6
    found = {item["kind"]: item["properties"] for item in json.loads(changed.out)}
    assert found["cluster"]["sku.tier"] == "Premium"
    assert found["Service"] == {"exists": False}
    mended = project.deploy()
    assert mended.code == 0, mended.err
    assert 'sku.tier: "Premium" → "Free"' in mended.err
    assert project.run("diff").code == 0
    project.arm.remove(project.arm.resource(f"{where(project)}/agentPools/{name}"))
    gone = project.run("diff", "-o", "json")
    assert [(item["kind"], item["name"]) for item in json.loads(gone.out)] == [("node pool", name)]
    assert project.deploy().code == 0
    assert project.run("diff").code == 0


def test_nodes_of_another_size_are_others(cluster_of_azure: ClusteredProject) -> None:
    """They are made before the old ones are removed, since a size cannot be changed."""
    project = cluster_of_azure
    assert project.deploy().code == 0
    (before,) = pools(project)
    project.workload(aks={"size": "Standard_D4as_v5", "priority": "Spot"})
    done = project.deploy()
    assert done.code == 0, done.err
    ((after, made),) = pools(project).items()
    assert after != before
    assert (made["vmSize"], made["scaleSetPriority"]) == ("Standard_D4as_v5", "Spot")
    assert f"remove the node pool {before}, which are not asked for any more" in done.err
    assert project.run("diff").code == 0
    pods = json.loads(kubectl("-n", project.name, "get", "deployment", project.name, "-o", "json"))
    keys = [item["key"] for item in pods["spec"]["template"]["spec"]["tolerations"]]
    assert keys == ["kubernetes.azure.com/scalesetpriority"]


def test_a_named_cluster_is_used_as_it_is(cluster_of_azure: ClusteredProject) -> None:
    """Nothing of it is changed, and it stays; nothing of the deployment is left in it."""
    project = cluster_of_azure
    others_cluster(project, "shared", "theirs")
    before = project.left()
    project.workload(aks={"cluster": "theirs"}, azure={"resource_group": None, "location": None})
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("running", True)}
    assert project.name in project.run("list").out
    assert [name for name in project.left() if "/deployments/" not in name.lower()] == before
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == before
    assert project.inside() == []


def test_nodes_are_added_to_a_named_cluster_and_removed(cluster_of_azure: ClusteredProject) -> None:
    """Where a size is named; the cluster's own stay."""
    project = cluster_of_azure
    others_cluster(project, "shared", "theirs")
    before = project.left()
    project.workload(aks={"cluster": "theirs", "size": "Standard_D8as_v5"}, azure={"resource_group": "shared"})
    done = project.deploy()
    assert done.code == 0, done.err
    made = [name for name in project.left() if "/agentPools/cpu" in name]
    assert len(made) == 1
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == before


def test_an_image_that_the_nodes_cannot_pull_leaves_nothing(cluster_of_azure: ClusteredProject) -> None:
    """The nodes get the right to pull from a registry that is made; where that is of no use, all of it goes."""
    project = cluster_of_azure
    project.workload(registry=None, azure={"build": "registry"})
    failed = project.deploy()
    assert failed.code == 1, failed.err
    assert "let the nodes of the cluster pull the image" in failed.err
    assert "what was made is removed" in failed.err
    rights = [item.body for item in project.arm.seen if item.method == "PUT" and "roleassignments" in item.path.lower()]
    assert {item["properties"]["principalType"] for item in rights} == {"ServicePrincipal"}
    assert len({item["properties"]["principalId"] for item in rights}) == 1
    assert project.left() == []


def test_no_credential_of_a_cluster_is_shown_or_written(cluster_of_azure: ClusteredProject) -> None:
    """Neither in what is printed nor in files of the project."""
    project = cluster_of_azure
    user = yaml.safe_load(project.arm.kubeconfig)["users"][0]["user"]
    secrets = [str(value) for value in user.values()]
    done = project.deploy()
    assert done.code == 0, done.err
    shown = done.out + done.err + project.run("status", "-o", "json").out
    shown += project.run("plan", "-o", "json", "--base-image", project.more[1]).out
    files = [path.read_text(errors="replace") for path in project.folder.rglob("*") if path.is_file()]
    assert secrets
    assert not any(secret in text for secret in secrets for text in (shown, *files))


def test_a_cluster_that_was_stopped_is_told(cluster_of_azure: ClusteredProject) -> None:
    """What to do is said; and it is removed all the same."""
    project = cluster_of_azure
    assert project.deploy().code == 0
    project.arm.resource(where(project)).properties["powerState"] = {"code": "Stopped"}
    refused = project.deploy()
    assert refused.code == 1
    assert f"is stopped; start it: az aks start --resource-group {GROUP} --name {project.name}" in refused.err
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == []


def test_what_a_cluster_leaves_behind_is_removed(cluster_of_azure: ClusteredProject) -> None:
    """The group of its machines, disks and addresses, where Azure does not remove that itself."""
    project = cluster_of_azure
    assert project.deploy().code == 0
    project.arm.resource(where(project)).private["stays"] = True
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == []


def test_a_cluster_that_was_not_made_is_made_again(cluster_of_azure: ClusteredProject) -> None:
    """The line of Azure says why, and everything is removed; then the same command succeeds."""
    project = cluster_of_azure
    why = answers.Ending("QuotaExceeded", "Insufficient regional vcpu quota left for location westeurope.")
    project.arm.fail("PUT", f"*/{TYPE}/{project.name}", why)
    failed = project.deploy()
    assert failed.code == 1
    assert "QuotaExceeded: Insufficient regional vcpu quota" in failed.err
    assert "ask for more quota" in failed.err
    assert project.left() == []
    assert project.deploy().code == 0


@pytest.mark.parametrize("number", range(1, 16, 3))
def test_a_first_deployment_that_is_killed_goes_on(cluster_of_azure: ClusteredProject, number: int) -> None:
    """At every third of its writes to Azure; nothing is made twice, and then all of it goes."""
    project = cluster_of_azure
    killed(project, number, "deploy", "--yes", *project.more)
    done = project.deploy()
    assert done.code == 0, done.err
    assert len(pools(project)) == 1
    assert project.run("diff").code == 0
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []


def test_a_first_deployment_that_is_refused_leaves_nothing(cluster_of_azure: ClusteredProject) -> None:
    """At each of its writes to Azure, and after all of that it succeeds."""
    project = cluster_of_azure
    for number in range(40):
        was_refused, failed = refused(project, number, NO, "deploy", "--yes", *project.more)
        if failed.code == 0:  # what is refused at last is that its lock is given back
            break
        assert was_refused
        assert "AuthorizationFailed" in failed.err, number
        assert "az role assignment create" in failed.err, number
        assert (project.left(), project.inside()) == ([], []), (number, failed.err)
    assert number >= 9
    assert project.versions() == {1: ("running", True)}


@pytest.mark.parametrize("number", range(1, 7, 2))
def test_an_update_that_is_killed_goes_on(cluster_of_azure: ClusteredProject, number: int) -> None:
    """The next version has the requests, under the next number."""
    project = cluster_of_azure
    assert project.deploy().code == 0
    project.model(seed=1)
    killed(project, number, "deploy", "--yes", *project.more)
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    assert project.run("diff").code == 0


@pytest.mark.parametrize("number", range(2, 6))
def test_a_removal_that_is_killed_goes_on(cluster_of_azure: ClusteredProject, number: int) -> None:
    """Nothing is left."""
    project = cluster_of_azure
    assert project.deploy().code == 0
    killed(project, number, "remove", "--yes")
    again = project.run("remove", "--yes")
    assert project.left() == [], again.err


def test_the_files_are_what_azure_takes(cluster_of_azure: ClusteredProject) -> None:
    """A template with the cluster, its nodes and their right, beside the manifests."""
    project = cluster_of_azure
    project.workload(registry=None)
    made = project.run("render", "--directory", "files")
    assert made.code == 0, made.err
    template = json.loads((project.folder / "files" / "template.json").read_text())
    kinds = {item["type"]: item for item in template["resources"]}
    assert [*kinds] == [
        "Microsoft.ContainerRegistry/registries",
        TYPE,
        "Microsoft.Authorization/roleAssignments",
        f"{TYPE}/agentPools",
    ]
    assert kinds[TYPE]["location"] == REGION
    assert len(kinds[f"{TYPE}/agentPools"]["dependsOn"]) == 1
    assert "kubeletidentity.objectId" in kinds["Microsoft.Authorization/roleAssignments"]["properties"]["principalId"]
    assert "az aks get-credentials" in (project.folder / "files" / "README.md").read_text()


def test_a_group_of_its_own_is_found_again(cluster_of_azure: ClusteredProject) -> None:
    """Where none is named: that of its machines has the same tags, and is not taken for it."""
    project = cluster_of_azure
    project.workload(azure={"resource_group": None, "subscription": project.arm.subscription})
    done = project.deploy()
    assert done.code == 0, done.err
    group = f"resourceGroups/opdeploy-{project.name}-{project.target}"
    assert f"{group}/providers/{TYPE}/{project.name}" in " ".join(project.left())
    assert project.status()["ready"]
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []


def test_who_is_at_work_on_it_is_seen_by_a_context_too(cluster_of_azure: ClusteredProject) -> None:
    """The lock is in Azure and in the cluster."""
    project = cluster_of_azure
    assert project.deploy().code == 0
    seen: list[str] = []

    def look(_number: int, method: str, path: str) -> None:
        if method == "DELETE" and path.lower().endswith(f"managedclusters/{project.name}?api-version=2026-08-01"):
            seen.extend(kubectl("-n", project.name, "get", "leases", "-o", "name").split())
            seen.extend(name for name in project.left() if "opdeploy.lock." in name)

    project.arm.hook = look
    assert project.run("remove", "--yes").code == 0
    assert seen[0] == f"lease.coordination.k8s.io/{project.name}"
    assert len(seen) == 2


def test_a_plugin_is_applied_and_removed(cluster_of_azure: ClusteredProject) -> None:
    """It is as it was applied, and others that do the same are told apart; no node has a GPU."""
    name = cluster_of_azure.name
    kubeconfig = yaml.safe_load(cluster_of_azure.arm.kubeconfig)
    with connected_to(kubeconfig, "c") as api, pytest.MonkeyPatch.context() as patch:
        within = Within(api, None, "me")
        within.plug(plugin.name(name), manifest=plugin.manifest(name))
        (found,) = [item for item in within.plugins(name) if item]
        assert (found.name, found.drift()) == (plugin.name(name), ())
        assert None not in [*within.plugins(name)]
        theirs = plugin.manifest("theirs")
        theirs["metadata"]["labels"] = {}
        within.plug(plugin.name("theirs"), manifest=theirs)
        assert None in [*within.plugins(name)]
        for each in (name, "theirs", "theirs"):
            within.unplug(plugin.name(each))
        patch.setattr("opdeploy.clients.azure.within._GPUS_S", -1.0)
        with pytest.raises(TransientError, match=f"describe daemonset {name}-gpus"):
            within.tells_of_gpus(name)
