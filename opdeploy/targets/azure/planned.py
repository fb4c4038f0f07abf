"""The resources of a deployment once a plan is carried out, to be written as a file. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.compare import refs
from opdeploy.targets.azure.kinds import GROUP, KINDS, group_of
from opdeploy.targets.azure.record import ROLE
from opdeploy.targets.azure.rights import PUTS
from opdeploy.targets.azure.shared import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan

_ROLE = "role assignment"


def resources(plan: Plan, observed: Observed) -> list[Resource]:
    """Return what the plan makes, and what is there of the deployment and stays as it was made.

    What is there for a while is not among them, as a trial, nor is the group.
    """
    made = {item.id.lower(): item for item in _put(plan)}
    gone = {str(step.args["resource"]).lower() for step in plan.steps if step.call == "azure.delete"}
    stays = [item for item in _there(observed) if item.id.lower() not in made.keys() | gone]
    return [item for item in (*stays, *made.values()) if item.kind != GROUP.name]


def _put(plan: Plan) -> Iterator[Resource]:
    for step in plan.steps:
        args: Mapping[str, Any] = step.args
        if step.call in PUTS and ROLE not in (args["body"].get("tags") or {}):
            yield Resource(step.kind, str(args["resource"]), args["body"])


def _there(observed: Observed) -> Iterator[Resource]:
    for item in reversed(observed.found):
        body: Any = item.made.get("body")
        if item.kind in KINDS and isinstance(body, dict) and not item.passing:
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
