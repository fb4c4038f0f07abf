"""The resources of a deployment once a plan is carried out, to be written as a file. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure import web
from opdeploy.targets.azure.compare import refs
from opdeploy.targets.azure.kinds import GROUP, KINDS, group_of
from opdeploy.targets.azure.record import ROLE
from opdeploy.targets.azure.rights import PUTS
from opdeploy.targets.azure.shared import Resource
from opdeploy.targets.azure.steps import GOING
from opdeploy.targets.azure.target import kept_as

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan, Step

_ROLE, _APP = "role assignment", "container app"
_TEMPLATE = "template"
"""What an app runs, in its properties."""


def resources(plan: Plan, observed: Observed) -> list[Resource]:
    """Return what there is of the deployment once a plan is carried out: what it makes, and what stays as it was made.

    What is there for a while is not among them, as a trial, nor is the group.
    """
    found = {item.id.lower(): item for item in _there(observed)}
    for step in plan.steps:
        _carry_out(step, found)
    whole = (_whole(item, plan, observed) for item in found.values())
    return [item for item in whole if item.kind != GROUP.name and ROLE not in (item.body.get("tags") or {})]


def _carry_out(step: Step, found: dict[str, Resource]) -> None:
    """Have resources, by their ids in small letters, as they are after a step."""
    args: Mapping[str, Any] = step.args
    resource = str(args.get("resource", ""))
    key = resource.lower()
    was = found.get(key)
    if step.call in PUTS:
        found[key] = Resource(step.kind, resource, args["body"])
    elif step.call == "azure.delete":
        found.pop(key, None)
    elif step.call == "azure.serve":
        found[key] = Resource(step.kind, resource, _with_template(args["body"], was.body if was else {}))
    elif step.call == "azure.swap" and was:
        other = f"{key}/slots/{args['slot']}".lower()
        slot = found.get(other)
        if slot and web.image_of(slot.body) == args["image"]:  # else it was swapped before
            found[key] = was._replace(body=web.swapped(was.body, slot.body))
            found[other] = slot._replace(body=web.swapped(slot.body, was.body))


def _whole(item: Resource, plan: Plan, observed: Observed) -> Resource:
    """Return a resource with what the record keeps apart: what an app runs, which is of the version that it runs."""
    if item.kind != _APP or _TEMPLATE in item.body["properties"] or plan.version is None:
        return item
    return item._replace(body=_with_template(item.body, kept_as(observed, _APP, plan.version).body))


def _with_template(body: dict[str, Any], of: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of an app that runs what another body has, if it has something."""
    has = {key: value for key, value in (of.get("properties") or {}).items() if key == _TEMPLATE}
    return {**body, "properties": {**body["properties"], **has}}


def _there(observed: Observed) -> Iterator[Resource]:
    for item in reversed(observed.found):
        body: Any = item.made.get("body")
        if item.kind in KINDS and isinstance(body, dict) and item.properties.get("state") != GOING:
            yield Resource(item.kind, str(item.made["id"]), body)


def apart(found: Iterable[Resource], group: str) -> tuple[list[Resource], list[Resource]]:
    """Return the resources of a group, and those of others, which no file of one group makes: roles on a registry."""
    inside: list[Resource] = []
    outside: list[Resource] = []
    for item in found:
        (inside if group_of(item.id).lower() == group.lower() else outside).append(item)
    return inside, outside


def waits(item: Resource, others: Iterable[Resource]) -> list[Resource]:
    """Return the role assignments that a resource has to wait for: those of identities that it has."""
    has = {name.lower() for name in (item.body.get("identity") or {}).get("userAssignedIdentities") or {}}
    return [each for each in others if each.kind == _ROLE and has & {name.lower() for name in refs(each.body)}]
