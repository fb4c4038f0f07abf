"""What new resources want of a region, by their bodies: which questions are asked, and for how many."""

from __future__ import annotations

from typing import Any

import pytest

from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.names import Where
from opdeploy.targets.azure.questions import Question
from opdeploy.targets.azure.shared import Resource
from opdeploy.targets.azure.wants import questions, tier_of

AT = Where("11111111-2222-3333-4444-555555555555", "models", "westeurope", "net")
D2, D4 = "Standard_D2as_v5", "Standard_D4as_v5"


def resource(kind: str, body: dict[str, Any]) -> Resource:
    """Return a resource of the group."""
    names = ["net"] * KINDS[kind].type.count("/")
    return Resource(kind, KINDS[kind].id(AT.group_id, *names), body)


def cluster(nodes: int) -> Resource:
    """Return a cluster with nodes of its own."""
    return resource("cluster", {"properties": {"agentPoolProfiles": [{"vmSize": D2, "count": nodes}]}})


def pool(nodes: int, **more: Any) -> Resource:  # noqa: ANN401 - any property
    """Return nodes for the pods."""
    return resource("node pool", {"properties": {"vmSize": D4, "count": nodes, **more}})


CLUSTER = cluster(2)
POOL = resource("node pool", {"properties": {"vmSize": "Standard_NC4as_T4_v3", "count": 0, "scaleSetPriority": "Spot"}})
CASES = {
    "nothing": ([], []),
    "what wants nothing": ([resource("identity", {})], []),
    "a cluster and its nodes": ([CLUSTER, POOL], ["which sizes westeurope offers"]),
    "a plan": (
        [resource("app service plan", {"sku": {"name": "P1v3"}})],
        ["which regions have plans of PremiumV3"],
    ),
    "an environment": (
        [resource("container app environment", {"properties": {}})],
        ["the quota of environments in westeurope"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_region_is_asked_for_what_is_wanted_of_it(case: str) -> None:
    """And for nothing else."""
    made, expected = CASES[case]
    assert [asked.about for asked in questions(made, AT)] == expected


def sku(size: str, cores: int) -> dict[str, Any]:
    """Return a size of a family, as Azure lists it."""
    told = [{"name": "vCPUs", "value": str(cores)}]
    return {"resourceType": "virtualMachines", "name": size, "family": "f", "capabilities": told}


SKUS = [sku(D2, 2), sku(D4, 4)]
BOTH = "deploy.aks.system_size, deploy.aks.size: 1 of Standard_D2as_v5 and {} of Standard_D4as_v5 take {} processors"
COUNTED: dict[str, tuple[list[Resource], dict[str, int], list[str]]] = {
    "those of a size": (
        [CLUSTER, CLUSTER],
        {"f": 7},
        ["deploy.aks.system_size: 4 of Standard_D2as_v5 take 8 processors"],
    ),
    "those of a family, and of all": ([cluster(1), pool(1)], {"cores": 5, "f": 5}, [BOTH.format(1, 6)] * 2),
    "as many as there may be": ([cluster(1), pool(1, maxCount=3)], {"cores": 13}, [BOTH.format(3, 14)]),
    "one at least": ([pool(0)], {"f": 3}, ["deploy.aks.size: 1 of Standard_D4as_v5 take 4 processors"]),
    "Spot by itself": (
        [cluster(1), pool(1, scaleSetPriority="Spot")],
        {"cores": 2, "f": 2, "lowPriorityCores": 3},
        ["deploy.aks.size: 1 of Standard_D4as_v5 take 4 processors"],
    ),
    "as many as there are left": ([cluster(1), pool(1)], {"cores": 6, "f": 6}, []),
}


@pytest.mark.parametrize("case", COUNTED)
def test_machines_are_counted_together(case: str) -> None:
    """Those of one quota, whichever pool they are of."""
    made, left, expected = COUNTED[case]
    (asked,) = questions(made, AT)
    (quota,) = asked.judge(SKUS)
    assert isinstance(quota, Question)
    usages = [{"name": {"value": name}, "currentValue": 0, "limit": limit} for name, limit in left.items()]
    assert [found.text.partition(", and of")[0] for found in quota.judge(usages)] == expected  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("size", "tier"), [("B1", "Basic"), ("S2", "Standard"), ("P1v3", "PremiumV3"), ("P0v3", "PremiumV3"), ("X", None)]
)
def test_a_size_of_plans_has_a_tier(size: str, tier: str | None) -> None:
    """One that is not known is not asked for."""
    assert tier_of(size) == tier
