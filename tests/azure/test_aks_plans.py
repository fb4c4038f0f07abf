"""Plans for clusters of Azure: cases of what exists and what is wanted, each with the steps that it leads to."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.deploy.planning import to_deploy, to_remove, to_roll_back
from opdeploy.deploy_settings import Deploy
from opdeploy.errors import InputError, OpdeployError
from opdeploy.targets import aks
from opdeploy.targets.aks import bodies, plugin, sizes
from opdeploy.targets.azure.template import template
from tests.azure.aks_values import SUBSCRIPTION, THEIRS, Subscription, settings, wanted
from tests.deploy.cluster_values import NAME, Imagined

if TYPE_CHECKING:
    from opdeploy.plan import Plan
    from opdeploy.targets.base import Wanted

REGISTRY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/r/providers/Microsoft.ContainerRegistry/registries/mine"
MINE: Any = {"id": REGISTRY, "server": "mine.azurecr.io", "mode": "LegacyRegistryPermissions"}
INSIDE = [
    "check rollout", "check check-server", "change prove", "create apply-Service", "create apply-PodDisruptionBudget",
    "check check",
]  # fmt: skip
AROUND = ["create put-resource-group", "create put-container-registry", "create put-cluster"]
GPU_NODES = ["create apply-DaemonSet", "check kubernetes-tells_of_gpus"]


def planned(there: Subscription, want: Wanted) -> Plan:
    """Return the plan of a deployment."""
    return to_deploy(aks.MANAGED, want, there.observe(), ())


def deployed(want: Wanted, **there: Any) -> Subscription:  # noqa: ANN401 - what the subscription has
    """Return a subscription to which something was deployed."""
    made = Subscription(want.settings, **there)
    made.carry_out(planned(made, want).steps)
    return made


def lines(plan: Plan) -> list[str]:
    """Return the steps of a plan in short, without the names of resources."""
    return [f"{step.action} {step.id.removesuffix(f'-{step.name}')}" for step in plan.steps]


FIRST: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "a cluster is made": (
        {},
        {},
        [
            *AROUND, "create put-role-assignment", "create put-node-pool", "create apply-Namespace",
            "create azure-build", "create apply-NetworkPolicy", "create apply-Deployment", *INSIDE,
        ],
    ),
    "with nodes that have GPUs": (
        {"target": "aks-gpu"},
        {},
        [
            *AROUND, "create put-role-assignment", "create put-node-pool", *GPU_NODES, "create apply-Namespace",
            "create azure-build", "create apply-NetworkPolicy", "create apply-Deployment", *INSIDE,
        ],
    ),
    "images are built here, and the registry is none of Azure's": (
        {"registry": "me.example"},
        {"facts": {"builds": "here", "registry": None}},
        [
            "create put-resource-group", "create put-cluster", "create put-node-pool", "create apply-Namespace",
            "create image", "create push", "create apply-NetworkPolicy", "create apply-Deployment", *INSIDE,
        ],
    ),
    "one is named, and used as it is": (
        {"aks": {"cluster": THEIRS}, "registry": "mine.azurecr.io"},
        {"others": (THEIRS,), "facts": {"builds": "registry", "registry": MINE, "group": {"own": False}}},
        [
            "create put-role-assignment", "create apply-Namespace", "create azure-build", "create apply-NetworkPolicy",
            "create apply-Deployment", *INSIDE,
        ],
    ),
    "one is named, whose nodes may pull already": (
        {"aks": {"cluster": THEIRS}, "registry": "mine.azurecr.io"},
        {
            "others": (THEIRS,),
            "facts": {"builds": "registry", "registry": MINE, "group": {"own": False}, "pulls": "others"},
        },
        [
            "create apply-Namespace", "create azure-build", "create apply-NetworkPolicy", "create apply-Deployment",
            *INSIDE,
        ],
    ),
    "one is named, to which nodes are added": (
        {"target": "aks-gpu", "aks": {"cluster": THEIRS, "size": "Standard_NC40ads_H100_v5"}, "registry": "me.example"},
        {
            "others": (THEIRS,),
            "facts": {"builds": "here", "registry": None, "group": {"own": False}, "plugin": "others"},
        },
        [
            "create put-node-pool", "check kubernetes-tells_of_gpus", "create apply-Namespace", "create image",
            "create push", "create apply-NetworkPolicy", "create apply-Deployment", *INSIDE,
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("want", "there", "steps"), FIRST.values(), ids=FIRST)
def test_a_first_deployment_makes_what_is_missing(
    want: dict[str, Any], there: dict[str, Any], steps: list[str]
) -> None:
    """And then nothing has changed; and then all that was made goes, and nothing else."""
    asked = wanted(**want)
    place = Subscription(asked.settings, **there)
    plan = planned(place, asked)
    assert lines(plan) == steps
    place.carry_out(plan.steps)
    again = planned(place, asked)
    assert not again.changes, lines(again)
    assert [*aks.MANAGED.drift(place.observe())] == []

    place.carry_out(to_remove(aks.MANAGED, place.observe()).steps)
    assert (place.made, place.plugin, place.inside.objects, place.inside.namespace) == ({}, {}, {}, None)


def test_the_cluster_is_what_was_asked_for() -> None:
    """Tier, version and nodes of its own; an identity that is named is that of the nodes."""
    puller = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/p"
    )
    chosen = {"tier": "Standard", "kubernetes_version": "1.36", "system_size": "Standard_D4as_v5", "system_nodes": 3}
    made = bodies.cluster(wanted(aks=chosen, azure={"identity": puller, "owner": "ann"}))
    own = made.body["properties"]
    (system,) = own["agentPoolProfiles"]
    assert (made.body["sku"]["tier"], own["kubernetesVersion"]) == ("Standard", "1.36")
    assert (system["vmSize"], system["count"], system["mode"]) == ("Standard_D4as_v5", 3, "System")
    assert own["oidcIssuerProfile"] == {"enabled": True}
    assert [*made.body["identity"]["userAssignedIdentities"]] == [puller]
    assert own["identityProfile"]["kubeletidentity"]["resourceId"] == puller
    assert made.body["tags"] == {
        "managed-by": "opdeploy", "opdeploy-name": NAME, "opdeploy-target": "aks-cpu", "opdeploy-owner": "ann"
    }  # fmt: skip
    assert bodies.right(wanted(azure={"identity": puller}), {}) is None


NODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as few as possible": (
        {}, {"count": 1, "enableAutoScaling": False, "vmSize": "Standard_D2as_v5", "nodeTaints": []}
    ),
    "down to none": (
        {"aks": {"min_nodes": 0, "max_nodes": 4}},
        {"count": 1, "enableAutoScaling": True, "minCount": 0, "maxCount": 4},
    ),
    "as many as there are": (
        {"aks": {"min_nodes": 1, "max_nodes": 9}, "now": 7},
        {"count": 7, "enableAutoScaling": True, "minCount": 1, "maxCount": 9},
    ),
    "no more than asked for": ({"aks": {"max_nodes": 2}, "now": 7}, {"count": 2}),
    "with a GPU": (
        {"target": "aks-gpu"}, {"vmSize": "Standard_NC4as_T4_v3", "nodeTaints": ["sku=gpu:NoSchedule"]}
    ),
    "with four GPUs each": ({"target": "aks-gpu", "gpus": 3}, {"vmSize": "Standard_NC64as_T4_v3"}),
    "with room for the pod": ({"memory": 20.0}, {"vmSize": "Standard_D8as_v5"}),
    "with processors for the pod": ({"cpus": 12.0}, {"vmSize": "Standard_D16as_v5"}),
    "that end at any time": (
        {"target": "aks-gpu", "aks": {"priority": "Spot"}},
        {
            "scaleSetPriority": "Spot", "scaleSetEvictionPolicy": "Delete", "spotMaxPrice": -1,
            "nodeTaints": ["sku=gpu:NoSchedule", "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"],
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize(("want", "expected"), NODES.values(), ids=NODES)
def test_nodes_are_what_was_asked_for(want: dict[str, Any], expected: dict[str, Any]) -> None:
    """Their size is the smallest with room for a pod, where none is named."""
    now = want.pop("now", None)
    asked = wanted(**want)
    made = bodies.pool(asked, {})
    assert made
    if now:
        made = bodies.pool(asked, {"nodes": {made.id.rpartition("/")[2]: now}})
        assert made
    assert {name: made.body["properties"].get(name) for name in expected} == expected
    assert len(made.id.rpartition("/")[2]) <= 12


@pytest.mark.parametrize(
    ("cpus", "size"),
    [(1.5, "D2as"), (1.6, "D4as"), (3.4, "D4as"), (3.5, "D8as"), (31.1, "D32as"), (31.3, "D48as"), (94.5, "D96as")],
)
def test_a_pod_gets_what_a_node_does_not_keep(cpus: float, size: str) -> None:
    """Which is more the larger it is."""
    assert sizes.fitting(cpus, 1.0, 0) == f"Standard_{size}_v5"


def test_nodes_of_another_size_take_the_place_of_others() -> None:
    """They are there before, and the others are removed when every pod runs; then every pod is waited for again."""
    place = deployed(wanted())
    plan = planned(place, wanted(aks={"size": "Standard_D32as_v5"}))
    assert lines(plan) == [
        "create put-node-pool", "check rollout", "check check-server", "check check", "delete delete-node-pool",
        "check rollout-elsewhere",
    ]  # fmt: skip
    place.carry_out(plan.steps)
    assert sum("/agentPools/" in name for name in place.made) == 1


def test_nodes_that_were_made_for_a_version_that_failed_are_removed() -> None:
    """The version before answers on those that it had."""
    place = deployed(wanted())
    before = {*place.made}
    plan = planned(place, wanted(model="b", aks={"size": "Standard_D32as_v5"}))
    failed = next(number for number, step in enumerate(plan.steps) if step.id == "rollout")
    place.carry_out(plan.steps[:failed])
    place.carry_out(aks.MANAGED.back(place.observe(), 1, plan))
    assert {*place.made} == before
    assert place.observe().current == place.observe().version(1)


@pytest.mark.parametrize("why", [None, "it is stopped; start it"], ids=["reached", "not reached"])
def test_what_is_missing_is_told_once(why: str | None) -> None:
    """Whether or not anybody can look into the cluster."""
    place = deployed(wanted())
    seen = place.observe()
    pool = next(name for name in place.made if "/agentPools/" in name)
    facts = {**seen.facts, "missing": [pool], "cluster": {"id": place.cluster, "why": why}}
    found = [*aks.MANAGED.drift(seen.model_copy(update={"facts": facts}))]
    assert [(item.kind, item.properties) for item in found] == [("node pool", {"exists": False})]


def test_a_rollback_changes_nothing_in_azure() -> None:
    """Only what is in the cluster."""
    place = deployed(wanted())
    place.carry_out(planned(place, wanted(model="b")).steps)
    plan = to_roll_back(aks.MANAGED, place.observe(), None)
    assert {step.call.partition(".")[0] for step in plan.steps} == {"kubernetes", "check"}


def test_what_failed_to_be_made_is_made_again() -> None:
    """Though nothing else of it has to change."""
    place = deployed(wanted())
    place.states[place.cluster] = "failed"
    (step, *_) = planned(place, wanted()).steps
    assert (step.id, step.action, step.call) == (f"put-cluster-{NAME}", "change", "azure.put")


def test_the_right_of_a_cluster_that_is_gone_is_given_to_the_new_one() -> None:
    """An assignment cannot be given to another identity."""
    place = deployed(wanted())
    place.made = {name: body for name, body in place.made.items() if "ContainerService" not in name}
    place.inside = Imagined()
    found = lines(planned(place, wanted()))
    assert found[:4] == [
        "create put-cluster", "delete delete-role-assignment", "create put-role-assignment", "create put-node-pool"
    ]  # fmt: skip


def test_a_cluster_goes_with_all_that_is_in_it() -> None:
    """It is said what others have there; its group of machines is looked at."""
    place = deployed(wanted(target="aks-gpu"))
    place.facts["others"] = ["theirs"]
    plan = to_remove(aks.MANAGED, place.observe())
    assert not any(step.call.startswith("kubernetes.") for step in plan.steps)
    titles = " ".join(step.title for step in plan.steps)
    assert (
        f"remove the cluster {NAME}, with all that is in it, also what others have in the namespaces theirs" in titles
    )
    assert f"see that the resource group g-{NAME}-nodes is gone" in titles


@pytest.mark.parametrize("others", [[], ["/subscriptions/s/resourceGroups/g/providers/A.B/c/d"]])
def test_a_group_stays_in_which_others_have_something(others: list[str]) -> None:
    """Everything else goes, and it is said why that does not."""
    place = deployed(wanted())
    place.facts["group"] = {"own": True, "others": [*others]}
    plan = to_remove(aks.MANAGED, place.observe())
    assert ("delete-resource-group-g" in {step.id for step in plan.steps}) is not bool(others)
    assert {"delete-cluster-net", "azure-close"} <= {step.id.replace(NAME, "net") for step in plan.steps}
    assert any("others have something in it: A.B/c d" in note for note in plan.notes) is bool(others)


def test_what_is_in_a_cluster_of_others_is_not_removed_blindly() -> None:
    """Where nobody can look into it."""
    asked = wanted(aks={"cluster": THEIRS})
    place = deployed(asked, others=(THEIRS,))
    seen = place.observe()
    seen = seen.model_copy(
        update={"facts": {**seen.facts, "cluster": {"id": THEIRS, "why": "it is stopped; start it"}}}
    )
    with pytest.raises(OpdeployError, match="it is stopped; start it"):
        to_remove(aks.MANAGED, seen)


def test_a_template_has_everything_in_its_order() -> None:
    """Nodes come after their cluster, and the right after both registry and cluster."""
    made = template(aks.MANAGED.resources(wanted()))
    found = {item["type"]: item.get("dependsOn", []) for item in made["resources"]}
    cluster = f"[resourceId('Microsoft.ContainerService/managedClusters', '{NAME}')]"
    assert found["Microsoft.ContainerService/managedClusters/agentPools"] == [cluster]
    assert cluster in found["Microsoft.Authorization/roleAssignments"]
    assert len(found["Microsoft.Authorization/roleAssignments"]) == 2


def test_the_plugin_is_on_the_nodes_that_were_made() -> None:
    """Whatever taints they have, and on no others."""
    spec = plugin.manifest(NAME)["spec"]["template"]["spec"]
    pool = bodies.pool(wanted(target="aks-gpu"), {})
    assert pool
    assert spec["nodeSelector"] == pool.body["properties"]["nodeLabels"]
    assert plugin.is_one(plugin.manifest(NAME))


def test_a_node_resource_group_has_a_name_that_azure_takes() -> None:
    """Of 80 characters at most, and its own, however long the names are that it is made of."""
    long, other = ("a" * 89 + letter for letter in "bc")
    names = {bodies.node_group(settings(azure={"resource_group": group}), "m" * 57) for group in (long, other)}
    assert len(names) == 2
    assert all(len(name) <= 80 for name in names)
    assert bodies.node_group(settings(), NAME) == f"g-{NAME}-nodes"


CHOSEN: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing is named": ({}, False),
    "a region alone": ({"azure": {"location": "westeurope"}}, False),
    "a resource group": ({"azure": {"resource_group": "g"}}, True),
    "a subscription": ({"azure": {"subscription": "s"}}, True),
    "a cluster": ({"aks": {"cluster": "c"}}, True),
    "a context, and a resource group": ({"azure": {"resource_group": "g"}, "kubernetes": {"context": "c"}}, False),
    "another platform": ({"target": "aci", "azure": {"resource_group": "g"}}, False),
}


@pytest.mark.parametrize(("deploy", "expected"), CHOSEN.values(), ids=CHOSEN)
def test_a_cluster_of_azure_takes_a_setting_that_says_so(deploy: dict[str, Any], expected: bool) -> None:  # noqa: FBT001 - a case
    """Else it costs money that nobody asked to spend."""
    assert aks.in_azure(Deploy.model_validate({"target": "aks-cpu", **deploy})) is expected


GPU_SIZES = {
    "Standard_NC6": "is retired since 2023",
    "Standard_NC24r": "is retired since 2023",
    "Standard_NC6s_v2": "is retired since 2023",
    "Standard_ND24rs": "is retired since 2023",
    "Standard_NV12": "is retired since 2023",
    "Standard_NC24rs_v3": "is retired since 2025-09-30; take Standard_NC24ads_A100_v4",
    "Standard_NV24s_v3": "is retired since 2026-09-30; take Standard_NV6ads_A10_v5",
    "Standard_NV8as_v4": "is retired since 2026-09-30",
    "Standard_NV28ads_V710_v5": "has a GPU of AMD",
    "Standard_NP10s": "has FPGAs, and no GPU",
    "Standard_D4as_v5": "has no GPU; take one such as",
}
DAY = date(2026, 11, 26)
IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/p"
)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a GPU that nothing uses": ({"aks": {"size": "Standard_NC4as_T4_v3"}}, "or deploy to aks-gpu"),
    "a GPU for the cluster itself": ({"aks": {"system_size": "Standard_NC4as_T4_v3"}}, "deploy.aks.system_size: "),
    "one processor": ({"aks": {"size": "Standard_B1ms"}}, "has one processor, and a node needs two"),
    "fewer at most than at least": ({"aks": {"min_nodes": 3, "max_nodes": 2}}, "max_nodes: 2 is below min_nodes 3"),
    "a context, too": ({"aks": {"cluster": "c"}, "kubernetes": {"context": "k"}}, "named by deploy.kubernetes.context"),
    "the tier of a named one": ({"aks": {"cluster": "c", "tier": "Premium"}}, "deploy.aks.tier: is of a cluster that"),
    "a Key Vault": ({"azure": {"key_vault": "mine"}}, "a cluster keeps the API key itself, in a Secret"),
    "the identity of a named one": (
        {"aks": {"cluster": "c"}, "azure": {"identity": IDENTITY}}, "deploy.aks.cluster names has its own"
    ),
    **{
        f"{size} for GPUs": ({"target": "aks-gpu", "aks": {"size": size}}, f"deploy.aks.size: {size}: {why}")
        for size, why in GPU_SIZES.items()
    },
}  # fmt: skip


@pytest.mark.parametrize(("deploy", "why"), REFUSED.values(), ids=REFUSED)
def test_what_azure_would_refuse_is_refused_before(deploy: dict[str, Any], why: str) -> None:
    """With what to do instead."""
    azure = {"resource_group": "g", **deploy.get("azure", {})}
    with pytest.raises(InputError) as refused:
        aks.check(Deploy.model_validate({"target": "aks-cpu", **deploy, "azure": azure}), DAY)
    assert why in str(refused.value)


GPUS = (
    "Standard_NC4as_T4_v3", "Standard_NC64as_T4_v3", "Standard_NV6ads_A10_v5", "Standard_NC24ads_A100_v4",
    "Standard_NC40ads_H100_v5", "Standard_ND96isr_H100_v5", "Standard_ND96isr_H200_v5",
    "Standard_NC128lds_xl_RTXPRO6000BSE_v6",
)  # fmt: skip


@pytest.mark.parametrize("size", GPUS)
def test_sizes_that_exist_are_taken(size: str) -> None:
    """Those with a GPU of NVIDIA that Azure has today."""
    assert [*sizes.wrong(size, DAY, gpu=True)] == []


def test_a_pod_that_fits_on_no_node_is_told() -> None:
    """A size has to be named then."""
    with pytest.raises(InputError, match=r"knows no size with room for 1 CPU, 5000 GB; name one with --set aks.size="):
        bodies.pool(wanted(memory=5000.0, cpus=1.0), {})
