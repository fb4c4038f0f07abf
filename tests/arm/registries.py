"""Microsoft.ContainerRegistry: registries, the builds that they carry out, and who may pull."""

from __future__ import annotations

import re
import secrets
import tarfile
from typing import TYPE_CHECKING, Any

from tests.arm import engine, lists, roles
from tests.arm.answers import Answer, malformed, refused
from tests.arm.blobs import address
from tests.arm.forms import taken
from tests.arm.kinds import ASYNC, IDENTITY, LOCATION, Kind, Resource

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.kinds import Request

TASKS = ("2018-09-01", "2019-04-01", "2019-06-01-preview", "2025-03-01-preview")
"""The API versions of the operations of tasks, which those of registries no longer have."""
STATUS = {"status": ("enabled", "disabled")}
CREDENTIAL = {"value": str, "type": ("Opaque", "Vaultsecret")}
BUILD = {
    "type!": ("DockerBuildRequest",),
    "agentPoolName": str,
    "isArchiveEnabled": bool,
    "logTemplate": str,
    "imageNames": [str],
    "isPushEnabled": bool,
    "noCache": bool,
    "dockerFilePath!": str,
    "target": str,
    "arguments": [{"name!": str, "value!": str, "isSecret": bool}],
    "timeout": int,
    "platform!": {
        "os!": ("Linux", "Windows"),
        "architecture": ("amd64", "x86", "386", "arm", "arm64"),
        "variant": ("v6", "v7", "v8"),
    },
    "agentConfiguration": {"cpu": int},
    "sourceLocation": str,
    "credentials": {
        "sourceRegistry": {"loginMode": ("None", "Default"), "identity": str},
        "customRegistries": {"*": {"userName": CREDENTIAL, "password": CREDENTIAL, "identity": str}},
    },
}
FREE = re.compile(r"[a-zA-Z0-9]{5,50}")


def _check(arm: Arm, old: Resource | None, new: Resource) -> None:
    """Add what the service adds; raises Refused for a name that somebody has."""
    taken_ = [each.name.lower() for each in arm.resources.values() if each.kind is REGISTRY and each is not old]
    if old is None and new.name.lower() in taken_:
        message = f"The registry DNS name {new.name.lower()}.azurecr.io is already in use."
        raise refused(409, "AlreadyInUse", message)
    given = new.body.get("properties") or {}
    defaults = {
        "adminUserEnabled": False,
        "anonymousPullEnabled": False,
        "dataEndpointEnabled": False,
        "publicNetworkAccess": "Enabled",
        "networkRuleBypassOptions": "AzureServices",
        "roleAssignmentMode": "LegacyRegistryPermissions",
        "zoneRedundancy": "Disabled",
    }
    fixed = {"loginServer": f"{new.name.lower()}.azurecr.io", "creationDate": "2026-11-26T12:00:00.0000000Z"}
    new.body["properties"] = {**defaults, **given, **fixed}
    new.body["sku"]["tier"] = new.body["sku"]["name"]


def may_pull(arm: Arm, image: str, principal: str | None) -> bool:
    """Tell whether a principal gets an image, as the mode of its registry has it; other registries give to all."""
    server = image.split("/", 1)[0].lower()
    found = next((each for each in arm.resources.values() if each.properties.get("loginServer") == server), None)
    if found is None or found.deleted:
        return not server.endswith(".azurecr.io")
    if found.properties["anonymousPullEnabled"]:
        return True
    if found.properties["roleAssignmentMode"] == "AbacRepositoryPermissions":
        return bool(principal) and roles.can(arm, principal or "", roles.READ_REPOSITORY, found.id, data=True)
    return bool(principal) and roles.can(arm, principal or "", roles.PULL, found.id)


