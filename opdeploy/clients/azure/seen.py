"""What there is of a deployment in Azure, as values: its record and its resources, each beside what it was made as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.deployment import Found, Observed, Version
from opdeploy.targets.azure.about import about
from opdeploy.targets.azure.compare import flat, told
from opdeploy.targets.azure.kinds import GROUP, KINDS, kind_of, name_of
from opdeploy.targets.azure.record import NAME, ROLE, TARGET
from opdeploy.targets.azure.steps import GOING
from opdeploy.targets.azure.target import VERSION as KEPT
from opdeploy.targets.azure.target import kept
from opdeploy.targets.azure.web import SITE, SLOT, as_made

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.runs import Running, Runs
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.record import Kept, Record


_RUNS = {"cluster", "container app", "container group", "site", "virtual machine"}
"""Kinds of which a deployment has one, in which all that answers is."""


def resources(arm: Arm, where: Where, target: str, record: Record | None) -> dict[str, dict[str, Any]]:
    """Return everything that belongs to a deployment, by ids in small letters: what its record or its tags say is its.

    What is there and has the tags of another deployment is not its own, whatever the record says.
    """
    tags = {NAME: where.deployment, TARGET: target}
    known = [item.id for item in record.made] if record else []
    found = {name: arm.find(name) for name in known if kind_of(name)}
    lowered = {name.lower(): item for name, item in found.items() if item and _is_own(item, tags)}
    for item in arm.tagged(where.group, tags):
        if item["id"].lower() not in lowered and kind_of(item["id"]):
            whole = arm.find(item["id"])
            if whole:
                lowered[item["id"].lower()] = whole
    home = arm.find(where.group_id)
    if home and tags.items() <= (home.get("tags") or {}).items():
        lowered[where.group_id.lower()] = home
    return lowered


def _is_own(found: Mapping[str, Any], tags: Mapping[str, str]) -> bool:
    has = found.get("tags") or {}
    return all(has.get(tag, value) == value for tag, value in tags.items())


def unrecorded(there: Iterable[Mapping[str, Any]]) -> list[JsonValue]:
    """Return what runs versions, of resources of which there is no record."""
    kinds = [(kind_of(item["id"]), name_of(item["id"])) for item in there]
    return [f"{kind.name} {name}" for kind, name in kinds if kind and kind.name in _RUNS]


def observed(
    where: Where, target: str, record: Record | None, there: Mapping[str, dict[str, Any]], runs: Runs
) -> Observed:
    """Return a deployment as it is, without what is true of its place."""
    running = runs.running(where, there)
    versions = [_version(item, where.deployment, running) for item in record.versions] if record else []
    kept_ones = [_kept(item, where.deployment) for item in record.versions] if record else []
    stays = [item for item in record.made if ROLE not in (item.body.get("tags") or {})] if record else []
    missing: list[JsonValue] = [item.id for item in stays if item.id.lower() not in there]
    lost = unrecorded(there.values()) if record is None else []
    return Observed(
        target=target,
        deployment=where.deployment,
        group=where.group,
        found=(*_found(there, record, runs), *running.more, *kept_ones),
        versions=tuple(versions),
        endpoint=running.endpoint,
        events=tuple(_of_late(running, record)),
        facts={"missing": missing, "swapping": record.swapping if record else None, "unrecorded": lost},
        front=where.deployment if running.endpoint else None,
        upstream=running.current,
        rolls=True,  # what was begun goes on, whoever began it
    )


def _of_late(running: Running, record: Record | None) -> Iterator[str]:
    """Yield what went wrong, without what did so before the current version was ready, while that runs."""
    kept = record.version(running.current) if record and running.current else None
    _, state = running.servers.get(running.current or 0, ("", ""))
    since = kept.ready if kept and state == "running" else None
    return (item.text for item in running.events if not (since and item.at and item.at < since))


def _version(item: Kept, deployment: str, running: Running) -> Version:
    resource, state = running.servers.get(item.number, (kept(deployment, item.number), "stopped"))
    return Version(
        number=item.number,
        resource=resource,
        config=item.config,
        artefact=item.artefact,
        image=item.image,
        at=item.at,
        by=item.by,
        state=state,
        current=item.number == running.current,
        proven=item.proven,
    )


def _kept(item: Kept, deployment: str) -> Found:
    return Found(
        kind=KEPT,
        name=kept(deployment, item.number),
        shown=False,
        properties={"image": item.image, "keyed": item.keyed},
        made={"id": item.resource, "body": item.body},
    )


def _found(there: Mapping[str, dict[str, Any]], record: Record | None, runs: Runs) -> Iterable[Found]:
    places = [*KINDS]
    made = [_one(item, record, runs) for item in there.values()]
    return sorted(made, key=lambda item: (places.index(item.kind), item.name))


def _one(item: dict[str, Any], record: Record | None, runs: Runs) -> Found:
    """Return a resource as it is; beside it, where the record has it, what it was made as."""
    kind = kind_of(item["id"])
    name = kind.name if kind else GROUP.name
    body = as_made(item, record) if record else None
    if body is None and name == GROUP.name:  # made for the lock of a command that ended before it noted it
        body = {key: item[key] for key in ("location", "tags") if key in item}
    properties: dict[str, JsonValue] = told(body, item) if body else {}
    wanted = {path: value for path, value in flat(body).items() if path in properties}
    tags = item.get("tags") or {}
    if state := runs.state(item):
        properties["state"] = state
    if ROLE in tags:
        properties["role"] = tags[ROLE]
    is_swapped = bool(record and record.swapping) and name in {SITE, SLOT}
    is_going = (item.get("properties") or {}).get("provisioningState") == "Deleting"
    if is_going:
        properties["state"] = GOING
    made: dict[str, JsonValue] = {"id": item["id"], **({"body": body} if body else {})}
    return Found(
        kind=name,
        name=name_of(item["id"]),
        about=about(name, item, body or {}),
        properties=properties,
        wanted=wanted,
        # A group without a record was made for a lock alone.
        passing=is_going or is_swapped or ROLE in tags or (name == GROUP.name and record is None),
        made=made,
    )
