"""What a container app is made of: its environment, what keeps its logs, and the app itself. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from opdeploy.targets.azure import steps
from opdeploy.targets.azure.compare import keys, ref, secret
from opdeploy.targets.azure.names import tags, where
from opdeploy.targets.azure.shared import Resource, identity, registry
from opdeploy.targets.container_apps.sizes import CONSUMPTION, SIZES, profile, replica, replicas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.deployment import Observed
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.base import Wanted

APP, ENVIRONMENT, WORKSPACE = "container app", "container app environment", "log workspace"
REVISION = "revision"
"""The kind of what runs a version: it belongs to an app, and is no resource of its own."""
SERVER = "server"
"""The name of the container."""
TARGET = "container-apps"
OWN = "own"
_NUMBER = "OPDEPLOY_VERSION"
_CONCURRENCY, _COOL_DOWN_S = 10, 300
"""What Azure takes where nothing is said (learn.microsoft.com/azure/container-apps/scale-app, read 2026-11-26)."""
_TRIES, _LONGEST_PERIOD_S, _LONGEST_DELAY_S = 10, 240, 60
"""The most that a probe may have: failures, and seconds between two and before the first (published schema of
Microsoft.App 2026-01-01, ContainerAppProbe, read 2026-11-26)."""
_RETENTION_DAYS = 30


def environment(wanted: Wanted) -> str:
    """Return the id of the environment: the one that is named, else the deployment's own."""
    at = where(wanted.settings, wanted.deployment)
    return wanted.settings.container_apps.environment or at.id(ENVIRONMENT, f"{at.deployment}-env")


def workspace(wanted: Wanted) -> str | None:
    """Return the id of what keeps the logs; None where nothing does."""
    named = wanted.settings.container_apps.workspace
    at = where(wanted.settings, wanted.deployment)
    return at.id(WORKSPACE, f"{at.deployment}-logs") if named == OWN else named


def around(wanted: Wanted, observed: Observed | None = None) -> Iterator[Resource]:
    """Yield what is there before the app, in the order in which it is made; what is named is used as it is."""
    chosen = wanted.settings.container_apps
    if chosen.environment:
        return
    at = where(wanted.settings, wanted.deployment)
    base: dict[str, Any] = {"location": at.location, "tags": tags(wanted.settings, wanted.deployment, TARGET)}
    logs = workspace(wanted)
    if logs and chosen.workspace == OWN:
        kept = {"sku": {"name": "PerGB2018"}, "retentionInDays": _RETENTION_DAYS}
        yield Resource(WORKSPACE, logs, {**base, "properties": kept})
    properties: dict[str, Any] = {"workloadProfiles": _profiles(wanted, at, observed)}
    if chosen.subnet:
        properties["vnetConfiguration"] = {"infrastructureSubnetId": chosen.subnet, "internal": True}
    if logs:
        properties["appLogsConfiguration"] = {
            "destination": "log-analytics",
            "logAnalyticsConfiguration": {
                "customerId": ref(logs, "properties.customerId"),
                "sharedKey": keys(logs, "primarySharedKey"),
            },
        }
    yield Resource(ENVIRONMENT, environment(wanted), {**base, "properties": properties})


def _profiles(wanted: Wanted, at: Where, observed: Observed | None) -> list[dict[str, Any]]:
    """Return the profiles of the environment: those that it has stay, for an older version may run on one."""
    chosen = wanted.settings.container_apps
    name = profile(chosen, gpu=wanted.gpu)
    needed: dict[str, dict[str, Any]] = {CONSUMPTION: {"name": CONSUMPTION, "workloadProfileType": CONSUMPTION}}
    found = observed.of(ENVIRONMENT, f"{at.deployment}-env") if observed else None
    made = cast("dict[str, Any]", found.made.get("body") or {}) if found else {}
    for item in (made.get("properties") or {}).get("workloadProfiles") or ():
        needed[item["workloadProfileType"]] = item
    size = SIZES[name]
    if name != CONSUMPTION:
        needed[name] = {"name": _called(name), "workloadProfileType": name}
    if size.dedicated:
        _, most = replicas(chosen, gpu=wanted.gpu)
        nodes = math.ceil(most / max(1, math.floor(size.cpus / replica(wanted).cpus)))
        needed[name] |= {"minimumCount": 0, "maximumCount": nodes}
    return [*needed.values()]


def _called(name: str) -> str:
    """Return what a profile is called in an environment of our own."""
    return name if name == CONSUMPTION else name.lower()


def of_profile(name: str, facts: Mapping[str, JsonValue]) -> str:
    """Return what a profile is called in an environment: in one that was there before, what it is called there."""
    found = facts.get("environment")
    profiles = found.get("profiles") if isinstance(found, dict) else None
    return str(profiles[name]) if isinstance(profiles, dict) and name in profiles else _called(name)


