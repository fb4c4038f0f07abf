"""What is alike for every type of resource: PUT, PATCH, GET, DELETE, lists and long operations."""

from __future__ import annotations

import copy
import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.arm.answers import Answer, Refused, error, malformed, refused
from tests.arm.forms import only, taken, without
from tests.arm.kinds import ANYWHERE, ASYNC, LOCATION, NOW, REGIONS, TAGS, Kind, Long, Request, Resource
from tests.arm.operations import Operation

if TYPE_CHECKING:
    from tests.arm.arm import Arm

WAIT = {"x-ms-retry-after-ms": "1"}
"""azure-core takes `Retry-After: 0` for none, and waits for 30 seconds (1.41.0, LROBasePolling._extract_delay)."""
MOST_TAGS = 50


def resource_id(request: Request, count: int) -> str:
    """Return the id that the first names of a path make."""
    path = request.path
    pairs = zip(path.types[:count], path.names[:count], strict=True)
    return f"{path.scope}/providers/{path.namespace}" + "".join(f"/{kind}/{name}" for kind, name in pairs)


def check_version(kind: Kind, request: Request) -> None:
    """Raise Refused for an API version that the type does not have."""
    if request.version.lower() in [each.lower() for each in kind.versions]:
        return
    location = (request.body or {}).get("location", "") if isinstance(request.body, dict) else ""
    raise refused(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{request.version}' for type "
        f"'{kind.short}'. The supported api-versions are '{', '.join(kind.versions)}'. The supported locations are "
        f"'{', '.join(REGIONS)}'.",
    )


