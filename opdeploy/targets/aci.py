"""Azure Container Instances: a container group, in which one version runs at a time. Pure.

A group is changed in place, and what runs in it ends then. So a new version is tried in a group of its own first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from opdeploy.deployment import Found
from opdeploy.plan import fingerprint
from opdeploy.platform import NameRule
from opdeploy.targets.azure import instances, steps
from opdeploy.targets.azure.compare import secret
from opdeploy.targets.azure.kinds import name_of
from opdeploy.targets.azure.names import of_version, where
from opdeploy.targets.azure.record import ROLE
from opdeploy.targets.azure.shared import Resource, identity, registry, shared
from opdeploy.targets.azure.target import (
    AzureTarget,
    forgotten,
    is_keyed,
    kept_as,
    keys,
    old,
    rekeyed,
    returned,
    running,
    version_of,
    worked,
)
from opdeploy.targets.base import Reach
from opdeploy.targets.engine.steps import cleared_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import JsonValue

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan, Step
    from opdeploy.targets.azure.before import Before
    from opdeploy.targets.azure.questions import Question, Said
    from opdeploy.targets.base import Wanted

KIND = "container group"
SERVER = "server"
"""The name of the container."""
_READY_S = 300.0
"""Seconds within which a version that worked once must be ready again."""
_ON_THE_WAY_S = 300.0
"""Seconds for an image to be pulled, and a host to be found."""
_FIXED = (
    ".osType",
    ".restartPolicy",
    ".cpu",
    ".memoryInGB",
    ".priority",
    ".sku",
    ".ipAddress.type",
    ".subnetIds.length",
    ".subnetIds[0].id",
)
"""Ends of the properties that a group has for good (learn.microsoft.com/azure/container-instances/
container-instances-update, "Properties that require container delete", read 2026-11-26)."""
_ENDED = {"failed", "stopped"}
"""How a group stands that takes no change any more (the same page)."""
_MOVES = ", and its address may be another then"
"""What is to be known of a group without a name: a changed one starts again in place, usually on the same host, so not
always (the same page)."""
_NUMBER = "OPDEPLOY_VERSION"
_TRIAL = "-trial"


class Aci(AzureTarget):
    """A container group."""

    ids = ("aci",)
    rule = NameRule(min_length=1, max_length=57, pattern="^[a-z0-9]+(-[a-z0-9]+)*$")
    """Of 1 to 63 lower-case letters, digits and single dashes, six of which a trial's name takes more
    (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules, read 2026-11-26)."""

    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs."""
        return fingerprint([wanted.bundle, runs(wanted, {})])

    def resources(self, wanted: Wanted) -> Iterator[Resource]:
        """Yield everything that a first version is made of."""
        yield from shared(wanted, "aci", {})
        at = where(wanted.settings, wanted.deployment)
        tagged = {"tags": {**of_version(wanted, "aci", 1, self.config(wanted)[:32])}}
        yield Resource(KIND, at.id(KIND, at.deployment), _numbered({**runs(wanted, {}), **tagged}, 1))

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current: a new one, or one that is there."""
        name = observed.deployment
        version = observed.version(number)
        config = self.config(wanted)
        tagged = {"tags": {**of_version(wanted, "aci", number, config[:32])}}
        body = _numbered({**runs(wanted, observed.facts), **tagged}, number)
        resource = where(wanted.settings, name).id(KIND, name)
        is_proven = version is not None and version.proven  # of any other the image may never have been built
        made = None if is_proven else version_of(wanted, number, config, Resource(KIND, resource, body))
        yield from self.ground(wanted, observed, made)
        yield from _left(observed)
        is_current = version is not None and version.current
        if observed.current and not is_current and not is_proven:
            yield from _tried(Resource(KIND, f"{resource}{_TRIAL}", body), number, wanted.ready_s)
        taken = [*self._taken_over(observed, Resource(KIND, resource, body), number, wanted.ready_s)]
        yield from taken
        yield steps.check_endpoint(KIND, name, number, auth=wanted.keyed)
        if taken or not (is_current and is_proven):  # what went wrong before it was ready again is of no interest
            yield steps.proven(name, number, worked(observed))
        yield from forgotten(observed, old(observed, number, wanted.keep), wanted.image)
        if version is None and observed.versions:
            yield from cleared_here(observed, wanted.image)

    def _taken_over(self, observed: Observed, group: Resource, number: int, ready_s: float) -> Iterator[Step]:
        """Yield the steps after which the group runs a version that is ready and right."""
        name = observed.deployment
        found = observed.of(KIND, name)
        title = f"run version {number} in {name}"
        changed = [*steps.put(group, found, title, rekeyed=rekeyed(observed))]
        again = _again(found, changed)
        if again and not changed:
            changed = [*steps.put(group, None, title)]
        moves = "" if "dnsNameLabel" in group.body["properties"]["ipAddress"] else _MOVES
        if found and again:
            yield steps.delete(found, f", for {again}; nothing answers until it is made again{moves}")
        elif found:
            silent = f"{title}; nothing answers until it has started{moves}"
            changed = [step.model_copy(update={"title": silent}) for step in changed]
        yield from changed
        if changed:
            yield steps.check_server(KIND, name, number, ready_s + _ON_THE_WAY_S)

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a kept version current again, after a plan that failed or on demand."""
        yield from _left(observed)
        yield from keys(observed, to, undone)
        yield from self._taken_over(observed, kept_as(observed, KIND, to), to, _READY_S)
        yield steps.check_endpoint(KIND, observed.deployment, to, auth=is_keyed(observed, to))
        yield from returned(observed, to, undone)

    def asks(self, before: Before) -> Iterator[Question | Said]:
        """Yield what is asked of Container Instances before anything is made."""
        return instances.questions(before)

    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell who reaches a kept version once it answers again."""
        return Reach(not kept_as(observed, KIND, to).body["properties"].get("subnetIds"), is_keyed(observed, to))

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be."""
        yield from super().drift(running(observed, KIND))


