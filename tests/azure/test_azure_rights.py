"""Which rights steps need, and which roles give them, as data."""

from __future__ import annotations

from typing import Any

import pytest

from opdeploy.plan import Step
from opdeploy.targets.azure.compare import keys
from opdeploy.targets.azure.kinds import KINDS, group_id
from opdeploy.targets.azure.names import Where
from opdeploy.targets.azure.rights import Right, allowed, needed, questions, roles

AT = Where("11111111-2222-3333-4444-555555555555", "models", "westeurope", "net")
GROUP = AT.group_id
OTHER = group_id(AT.subscription, "shared")
NOTES = Right("Microsoft.Resources/deployments/write", GROUP)
RUNS = KINDS["container group"].id(GROUP, "net")
REGISTRY = KINDS["container registry"].id(OTHER, "reg1")
ROLE = KINDS["role assignment"].id(REGISTRY, "6a0b")
IDENTITY = KINDS["identity"].id(OTHER, "puller")
SUBNET = f"{OTHER}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
PLAN = f"{GROUP}/providers/Microsoft.Web/serverfarms/p"
ENVIRONMENT = KINDS["container app environment"].id(GROUP, "net-env")
WORKSPACE = KINDS["log workspace"].id(OTHER, "logs")
CLUSTER = KINDS["cluster"].id(GROUP, "net")
WRITE = "Microsoft.ContainerInstance/containerGroups/write"


def step(call: str, **args: Any) -> Step:  # noqa: ANN401 - any argument
    """Return a step."""
    return Step(id="s", title="t", action="change", kind="k", name="n", call=call, args=args)


NEEDED: dict[str, tuple[Step, list[Right]]] = {
    "a resource": (step("azure.put", resource=RUNS, body={"properties": {}}), [Right(WRITE, RUNS)]),
    "a revision": (step("azure.revise", resource=RUNS, body={"properties": {}}), [Right(WRITE, RUNS)]),
    "a resource with an identity": (
        step("azure.put", resource=RUNS, body={"identity": {"userAssignedIdentities": {IDENTITY: {}}}}),
        [
            Right(WRITE, RUNS),
            Right("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", IDENTITY),
        ],
    ),
    "a resource in a subnet and a plan": (
        step("azure.put", resource=RUNS, body={"properties": {"a": [{"id": SUBNET}], "serverFarmId": PLAN}}),
        [
            Right(WRITE, RUNS),
            Right("Microsoft.Network/virtualNetworks/subnets/join/action", SUBNET),
            Right("Microsoft.Web/serverFarms/join/action", PLAN),
        ],
    ),
    "a resource with a key of another": (
        step("azure.put", resource=ENVIRONMENT, body={"properties": {"key": keys(WORKSPACE, "primarySharedKey")}}),
        [
            Right("Microsoft.App/managedEnvironments/write", ENVIRONMENT),
            Right("Microsoft.OperationalInsights/workspaces/sharedKeys/action", WORKSPACE),
        ],
    ),
    "a cluster": (
        step("azure.put", resource=CLUSTER, body={"properties": {}}),
        [
            Right("Microsoft.ContainerService/managedClusters/write", CLUSTER),
            Right("Microsoft.ContainerService/managedClusters/listClusterUserCredential/action", CLUSTER),
        ],
    ),
    "what goes": (
        step("azure.delete", resource=RUNS),
        [Right("Microsoft.ContainerInstance/containerGroups/delete", RUNS)],
    ),
    "the group": (
        step("azure.put", resource=GROUP, body={}),
        [Right("Microsoft.Resources/subscriptions/resourceGroups/write", GROUP)],
    ),
    "a push": (
        step("azure.push", name="n", registry=REGISTRY),
        [
            Right("Microsoft.ContainerRegistry/registries/pull/read", REGISTRY),
            Right("Microsoft.ContainerRegistry/registries/push/write", REGISTRY),
        ],
    ),
    "a check": (step("check.server", name="n"), []),
}


@pytest.mark.parametrize("case", NEEDED)
def test_a_step_needs_its_own_rights(case: str) -> None:
    """Beside that to keep notes."""
    done, expected = NEEDED[case]
    assert needed([done], AT, is_there=True) == [NOTES, *expected]


def test_a_group_that_is_not_there_must_be_made() -> None:
    """Its lock is kept there."""
    group = Right("Microsoft.Resources/subscriptions/resourceGroups/write", GROUP)
    assert needed([], AT, is_there=False) == [NOTES, group]


ALLOWED = [
    ([{"actions": ["*"]}], WRITE, True),
    ([{"actions": ["*/read"]}], WRITE, False),
    ([{"actions": ["microsoft.containerinstance/CONTAINERGROUPS/*"]}], WRITE, True),
    ([{"actions": ["*"], "notActions": ["Microsoft.ContainerInstance/*/write"]}], WRITE, False),
    ([{"actions": ["*"], "notActions": [WRITE]}, {"actions": [WRITE]}], WRITE, True),
    ([{"actions": ["Microsoft.ContainerInstance/containerGroups"]}], WRITE, False),
    ([{"actions": ["Microsoft.Container.*"]}], WRITE, False),
    ([{"dataActions": ["*"]}], WRITE, False),
    ([], WRITE, False),
]


@pytest.mark.parametrize(("permissions", "action", "expected"), ALLOWED)
def test_permissions_allow_what_they_do_not_leave_out(
    permissions: list[dict[str, Any]],
    action: str,
    expected: bool,  # noqa: FBT001 - of a table
) -> None:
    """As Azure has it: in any capitals, with stars, and what one leaves out another may give."""
    assert allowed(permissions, action) is expected


ASSIGN = "Microsoft.Authorization/roleAssignments/write"
PUSH = "Microsoft.ContainerRegistry/registries/push/write"
HAND_ON = "Microsoft.ManagedIdentity/userAssignedIdentities/x/assign/action"
ROLES = [
    ([PUSH], ("AcrPush",)),
    ([WRITE], ("Contributor",)),
    ([ASSIGN], ("Role Based Access Control Administrator",)),
    ([PUSH, WRITE], ("Contributor",)),
    ([WRITE, ASSIGN], ("Contributor", "Role Based Access Control Administrator")),
    ([PUSH, WRITE, ASSIGN], ("Contributor", "Role Based Access Control Administrator")),
    (["Microsoft.Authorization/locks/write"], ("Owner",)),
]


@pytest.mark.parametrize(("actions", "expected"), ROLES)
def test_the_least_roles_that_give_rights_are_named(actions: list[str], expected: tuple[str, ...]) -> None:
    """One where one is enough; no more than gives them."""
    assert roles(actions) == expected


SCOPES = [
    (Right(WRITE, RUNS), True, GROUP),
    (Right(WRITE, RUNS), False, f"/subscriptions/{AT.subscription}"),
    (Right("Microsoft.Resources/subscriptions/resourceGroups/write", GROUP), True, f"/subscriptions/{AT.subscription}"),
    (Right(ASSIGN, ROLE), True, REGISTRY),
    (Right("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", IDENTITY), False, IDENTITY),
]


@pytest.mark.parametrize(("right", "is_there", "expected"), SCOPES)
def test_a_right_is_looked_up_where_it_counts(right: Right, is_there: bool, expected: str) -> None:  # noqa: FBT001 - of a table
    """In the group, where that is there; of what is in another, at that itself; else in the subscription."""
    (asked,) = questions([right], AT, is_there=is_there)
    assert asked.path == f"{expected}/providers/Microsoft.Authorization/permissions"
