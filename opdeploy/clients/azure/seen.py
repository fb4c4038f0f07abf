"""What there is of a deployment in Azure, as values: its record and its resources, each beside what it was made as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure import group
from opdeploy.deployment import Found, Observed, Version
from opdeploy.targets.azure.compare import flat, told
from opdeploy.targets.azure.kinds import GROUP, KINDS, kind_of, name_of
from opdeploy.targets.azure.record import NAME, ROLE, VERSION, Record
from opdeploy.targets.azure.target import VERSION as KEPT
from opdeploy.targets.azure.target import kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.record import Kept


def resources(arm: Arm, where: Where, record: Record | None) -> dict[str, dict[str, Any]]:
    """Return everything that belongs to a deployment, by ids in small letters: what its record or a tag says is its.

    What is there and has another deployment's tag is not its own, whatever the record says.
    """
    known = [item.id for item in record.made] if record else []
    found = {name: arm.find(name) for name in known if kind_of(name)}
    lowered = {name.lower(): item for name, item in found.items() if item and _is_own(item, where.deployment)}
    for item in arm.tagged(where.group, NAME, where.deployment):
        if item["id"].lower() not in lowered and kind_of(item["id"]):
            whole = arm.find(item["id"])
            if whole:
                lowered[item["id"].lower()] = whole
    home = arm.find(where.group_id)
    if home and (home.get("tags") or {}).get(NAME) == where.deployment:
        lowered[where.group_id.lower()] = home
    return lowered


def _is_own(found: Mapping[str, Any], deployment: str) -> bool:
    tags = found.get("tags") or {}
    return NAME not in tags or tags[NAME] == deployment


def observed(
    where: Where,
    target: str,
    record: Record | None,
    there: Mapping[str, dict[str, Any]],
    facts: dict[str, JsonValue],
) -> Observed:
    """Return a deployment as it is."""
    main = where.id(_MAIN, where.deployment).lower()
    answers = there.get(main)
    number = int((answers.get("tags") or {}).get(VERSION) or 0) if answers else 0
    versions = [] if record is None else [_version(item, answers, number) for item in record.versions]
    reached = group.address(answers) if answers else None
    kept_ones = [_kept(item, where.deployment) for item in record.versions] if record else []
    missing: list[JsonValue] = [item.id for item in record.made if item.id.lower() not in there] if record else []
    return Observed(
        target=target,
        deployment=where.deployment,
        found=(*_found(there, record), *kept_ones),
        versions=tuple(versions),
        endpoint=f"http://{reached[0]}:{reached[1]}" if reached else None,
        events=group.events(answers) if answers else (),
        facts={**facts, "missing": missing},
        front=where.deployment if answers else None,
        upstream=number or None,
    )


_MAIN = "container group"


def _version(item: Kept, answers: dict[str, Any] | None, number: int) -> Version:
    is_current = item.number == number
    return Version(
        number=item.number,
        resource=name_of(item.resource) if is_current else kept(name_of(item.resource), item.number),
        config=item.config,
        artefact=item.artefact,
        image=item.image,
        at=item.at,
        by=item.by,
        state=group.state(answers) if is_current and answers else "stopped",
        current=is_current,
        proven=item.proven,
    )


def _kept(item: Kept, deployment: str) -> Found:
    return Found(
        kind=KEPT,
        name=kept(deployment, item.number),
        properties={"image": item.image, "keyed": item.keyed},
        made={"id": item.resource, "body": item.body},
    )


def _found(there: Mapping[str, dict[str, Any]], record: Record | None) -> Iterable[Found]:
    places = [*KINDS]
    made = [_one(item, record) for item in there.values()]
    return sorted(made, key=lambda item: (places.index(item.kind), item.name))


def _one(item: dict[str, Any], record: Record | None) -> Found:
    """Return a resource as it is; beside it, where the record has it, what it was made as."""
    kind = kind_of(item["id"])
    name = kind.name if kind else GROUP.name
    body = record.body(item["id"]) if record else None
    properties: dict[str, JsonValue] = told(body, item) if body else {}
    tags = item.get("tags") or {}
    if name == _MAIN:
        properties["state"] = group.state(item)
    if ROLE in tags:
        properties["role"] = tags[ROLE]
    made: dict[str, JsonValue] = {"id": item["id"], **({"body": body} if body else {})}
    return Found(
        kind=name,
        name=name_of(item["id"]),
        properties=properties,
        wanted=flat(body) if body else {},
        passing=ROLE in tags or (name == GROUP.name and record is None),  # one that was made for a lock alone
        made=made,
    )
