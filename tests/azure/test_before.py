"""What stands in the way of a container group, found out before the first write: cases of what Azure answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.arm.answers import Answer, error
from tests.azure.looked import said

if TYPE_CHECKING:
    from tests.arm.arm import Arm

CONTRIBUTOR = ("*",)
NO_ROLES = ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete")
ID = "/subscriptions/{s}/resourceGroups/models"
SUBNET = f"{ID}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
IDENTITY = f"{ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/puller"
DELEGATED = Answer(
    200,
    {"properties": {"delegations": [{"properties": {"serviceName": "Microsoft.ContainerInstance/containerGroups"}}]}},
)
HERE = {"id": "x", "name": "models", "location": "westeurope", "properties": {"provisioningState": "Succeeded"}}


def listed(*items: dict[str, Any]) -> Answer:
    """Return a list, as Azure answers it."""
    return Answer(200, {"value": [*items]})


def usage(name: str, used: int, limit: int) -> dict[str, Any]:
    """Return how much of a quota is used."""
    return {"name": {"value": name, "localizedValue": name}, "currentValue": used, "limit": limit, "unit": "Count"}


def offer(cpus: float, memory: float, system: str = "Linux", address: str = "Public") -> dict[str, Any]:
    """Return what a region gives to a container group."""
    most = {"maxCpu": cpus, "maxMemoryInGB": memory, "maxGpuCount": 0}
    return {"osType": system, "ipAddressType": address, "gpu": "None", "location": "westeurope", "capabilities": most}


def lock(level: str) -> dict[str, Any]:
    """Return a lock of the group."""
    return {"id": "/locks/keep", "name": "keep", "properties": {"level": level}}


def provider(state: str = "Registered", *places: str) -> Answer:
    """Return Container Instances, as its provider is."""
    kinds = [{"resourceType": "containerGroups", "locations": [*places], "apiVersions": ["2023-05-01"]}]
    return Answer(200, {"namespace": "Microsoft.ContainerInstance", "registrationState": state, "resourceTypes": kinds})


CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str, Answer]], list[str]]] = {
    "all is well": ({}, [], []),
    "the subscription is disabled": (
        {},
        [("GET", "/subscriptions/????????-????-????-????-????????????", Answer(200, {"state": "Disabled"}))],
        ["subscription {s}: is disabled; enable it in the portal, or name another with --subscription"],
    ),
    "there is no such region": (
        {"azure": {"location": "westeurop"}},
        [],
        [
            'deploy.azure.location: westeurop is no region of yours; did you mean "westeurope"?',
        ],
    ),
    "the kind is not offered in the region": (
        {},
        [("GET", "/providers/Microsoft.ContainerInstance", provider("Registered", "East US", "West US 3"))],
        [
            "Microsoft.ContainerInstance/containerGroups: is not offered in westeurope; take one of: eastus, westus3",
        ],
    ),
    "the cloud does not have the provider": (
        {},
        [("GET", "/providers/Microsoft.ContainerInstance", error(404, "InvalidResourceNamespace", "No such thing."))],
        ["provider Microsoft.ContainerInstance: this cloud does not have it; take another platform"],
    ),
    "the group is being removed": (
        {},
        [("GET", "/resourceGroups/models", Answer(200, {**HERE, "properties": {"provisioningState": "Deleting"}}))],
        ["resource group models: is being removed; wait until it is gone, or take another with --resource-group"],
    ),
    "the group may be read only": (
        {},
        [("GET", "/resourceGroups/models", Answer(200, HERE)), ("GET", "/locks", listed(lock("ReadOnly")))],
        [
            ("resource group models: the lock keep (ReadOnly) lets nothing be made there; remove it with: az lock "
            "delete --ids /locks/keep, or take another group")
        ],
    ),
    "the registry's name is taken": (
        {},
        [
            (
                "POST",
                "/checkNameAvailability",
                Answer(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": "It is already in use."}),
            )
        ],
        ["container registry opdeploy*: It is already in use; name another with --registry"],
    ),
    "the registry is another's": (
        {"registry": "other.azurecr.io"},
        [],
        [
            ("deploy.registry: other.azurecr.io is no registry of the subscription that you may see, and so none that "
            "builds the image; name one that is, with --registry, or leave it out: one is made")
        ],
    ),
    "the identity is not there": (
        {"azure": {"identity": IDENTITY}},
        [],
        [f"deploy.azure.identity: {IDENTITY} is not there, or you may not see it; name another"],
    ),
    "more processors than a region gives": (
        {"aci": {"cpus": 8}},
        [("GET", "/capabilities", listed(offer(4, 16), offer(31, 240, "Windows")))],
        ["deploy.aci.cpus: 8 are wanted, and westeurope gives 4; lower it"],
    ),
    "more memory than a region gives": (
        {},
        [("GET", "/capabilities", listed(offer(4, 0.4)))],
        [
            ("hardware.memory_gb: 0.5 are wanted, and westeurope gives 0.4 to a container group; take a platform that "
            "gives more, such as vm")
        ],
    ),
    "a region has no Linux": (
        {},
        [("GET", "/capabilities", listed(offer(4, 16, "Windows")))],
        ["container groups: westeurope has none for Linux; take another region with --location"],
    ),
    "too few processors are left": (
        {"aci": {"cpus": 4}},
        [("GET", "/usages", listed(usage("StandardCores", 98, 100), usage("ContainerGroups", 3, 100)))],
        [
            ("quota of processors of container groups in westeurope: 4 more are wanted, and 2 of 100 are left; ask for "
            "more in the portal, remove what is not needed, or take another region")
        ],
    ),
    "no group is left": (
        {},
        [("GET", "/usages", listed(usage("StandardCores", 0, 100), usage("ContainerGroups", 0, 0)))],
        [
            ("quota of container groups in westeurope: 1 more are wanted, and 0 of 0 are left; ask for more in the "
            "portal, remove what is not needed, or take another region")
        ],
    ),
    "Spot": (
        {"aci": {"priority": "Spot"}},
        [],
        [
            ("deploy.aci.priority: Spot groups have no address, neither a public one nor one in a subnet, so nothing "
            "would reach the model; take Regular, or container-apps, which costs nothing while nobody asks")
        ],
    ),
    "a name in a subnet": (
        {"aci": {"subnet": SUBNET, "dns_label": "models"}},
        [("GET", "/subnets/s", DELEGATED)],
        ["deploy.aci.dns_label: a group in a subnet has no public name; leave out dns_label, or subnet"],
    ),
    "a subnet that is not there": (
        {"aci": {"subnet": SUBNET}},
        [("GET", "/subnets/s", error(404, "NotFound", "No such subnet."))],
        ["deploy.aci.subnet: s is not there, or you may not see it; name another"],
    ),
    "Spot in a subnet": (
        {"aci": {"priority": "Spot", "subnet": SUBNET}},
        [("GET", "/subnets/s", DELEGATED)],
        [
            (
                "deploy.aci.priority: Spot groups have no address, neither a public one nor one in a subnet, so "
                "nothing would reach the model; take Regular, or container-apps, which costs nothing while nobody asks"
            )
        ],
    ),
    "a subnet of another subscription": (
        {"aci": {"subnet": SUBNET.replace("{s}", "11111111-2222-3333-4444-555555555555")}},
        [("GET", "/subnets/s", DELEGATED)],
        ["deploy.aci.subnet: is in another subscription than the group would be; name one of its own"],
    ),
    "no region is named": (
        {"azure": {"location": None}},
        [],
        ["deploy.azure.location: no region is named; name one with --location, such as westeurope"],
    ),
    "a subnet that is not delegated": (
        {"aci": {"subnet": SUBNET}},
        [("GET", "/subnets/s", Answer(200, {"properties": {"delegations": []}}))],
        [
            ("deploy.aci.subnet: s is not delegated to Microsoft.ContainerInstance/containerGroups; delegate it with: "
            f"az network vnet subnet update --ids {SUBNET} --delegations Microsoft.ContainerInstance/containerGroups")
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_stands_in_the_way_is_told(case: str, arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, each with what to do, before anything is written."""
    settings, answers, expected = CASES[case]
    filled = filled_in(settings, arm.subscription)
    for method, path, answer in answers:
        arm.fail(method, path, answer, times=9)
    problems, _ = said(arm, monkeypatch, **filled)
    assert [blurred(text) for text in problems] == [text.replace("{s}", arm.subscription) for text in expected]


