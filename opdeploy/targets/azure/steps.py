"""Steps of a kind, each of which calls a method of the client of Azure. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from opdeploy.plan import Change, Secret, Step
from opdeploy.targets.azure.compare import flat, secrets
from opdeploy.targets.azure.costing import size
from opdeploy.targets.azure.kinds import KINDS, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import JsonValue

    from opdeploy.deployment import Found
    from opdeploy.plan import Action
    from opdeploy.targets.azure.shared import Resource

API_KEY = "api-key"
"""The name of the secret that clients show."""
GOING = "going"
"""The state of a resource that is being removed."""
MADE_S = 1800.0
"""Seconds within which a resource is made."""
GONE_S = 1800.0
BUILT_S = 3600.0


def put(resource: Resource, found: Found | None, title: str = "", *, rekeyed: bool = False) -> Iterator[Step]:
    """Yield the step after which a resource is as its body says, unless it is so; `rekeyed`: but for the API key."""
    name = name_of(resource.id)
    found = None if found and found.properties.get("state") == GOING else found
    differ = changes(resource.body, found)
    if rekeyed and found and secrets(dict(resource.body)):
        differ = (*differ, Change(property="key of clients", before="as it was", after="replaced"))
    if found and not differ:
        return
    action: Action = "change" if found else "create"
    yield Step(
        id=f"put-{resource.kind}-{name}".replace(" ", "-"),
        title=f"{title or resource.purpose or _usual(resource, found)}{'' if found else size(resource)}",
        action=action,
        kind=resource.kind,
        name=name,
        call="azure.put",
        args={"resource": resource.id, "body": resource.body, **_secrets(resource.body)},
        changes=differ if found else (),
        timeout_s=MADE_S,
    )


def _usual(resource: Resource, found: Found | None) -> str:
    return f"{'change' if found else 'make'} the {resource.kind} {name_of(resource.id)}"


def changes(body: Mapping[str, JsonValue], found: Found | None) -> tuple[Change, ...]:
    """Return what differs between a resource as it is, and was made, and the body that it is to be made of."""
    if found is None:
        return ()
    made = found.made.get("body")
    before, after = flat(made if isinstance(made, dict) else {}), flat(dict(body))
    return between({path: found.properties.get(path, value) for path, value in before.items()}, after)


def between(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> tuple[Change, ...]:
    """Return what differs between the leaves of two bodies."""
    return tuple(
        Change(property=path, before=before.get(path), after=after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def delete(found: Found, why: str = "", *, cleanup: bool = False) -> Step:
    """Return the step that removes a resource, and waits until it is gone."""
    return Step(
        id=f"delete-{found.kind}-{found.name}".replace(" ", "-"),
        title=f"remove the {found.kind} {found.name}{why}",
        action="delete",
        kind=found.kind,
        name=found.name,
        call="azure.delete",
        args={"resource": str(found.made["id"])},
        timeout_s=GONE_S,
        cleanup=cleanup,
    )


def act(where: tuple[str, str], method: str, title: str, args: Mapping[str, JsonValue], **more: object) -> Step:
    """Return a step that calls another method of the client; `where` is kind and name of what it works on."""
    kind, name = where
    values: dict[str, object] = {"id": method.replace(".", "-"), "action": "change", **more}
    return Step.model_validate(
        {**values, "title": title, "kind": kind, "name": name, "call": method, "args": {**args}}, strict=False
    )


def begun(deployment: str, version: Mapping[str, JsonValue]) -> Step:
    """Return the step that notes that a version is about to be made, so that it is known however this ends."""
    return Step(
        id="note",
        title=f"note that version {version['number']} is being made",
        action="change",
        kind="note",
        name=deployment,
        call="azure.note",
        args={"version": dict(version)},
    )


def proven(deployment: str, number: int, before: int | None) -> Step:
    """Return the step that notes that a version is ready and right, and has the requests."""
    return Step(
        id="prove",
        title=f"note that version {number} works, and has the requests",
        action="change",
        kind="note",
        name=deployment,
        call="azure.prove",
        args={"number": number},
        changes=(Change(property="current", before=before, after=number),) if before != number else (),
    )


def forget(deployment: str, numbers: Sequence[int], images: Sequence[str] = ()) -> Step:
    """Return the step that drops versions from the record, and removes images which no other has."""
    which = ", ".join(map(str, numbers))
    also = f", and remove {', '.join(images)}" if images else ""
    args: dict[str, JsonValue] = {"numbers": [*numbers], **({"images": [*images]} if images else {})}
    title = f"keep no record of version {which} any more{also}"
    more = {"id": "forget", "action": "delete", "timeout_s": GONE_S, "cleanup": True}
    return act(("note", deployment), "azure.forget", title, args, **more)


def check_server(kind: str, name: str, number: int, ready_s: float, *, is_awaited: bool = False) -> Step:
    """Return the step that waits until a version is ready, and asks it for the golden answers.

    `is_awaited` tells whether another version may answer there until then.
    """
    minutes = math.ceil(ready_s / 60)
    return Step(
        id=f"check-{name}",
        title=f"wait up to {minutes} minutes until version {number} is ready, and ask it for the golden answers",
        action="check",
        kind=kind,
        name=name,
        call="check.server",
        args={"name": name, "ready_s": ready_s, **({"version": number} if is_awaited else {})},
        timeout_s=ready_s + 300,
    )


def check_endpoint(kind: str, name: str, number: int, *, auth: bool, settles_s: float = 0.0) -> Step:
    """Return the step that asks the endpoint, which may go on for some seconds with the version that was before."""
    settling: dict[str, JsonValue] = {"settles_s": settles_s} if settles_s else {}
    return Step(
        id="check",
        title="ask the endpoint for the golden answers, and load it shortly",
        action="check",
        kind=kind,
        name=name,
        call="check.endpoint",
        args={"front": name, "name": name, "version": number, "auth": auth, **settling},
        timeout_s=300,
    )


def order(found: Sequence[Found]) -> list[Found]:
    """Return resources in the order in which they are removed."""
    places = [*KINDS]
    return sorted(found, key=lambda item: places.index(item.kind) if item.kind in places else -1)


def _secrets(body: Mapping[str, JsonValue]) -> dict[str, Secret]:
    return {name.replace("-", "_"): Secret(secret=name) for name in sorted(secrets(dict(body)))}
