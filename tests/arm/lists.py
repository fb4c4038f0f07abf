"""Lists of resources, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from tests.arm.answers import Answer
from tests.arm.engine import shown
from tests.arm.filters import chosen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.arm.arm import Arm
    from tests.arm.kinds import Kind, Request, Resource


def collection(arm: Arm, kind: Kind, request: Request) -> Answer:
    """Return the resources of a type, in a subscription, a group or a parent."""
    start = f"{request.path.scope}/".lower()
    parent = request.path.text.lower() + "/" if request.path.names else start
    found = [
        each
        for each in visible(arm)
        if each.kind is kind and each.id.lower().startswith(parent) and arm.may(f"{kind.type}/read", each.id)
    ]
    return listed(arm, request, [listing(arm, each) for each in found])


def listing(arm: Arm, resource: Resource) -> dict[str, Any]:
    """Return what a list tells of a resource: what lives is told to who asks for the one."""
    found = shown(arm, resource)
    if isinstance(found.get("properties"), dict):
        found["properties"].pop("instanceView", None)
    return found


def visible(arm: Arm) -> list[Resource]:
    """Return what lists have: also what was deleted just now, and not what nobody sees yet."""
    found = []
    for each in list(arm.resources.values()):
        if each.deleted:
            each.lingers -= 1
            if each.lingers < 0:
                arm.resources.pop(each.id.lower())
                continue
        if not each.unseen:
            found.append(each)
    return found


def listed(arm: Arm, request: Request, items: Iterable[dict[str, Any]]) -> Answer:
    """Return a page of a list, with where the next one is."""
    found = list(items)
    start = int(request.query.get("$skiptoken", "0"))
    size = min(arm.page, int(request.query.get("$top", arm.page)))
    body: dict[str, Any] = {"value": found[start : start + size]}
    if start + size < len(found):
        query = urlencode({**request.query, "$skiptoken": start + size}, quote_via=quote)
        body["nextLink"] = f"{arm.url}{request.path.text}?{query}"
    return Answer(200, body)


def resources(arm: Arm, request: Request) -> Answer:
    """Return resources of every type, without what is their own."""
    start = request.path.text.lower().removesuffix("resources")
    found = []
    for each in visible(arm):
        inside = "/providers/" in each.id and each.id.lower().startswith(start)
        if each.kind.tracked and inside and arm.may(f"{each.kind.type}/read", each.id):
            told = shown(arm, each)
            own = told.pop("properties", None) or {}
            extra = {"createdTime": each.created, "changedTime": each.created}
            extra["provisioningState"] = own.get("provisioningState", "Succeeded")
            asked = request.query.get("$expand", "").split(",")
            told |= {name: value for name, value in extra.items() if name in asked}
            found.append(told)
    return listed(arm, request, chosen(found, request.query.get("$filter", "")))
