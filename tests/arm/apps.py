"""Microsoft.App: environments, and container apps whose revisions run here; and workspaces for their logs."""

from __future__ import annotations

import copy
import itertools
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from tests.arm import engine, identities, lists, revisions
from tests.arm.answers import Answer, Ending, refused
from tests.arm.app_forms import APP_FORM, ENVIRONMENT_FORM
from tests.arm.fronts import Front
from tests.arm.kinds import ASYNC, IDENTITY, LOCATION, Kind, Resource
from tests.arm.machines import now
from tests.arm.registries import may_pull

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.kinds import Request, Route

VERSIONS = ("2023-05-01", "2024-03-01", "2025-01-01", "2025-07-01", "2026-01-01", "2026-07-01")
CPUS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0)
"""Of an app on the profile Consumption, with twice as many Gi (learn.microsoft.com/azure/container-apps/containers)."""
PROFILES = {
    "Consumption": (4, 8, 0), "D4": (4, 16, 0), "D8": (8, 32, 0), "E4": (4, 32, 0),
    "Consumption-GPU-NC8as-T4": (8, 56, 1), "Consumption-GPU-NC24-A100": (24, 220, 1),
}  # fmt: skip
"""Cores, GiB and GPUs of workload profiles."""


def _check_environment(arm: Arm, old: Resource | None, new: Resource) -> None:
    identities.attach(arm, new)
    new.private.setdefault("domain", f"{secrets.token_hex(4)}.{new.body['location']}.azurecontainerapps.io")
    own = {"defaultDomain": new.private["domain"], "staticIp": "20.0.0.3", "zoneRedundant": False}
    new.body["properties"] = {"publicNetworkAccess": "Enabled", **own, **new.properties}
    if old:
        for name in ("zoneRedundant", "vnetConfiguration", "infrastructureResourceGroup"):
            if name not in new.properties and name in old.properties:
                new.properties[name] = old.properties[name]


def _check_app(arm: Arm, old: Resource | None, new: Resource) -> None:
    """Refuse what has no environment, secrets or sizes that are not there, and add what the service adds."""
    own = new.properties
    own.setdefault("environmentId", own.pop("managedEnvironmentId", None))
    environment = arm.find(own["environmentId"] or "")
    if environment is None:
        message = f"The environmentId '{own['environmentId']}' provided in the request is invalid or does not exist."
        raise refused(400, "InvalidEnvironmentId", message)
    if engine.state_of(environment) != "Succeeded":
        message = f"The environment '{environment.id}' has not been provisioned successfully."
        raise refused(400, "ManagedEnvironmentNotProvisioned", message)
    identities.attach(arm, new)
    configuration = own["configuration"] = own.get("configuration") or {}
    configuration.setdefault("activeRevisionsMode", "Single")
    known = {each["name"]: each for each in (old.properties["configuration"].get("secrets") or [])} if old else {}
    for each in configuration.get("secrets") or []:
        each.setdefault("value", known.get(each["name"], {}).get("value"))
    template = own["template"] = own.get("template") or {}
    template.setdefault("scale", {"minReplicas": 0, "maxReplicas": 10})
    if not template.get("containers"):
        raise refused(400, "ContainerAppCreateMustContainContainer", "Must specify at least one container.")
    _check_containers(template["containers"], {each["name"] for each in configuration.get("secrets") or []})
    own.setdefault("workloadProfileName", "Consumption")
    _check_size(template["containers"], own["workloadProfileName"], environment)
    ingress = configuration.get("ingress")
    if ingress:
        ingress.setdefault("transport", "auto")
        ingress.setdefault("traffic", [{"weight": 100, "latestRevision": True}])
        if sum(each.get("weight") or 0 for each in ingress["traffic"]) != 100:
            raise refused(400, "ContainerAppInvalidTraffic", "The sum of traffic weights must be 100.")


def _check_containers(containers: list[dict[str, Any]], known: set[str]) -> None:
    for each in containers:
        for one in each.get("env") or []:
            if one.get("secretRef") and one["secretRef"] not in known:
                message = f"SecretRef '{one['secretRef']}' defined for container '{each['name']}' not found."
                raise refused(400, "ContainerAppSecretRefNotFound", message)