def _name(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    asked = engine.body_of(request)["name"]
    if not FREE.fullmatch(asked):
        message = f"The registry name '{asked}' is invalid: it may have 5 to 50 letters and digits."
        return Answer(200, {"nameAvailable": False, "reason": "Invalid", "message": message})
    if any(each.kind is REGISTRY and each.name.lower() == asked.lower() for each in arm.resources.values()):
        message = f"The registry {asked} is already in use."
        return Answer(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return Answer(200, {"nameAvailable": True})


def _upload(arm: Arm, _registry: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    path = f"tasks-source/202611260000/{secrets.token_hex(16)}.tar.gz"
    return Answer(200, {"uploadUrl": address(arm, path), "relativePath": path})


def _run(arm: Arm, registry: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    """Begin a build: it is carried out at once, and told little by little."""
    form = {**BUILD, "credentials": object} if request.version in TASKS[-1:] else BUILD
    asked = taken(request.body, form)
    if request.version not in TASKS:
        raise refused(404, "InvalidResourceType", "The resource type could not be found in the namespace.")
    source = (asked.get("credentials") or {}).get("sourceRegistry") or {}
    if "identity" in source and request.version != TASKS[-1]:
        raise malformed("Could not find member 'identity' on object of type 'SourceRegistryCredentials'")
    number = f"ca{len(registry.private.setdefault('runs', {})) + 1}"
    run: dict[str, Any] = {
        "id": f"{registry.id}/runs/{number}",
        "name": number,
        "type": "Microsoft.ContainerRegistry/registries/runs",
        "properties": {
            "runId": number,
            "status": "Queued",
            "runType": "QuickRun",
            "provisioningState": "Succeeded",
            "isArchiveEnabled": False,
            "platform": asked["platform"],
            "createTime": "2026-11-26T12:00:00.0000000Z",
        },
    }
    registry.private["runs"][number] = run
    run["log"], run["left"] = f"logs/{registry.name}/{number}/rawtext.log", arm.polls
    run["end"] = _built(arm, registry, asked, source)
    arm.blobs[run["log"]] = (b"Downloading source code...\n", {})
    return Answer(200, _told(run))


def _built(arm: Arm, registry: Resource, asked: dict[str, Any], source: dict[str, Any]) -> tuple[str, str, list[Any]]:
    """Build, and return how it ended, what was said, and the images."""
    abac = registry.properties["roleAssignmentMode"] == "AbacRepositoryPermissions"
    if abac and asked.get("isPushEnabled", True) and not source.get("identity"):
        return "Failed", f"unauthorized: authentication required for {registry.properties['loginServer']}", []
    context = arm.blobs.get(asked.get("sourceLocation") or "")
    if context is None:
        return "Failed", "failed to download context: the blob is not there", []
    images = []
    try:
        for name in asked.get("imageNames") or []:
            reference = f"{registry.properties['loginServer']}/{name}"
            built = arm.images.build(reference, context[0], asked["dockerFilePath"])
            repository, _, tag = name.partition(":")
            images.append(
                {"registry": registry.properties["loginServer"], "repository": repository, "tag": tag or "latest",
                 "digest": built.digest}
            )  # fmt: skip
    except (ValueError, OSError, tarfile.TarError) as error:
        return "Failed", f"failed to build: {error}", []
    return "Succeeded", "Successfully built and pushed", images


def _told(run: dict[str, Any]) -> dict[str, Any]:
    return {name: run[name] for name in ("id", "name", "type", "properties")}


def _found(registry: Resource, name: str) -> dict[str, Any]:
    run = registry.private.get("runs", {}).get(name)
    if run is None:
        raise refused(404, "RunNotFound", f"The run '{name}' was not found.")
    found: dict[str, Any] = run
    return found


def _get_run(arm: Arm, registry: Resource, _request: Request, names: tuple[str, ...]) -> Answer:
    """Tell how far a build is, and go on with it."""
    run = _found(registry, names[0])
    own = run["properties"]
    if own["status"] in {"Queued", "Running"}:
        run["left"] -= 1
        own["status"] = "Running" if run["left"] >= 0 else run["end"][0]
        if run["left"] < 0:
            status, said, images = run["end"]
            own |= {"outputImages": images, "finishTime": "2026-11-26T12:00:01.0000000Z"}
            own |= {"runErrorMessage": said} if status == "Failed" else {}
            complete = {"Complete": "successful" if status == "Succeeded" else "failed"}
            arm.blobs[run["log"]] = (arm.blobs[run["log"]][0] + said.encode() + b"\n", complete)
    return Answer(200, _told(run))


def _runs(arm: Arm, registry: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    """List the builds, the newest first."""
    if "$filter" in request.query:
        raise refused(400, "InvalidFilter", "the stand-in has no filters of runs")
    return lists.listed(arm, request, [_told(each) for each in reversed(registry.private.get("runs", {}).values())])


def _log(arm: Arm, registry: Resource, _request: Request, names: tuple[str, ...]) -> Answer:
    return Answer(200, {"logLink": address(arm, _found(registry, names[0])["log"])})


def _cancel(_arm: Arm, registry: Resource, _request: Request, names: tuple[str, ...]) -> Answer:
    run = _found(registry, names[0])
    if run["properties"]["status"] in {"Queued", "Running"}:
        run["properties"]["status"] = "Canceled"
    return Answer(200)


REGISTRY = Kind(
    type="Microsoft.ContainerRegistry/registries",
    versions=("2019-05-01", "2023-07-01", "2025-04-01", "2025-11-01", *TASKS),
    form={
        "sku!": {"name!": ("Classic", "Basic", "Standard", "Premium"), "tier-": str},
        "identity": IDENTITY,
        "properties": {
            "adminUserEnabled": bool,
            "anonymousPullEnabled": bool,
            "dataEndpointEnabled": bool,
            "networkRuleBypassAllowedForTasks": bool,
            "networkRuleBypassOptions": ("AzureServices", "None"),
            "networkRuleSet": {
                "defaultAction!": ("Allow", "Deny"),
                "ipRules": [{"action": ("Allow",), "value!": str}],
            },
            "policies": {
                "azureADAuthenticationAsArmPolicy": STATUS,
                "exportPolicy": STATUS,
                "quarantinePolicy": STATUS,
                "retentionPolicy": {**STATUS, "days": int},
                "trustPolicy": {**STATUS, "type": ("Notary",)},
            },
            "encryption": {**STATUS, "keyVaultProperties": {"identity": str, "keyIdentifier": str}},
            "publicNetworkAccess": ("Enabled", "Disabled"),
            "roleAssignmentMode": ("AbacRepositoryPermissions", "LegacyRegistryPermissions"),
            "zoneRedundancy=": ("Enabled", "Disabled"),
            "loginServer-": str,
            "creationDate-": str,
            "provisioningState-": str,
            "status-": object,
        },
    },
    name=FREE.pattern,
    put=ASYNC,
    patch=ASYNC,
    delete=LOCATION,
    check=_check,
    actions={
        "POST listBuildSourceUploadUrl": _upload,
        "POST scheduleRun": _run,
        "GET runs": _runs,
        "GET runs/*": _get_run,
        "POST runs/*/listLogSasUrl": _log,
        "POST runs/*/cancel": _cancel,
    },
)
KINDS = (REGISTRY,)
ROUTES = {
    ("POST", "/subscriptions/*/providers/Microsoft.ContainerRegistry/checkNameAvailability"): (
        _name,
        "Microsoft.ContainerRegistry/checkNameAvailability/read",
    )
}