def test_a_provider_that_one_may_not_register(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else has to do it, and it is said how."""
    arm.unregister("Microsoft.ContainerInstance")
    arm.allow("*", but=("Microsoft.ContainerInstance/register/action",))
    problems, _ = said(arm, monkeypatch)
    assert problems == [
        (
            "provider Microsoft.ContainerInstance: is not registered in the subscription, and you may not register it; "
            "have somebody do it who is a Contributor there: az provider register --namespace "
            "Microsoft.ContainerInstance"
        )
    ]


def filled_in(value: Any, subscription: str) -> Any:  # noqa: ANN401 - any settings
    """Return settings with the id of the subscription."""
    if isinstance(value, dict):
        return {key: filled_in(item, subscription) for key, item in value.items()}
    return value.replace("{s}", subscription) if isinstance(value, str) else value


def blurred(text: str) -> str:
    """Return a line without the digits of a registry's own name."""
    start = "container registry opdeploy"
    return f"{start}*:{text.partition(':')[2]}" if text.startswith(start) else text


def test_all_problems_are_told_at_once(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one after the other."""
    arm.allow("*/read")
    arm.unregister("Microsoft.ContainerInstance")
    problems, _ = said(arm, monkeypatch, aci={"priority": "Spot", "cpus": 31, "dns_label": "models"})
    assert [text.partition(":")[0] for text in problems] == [
        "provider Microsoft.ContainerInstance",
        f"subscription {arm.subscription}",
        "deploy.aci.priority",
    ]


def test_a_provider_that_may_be_registered_is_a_note(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is registered with the first write."""
    arm.unregister("Microsoft.ContainerInstance")
    problems, notes = said(arm, monkeypatch, azure={"owner": "ann"})
    assert problems == []
    assert notes == [
        "provider Microsoft.ContainerInstance: is not registered in the subscription yet; it is with the first write"
    ]


def test_a_lock_that_keeps_what_is_made_is_a_note(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a first version removes nothing."""
    arm.fail("GET", "/resourceGroups/models", Answer(200, HERE), times=9)
    arm.fail("GET", "/locks", listed(lock("CanNotDelete")))
    problems, notes = said(arm, monkeypatch, azure={"owner": "ann"})
    assert problems == []
    assert notes == [
        (
            "resource group models: the lock keep (CanNotDelete) lets nothing be removed there again; remove it with: "
            "az lock delete --ids /locks/keep, or take another group"
        )
    ]


def test_what_may_not_be_looked_at_is_a_note(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not see a quota may make a group all the same."""
    arm.fail("GET", "/usages", error(403, "AuthorizationFailed", "You may not."))
    problems, notes = said(arm, monkeypatch, azure={"owner": "ann"})
    assert problems == []
    (text,) = notes
    assert text.startswith("the quota of westeurope was not looked at: ")
    assert "AuthorizationFailed: You may not" in text


RIGHTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], list[str], str]] = {
    "a contributor gives no roles": (
        CONTRIBUTOR,
        NO_ROLES,
        ["Microsoft.Authorization/roleAssignments/write"],
        '"Role Based Access Control Administrator"',
    ),
    "who may make all but the group": (
        CONTRIBUTOR,
        ("Microsoft.Resources/subscriptions/resourceGroups/write",),
        ["Microsoft.Resources/subscriptions/resourceGroups/write"],
        '"Contributor"',
    ),
    "who may not hand on an identity": (
        CONTRIBUTOR,
        ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",),
        ["Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"],
        '"Contributor"',
    ),
    "who may read": (
        ("*/read",),
        (),
        [
            "Microsoft.Resources/deployments/write",
            "Microsoft.Resources/subscriptions/resourceGroups/write",
            "Microsoft.ContainerRegistry/registries/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.ContainerRegistry/registries/listBuildSourceUploadUrl/action",
            "Microsoft.ContainerRegistry/registries/scheduleRun/action",
            "Microsoft.ContainerInstance/containerGroups/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
        ],
        '"Contributor" and "Role Based Access Control Administrator"',
    ),
}


@pytest.mark.parametrize("case", RIGHTS)
def test_missing_rights_are_named_with_the_role_that_gives_them(
    case: str, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the plan's own steps, and no others."""
    actions, but, lacking, roles = RIGHTS[case]
    arm.allow(*actions, but=but)
    problems, _ = said(arm, monkeypatch)
    assert problems == [
        (
            f"subscription {arm.subscription}: you lack the rights {', '.join(lacking)}; ask for the role {roles} "
            f"there, with: az role assignment create --scope {arm.scope}"
        )
    ]


def test_rights_are_looked_up_at_a_group_that_is_there(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may do everything in a group needs no more."""
    arm.fail("GET", "/resourceGroups/models", Answer(200, HERE), times=9)
    arm.fail("GET", "/locks", listed())
    arm.allow("*/read")
    arm.allow("*", scope=f"{arm.scope}/resourceGroups/models")
    problems, _ = said(arm, monkeypatch)
    assert problems == []
