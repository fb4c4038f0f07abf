"""Subscriptions, resource groups, providers, and how far operations are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.arm import engine, lists
from tests.arm.answers import Answer, Refused, refused
from tests.arm.filters import chosen
from tests.arm.kinds import LOCATION, REGIONS, Kind, Resource
from tests.arm.operations import Operation

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.kinds import Request

LONGEST = 90
GROUP = Kind(
    type="Microsoft.Resources/resourceGroups",
    versions=(),
    form={"properties": {"provisioningState-": str}, "managedBy": str},
    name=r"[\w\-.()]{0,89}[\w\-()]",
)
KINDS: tuple[Kind, ...] = ()  # a group has no provider in its path: its routes are below
NAMESPACES = (
    "Microsoft.App", "Microsoft.Authorization", "Microsoft.Compute", "Microsoft.ContainerInstance",
    "Microsoft.ContainerRegistry", "Microsoft.ContainerService", "Microsoft.ManagedIdentity", "Microsoft.Network",
    "Microsoft.OperationalInsights", "Microsoft.Resources", "Microsoft.Web",
)  # fmt: skip
ALWAYS = {"microsoft.authorization", "microsoft.resources"}
"""Providers that every subscription has."""


def _subscription(arm: Arm, name: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{name}",
        "subscriptionId": name,
        "tenantId": arm.tenant,
        "displayName": "Stand-in",
        "state": arm.subscriptions[name],
        "subscriptionPolicies": {"quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
        "authorizationSource": "RoleBased",
    }


def _subscriptions(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    return lists.listed(arm, request, [_subscription(arm, name) for name in arm.subscriptions])


def _one_subscription(arm: Arm, _request: Request, names: tuple[str, ...]) -> Answer:
    return Answer(200, _subscription(arm, names[0].lower()))


def _locations(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    start = f"/subscriptions/{names[0]}/locations"
    found = [
        {
            "id": f"{start}/{name}",
            "name": name,
            "type": "Region",
            "displayName": shown,
            "regionalDisplayName": shown,
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
        }
        for name, shown in REGIONS.items()
    ]
    return lists.listed(arm, request, found)


def _group(arm: Arm, request: Request) -> Resource:
    found = arm.find(request.path.text)
    if found is None:
        name = request.path.group
        raise refused(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return found


def _put_group(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    if len(names[1]) > LONGEST or names[1].endswith("."):
        raise refused(400, "InvalidResourceGroup", f"The provided resource group name '{names[1]}' is not valid.")
    old = arm.find(request.path.text)
    if old and engine.state_of(old) == "Deleting":
        message = f"The resource group '{names[1]}' is in deprovisioning state and cannot perform this operation."
        raise refused(409, "ResourceGroupBeingDeleted", message)
    return engine.write(arm, GROUP, request, old, engine.body_of(request))


def _patch_group(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    return engine.patch(arm, GROUP, request, _group(arm, request))


def _get_group(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    found = _group(arm, request)
    if found.operation and found.operation.status == "InProgress":
        found.operation.look()
    return Answer(200, engine.shown(arm, _group(arm, request)))


def _has_group(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    return Answer(204 if arm.find(request.path.text) else 404)


def _groups(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    read = "Microsoft.Resources/subscriptions/resourceGroups/read"
    found = [each for each in lists.visible(arm) if each.kind is GROUP and arm.may(read, each.id)]
    return lists.listed(
        arm, request, chosen([engine.shown(arm, each) for each in found], request.query.get("$filter", ""))
    )


def _delete_group(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    found = _group(arm, request)
    engine.set_state(found, "Deleting")
    operation = Operation(arm.polls, lambda: arm.remove(found), None, lambda: Answer(200), found)
    operation.failed = lambda: engine.set_state(found, "Succeeded")
    found.operation = operation
    return engine.begin(arm, request, LOCATION, operation)


def _resources(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    if request.path.group:
        _group(arm, arm_request(request, request.path.text.rsplit("/", 1)[0]))
    return lists.resources(arm, request)


def arm_request(request: Request, path: str) -> Request:
    """Return a request as if it were about another path."""
    from dataclasses import replace

    from tests.arm.paths import parse

    return replace(request, path=parse(path))


def registration(arm: Arm, namespace: str) -> str:
    """Return whether a provider is registered in the subscription."""
    return arm.registrations.get(namespace.lower(), ("Registered", 0))[0]


def _provider(arm: Arm, namespace: str) -> dict[str, Any]:
    from tests.arm.routing import KINDS as ALL  # the table of all types, which has this module's too

    name = next((each for each in NAMESPACES if each.lower() == namespace.lower()), None)
    if name is None:
        raise refused(404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid.")
    state, left = arm.registrations.get(name.lower(), ("Registered", 0))
    if state == "Registering":
        arm.registrations[name.lower()] = (state, left - 1) if left > 0 else ("Registered", 0)
        state = arm.registrations[name.lower()][0]
    kinds = [
        {
            "resourceType": kind.short,
            "locations": list(REGIONS.values()) if kind.tracked else [],
            "apiVersions": sorted(kind.versions, reverse=True),
            "capabilities": "SupportsTags, SupportsLocation" if kind.tracked else "None",
        }
        for kind in ALL.values()
        if kind.namespace == name
    ]
    return {
        "id": f"{arm.scope}/providers/{name}",
        "namespace": name,
        "registrationState": state,
        "registrationPolicy": "RegistrationFree" if name.lower() in ALWAYS else "RegistrationRequired",
        "resourceTypes": kinds,
    }


def _one_provider(arm: Arm, _request: Request, names: tuple[str, ...]) -> Answer:
    return Answer(200, _provider(arm, names[1]))


def _providers(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    return lists.listed(arm, request, [_provider(arm, name) for name in NAMESPACES])


def _register(arm: Arm, _request: Request, names: tuple[str, ...]) -> Answer:
    found = _provider(arm, names[1])
    if not arm.may(f"{found['namespace']}/register/action", arm.scope):
        raise Refused(arm.denied(f"{found['namespace']}/register/action", arm.scope))
    if found["registrationState"] == "NotRegistered":
        arm.registrations[names[1].lower()] = ("Registering", arm.registering)
        found["registrationState"] = "Registering"
    return Answer(200, found)


def _operation(arm: Arm, _request: Request, names: tuple[str, ...]) -> Answer:
    found = arm.operations.get(names[-1])
    if found is None:
        raise refused(404, "NotFound", f"The operation '{names[-1]}' could not be found.")
    found.look()
    if names[-2].lower() == "operations":
        return Answer(200, found.document(), engine.WAIT)
    answer = found.answer()
    return Answer(answer.status, answer.body, {**answer.headers, **engine.WAIT})


def _location(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    """Answer `Location`, with where to ask again as long as it is not done."""
    answer = _operation(arm, request, (*names[:-1], "operationresults", names[-1]))
    if answer.status != 202:
        return answer
    address = f"{arm.url}{request.path.text}?api-version={request.version}"
    return Answer(202, None, {"Location": address, **engine.WAIT})


def _status(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    return _operation(arm, request, (*names[:-1], "operations", names[-1]))


_GROUP, _GROUPS = "/subscriptions/*/resourcegroups/*", "Microsoft.Resources/subscriptions/resourceGroups"
ROUTES = {
    ("GET", "/subscriptions"): (_subscriptions, ""),
    ("GET", "/subscriptions/*"): (_one_subscription, "Microsoft.Resources/subscriptions/read"),
    ("GET", "/subscriptions/*/locations"): (_locations, "Microsoft.Resources/subscriptions/locations/read"),
    ("GET", "/subscriptions/*/resourcegroups"): (_groups, ""),
    ("GET", _GROUP): (_get_group, f"{_GROUPS}/read"),
    ("HEAD", _GROUP): (_has_group, f"{_GROUPS}/read"),
    ("PUT", _GROUP): (_put_group, f"{_GROUPS}/write"),
    ("PATCH", _GROUP): (_patch_group, f"{_GROUPS}/write"),
    ("DELETE", _GROUP): (_delete_group, f"{_GROUPS}/delete"),
    ("GET", "/subscriptions/*/resources"): (_resources, ""),
    ("GET", f"{_GROUP}/resources"): (_resources, ""),
    ("GET", "/subscriptions/*/providers"): (_providers, ""),
    ("GET", "/subscriptions/*/providers/*"): (_one_provider, ""),
    ("POST", "/subscriptions/*/providers/*/register"): (_register, ""),
    ("GET", "/subscriptions/*/providers/*/locations/*/operations/*"): (_status, ""),
    ("GET", "/subscriptions/*/providers/*/locations/*/operationresults/*"): (_location, ""),
}
