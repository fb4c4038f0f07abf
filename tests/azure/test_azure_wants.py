"""What new resources want of a region, by their bodies: which questions are asked, and for how many."""

from __future__ import annotations

from typing import Any

import pytest

from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.names import Where
from opdeploy.targets.azure.shared import Resource
from opdeploy.targets.azure.wants import questions, tier_of

AT = Where("11111111-2222-3333-4444-555555555555", "models", "westeurope", "net")
D2 = "Standard_D2as_v5"


def resource(kind: str, body: dict[str, Any]) -> Resource:
    """Return a resource of the group."""
    names = ["net"] * KINDS[kind].type.count("/")
    return Resource(kind, KINDS[kind].id(AT.group_id, *names), body)


CLUSTER = resource("cluster", {"properties": {"agentPoolProfiles": [{"vmSize": D2, "count": 2}]}})
POOL = resource("node pool", {"properties": {"vmSize": "Standard_NC4as_T4_v3", "count": 0, "scaleSetPriority": "Spot"}})
PROFILES = [{"workloadProfileType": "Consumption"}, {"workloadProfileType": "D4"}]
CASES = {
    "nothing": ([], []),
    "what wants nothing": ([resource("identity", {})], []),
    "a cluster and its nodes": ([CLUSTER, POOL], ["which sizes westeurope offers", "which sizes westeurope offers"]),
    "a plan": (
        [resource("app service plan", {"sku": {"name": "P1v3"}})],
        ["which regions have plans of PremiumV3"],
    ),
    "an environment": (
        [resource("container app environment", {"properties": {"workloadProfiles": PROFILES}})],
        ["the quota of environments in westeurope", "which workload profiles westeurope has"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_region_is_asked_for_what_is_wanted_of_it(case: str) -> None:
    """And for nothing else."""
    made, expected = CASES[case]
    assert [asked.about for asked in questions(made, AT)] == expected


def test_machines_of_a_size_are_counted_together() -> None:
    """Those of a pool that may have none are one at least: it has to be had."""
    skus = [
        {
            "resourceType": "virtualMachines",
            "name": D2,
            "family": "f",
            "capabilities": [{"name": "vCPUs", "value": "2"}],
        }
    ]
    (asked,) = questions([CLUSTER, CLUSTER], AT)
    (quota,) = asked.judge(skus)
    left = [{"name": {"value": "f"}, "currentValue": 0, "limit": 7}]
    (found,) = quota.judge(left)  # type: ignore[union-attr]
    assert "4 of Standard_D2as_v5 take 8 processors" in found.text  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("size", "tier"), [("B1", "Basic"), ("S2", "Standard"), ("P1v3", "PremiumV3"), ("P0v3", "PremiumV3"), ("X", None)]
)
def test_a_size_of_plans_has_a_tier(size: str, tier: str | None) -> None:
    """One that is not known is not asked for."""
    assert tier_of(size) == tier
