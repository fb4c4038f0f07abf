"""What is alike for all resources: groups, lists, versions, bodies, and who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.arm.callers import code_of

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.callers import Caller

REGISTRY, IDENTITY = "Microsoft.ContainerRegistry/registries", "Microsoft.ManagedIdentity/userAssignedIdentities"
GOOD = {"location": "westeurope", "sku": {"name": "Basic"}, "properties": {}}
REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("models", "2025-11-01", GOOD | {"colour": "red"}, 400, "InvalidRequestContent"),
    ("models", "2025-11-01", GOOD | {"properties": {"adminUser": True}}, 400, "InvalidRequestContent"),
    ("models", "2025-11-01", GOOD | {"properties": {"adminUserEnabled": "yes"}}, 400, "InvalidRequestContent"),
    ("models", "2025-11-01", GOOD | {"sku": {"name": "Gold"}}, 400, "InvalidRequestContent"),
    ("models", "2025-11-01", {"location": "westeurope"}, 400, "InvalidRequestContent"),
    ("models", "2025-11-01", {"sku": {"name": "Basic"}}, 400, "LocationRequired"),
    ("models", "2025-11-01", GOOD | {"location": "moon"}, 400, "LocationNotAvailableForResourceType"),
    ("models", "2025-11-01", GOOD | {"tags": {"a/b": "c"}}, 400, "InvalidTagNameOrValue"),
    ("models", "2015-01-01", GOOD, 400, "NoRegisteredProviderFound"),
    ("models", "2025-11", GOOD, 400, "InvalidApiVersionParameter"),
    ("my-models", "2025-11-01", GOOD, 400, "InvalidResourceName"),
]


@pytest.mark.parametrize(("name", "version", "body", "status", "code"), REFUSED)
def test_a_wrong_body_is_refused(
    caller: Caller, name: str, version: str, body: dict[str, Any], status: int, code: str
) -> None:
    """What the reference does not have is refused, with the code of Resource Manager, and nothing is made."""
    got = caller.ask("PUT", caller.path(REGISTRY, name), version, body)
    assert (got[0], got[1]["error"]["code"]) == (status, code)
    assert [each.name for each in caller.resources.resources.list()] == []


def test_a_location_stays_as_it_is(caller: Caller) -> None:
    """A resource cannot be made again elsewhere."""
    caller.registry()
    got = caller.ask("PUT", caller.path(REGISTRY, "models"), "2025-11-01", GOOD | {"location": "East US"})
    assert (got[0], got[1]["error"]["code"]) == (409, "InvalidResourceLocation")


def test_what_is_not_there_is_not_found(arm: Arm, caller: Caller) -> None:
    """Subscriptions, groups, types and resources have errors of their own."""
    codes = {
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups": "SubscriptionNotFound",
        f"{arm.scope}/resourceGroups/other": "ResourceGroupNotFound",
        f"{arm.scope}/resourceGroups/other/providers/{REGISTRY}/models": "ResourceGroupNotFound",
        caller.path("Microsoft.Fruit/apples", "red"): "InvalidResourceType",
        caller.path(REGISTRY, "models"): "ResourceNotFound",
    }
    found = {path: caller.ask("GET", path, "2025-11-01") for path in codes}
    assert {path: got[1]["error"]["code"] for path, got in found.items()} == codes
    assert {got[0] for got in found.values()} == {404}


def test_lists_come_in_pages_and_by_tags(arm: Arm, caller: Caller) -> None:
    """A list goes on where its page ends, and a filter chooses by a tag or by fields."""
    arm.page = 2
    for number in range(5):
        body = {"location": "westeurope", "tags": {"odd": str(number % 2)}, "properties": {}}
        caller.put(caller.path(IDENTITY, f"id-{number}"), "2024-11-30", body)
    every = caller.resources.resources
    assert [each.name for each in every.list()] == [f"id-{number}" for number in range(5)]
    odd = [*every.list(filter="tagName eq 'odd' and tagValue eq '1'")]
    assert [(each.name, each.tags) for each in odd] == [("id-1", None), ("id-3", None)], "they are told without tags"
    assert {(each.tags or {}).get("odd") for each in every.list()} == {"0", "1"}
    assert [each.name for each in every.list_by_resource_group("g", filter=f"resourceType eq '{REGISTRY}'")] == []
    told = [each.as_dict() for each in every.list(expand="createdTime,provisioningState")]
    assert {(each["provisioningState"], "createdTime" in each) for each in told} == {("Succeeded", True)}
    with pytest.raises(HttpResponseError, match="Invalid"):
        list(every.list(filter="tagName eq 'odd' and name eq 'id-1'"))


def test_groups_live_and_take_all_with_them(arm: Arm, caller: Caller) -> None:
    """Tags of groups can be changed and searched; a group that is deleted has nothing left."""
    groups = caller.resources.resource_groups
    groups.update("g", {"tags": {"mine": "yes"}})
    assert [each.name for each in groups.list(filter="tagName eq 'mine' and tagValue eq 'yes'")] == ["g"]
    caller.identity()
    assert groups.check_existence("g")
    groups.begin_delete("g").result()
    assert not groups.check_existence("g")
    assert not arm.resources
    assert caller.ask("PUT", f"{arm.scope}/resourceGroups/{'x' * 91}", body={"location": "eastus"})[0] == 400


def test_a_provider_is_registered_first(arm: Arm, caller: Caller) -> None:
    """A provider that is not registered is refused until its registration has been carried out."""
    arm.unregister("Microsoft.ContainerRegistry")
    got = caller.ask("PUT", caller.path(REGISTRY, "models"), "2025-11-01", GOOD)
    assert (got[0], got[1]["error"]["code"]) == (409, "MissingSubscriptionRegistration")
    providers = caller.resources.providers
    assert providers.register("Microsoft.ContainerRegistry").registration_state == "Registering"
    states = [providers.get("Microsoft.ContainerRegistry").registration_state for _ in range(2)]
    assert states == ["Registering", "Registered"]
    assert caller.registry()["name"] == "models"


def test_who_may_not_is_told_the_action(arm: Arm, caller: Caller) -> None:
    """With rights, what is missing is refused in Resource Manager's words, and permissions tell what there is."""
    arm.allow("*/read", f"{IDENTITY}/write")
    caller.identity()
    with pytest.raises(HttpResponseError) as caught:
        caller.registry()
    assert code_of(caught.value) == "AuthorizationFailed"
    assert f"perform action '{REGISTRY}/write' over scope" in str(caught.value)
    (told,) = caller.ask("GET", f"{arm.scope}/providers/Microsoft.Authorization/permissions", "2022-04-01")[1]["value"]
    assert told["actions"] == ["*/read", f"{IDENTITY}/write"]