def runs(wanted: Wanted, facts: Mapping[str, JsonValue]) -> dict[str, Any]:
    """Return the body of an app that runs what is wanted, without what tells one version from another.

    learn.microsoft.com/rest/api/containerapps/container-apps/create-or-update, version 2026-01-01.
    """
    at = where(wanted.settings, wanted.deployment)
    chosen = wanted.settings.container_apps
    source = registry(wanted, facts)
    puller = identity(wanted)
    configuration: dict[str, Any] = {
        "activeRevisionsMode": "Multiple",
        "ingress": {
            "external": chosen.external is not False,
            "targetPort": wanted.port,
            "allowInsecure": False,
        },
    }
    if wanted.keyed:
        configuration["secrets"] = [{"name": steps.API_KEY, "value": secret(steps.API_KEY)}]
    properties: dict[str, Any] = {
        "environmentId": environment(wanted),
        "workloadProfileName": of_profile(profile(chosen, gpu=wanted.gpu), facts),
        "configuration": configuration,
        "template": _template(wanted),
    }
    body: dict[str, Any] = {"location": at.location, "properties": properties}
    if source.id:
        configuration["registries"] = [{"server": source.server, "identity": puller}]
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {puller: {}}}
    return body


def _template(wanted: Wanted) -> dict[str, Any]:
    """Return what is of a revision, and makes a new one where it changes."""
    chosen = wanted.settings.container_apps
    size = replica(wanted)
    least, most = replicas(chosen, gpu=wanted.gpu)
    env: list[dict[str, Any]] = [{"name": "OPDEPLOY_NAME", "value": wanted.deployment}]
    if wanted.keyed:
        env.append({"name": "OPDEPLOY_API_KEYS", "secretRef": steps.API_KEY})
    at_once = {"concurrentRequests": str(chosen.concurrency or _CONCURRENCY)}
    return {
        "containers": [
            {
                "name": SERVER,
                "image": wanted.image,
                "env": env,
                "resources": {"cpu": size.cpus, "memory": size.memory},
                "probes": [*_probes(wanted)],
            }
        ],
        "scale": {
            "minReplicas": least,
            "maxReplicas": most,
            "cooldownPeriod": chosen.cool_down_s or _COOL_DOWN_S,
            "rules": [{"name": "http", "http": {"metadata": at_once}}],
        },
    }


def _probes(wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield the probes: while it starts, whether it lives, and whether it is ready."""
    period_s = min(_LONGEST_PERIOD_S, max(1, math.ceil(wanted.ready_s / _TRIES)))
    delay_s = min(_LONGEST_DELAY_S, max(1, math.ceil(wanted.ready_s - period_s * _TRIES)))
    yield _probe("Startup", "/v2/health/live", wanted.port, (delay_s, period_s, _TRIES))
    yield _probe("Liveness", "/v2/health/live", wanted.port, (1, 10, 3))
    yield _probe("Readiness", "/v2/health/ready", wanted.port, (1, 5, 3))


def _probe(kind: str, path: str, port: int, times: tuple[int, int, int]) -> dict[str, Any]:
    delay_s, period_s, failures = times
    return {
        "type": kind,
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "initialDelaySeconds": delay_s,
        "periodSeconds": period_s,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def numbered(body: dict[str, Any], number: int, revision: str) -> dict[str, Any]:
    """Return the body of an app whose new revision runs a version, and has all requests."""
    properties = body["properties"]
    template = properties["template"]
    (server,) = template["containers"]
    env = [*server["env"], {"name": _NUMBER, "value": str(number)}]
    own = {**template, "revisionSuffix": revision.rpartition("--")[2], "containers": [{**server, "env": env}]}
    configuration = properties["configuration"]
    ingress = {**configuration["ingress"], "traffic": [{"revisionName": revision, "weight": 100}]}
    changed = {"configuration": {**configuration, "ingress": ingress}, "template": own}
    return {**body, "properties": {**properties, **changed}}


def settled(body: dict[str, Any]) -> dict[str, Any]:
    """Return what is of the app itself and not of a revision: so it is noted, and held against what is there."""
    kept = {key: value for key, value in body["properties"].items() if key != "template"}
    return {**body, "properties": kept}


def patched(body: dict[str, Any]) -> dict[str, Any]:
    """Return what changes an app to be as a body says; its secrets, which are not known then, stay as they are."""
    own = body["properties"]
    configuration = {key: value for key, value in own["configuration"].items() if key != "secrets"}
    changed = {"workloadProfileName": own["workloadProfileName"], "configuration": configuration}
    whose = {"identity": body["identity"]} if "identity" in body else {}
    return {"tags": body["tags"], **whose, "properties": changed}


def beside(body: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an app that gets a new revision, while all else that users notice stays as it is there."""
    configuration = body["properties"]["configuration"]
    now = there["properties"]["configuration"]
    merged = {**configuration, "ingress": now["ingress"]}
    if secrets := configuration.get("secrets") or now.get("secrets"):  # which an older revision may need
        merged["secrets"] = secrets
    return {**body, "tags": there["tags"], "properties": {**body["properties"], "configuration": merged}}


def revision_of(body: Mapping[str, Any], deployment: str) -> str:
    """Return the name of the revision that a body makes."""
    return f"{deployment}--{body['properties']['template']['revisionSuffix']}"


def revision(deployment: str, number: int, config: str, again: int = 1) -> str:
    """Return the name of a revision: a letter first, and with the app's no more than 54 characters."""
    return f"{deployment}--v{number}-{config[:8]}{f'-{again}' if again > 1 else ''}"