def runs(wanted: Wanted, facts: Mapping[str, JsonValue]) -> dict[str, Any]:
    """Return the body of a container group that runs what is wanted, without what tells one version from another.

    learn.microsoft.com/rest/api/container-instances/container-groups/create-or-update, version 2023-05-01.
    """
    at = where(wanted.settings, wanted.deployment)
    chosen = wanted.settings.aci
    source = registry(wanted, facts)
    puller = identity(wanted)
    environment: list[dict[str, Any]] = [{"name": "OPDEPLOY_NAME", "value": wanted.deployment}]
    if wanted.keyed:
        environment.append({"name": "OPDEPLOY_API_KEYS", "secureValue": secret(steps.API_KEY)})
    ports = [{"protocol": "TCP", "port": wanted.port}]
    memory_gb = math.ceil(wanted.memory_gb * 10) / 10
    properties: dict[str, Any] = {
        "osType": "Linux",
        "sku": "Standard",
        "restartPolicy": chosen.restart_policy or "Always",
        "priority": chosen.priority or "Regular",
        "containers": [
            {
                "name": SERVER,
                "properties": {
                    "image": wanted.image,
                    "ports": ports,
                    "environmentVariables": environment,
                    "resources": {"requests": {"cpu": chosen.cpus or 1.0, "memoryInGB": memory_gb}},
                    "livenessProbe": _probe("/v2/health/live", wanted.port, 10, wanted.ready_s),
                    "readinessProbe": _probe("/v2/health/ready", wanted.port, 5, 0),
                },
            }
        ],
    }
    if chosen.subnet:
        properties["subnetIds"] = [{"id": chosen.subnet}]
        properties["ipAddress"] = {"type": "Private", "ports": ports}
    else:
        label = {"dnsNameLabel": chosen.dns_label} if chosen.dns_label else {}
        properties["ipAddress"] = {"type": "Public", "ports": ports, **label}
    body: dict[str, Any] = {"location": at.location, "properties": properties}
    if source.id:
        properties["imageRegistryCredentials"] = [{"server": source.server, "identity": puller}]
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {puller: {}}}
    return body


def _again(found: Found | None, changed: Sequence[Step]) -> str:
    """Say why a group has to be made again and cannot be changed; nothing where it can."""
    if found is None:
        return ""
    if found.properties.get("state") in _ENDED:
        return "it has ended"
    changes = (change for step in changed for change in step.changes if change.property.endswith(_FIXED))
    fixed = [each.property for each in changes if str(each.before).lower() != str(each.after).lower()]  # as ids are
    return f"{fixed[0]} can be changed in no other way" if fixed else ""


def _probe(path: str, port: int, period_s: int, start_s: float) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port, "scheme": "http"},
        "initialDelaySeconds": round(start_s),
        "periodSeconds": period_s,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
    }


def _numbered(body: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the body of a container group whose server tells the number of its version."""
    properties = body["properties"]
    (server,) = properties["containers"]
    own = server["properties"]
    environment = [*own["environmentVariables"], {"name": _NUMBER, "value": str(number)}]
    numbered = {**server, "properties": {**own, "environmentVariables": environment}}
    return {**body, "properties": {**properties, "containers": [numbered]}}


def trial(deployment: str) -> str:
    """Return the name of the group in which a version is tried before it answers."""
    return f"{deployment}{_TRIAL}"


def _left(observed: Observed) -> Iterator[Step]:
    left = observed.of(KIND, trial(observed.deployment))
    if left:
        yield steps.delete(left, ", which an interrupted trial left")


def _tried(group: Resource, number: int, ready_s: float) -> Iterator[Step]:
    """Yield the steps that try a version in a group of its own, which nobody knows the address of."""
    name = name_of(group.id)
    properties = {**group.body["properties"]}
    properties["restartPolicy"] = "Never"  # how it ended is told as long as it is there
    properties["ipAddress"] = {key: value for key, value in properties["ipAddress"].items() if key != "dnsNameLabel"}
    body = {**group.body, "tags": {**group.body["tags"], ROLE: "trial"}, "properties": properties}
    title = f"try version {number} in a container group of its own, which costs as much again meanwhile"
    yield from steps.put(Resource(KIND, group.id, body), None, title)
    yield steps.check_server(KIND, name, number, ready_s + _ON_THE_WAY_S)
    yield steps.delete(Found(kind=KIND, name=name, made={"id": group.id}), ", in which it was tried")


TARGET = Aci()