def test_a_subscription_that_is_disabled_is_only_read(arm: Arm, caller: Caller) -> None:
    """Its state is told, and it takes no changes."""
    arm.subscriptions[arm.subscription] = "Disabled"
    assert caller.ask("GET", arm.scope)[1]["state"] == "Disabled"
    got = caller.ask("PUT", f"{arm.scope}/resourceGroups/new", body={"location": "eastus"})
    assert got[1]["error"]["code"] == "ReadOnlyDisabledSubscription"


def test_a_deployment_keeps_its_outputs(arm: Arm, caller: Caller) -> None:
    """A template without resources is a record: its outputs are read again, and one that goes on is not replaced."""
    path = caller.path("Microsoft.Resources/deployments", "record")
    outputs: dict[str, dict[str, Any]] = {
        "version": {"type": "string", "value": "7"},
        "parts": {"type": "array", "value": ["a", {"b": 1}]},
    }
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    template = {"$schema": schema, "contentVersion": "1.0.0.0", "resources": [], "outputs": outputs}
    body = {"properties": {"mode": "Incremental", "template": template}}
    told = caller.put(path, "2025-04-01", body)["properties"]["outputs"]
    assert told == {name: each | {"type": str(each["type"]).capitalize()} for name, each in outputs.items()}
    arm.polls = 5
    caller.ask("PUT", path, "2025-04-01", body)
    got = caller.ask("PUT", path, "2025-04-01", body)
    assert (got[0], got[1]["error"]["code"]) == (409, "DeploymentActive")
