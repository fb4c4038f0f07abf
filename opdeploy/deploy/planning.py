"""Makes plans of what is wanted and what exists. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.deploy.notes import of_reach
from opdeploy.errors import NotFoundError, OpdeployError, StaleError
from opdeploy.plan import Plan, Resource, Step, fingerprint
from opdeploy.targets.azure.staying import others, stays

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.deployment import Found, Observed, Version
    from opdeploy.plan import Operation
    from opdeploy.targets.base import Target, Wanted


def mark(observed: Observed) -> str:
    """Return the digest of what exists, whoever is at work on it, and whatever a registry says of its images.

    Which version has requests, and what follows from that, does not count where the platform decides it: a rollout that
    an interrupted command began goes on by itself, and what a plan does is as right before it has ended as after.
    """
    found = tuple(_told(item, observed) for item in observed.found if not item.passing)
    told: dict[str, Any] = dict.fromkeys(("lock", "events", "facts", "unreached"), True)
    if observed.rolls:
        told |= {
            "upstream": True,
            "endpoint": True,
            "front": True,
            "versions": {"__all__": {"state", "current", "resource"}},
        }
    return fingerprint(observed.model_copy(update={"found": found}).model_dump(mode="json", exclude=told))


def _told(item: Found, observed: Observed) -> Found:
    """Return what a plan depends on of a resource."""
    item = item.model_copy(update={"about": None})
    if item.kind == "image":
        return item.model_copy(update={"properties": {}})
    properties = {name: value for name, value in item.properties.items() if name != "state"}
    return item.model_copy(update={"properties": properties}) if observed.rolls else item


def to_deploy(target: Target, wanted: Wanted, observed: Observed, notes: Iterable[str]) -> Plan:
    """Return the plan that makes what is wanted answer."""
    number = observed.number_of(target.config(wanted))
    version = observed.version(number)
    plan = _plan("deploy", observed, number, target.plan(wanted, observed, number), notes)
    return plan.model_copy(
        update={
            "unproven": version is None or not version.proven,
            "artefact": wanted.artefact,
            "bundle": wanted.bundle,
        }
    )


def require_same(plan: Plan, now: Plan, shown: str) -> None:
    """Raise StaleError where a plan is not the one that would be made now: what it does is then known to be ours."""
    if plan.bundle != now.bundle:
        raise StaleError(f"{shown}: the model or its files have changed since the plan was made; make it again")
    if plan.observed != now.observed:
        raise StaleError(f"{plan.deployment}: what exists has changed since the plan was made; make it again")
    if plan != now:
        raise StaleError(f"{shown}: was changed, made by another opdeploy, or made for what ran before; make it again")


def to_roll_back(target: Target, observed: Observed, to: int | None, more: str = "") -> Plan:
    """Return the plan that makes a kept version answer again: the one before the current one, if none is named.

    `more` is what a command needs beside name and target to find the deployment.

    Raises NotFoundError where there is no such version.
    """
    number = _kept(observed, to, more).number
    notes = of_reach(target.reach(observed, number))
    return _plan("rollback", observed, number, target.back(observed, number), notes)


def to_remove(target: Target, observed: Observed) -> Plan:
    """Return the plan that deletes everything of a deployment."""
    return _plan("remove", observed, None, target.teardown(observed), left(observed))


def left(observed: Observed) -> Iterator[str]:
    """Yield what a removal leaves, a sentence each."""
    for item in observed.found:
        if item.kind == "image" and item.properties.get("pushed"):
            yield f"what was pushed stays in its registry: {item.name}"
    key = observed.facts.get("key")
    if isinstance(key, dict) and key.get("why"):
        yield f"where its API key is kept, it may stay: {key['why']}"
    if theirs := others(observed):
        yield stays(observed.group, theirs)


def _plan(
    operation: Operation, observed: Observed, number: int | None, steps: Iterable[Step], notes: Iterable[str]
) -> Plan:
    done = tuple(steps)
    touched = {(step.kind, step.name) for step in done if step.action != "check"}
    return Plan(
        operation=operation,
        target=observed.target,
        deployment=observed.deployment,
        version=number,
        before=_before(observed, number),
        # What is on a machine that is not reached may be all that answers: it is not taken for nothing.
        first=not (observed.unreached or any(version.proven or version.current for version in observed.versions)),
        observed=mark(observed),
        notes=tuple(notes),
        keeps=tuple(
            Resource(kind=item.kind, name=item.name, properties=item.properties)
            for item in observed.found
            if operation != "remove" and (item.kind, item.name) not in touched and not item.passing
        ),  # of a removal, what has no step of its own goes with what it belongs to
        steps=done,
    )


def _before(observed: Observed, number: int | None) -> int | None:
    """Return the version to return to: the current one, else the newest other that runs; where none is, the newest.

    Where the current one works none but one that runs takes its place; one that never worked is returned to only where
    no other has.
    """
    current = observed.current
    others = [item for item in observed.versions if item.number != number and item.proven]
    if current and current.number != number and (current.proven or not others):
        return current.number
    running = [item.number for item in others if item.state == "running"]
    if running or (current and current.proven):
        return max(running, default=None)
    return max((item.number for item in others), default=None)


def _kept(observed: Observed, to: int | None, more: str) -> Version:
    if observed.unreached:
        raise OpdeployError(observed.unreached)
    if to is not None:
        found = observed.version(to)
        if found is None:
            kept = ", ".join(str(version.number) for version in observed.versions) or "none"
            raise NotFoundError(f"{observed.deployment}: version {to} is not kept; there are: {kept}")
        return found
    current = observed.current
    older = [item for item in observed.versions if item.proven and current and item.number < current.number]
    if not older:
        raise NotFoundError(
            f"{observed.deployment}: no older version is kept; see opdeploy history {observed.deployment} "
            f"--target {observed.target}{more}"
        )
    return older[-1]
