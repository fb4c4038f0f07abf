"""Whether machines of a size can be had: cases of what Azure answers, asked for by the product's own client."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.clients import azure
from opdeploy.clients.azure.asking import asked
from opdeploy.targets.azure import offers
from opdeploy.targets.azure.machines import Machines, question
from opdeploy.targets.azure.names import Where
from tests.arm.answers import Answer, error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.targets.azure.questions import Question, Said
    from tests.arm.arm import Arm

AT = Where("11111111-2222-3333-4444-555555555555", "models", "westeurope", "net")
T4, D2 = "Standard_NC4as_T4_v3", "Standard_D2s_v5"


def sku(name: str, cores: int, family: str, *restrictions: dict[str, Any], spot: str = "True") -> dict[str, Any]:
    """Return a size, as Azure lists it."""
    told = [{"name": "vCPUs", "value": str(cores)}, {"name": "LowPriorityCapable", "value": spot}]
    kind = {"resourceType": "virtualMachines", "name": name, "family": family, "capabilities": told}
    return {**kind, "locations": ["westeurope"], "restrictions": [*restrictions]}


def closed(reason: str, kind: str = "Location") -> dict[str, Any]:
    """Return what keeps a size from a subscription."""
    return {"type": kind, "values": ["westeurope"], "reasonCode": reason}


def usage(name: str, used: int, limit: int) -> dict[str, Any]:
    """Return how much of a quota is used."""
    return {"name": {"value": name, "localizedValue": f"Total {name}"}, "currentValue": used, "limit": limit}


SIZES = [
    sku(T4, 4, "Standard NCASv3_T4 Family"),
    sku(D2, 2, "standardDSv5Family"),
    sku("Standard_D4s_v5", 4, "standardDSv5Family", closed("NotAvailableForSubscription")),
    sku("Standard_D8s_v5", 8, "standardDSv5Family", closed("QuotaId")),
    sku("Standard_D16s_v5", 16, "standardDSv5Family", closed("NotAvailableForSubscription", "Zone")),
    sku("Standard_B2s", 2, "standardBSFamily", spot="False"),
    {"resourceType": "disks", "name": "Premium_LRS"},
]
ENOUGH = [usage("cores", 0, 100), usage("standardDSv5Family", 0, 100), usage("lowPriorityCores", 0, 3)]
CASES: dict[str, tuple[Machines, list[dict[str, Any]], list[str]]] = {
    "a size that can be had": (Machines(D2, 1, "deploy.vm.size"), ENOUGH, []),
    "a size that some zones do not have": (Machines("Standard_D16s_v5", 1, "deploy.vm.size"), ENOUGH, []),
    "a size in other capitals": (Machines(D2.lower(), 1, "deploy.vm.size"), ENOUGH, []),
    "a size that is not offered": (
        Machines("Standard_NC6", 1, "deploy.vm.size"),
        ENOUGH,
        ["deploy.vm.size: Standard_NC6 is not offered in westeurope; there are: "],
    ),
    "a size that the subscription does not get": (
        Machines("Standard_D4s_v5", 1, "deploy.vm.size"),
        ENOUGH,
        ["deploy.vm.size: Standard_D4s_v5 in westeurope: your subscription gets none of them; take another size"],
    ),
    "a size that no subscription of its kind gets": (
        Machines("Standard_D8s_v5", 1, "deploy.vm.size"),
        ENOUGH,
        ["deploy.vm.size: Standard_D8s_v5 in westeurope: the kind of your subscription gets none of them; "],
    ),
    "a size that is no Spot": (
        Machines("Standard_B2s", 1, "deploy.vm.size", spot=True),
        ENOUGH,
        ["deploy.vm.size: Standard_B2s is not offered as Spot; take another size, or no Spot"],
    ),
    "a family of GPUs with no quota": (
        Machines(T4, 2, "deploy.vm.size"),
        [*ENOUGH, usage("Standard NCASv3_T4 Family", 0, 0)],
        [
            ("deploy.vm.size: 2 of Standard_NC4as_T4_v3 take 8 processors, and of the quota Total Standard NCASv3_T4 "
            "Family in westeurope 0 of 0 are left, as that of GPUs is in the beginning; ask for more in the ")
        ],
    ),
    "too few processors of all families": (
        Machines(D2, 3, "deploy.vm.size"),
        [usage("cores", 96, 100), usage("standardDSv5Family", 0, 100)],
        ["deploy.vm.size: 3 of Standard_D2s_v5 take 6 processors, and of the quota Total cores in westeurope 4 of 100"],
    ),
    "processors that a smaller one has already": (
        Machines(D2, 1, "deploy.vm.size", instead="Standard_D4s_v5"),
        [usage("cores", 100, 100), usage("standardDSv5Family", 4, 4)],
        [],
    ),
    "too few for a larger one": (
        Machines("Standard_D16s_v5", 1, "deploy.vm.size", instead=D2),
        [usage("cores", 90, 104), usage("standardDSv5Family", 2, 15)],
        ["deploy.vm.size: 1 of Standard_D16s_v5 take 16 processors, and of the quota Total standardDSv5Family in "],
    ),
    "processors of another family": (
        Machines(T4, 1, "deploy.vm.size", instead="Standard_D16s_v5"),
        [usage("cores", 100, 100), usage("Standard NCASv3_T4 Family", 0, 0)],
        ["deploy.vm.size: 1 of Standard_NC4as_T4_v3 take 4 processors, and of the quota Total Standard NCASv3_T4 "],
    ),
    "too few processors of Spot": (
        Machines(D2, 2, "deploy.vm.size", spot=True),
        [usage("cores", 100, 100), *ENOUGH],
        ["deploy.vm.size: 2 of Standard_D2s_v5 take 4 processors, and of the quota Total lowPriorityCores in "],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_keeps_machines_from_being_made_is_told(case: str, arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer, restriction and quota, each with what to do; and it is no other than that."""
    wanted, usages, expected = CASES[case]
    arm.fail("GET", "/providers/Microsoft.Compute/skus", Answer(200, {"value": SIZES}))
    arm.fail("GET", "/locations/westeurope/usages", Answer(200, {"value": usages}))
    found = asked_of(arm, monkeypatch, wanted)
    assert [item.stops for item in found] == [True] * len(expected)
    for item, start in zip(found, expected, strict=True):
        assert item.text.startswith(start)
        assert "; " in item.text


