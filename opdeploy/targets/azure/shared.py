"""What every platform of Azure needs beside itself: a group, a registry, an identity that pulls from it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.targets.azure.compare import ref
from opdeploy.targets.azure.kinds import name_of
from opdeploy.targets.azure.names import assignment, tags, where

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.targets.base import Wanted

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
"""Ids of the roles AcrPull, and Container Registry Repository Reader, which takes its place in a registry whose mode is
that of attributes (as public templates of infrastructure have them, read 2026-11-26)."""
_BY_ATTRIBUTES = "AbacRepositoryPermissions"


class Resource(NamedTuple):
    """A resource as it is to be."""

    kind: str
    id: str
    body: dict[str, Any]
    purpose: str = ""
    """What it is made for, in the imperative, where its name does not tell."""


class Registry(NamedTuple):
    """Where an image is pulled from."""

    server: str
    """Where it answers, such as me.azurecr.io."""
    id: str | None
    """None where it is none of Azure's."""
    by_attributes: bool
    is_own: bool
    """Whether the deployment made it, or is to make it."""


def registry(wanted: Wanted, facts: Mapping[str, JsonValue]) -> Registry:
    """Return the registry of a deployment's image: its own, if no other is named."""
    named = (wanted.settings.registry or "").partition("/")[0]
    found = facts.get("registry")
    known = found if isinstance(found, dict) else {}
    own = where(wanted.settings, wanted.deployment).registry
    own_name = own.rpartition("/")[2]
    is_own = named.partition(".")[0] == own_name
    resource = str(known["id"]) if known.get("id") else own if is_own else None
    return Registry(str(known.get("server") or named), resource, known.get("mode") == _BY_ATTRIBUTES, is_own)


def identity(wanted: Wanted) -> str:
    """Return the id of the identity that pulls the image: the one that is named, else the deployment's own."""
    return wanted.settings.azure.identity or where(wanted.settings, wanted.deployment).identity


def home(wanted: Wanted, target: str, facts: Mapping[str, JsonValue]) -> Iterator[Resource]:
    """Yield the resource group, unless it was there before the deployment."""
    at = where(wanted.settings, wanted.deployment)
    if not _exists(facts, "group"):
        own = tags(wanted.settings, wanted.deployment, target)
        yield Resource("resource group", at.group_id, {"location": at.location, "tags": {**own}})


def stored(wanted: Wanted, target: str, facts: Mapping[str, JsonValue]) -> Iterator[Resource]:
    """Yield the resource group and the registry, where they are the deployment's own."""
    at = where(wanted.settings, wanted.deployment)
    if registry(wanted, facts).is_own:
        body: dict[str, JsonValue] = {
            "location": at.location,
            "tags": {**tags(wanted.settings, wanted.deployment, target)},
            "sku": {"name": wanted.settings.azure.registry_sku or "Basic"},
            "properties": {"adminUserEnabled": False},
        }
        yield Resource("container registry", at.registry, body)


def shared(wanted: Wanted, target: str, facts: Mapping[str, JsonValue]) -> Iterator[Resource]:
    """Yield what is there before anything runs, in the order in which it is made.

    What is named and exists is used as it is: it is not ours to change.
    """
    yield from stored(wanted, target, facts)
    at = where(wanted.settings, wanted.deployment)
    found = registry(wanted, facts)
    if found.id is None:
        return
    base: dict[str, JsonValue] = {"location": at.location, "tags": {**tags(wanted.settings, wanted.deployment, target)}}
    puller = identity(wanted)
    if puller == at.identity:
        yield Resource("identity", puller, {**base, "properties": {}})
        role = REPOSITORY_READER if found.by_attributes else ACR_PULL
        definition = f"/subscriptions/{at.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        right: dict[str, JsonValue] = {
            "properties": {
                "roleDefinitionId": definition,
                "principalId": ref(puller, "properties.principalId"),
                "principalType": "ServicePrincipal",
            }
        }
        purpose = f"let {name_of(puller)} pull from {name_of(found.id)}"
        yield Resource("role assignment", assignment(found.id, puller, role), right, purpose)


def _exists(facts: Mapping[str, JsonValue], what: str) -> bool:
    """Tell whether something is there that was there before the deployment."""
    found = facts.get(what)
    return isinstance(found, dict) and found.get("own") is False
