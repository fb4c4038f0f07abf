"""Microsoft.ContainerInstance: container groups, which run here."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from tests.arm import engine, identities, lists
from tests.arm.answers import Answer, refused
from tests.arm.container_forms import FORM
from tests.arm.kinds import ASYNC, LOCATION, Kind, Resource
from tests.arm.machines import Machine, Spec
from tests.arm.operations import Operation
from tests.arm.probes import Probe
from tests.arm.registries import may_pull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.arm.arm import Arm
from tests.arm.kinds import Request

MOST = {"maxMemoryInGB": 240, "maxCpu": 31, "maxGpuCount": 0}
"""As capabilities tell of Linux without GPUs (container-instances-resource-and-quota-limits.md, 2025-11-17)."""
MOST_CONTAINERS, MOST_PORTS = 60, 5
UPDATE = (
    "The updates on container group '{name}' are invalid. If you are going to update the os type, restart policy, "
    "network profile, CPU, memory or GPU resources for a container group, you must delete it first and then create a "
    "new one."
)
CORES = 100
"""The quota of cores in a region."""


def _check(arm: Arm, old: Resource | None, new: Resource) -> None:
    """Refuse what the service refuses, and add what it adds."""
    own = new.properties
    containers = own["containers"]
    own.setdefault("restartPolicy", "Always")
    own.setdefault("sku", "Standard")
    if not containers or len(containers) > MOST_CONTAINERS:
        message = f"The number of containers in container group '{new.name}' must be between 1 and {MOST_CONTAINERS}."
        raise refused(400, "InvalidContainerGroup", message)
    if own.get("ipAddress") and not 0 < len(own["ipAddress"]["ports"]) <= MOST_PORTS:
        message = f"The IP address of container group '{new.name}' must have between 1 and {MOST_PORTS} ports."
        raise refused(400, "InvalidIPAddressPorts", message)
    asked = [each["properties"]["resources"]["requests"] for each in containers]
    cpu, memory = sum(each["cpu"] for each in asked), sum(each["memoryInGB"] for each in asked)
    if cpu > MOST["maxCpu"] or memory > MOST["maxMemoryInGB"] or any("gpu" in each for each in asked):
        message = (
            f"The requested resource is not available in the location '{new.body['location']}' at this moment. Please "
        )
        message += "retry with a different resource request or in another location. Resource requested: "
        raise refused(409, "ServiceUnavailable", f"{message}'{cpu}' CPU '{memory}' GB memory '{own['osType']}' OS")
    identities.attach(arm, new)
    _check_images(arm, new)
    if label := (own.get("ipAddress") or {}).get("dnsNameLabel"):
        _check_label(arm, new, label)
    new.private["address"] = old.private["address"] if old else arm.machines.address()
    new.private["machine"] = old.private.get("machine") if old else None


def _check_label(arm: Arm, new: Resource, label: str) -> None:
    for each in arm.resources.values():
        other = (each.properties.get("ipAddress") or {}) if each.kind is GROUP and not each.deleted else {}
        same = other.get("dnsNameLabel") == label and each.body["location"] == new.body["location"]
        if same and each.id.lower() != new.id.lower():
            message = (
                f"The DNS name label '{label}' in container group '{new.name}' is not available. Try using a different "
            )
            raise refused(400, "DnsNameLabelAlreadyTaken", f"{message}label.")


def _check_images(arm: Arm, new: Resource) -> None:
    """Refuse an image that is not there, or that the group may not pull with an identity of its own."""
    credentials = {each["server"].lower(): each for each in new.properties.get("imageRegistryCredentials") or []}
    own = {each.lower() for each in identities.assigned(new.body)}
    for each in new.properties["containers"]:
        image = each["properties"]["image"]
        credential = credentials.get(image.split("/", 1)[0].lower(), {})
        identity = credential.get("identity", "").lower()
        found = arm.find(identity) if identity in own else None
        principal = found.properties["principalId"] if found else None
        if arm.images.get(image) is None or not may_pull(arm, image, principal):
            message = (
                f"The image '{image}' in container group '{new.name}' is not accessible. Please check the image and "
            )
            raise refused(400, "InaccessibleImage", f"{message}registry credential.")


def _made(arm: Arm, group: Resource) -> None:
    """Start it; what an update replaces ends first."""
    if group.private["machine"]:
        group.private["machine"].stop()
    folder = arm.folder / "groups" / group.private["address"]
    specs = list(_specs(arm, group))
    policy = group.properties["restartPolicy"]
    group.private["machine"] = arm.machines.start(folder, group.private["address"], specs, policy=policy, pace=arm.pace)


def _specs(arm: Arm, group: Resource) -> Iterator[Spec]:
    volumes = dict(_volumes(arm, group))
    for each in group.properties["containers"]:
        own = each["properties"]
        image = arm.images.get(own["image"])
        assert image is not None  # it was there when the group was accepted
        mounts = {
            one["mountPath"]: volumes[one["name"]] for one in own.get("volumeMounts") or [] if one["name"] in volumes
        }
        place = image.at(group.private["address"], mounts)
        variables = own.get("environmentVariables") or []
        environment = place.environment(
            {one["name"]: one.get("secureValue") or one.get("value") or "" for one in variables}
        )
        probes = (Probe.of(own.get(name), arm.pace) for name in ("livenessProbe", "readinessProbe"))
        yield Spec(each["name"], place.words(own.get("command")), environment, own["image"], *probes)


def _volumes(arm: Arm, group: Resource) -> Iterator[tuple[str, Path]]:
    """Make the volumes that are secrets, or empty."""
    for each in group.properties.get("volumes") or []:
        folder = arm.folder / "groups" / group.private["address"] / "volumes" / each["name"]
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (each.get("secret") or {}).items():
            (folder / name).write_bytes(base64.b64decode(content))
        if "secret" in each or "emptyDir" in each:
            yield each["name"], folder


def _gone(_arm: Arm, group: Resource) -> None:
    if group.private.get("machine"):
        group.private["machine"].end()


def _view(_arm: Arm, group: Resource) -> dict[str, Any]:
    """Return the body with what lives."""
    own = dict(group.properties)
    machine: Machine | None = group.private.get("machine")
    if own.get("ipAddress"):
        own["ipAddress"] = {**own["ipAddress"], "ip": group.private["address"]}
        if label := own["ipAddress"].get("dnsNameLabel"):
            own["ipAddress"]["fqdn"] = f"{label}.{group.body['location']}.azurecontainer.io"
    states = {each.spec.name: each for each in machine.containers} if machine else {}
    own["containers"] = []
    for each in group.properties["containers"]:
        live = states.get(each["name"])
        view: dict[str, Any] = (
            {"restartCount": live.restarts, "currentState": live.state, "events": live.events} if live else {}
        )
        if live and live.previous:
            view["previousState"] = live.previous
        own["containers"].append(
            {**each, "properties": {**each["properties"], **({"instanceView": view} if view else {})}}
        )
    own["instanceView"] = {"events": [], "state": _state(group, machine)}
    return {**group.body, "properties": own}


def _state(group: Resource, machine: Machine | None) -> str:
    """Return how the whole group is: as it is told by its containers, and how they are restarted."""
    if machine is None:
        return "Pending"
    if machine.stopped:
        return "Stopped"
    states = [each.state for each in machine.containers]
    if group.properties["restartPolicy"] == "Always" or any(each["state"] != "Terminated" for each in states):
        return "Running"
    return "Failed" if any(each["exitCode"] for each in states) else "Succeeded"


def _long(arm: Arm, group: Resource, request: Request, change: Any) -> Answer:  # noqa: ANN401 - a function
    operation = Operation(arm.polls, lambda: change(arm, group), resource=group)
    group.operation = operation
    return engine.begin(arm, request, LOCATION, operation)


def _start(arm: Arm, group: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    machine: Machine | None = group.private["machine"]
    if machine and not machine.stopped:
        return Answer(204)
    return _long(arm, group, request, _made)


def _restart(arm: Arm, group: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    _made(arm, group)
    return Answer(204)


def _stop(arm: Arm, group: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    _gone(arm, group)
    return Answer(204)


def _logs(_arm: Arm, group: Resource, request: Request, names: tuple[str, ...]) -> Answer:
    machine: Machine | None = group.private["machine"]
    live = next((each for each in machine.containers if each.spec.name == names[0]), None) if machine else None
    if live is None:
        message = f"The container '{names[0]}' is not found in container group '{group.name}'."
        raise refused(404, "ContainerNotFound", message)
    lines = live.text().splitlines(keepends=True)
    tail = int(request.query.get("tail", "0"))
    return Answer(200, {"content": "".join(lines[-tail:])})


def _capabilities(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    found = {
        "resourceType": "containerGroups",
        "osType": "Linux",
        "location": names[1],
        "ipAddressType": "Public",
        "gpu": "None",
        "capabilities": MOST,
    }
    return lists.listed(arm, request, [found])


def _usages(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    groups = [
        each for each in arm.resources.values() if each.kind is GROUP and each.body["location"] == names[1].lower()
    ]
    used = sum(
        each["properties"]["resources"]["requests"]["cpu"]
        for group in groups
        for each in group.properties["containers"]
    )
    figures = {"ContainerGroups": (len(groups), 100), "StandardCores": (int(used), CORES)}
    base = f"{arm.scope}/providers/Microsoft.ContainerInstance/locations/{names[1]}/usages"
    found = [
        {
            "id": f"{base}/{name}",
            "unit": "Count",
            "currentValue": value,
            "limit": limit,
            "name": {"value": name, "localizedValue": name},
        }
        for name, (value, limit) in figures.items()
    ]
    return lists.listed(arm, request, found)


GROUP = Kind(
    type="Microsoft.ContainerInstance/containerGroups",
    versions=("2021-10-01", "2023-05-01", "2025-09-01"),
    form=FORM,
    name=r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
    put=ASYNC,
    patch=None,
    delete=LOCATION,
    first_state="Pending",
    deleted_when_busy=False,
    busy=("ContainerGroupTransitioning", "The container group '{name}' is still transitioning, please retry later."),
    unchangeable=(
        400,
        "InvalidContainerGroupUpdate",
        UPDATE,
    ),
    check=_check,
    made=_made,
    gone=_gone,
    view=_view,
    needs=identities.needs,
    actions={
        "POST start": _start,
        "POST restart": _restart,
        "POST stop": _stop,
        "GET containers/*/logs": _logs,
    },
)
KINDS = (GROUP,)
_PLACE = "/subscriptions/*/providers/Microsoft.ContainerInstance/locations/*"
ROUTES = {
    ("GET", f"{_PLACE}/capabilities"): (_capabilities, "Microsoft.ContainerInstance/locations/capabilities/read"),
    ("GET", f"{_PLACE}/usages"): (_usages, "Microsoft.ContainerInstance/locations/usages/read"),
}