OFFERS: dict[str, tuple[Question, str, list[dict[str, Any]], list[str]]] = {
    "a plan that is offered": (
        offers.plan(AT, "PremiumV3", "deploy.webapp.sku"),
        "/geoRegions",
        [{"name": "West Europe"}],
        [],
    ),
    "a plan that is not offered": (
        offers.plan(AT, "PremiumV3", "deploy.webapp.sku"),
        "/geoRegions",
        [{"name": "East US"}, {"properties": {"name": "North Europe"}}],
        [
            (
                "deploy.webapp.sku: westeurope has no Linux plan of PremiumV3; take another size, or one of: eastus, "
                "northeurope"
            )
        ],
    ),
    "a profile that is offered": (
        offers.profile(AT, "D4", "deploy.container_apps.profile"),
        "/availableManagedEnvironmentsWorkloadProfileTypes",
        [{"name": "D4"}],
        [],
    ),
    "a profile that is not offered": (
        offers.profile(AT, "Consumption-GPU-NC8as-T4", "deploy.container_apps.profile"),
        "/availableManagedEnvironmentsWorkloadProfileTypes",
        [{"name": "Consumption"}, {"name": "D4"}],
        [
            (
                "deploy.container_apps.profile: westeurope has no workload profile Consumption-GPU-NC8as-T4; take "
                "another region with --location, such as one of: australiaeast, brazilsouth, canadacentral, "
                "centralindia, eastus, francecentral, italynorth, japaneast, northcentralus, southcentralus, "
                "southeastasia, southindia, swedencentral, uksouth, westus, westus2, westus3"
            )
        ],
    ),
    "another profile that is not offered": (
        offers.profile(AT, "E32", "deploy.container_apps.profile"),
        "/availableManagedEnvironmentsWorkloadProfileTypes",
        [{"name": "Consumption"}, {"name": "D4"}],
        [
            (
                "deploy.container_apps.profile: westeurope has no workload profile E32; take one that it has, "
                "Consumption, D4, or another region with --location"
            )
        ],
    ),
    "no profile that is offered": (
        offers.profile(AT, "E32", "deploy.container_apps.profile"),
        "/availableManagedEnvironmentsWorkloadProfileTypes",
        [],
        [
            (
                "deploy.container_apps.profile: westeurope has no workload profile E32; take another region with "
                "--location"
            )
        ],
    ),
    "an environment too many": (
        offers.environment(AT, "deploy.container_apps.environment"),
        "/usages",
        [usage("ManagedEnvironmentCount", 1, 1)],
        [
            (
                "quota of environments in westeurope: all 1 are used; name one that is there with "
                "deploy.container_apps.environment, take another region, or ask for more in the portal"
            )
        ],
    ),
    "room for an environment": (
        offers.environment(AT, "deploy.container_apps.environment"),
        "/usages",
        [usage("ManagedEnvironmentCount", 1, 20)],
        [],
    ),
}


@pytest.mark.parametrize("case", OFFERS)
def test_what_a_region_does_not_offer_is_told(case: str, arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes of plans, workload profiles, and room for environments."""
    asks, path, items, expected = OFFERS[case]
    arm.fail("GET", path, Answer(200, {"value": items}))
    with connected(arm, monkeypatch) as connection:
        found = asked(connection, [asks._replace(path=asks.path.replace(AT.subscription, arm.subscription))])
    assert [item.text for item in found] == expected


def test_a_quota_that_nobody_tells_is_no_problem(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a note that it was not looked at."""
    arm.fail("GET", "/providers/Microsoft.Compute/skus", Answer(200, {"value": SIZES}))
    arm.fail("GET", "/locations/westeurope/usages", error(403, "AuthorizationFailed", "You may not."))
    (found,) = asked_of(arm, monkeypatch, Machines(D2, 1, "deploy.vm.size"))
    assert not found.stops
    assert found.text.startswith("the quota of machines in westeurope was not looked at: ")


@contextmanager
def connected(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> Iterator[azure.Arm]:
    """Give a connection, signed in."""
    for name, value in arm.environment().items():
        monkeypatch.setenv(name, value)
    with azure.connected(str(arm.cloud_file()), arm.subscription) as session:
        yield azure.Arm(session)


def asked_of(arm: Arm, monkeypatch: pytest.MonkeyPatch, wanted: Machines) -> list[Said]:
    """Return what is found out of machines."""
    with connected(arm, monkeypatch) as connection:
        return asked(connection, [question(AT._replace(subscription=arm.subscription), [wanted])])