def not_found(kind: Kind, request: Request) -> Refused:
    """Return the error for what is not there."""
    path = request.path
    return refused(
        404,
        "ResourceNotFound",
        f"The Resource '{kind.namespace}/{'/'.join(path.segments)}' under resource group '{path.group or '<null>'}' "
        "was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def find(arm: Arm, kind: Kind, request: Request, path: str) -> Resource:
    """Return a resource that is there and can be seen; raises Refused."""
    found = arm.find(path)
    if found and found.unseen:
        found.unseen -= 1
        found = None
    if found is None:
        raise not_found(kind, request)
    return found


def shown(arm: Arm, resource: Resource) -> dict[str, Any]:
    """Return what is told of a resource."""
    kind = resource.kind
    body = without(copy.deepcopy(kind.view(arm, resource)), form_of(kind))
    return {"id": resource.id, "name": resource.name, "type": kind.type, **body}


def state_of(resource: Resource) -> str:
    """Return how far the service is with it; empty where that is not told."""
    where = resource.body
    *before, last = resource.kind.state.split(".")
    for name in before:
        where = where.get(name) or {}
    return str(where.get(last, ""))


def set_state(resource: Resource, state: str) -> None:
    """Note how far the service is with it."""
    if resource.kind.state:
        where = resource.body
        *before, last = resource.kind.state.split(".")
        for name in before:
            where = where.setdefault(name, {})
        where[last] = state


def begin(arm: Arm, request: Request, long: Long, operation: Operation, body: object = None) -> Answer:
    """Answer a request that takes its time, with where to ask how far it is."""
    arm.operations[operation.id] = operation
    operation.ending = request.ending or operation.ending
    resource = operation.resource
    location = (resource.body.get("location") if resource else None) or "westeurope"
    place = f"{arm.url}{arm.scope}/providers/{request.path.namespace or 'Microsoft.Resources'}/locations/{location}"
    what = "operations" if long.header == ASYNC.header else "operationresults"
    address = f"{place}/{what}/{operation.id}?{urlencode({'api-version': request.version})}"
    headers = {long.header: address, **WAIT} if long.header else {}
    return Answer(long.status, body, headers)


def _fail_now(request: Request) -> None:
    """Refuse what a test wants to fail, and does not take its time."""
    if request.ending and request.ending.code:
        raise refused(400, request.ending.code, request.ending.message)


def put(arm: Arm, kind: Kind, request: Request) -> Answer:
    """Make a resource, or replace it."""
    path = request.path.text
    old = arm.find(path)
    if not re.fullmatch(kind.name, request.path.names[-1]):
        raise refused(
            400,
            "InvalidResourceName",
            f"Resource name {request.path.names[-1]} is invalid: it does not match {kind.name}.",
        )
    return write(arm, kind, request, old, body_of(request))


def body_of(request: Request) -> dict[str, Any]:
    """Return a body, which must be an object; raises Refused."""
    if not isinstance(request.body, dict):
        raise malformed("Unexpected end of content while loading JObject")
    return request.body


def write(arm: Arm, kind: Kind, request: Request, old: Resource | None, body: dict[str, Any]) -> Answer:
    """Check a body as the service does, and take it."""
    if old and old.operation and old.operation.status == "InProgress":
        raise _busy(kind, old)
    kept = taken(body, form_of(kind), lenient=kind.lenient)
    check_common(kind, old, kept, request)
    new = Resource(old.id if old else request.path.text, kind, kept, dict(old.private) if old else {})
    new.created = old.created if old else new.created
    for action, scope in kind.needs(new):
        if not arm.may(action, scope):
            raise Refused(_linked(arm, action, scope, kind, new))
    kind.check(arm, old, new)
    if old and only(old.body, form_of(kind)) != only(new.body, form_of(kind)):
        status, code, message = kind.unchangeable
        raise refused(status, code, message.format(name=old.name))
    if not (kind.put if request.method == "PUT" else kind.patch or NOW).header:
        _fail_now(request)
    arm.resources[new.id.lower()] = new
    if old is None:
        new.unseen = next((n for pattern, n in arm.unseen.items() if fnmatch(new.id.lower(), f"*{pattern.lower()}")), 0)
    return _carry_out(arm, request, kind, old, new)


def _carry_out(arm: Arm, request: Request, kind: Kind, old: Resource | None, new: Resource) -> Answer:
    """Do what a write asks for, now or little by little."""
    long = kind.put if request.method == "PUT" else kind.patch
    if not long or not long.header:
        set_state(new, "Succeeded")
        kind.made(arm, new)
        status = 200 if old or request.method == "PATCH" else 201
        return Answer(long.status if long and long.status else status, shown(arm, new))

    def finish() -> None:
        set_state(new, "Succeeded")
        kind.made(arm, new)

    operation = Operation(arm.polls, finish, kind.ends(arm, new), lambda: Answer(200, shown(arm, new)), new)
    operation.failed = lambda: set_state(new, "Failed")
    new.operation = operation
    set_state(new, "Updating" if old else kind.first_state)
    status = 200 if old and long.status == ASYNC.status else long.status
    return begin(arm, request, Long(status, long.header), operation, shown(arm, new))


def _linked(arm: Arm, action: str, scope: str, kind: Kind, new: Resource) -> Answer:
    """Return the refusal of who may write a resource, but not use another for it."""
    return error(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{arm.client}' with object id '{arm.principal}' has permission to perform action "
        f"'{kind.type}/write' on scope '{new.id}'; however, it does not have permission to perform action(s) "
        f"'{action}' on the linked scope(s) '{scope}' (respectively) or the linked scope(s) are invalid.",
    )


def form_of(kind: Kind) -> dict[str, Any]:
    """Return the form of a whole body."""
    common = {"location": str, "tags": TAGS} if kind.tracked else {}
    own = kind.form() if callable(kind.form) else kind.form
    return {**own, **ANYWHERE, **common}


def check_common(kind: Kind, old: Resource | None, body: dict[str, Any], request: Request) -> None:
    """Refuse a location or tags that Resource Manager itself refuses."""
    tags = body.get("tags") or {}
    if len(tags) > MOST_TAGS:
        raise refused(400, "InvalidTags", f"The number of tags {len(tags)} exceeds the maximum of {MOST_TAGS}.")
    for name, value in tags.items():
        if not name or len(name) > 512 or len(value) > 256 or set(name) & set("<>%&\\?/"):
            raise refused(400, "InvalidTagNameOrValue", f"The tag '{name}' has a name or value that is not allowed.")
    if not kind.tracked:
        return
    location = str(body.get("location") or "").replace(" ", "").lower()
    if not location:
        raise refused(400, "LocationRequired", "The location property is required for this definition.")
    if location not in REGIONS:
        raise refused(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{body['location']}' is not available for resource type '{kind.type}'. List of "
            f"available regions for the resource type is '{','.join(REGIONS)}'.",
        )
    if old and old.body["location"] != location:
        raise refused(
            409,
            "InvalidResourceLocation",
            f"The resource '{old.name}' already exists in location '{old.body['location']}' in resource group "
            f"'{request.path.group}'. A resource with the same name cannot be created in location '{location}'. Please "
            "select a new resource name.",
        )
    body["location"] = location


def patch(arm: Arm, kind: Kind, request: Request, old: Resource) -> Answer:
    """Merge a body into a resource; where the type has no PATCH of its own, only tags may come."""
    body = body_of(request)
    if kind.patch is None and set(body) - {"tags", "location", "zones"}:
        raise malformed(f"Could not find member '{next(iter(set(body) - {'tags'}))}' on object of type 'Resource'")
    return write(arm, kind, request, old, merged(old.body, body))


def merged(old: Any, new: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a merge of JSON makes of two values (RFC 7396), in which tags take the place of tags."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return copy.deepcopy(new)
    found = copy.deepcopy(old)
    for name, value in new.items():
        found[name] = value if name == "tags" else merged(found.get(name), value)
        if value is None:
            del found[name]
    return found


def get(arm: Arm, kind: Kind, request: Request) -> Answer:
    """Return a resource; looking moves on what goes on."""
    found = find(arm, kind, request, request.path.text)
    if found.operation and found.operation.status == "InProgress":
        found.operation.look()
        found = find(arm, kind, request, request.path.text)
    return Answer(200, shown(arm, found))


def delete(arm: Arm, kind: Kind, request: Request) -> Answer:
    """Take a resource away; what is not there is gone already."""
    found = arm.find(request.path.text)
    if found is None:
        return Answer(204)
    if found.operation and found.operation.status == "InProgress":
        if state_of(found) == "Deleting":
            return begin(arm, request, kind.delete or LOCATION, found.operation)
        if not kind.deleted_when_busy:
            raise _busy(kind, found)
        found.operation.status = "Canceled"
    if kind.in_use[0] and (users := [each for each in arm.resources.values() if _uses(each, found)]):
        code, message = kind.in_use
        raise refused(409, code, message.format(name=found.name, count=len(users), users=users[0].id))
    if kind.delete is None or not kind.delete.header:
        _fail_now(request)
        body = shown(arm, found)
        arm.remove(found)
        return Answer(200, body)
    operation = Operation(arm.polls, lambda: arm.remove(found), resource=found)
    operation.failed = lambda: set_state(found, "Failed")
    found.operation = operation
    set_state(found, "Deleting")
    return begin(arm, request, kind.delete, operation)


def _busy(kind: Kind, resource: Resource) -> Refused:
    code, message = kind.busy
    return refused(409, code, message.format(name=resource.name))


def _uses(other: Resource, found: Resource) -> bool:
    """Tell whether a resource names another that it is not part of."""
    part = f"{other.id}/".lower().startswith(f"{found.id}/".lower())
    return not other.deleted and not part and _names(other.body, f"{found.id}/".lower())


def _names(value: object, start: str) -> bool:
    """Tell whether a text in a body is an id that begins so: one that only quotes it, as a note may, is none."""
    if isinstance(value, dict):
        return any(_names(key, start) or _names(item, start) for key, item in value.items())
    if isinstance(value, list):
        return any(_names(item, start) for item in value)
    return isinstance(value, str) and f"{value}/".lower().startswith(start)