def _check_size(containers: list[dict[str, Any]], profile: str, environment: Resource) -> None:
    profiles = {
        each["name"]: each["workloadProfileType"] for each in environment.properties.get("workloadProfiles") or []
    }
    if profile != "Consumption" and profile not in profiles:
        message = f"The workload profile '{profile}' does not exist in the environment '{environment.name}'."
        raise refused(400, "WorkloadProfileNotFound", message)
    if profiles.get(profile, profile) != "Consumption":
        return
    asked = [each.setdefault("resources", {"cpu": 0.5, "memory": "1Gi"}) for each in containers]
    cpu, memory = sum(each["cpu"] for each in asked), sum(float(each["memory"].removesuffix("Gi")) for each in asked)
    if cpu not in CPUS or memory != 2 * cpu:
        choices = "; ".join(f"[cpu: {each}, memory: {2 * each}Gi]" for each in CPUS)
        message = (
            f"The total requested CPU and memory resources for this application (CPU: {cpu}, memory: {memory}) is "
        )
        message += (
            "invalid. Total CPU and memory for all containers defined in a Container App must add up to one of the "
        )
        raise refused(
            400, "ContainerAppInvalidResourceTotal", f"{message}following CPU - Memory combinations: {choices}."
        )


def _made_app(arm: Arm, app: Resource) -> None:
    """Make a revision where the template is another one, and give the newest its place."""
    found: dict[str, dict[str, Any]] = app.private.setdefault("revisions", {})
    template = app.properties["template"]
    last = next(reversed(found.values()), None)
    if "front" not in app.private and app.properties["configuration"].get("ingress"):
        address = arm.machines.address()
        app.private["turn"] = itertools.count()
        app.private["front"] = Front(arm.authority, address, lambda: revisions.behind(arm, app.id))
        arm.machines.at_end(app.private["front"].close)
    suffix = template.get("revisionSuffix")
    is_known = suffix and f"{app.name}--{suffix}" in found  # then none is made (microsoft/azure-container-apps #650)
    if not is_known and (last is None or last["template"] != template):
        name = f"{app.name}--{suffix or secrets.token_hex(4)[:7]}"
        found[name] = {"template": copy.deepcopy(template), "created": now()}
        revisions.start(arm, app, name)
    if app.properties["configuration"]["activeRevisionsMode"] == "Single":
        for each in list(found.values())[:-1]:
            revisions.end(each)


def _ending(arm: Arm, app: Resource) -> Ending | None:
    """Return how a change ends that takes another revision's name, or whose image cannot be had."""
    template = app.properties["template"]
    known = app.private.get("revisions", {}).get(f"{app.name}--{template.get('revisionSuffix')}")
    if known and known["template"] != template:
        message = f"Failed to provision revision for container app '{app.name}'. Error details: The following "
        message += "field(s) are either invalid or missing. Field 'template.revisionsuffix' is invalid with details: "
        return Ending("ContainerAppOperationError", f"{message}'Invalid value: revision with suffix already exists.'")
    registries = {
        each.get("server", "").lower(): each for each in app.properties["configuration"].get("registries") or []
    }
    for each in app.properties["template"]["containers"]:
        name = each.get("image") or ""
        identity = registries.get(name.split("/", 1)[0].lower(), {}).get("identity") or ""
        found = (
            arm.find(identity) if identity.lower() in {one.lower() for one in identities.assigned(app.body)} else None
        )
        principal = app.private.get("principal") if identity == "system" else None
        if found:
            principal = found.properties["principalId"]
        if arm.images.get(name) is None or not may_pull(arm, name, principal):
            gone = arm.images.get(name) is None
            why = "MANIFEST_UNKNOWN: manifest is not found" if gone else "UNAUTHORIZED: authentication required"
            field = f"Field 'template.containers.{each.get('name')}.image' is invalid with details: 'Invalid value: "
            message = f"Failed to provision revision for container app '{app.name}'. Error details: The following "
            message += f'field(s) are either invalid or missing. {field}"{name}": GET https:: {why}\';..'
            return Ending("ContainerAppOperationError", message)
    return None


def _view_app(arm: Arm, app: Resource) -> dict[str, Any]:
    own = copy.deepcopy(app.properties)
    found = app.private.get("revisions", {})
    if own["configuration"].get("ingress") and "front" in app.private:
        own["configuration"]["ingress"]["fqdn"] = app.private["front"].name
    ready = [name for name, each in found.items() if "machine" in each and each["machine"].ready]
    own |= {
        "managedEnvironmentId": own["environmentId"],
        "runningStatus": "Running",
        "latestRevisionName": list(found)[-1] if found else "",
        "latestReadyRevisionName": ready[-1] if ready else "",
        "outboundIpAddresses": ["20.0.0.4"],
        "eventStreamEndpoint": f"{arm.url}{app.id}/eventstream",
    }
    return {**app.body, "properties": own}


def _gone_app(_arm: Arm, app: Resource) -> None:
    for each in app.private.get("revisions", {}).values():
        revisions.end(each)
        if "front" in each:
            each["front"].close()
    if "front" in app.private:
        app.private["front"].close()


