"""Which part of the stand-in answers a request, and whether the one who signed in may ask it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.arm import (
    apps,
    basics,
    clusters,
    computers,
    containers,
    deployments,
    engine,
    identities,
    lists,
    networks,
    registries,
    roles,
    sites,
)
from tests.arm.answers import Answer, Refused, refused

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.kinds import Kind, Request, Resource

MODULES = (apps, basics, clusters, computers, containers, deployments, identities, networks, registries, roles, sites)
KINDS: dict[str, Kind] = {kind.type.lower(): kind for module in MODULES for kind in module.KINDS}
VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern in which a star is a name, and two are anything."""
    parts = re.split(r"(\*\*?)", pattern)
    stars = {"*": "([^/]+)", "**": "(.*)"}
    return re.compile("".join(stars.get(part) or re.escape(part) for part in parts), re.IGNORECASE)


ROUTES = [
    (method, compiled(path), route, action)
    for module in MODULES
    for (method, path), (route, action) in module.ROUTES.items()
]


def answer(arm: Arm, request: Request) -> Answer:
    """Answer a request of one who signed in; raises Refused."""
    if not request.version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise refused(400, "MissingApiVersionParameter", message)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(-[a-z]+)?", request.version):
        raise refused(400, "InvalidApiVersionParameter", f"The api-version '{request.version}' is invalid.")
    _check_subscription(arm, request)
    for method, path, route, action in ROUTES:
        match = path.fullmatch(request.path.text)
        if match and method == request.method:
            if action and not arm.may(action, request.path.text):
                raise Refused(arm.denied(action, request.path.text))
            found: Answer = route(arm, request, match.groups())
            return found
    return _typed(arm, request)


def _check_subscription(arm: Arm, request: Request) -> None:
    """Refuse a subscription that is not there, and changes in one that is disabled."""
    found = request.path.subscription
    if not found:
        return
    state = arm.subscriptions.get(found.lower())
    if state is None:
        raise refused(404, "SubscriptionNotFound", f"The subscription '{found}' could not be found.")
    if state == "Disabled" and request.method in {"PUT", "PATCH", "POST"}:
        message = (
            f"The subscription '{found}' is disabled and therefore marked as read only. You cannot perform any write "
        )
        raise refused(
            409, "ReadOnlyDisabledSubscription", f"{message}actions on this subscription until it is re-enabled."
        )


def _typed(arm: Arm, request: Request) -> Answer:
    """Answer what is about a type of resource."""
    kind, owner, count = _kind_of(request)
    about = kind or owner
    if about is None:
        code, what = "InvalidResourceType", "/".join(request.path.types)
        message = f"The resource type '{what}' could not be found in the namespace '{request.path.namespace}' for api "
        raise refused(404, code, f"{message}version '{request.version}'.")
    _check_right(arm, about, request, count, acts=owner is not None)
    _check_place(arm, about, request)
    engine.check_version(about, request)
    if owner:
        return _action(arm, owner, request, count)
    assert kind is not None
    if len(request.path.names) < len(request.path.types):
        if request.method != "GET":
            raise refused(405, "MethodNotAllowed", f"The HTTP method '{request.method}' is not allowed here.")
        return lists.collection(arm, kind, request)
    return _resource(arm, kind, request)


def _kind_of(request: Request) -> tuple[Kind | None, Kind | None, int]:
    """Return the type that a path names, that of the resource which has the action at its end, and the names used."""
    path = request.path
    types = [each.lower() for each in path.types]
    whole = KINDS.get("/".join([path.namespace.lower(), *types]))
    if whole:
        return whole, None, len(types)
    for count in range(len(types) - 1, 0, -1):
        found = KINDS.get("/".join([path.namespace.lower(), *types[:count]]))
        if found and len(path.names) >= count:
            return None, found, count
    return None, None, 0


def _resource(arm: Arm, kind: Kind, request: Request) -> Answer:
    """Answer what is about one resource."""
    if request.method == "PUT":
        return engine.put(arm, kind, request)
    if request.method == "DELETE":
        return engine.delete(arm, kind, request)
    if request.method == "PATCH":
        return engine.patch(arm, kind, request, engine.find(arm, kind, request, request.path.text))
    if request.method == "HEAD":
        return Answer(204 if arm.find(request.path.text) else 404)
    return engine.get(arm, kind, request)


def _action(arm: Arm, owner: Kind, request: Request, count: int) -> Answer:
    """Answer what is done with a resource, or told of a part of it."""
    found: Resource = engine.find(arm, owner, request, engine.resource_id(request, count))
    rest = "/".join(request.path.segments[2 * count :])
    for words, action in owner.actions.items():
        method, _, path = words.partition(" ")
        match = compiled(path).fullmatch(rest)
        if match and method == request.method:
            return action(arm, found, request, match.groups())
    code = "InvalidResourceType"
    raise refused(404, code, f"The resource type '{owner.short}/{rest}' has no such operation '{request.method}'.")


def _check_right(arm: Arm, kind: Kind, request: Request, count: int, *, acts: bool) -> None:
    """Refuse what the one who signed in may not do; lists leave out what may not be read instead."""
    if len(request.path.names) < len(request.path.types) and not acts:
        return
    action = f"{kind.type}/{VERBS.get(request.method, 'action')}"
    if acts:
        types = "/".join(request.path.types[count:])
        action = f"{kind.type}/{types}/{VERBS.get(request.method, 'action')}"
    if not arm.may(action, request.path.text):
        raise Refused(arm.denied(action, request.path.text))


def _check_place(arm: Arm, kind: Kind, request: Request) -> None:
    """Refuse what has no group, no registered provider, or no parent."""
    path = request.path
    if path.group:
        group = arm.find(f"/subscriptions/{path.subscription}/resourceGroups/{path.group}")
        if group is None:
            raise refused(404, "ResourceGroupNotFound", f"Resource group '{path.group}' could not be found.")
        if request.method == "PUT" and engine.state_of(group) == "Deleting":
            message = f"The resource group '{path.group}' is in deprovisioning state and cannot perform this operation."
            raise refused(409, "ResourceGroupBeingDeleted", message)
    if request.method in {"PUT", "PATCH", "POST"} and basics.registration(arm, kind.namespace) != "Registered":
        message = (
            f"The subscription is not registered to use namespace '{kind.namespace}'. See https://aka.ms/rps-not-found "
        )
        raise refused(409, "MissingSubscriptionRegistration", f"{message}for how to register subscriptions.")
    if request.method != "PUT":
        return
    parent = engine.resource_id(request, len(path.names) - 1) if len(path.names) > 1 else path.scope
    has_parent = len(path.names) > 1 or "/providers/" in path.scope.lower()
    if has_parent and arm.find(parent) is None:
        child = f"{path.namespace}/{'/'.join(path.segments[:-2])}"
        message = (
            f"Failed to perform '{request.method}' on resource(s) of type '{kind.type}', because the parent resource "
        )
        raise refused(404, "ParentResourceNotFound", f"{message}'{child}' could not be found.")