def _secrets(_arm: Arm, app: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    return Answer(200, {"value": app.properties["configuration"].get("secrets") or []})


def _profiles(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    base = f"{arm.scope}/providers/Microsoft.App/locations/{names[1]}/availableManagedEnvironmentsWorkloadProfileTypes"
    found = [
        {"id": f"{base}/{name}", "name": name,
         "properties": {"displayName": name, "category": name if "Consumption" in name else "GeneralPurpose",
                        "applicability": "Default", "cores": cores, "memoryGiB": memory, "gpus": gpus}}
        for name, (cores, memory, gpus) in PROFILES.items()
    ]  # fmt: skip
    return lists.listed(arm, request, found)


def _usages(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    there = [each for each in arm.resources.values() if each.kind is ENVIRONMENT and each.body["location"] == names[1]]
    name = {"value": "ManagedEnvironmentCount", "localizedValue": "Managed Environment Count"}
    return lists.listed(arm, request, [{"name": name, "unit": "Count", "currentValue": len(there), "limit": 20}])


def _check_workspace(_arm: Arm, old: Resource | None, new: Resource) -> None:
    new.private.setdefault(
        "keys", {"primarySharedKey": secrets.token_hex(32), "secondarySharedKey": secrets.token_hex(32)}
    )
    own = old.properties["customerId"] if old else str(uuid.uuid4())
    defaults = {"sku": {"name": "PerGB2018"}, "retentionInDays": 30}
    new.body["properties"] = {**defaults, **new.properties, "customerId": own}


def _keys(_arm: Arm, workspace: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    return Answer(200, workspace.private["keys"])


def _needs(app: Resource) -> list[tuple[str, str]]:
    environment = app.properties.get("environmentId") or app.properties.get("managedEnvironmentId")
    joins = [("Microsoft.App/managedEnvironments/join/action", environment)] if environment else []
    return [*joins, *identities.needs(app)]


ENVIRONMENT = Kind(
    type="Microsoft.App/managedEnvironments",
    versions=VERSIONS,
    form=ENVIRONMENT_FORM,
    name=r"[A-Za-z][A-Za-z0-9-]{0,58}[A-Za-z0-9]",
    put=ASYNC,
    patch=LOCATION,
    delete=LOCATION,
    first_state="Waiting",
    busy=(
        "ManagedEnvironmentOperationInProgress",
        "Cannot modify Container Apps environment {name} because another operation is in progress.",
    ),
    in_use=(
        "ManagedEnvironmentHasContainerApps",
        "The specified environment {name} cannot be deleted because it still contains {count} ContainerApps.",
    ),
    check=_check_environment,
    needs=identities.needs,
)
APP = Kind(
    type="Microsoft.App/containerApps",
    versions=VERSIONS,
    form=APP_FORM,
    name=r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?",
    put=ASYNC,
    patch=LOCATION,
    delete=LOCATION,
    first_state="InProgress",
    busy=(
        "ContainerAppOperationInProgress",
        "Cannot modify a container app '{name}' because there is a conflicting operation in progress.",
    ),
    check=_check_app,
    ends=_ending,
    made=_made_app,
    gone=_gone_app,
    view=_view_app,
    needs=_needs,
    actions={**revisions.ACTIONS, "POST listSecrets": _secrets},
)
WORKSPACE = Kind(
    type="Microsoft.OperationalInsights/workspaces",
    versions=("2022-10-01", "2023-09-01", "2025-02-01", "2025-07-01"),
    form={
        "identity": IDENTITY,
        "properties": {
            "sku": {
                "name!": ("Free", "Standard", "Premium", "PerNode", "PerGB2018", "Standalone", "CapacityReservation"),
                "capacityReservationLevel": int, "lastSkuUpdate-": str,
            },
            "retentionInDays": int, "workspaceCapping": {"dailyQuotaGb": float}, "features": object,
            "publicNetworkAccessForIngestion": str, "publicNetworkAccessForQuery": str, "forceCmkForQuery": bool,
            "replication": object, "customerId-": str, "provisioningState-": str, "createdDate-": str,
            "modifiedDate-": str,
        },
    },
    name=r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
    check=_check_workspace,
    actions={"POST sharedKeys": _keys},
)  # fmt: skip
KINDS = (ENVIRONMENT, APP, WORKSPACE)
_PLACE = "/subscriptions/*/providers/Microsoft.App/locations/*"
ROUTES: dict[tuple[str, str], tuple[Route, str]] = {
    ("GET", f"{_PLACE}/availableManagedEnvironmentsWorkloadProfileTypes"): (
        _profiles,
        "Microsoft.App/locations/availableManagedEnvironmentsWorkloadProfileTypes/read",
    ),
    ("GET", f"{_PLACE}/usages"): (_usages, "Microsoft.App/locations/usages/read"),
}
