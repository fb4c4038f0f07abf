"""Microsoft.Compute: machines that run nothing, and what a region offers."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from tests.arm import engine, identities, lists, networks
from tests.arm.answers import Answer, Refused, cores, refused
from tests.arm.kinds import ASYNC, IDENTITY, LOCATION, REGIONS, Kind, Long, Resource
from tests.arm.operations import Operation

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.kinds import Action, Request, Route

VERSIONS = ("2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2026-03-01")
DISK_VERSIONS = ("2023-10-02", "2024-03-02", "2025-01-02", *VERSIONS)
SIZES: dict[str, tuple[str, int, float, int]] = {
    "Standard_B2s": ("standardBSFamily", 2, 4, 0),
    "Standard_D2s_v3": ("standardDSv3Family", 2, 8, 0),
    "Standard_D4s_v3": ("standardDSv3Family", 4, 16, 0),
    "Standard_D2s_v5": ("standardDSv5Family", 2, 8, 0),
    "Standard_D4s_v5": ("standardDSv5Family", 4, 16, 0),
    "Standard_D2ps_v5": ("standardDPSv5Family", 2, 8, 0),
    **{f"Standard_D{cores}as_v5": ("standardDASv5Family", cores, 4 * cores, 0) for cores in (2, 4, 8, 16, 32)},
    "Standard_NC4as_T4_v3": ("Standard NCASv3_T4 Family", 4, 28, 1),
}
"""Family, cores, GB and GPUs of the sizes that a region has."""
CORES = 10
"""The quota of a region and of each family."""
DISK = {
    "createOption": ("FromImage", "Empty", "Attach", "Copy", "Restore"), "name": str, "diskSizeGB": int,
    "caching": ("None", "ReadOnly", "ReadWrite"), "deleteOption": ("Delete", "Detach"), "writeAcceleratorEnabled": bool,
    "managedDisk": {"id": str, "storageAccountType": str, "diskEncryptionSet": object, "securityProfile": object},
}  # fmt: skip
LINUX = {
    "disablePasswordAuthentication": bool, "provisionVMAgent": bool, "enableVMAgentPlatformUpdates": bool,
    "patchSettings": object, "ssh": {"publicKeys": [{"path": str, "keyData": str}]},
}  # fmt: skip
MACHINE = {
    "hardwareProfile": {"vmSize": str, "vmSizeProperties": object},
    "storageProfile": {
        "imageReference": {
            "publisher": str, "offer": str, "sku": str, "version": str, "exactVersion-": str, "id": str,
            "sharedGalleryImageId": str, "communityGalleryImageId": str,
        },
        "osDisk": {**DISK, "osType": ("Windows", "Linux"), "diffDiskSettings": object},
        "dataDisks": [{**DISK, "lun!": int, "toBeDetached": bool}],
        "diskControllerType": ("SCSI", "NVMe"),
    },
    "osProfile=": {
        "computerName": str, "adminUsername": str, "adminPassword*": str, "customData*": str,
        "allowExtensionOperations": bool, "requireGuestProvisionSignal": bool, "secrets": object,
        "linuxConfiguration": LINUX, "windowsConfiguration": object,
    },
    "networkProfile": {
        "networkApiVersion": str,
        "networkInterfaces": [{"id": str, "properties": {"primary": bool, "deleteOption": ("Delete", "Detach")}}],
        "networkInterfaceConfigurations": object,
    },
    "priority": ("Regular", "Low", "Spot"), "evictionPolicy": ("Deallocate", "Delete"),
    "billingProfile": {"maxPrice": float},
    "diagnosticsProfile": {"bootDiagnostics": {"enabled": bool, "storageUri": str}},
    "securityProfile": object, "additionalCapabilities": object, "licenseType": str, "userData*": str,
    "availabilitySet": {"id": str}, "applicationProfile": object, "scheduledEventsProfile": object,
    "provisioningState-": str, "vmId-": str, "instanceView-": object, "timeCreated-": str,
}  # fmt: skip
DISK_FORM = {
    "creationData!": {"createOption!": str, "imageReference": object, "sourceResourceId": str, "sourceUri": str},
    "diskSizeGB": int, "osType": ("Windows", "Linux"), "encryption": object, "networkAccessPolicy": str,
    "publicNetworkAccess": str, "diskIOPSReadWrite": int, "diskMBpsReadWrite": int, "maxShares": int, "tier": str,
    "provisioningState-": str, "diskState-": str, "timeCreated-": str, "uniqueId-": str,
}  # fmt: skip


def _check(arm: Arm, old: Resource | None, new: Resource) -> None:
    """Refuse a size, an interface or an image that is not there, or more cores than the quota."""
    own = new.properties
    identities.attach(arm, new)
    size = (own.get("hardwareProfile") or {}).get("vmSize")
    if size not in SIZES:
        message = f"The value {size} provided for the VM size is not valid. The valid sizes in the current region are: "
        raise refused(400, "InvalidParameter", f"{message}{', '.join(SIZES)}.")
    profile = own.get("networkProfile") or {}
    if not profile.get("networkInterfaces"):
        raise refused(400, "InvalidParameter", "Required parameter 'networkProfile' is missing (null).")
    for each in profile["networkInterfaces"]:
        if arm.find(each["id"]) is None:
            message = f"Resource {each['id']} referenced by resource {new.id} was not found. Please make sure that the "
            message += "referenced resource exists, and that both resources are in the same region."
            raise refused(400, "InvalidResourceReference", message)
    system = own.get("osProfile") or {}
    keys = ((system.get("linuxConfiguration") or {}).get("ssh") or {}).get("publicKeys")
    if not old and not keys and not system.get("adminPassword"):
        raise refused(
            400, "InvalidParameter", "Authentication using either SSH or by user name and password is required."
        )
    used = sum(SIZES[_size(each)][1] for each in _machines(arm) if each.id.lower() != new.id.lower())
    if used + SIZES[size][1] > CORES:
        raise Refused(cores(new.body["location"], CORES, used, SIZES[size][1]))
    own["vmId"] = old.properties["vmId"] if old else str(uuid.uuid4())
    own["storageProfile"]["osDisk"].setdefault("name", f"{new.name}_OsDisk_1")
    new.private.setdefault("power", "running")


def _machines(arm: Arm) -> list[Resource]:
    return [each for each in arm.resources.values() if each.kind is MACHINES and not each.deleted]


def _size(machine: Resource) -> str:
    return str(machine.properties["hardwareProfile"]["vmSize"])


def _made(arm: Arm, machine: Resource) -> None:
    """Have a resource of its disk."""
    disk = machine.properties["storageProfile"]["osDisk"]
    path = f"{machine.id.rsplit('/providers/', 1)[0]}/providers/Microsoft.Compute/disks/{disk['name']}"
    disk.setdefault("managedDisk", {"storageAccountType": "Premium_LRS"})["id"] = path
    own = {"creationData": {"createOption": "FromImage"}, "osType": "Linux", "diskState": "Attached",
           "provisioningState": "Succeeded", "diskSizeGB": disk.get("diskSizeGB") or 30}  # fmt: skip
    body = {"location": machine.body["location"], "managedBy": machine.id, "properties": own}
    arm.resources.setdefault(path.lower(), Resource(path, DISKS, body))


def _gone(arm: Arm, machine: Resource) -> None:
    """Take what is to be deleted with it; the rest stays, and costs."""
    disk = machine.properties["storageProfile"]["osDisk"]
    interfaces = machine.properties["networkProfile"]["networkInterfaces"]
    parts = [(disk.get("managedDisk", {}).get("id", ""), disk.get("deleteOption"))]
    parts += [(each["id"], (each.get("properties") or {}).get("deleteOption")) for each in interfaces]
    for path, option in parts:
        found = arm.find(path)
        if found and option == "Delete":
            for address in re.findall(r'/subscriptions/[^"\']*/publicIPAddresses/[^"\']+', str(found.body)):
                public = arm.find(address)
                if public and "Delete" in str(found.body):
                    arm.remove(public)
            arm.remove(found)
        elif found and found.kind is DISKS:
            found.body.pop("managedBy", None)
            found.properties["diskState"] = "Unattached"


def _instance(machine: Resource) -> dict[str, Any]:
    states = {"ProvisioningState/succeeded": "Provisioning succeeded"}
    states[f"PowerState/{machine.private['power']}"] = f"VM {machine.private['power']}"
    return {"statuses": [{"code": code, "level": "Info", "displayStatus": text} for code, text in states.items()]}


def _get_instance(_arm: Arm, machine: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    return Answer(200, {"computerName": machine.name, **_instance(machine)})


def _power(state: str) -> Action:
    def change(arm: Arm, machine: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
        operation = Operation(arm.polls, lambda: machine.private.update(power=state), resource=machine)
        return engine.begin(arm, request, LOCATION, operation)

    return change


def _run(arm: Arm, machine: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
    """Run a command: `arm.run_command` says what it writes, and no machine runs it."""
    asked = engine.body_of(request)
    out, err = arm.run_command(machine.name, "\n".join(asked.get("script") or []))
    text = f"Enable succeeded: \n[stdout]\n{out}\n[stderr]\n{err}\n"
    status = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
    answer = Answer(200, {"value": [{**status, "message": text}]})
    operation = Operation(arm.polls, lambda: None, result=lambda: answer, resource=machine)
    return engine.begin(arm, request, LOCATION, operation)


def _skus(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    """List what a region offers; `arm.restricted` has the sizes that the subscription may not use."""
    match = re.fullmatch(r"location eq '(\w+)'", request.query.get("$filter", ""))
    found = []
    for region in [match[1].lower()] if match else REGIONS:
        for name, (family, number, memory, gpus) in SIZES.items():
            told = {"vCPUs": number, "MemoryGB": memory, "GPUs": gpus, "HyperVGenerations": "V1,V2",
                    "CpuArchitectureType": "x64", "PremiumIO": "True", "LowPriorityCapable": "True"}  # fmt: skip
            where = {"locations": [region], "zones": []}
            refusal = {"type": "Location", "values": [region], "restrictionInfo": where,
                       "reasonCode": "NotAvailableForSubscription"}  # fmt: skip
            found.append(
                {
                    "resourceType": "virtualMachines", "name": name, "tier": "Standard", "family": family,
                    "size": name.removeprefix("Standard_"), "locations": [region],
                    "locationInfo": [{"location": region, "zones": ["1", "2", "3"], "zoneDetails": []}],
                    "capabilities": [{"name": key, "value": str(value)} for key, value in told.items() if value],
                    "restrictions": [refusal] if name in arm.restricted else [],
                }
            )  # fmt: skip
    return lists.listed(arm, request, found)


def _usages(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    used: dict[str, int] = {"cores": 0, **{family: 0 for family, *_ in SIZES.values()}}
    for each in _machines(arm):
        family, number, *_ = SIZES[_size(each)]
        if each.body["location"] == names[1].lower():
            used["cores"] += number
            used[family] += number
    found = [
        {"name": {"value": name, "localizedValue": name}, "unit": "Count", "currentValue": value, "limit": CORES}
        for name, value in used.items()
    ]
    return lists.listed(arm, request, found)


def _versions(_arm: Arm, _request: Request, names: tuple[str, ...]) -> Answer:
    """List the versions of an image: an array, as no other list is."""
    _, region, publisher, offer, sku = names
    if (publisher, offer) != ("Canonical", "ubuntu-24_04-lts") or sku not in {"server", "server-arm64"}:
        raise refused(404, "ImageNotFound", f"Artifact: VMImage was not found in {region}: {publisher} {offer} {sku}.")
    return Answer(200, [{"location": region, "name": "24.04.202611100"}])


ACTIONS: dict[str, Action] = {
    "GET instanceView": _get_instance,
    "POST start": _power("running"),
    "POST restart": _power("running"),
    "POST powerOff": _power("stopped"),
    "POST deallocate": _power("deallocated"),
    "POST runCommand": _run,
}
MACHINES = Kind(
    type="Microsoft.Compute/virtualMachines",
    versions=VERSIONS,
    form={"properties": MACHINE, "identity": IDENTITY, "zones=": [str], "plan": object, "extendedLocation": object},
    name=r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9_])?",
    put=ASYNC,
    patch=Long(200, "Azure-AsyncOperation"),
    delete=LOCATION,
    unchangeable=(409, "PropertyChangeNotAllowed", "Changing property 'osProfile' of '{name}' is not allowed."),
    check=_check,
    made=_made,
    gone=_gone,
    needs=identities.needs,
    actions=ACTIONS,
)
DISKS = Kind(
    type="Microsoft.Compute/disks",
    versions=DISK_VERSIONS,
    form={"properties": DISK_FORM, "sku": {"name": str, "tier-": str}, "zones": [str], "managedBy-": str},
    name=r"[\w.-]{1,80}",
    put=Long(202, "Azure-AsyncOperation"),
    patch=Long(202, "Azure-AsyncOperation"),
    delete=LOCATION,
    in_use=("OperationNotAllowed", "Disk {name} is attached to VM {users}."),
    check=networks.check,
)
KINDS = (MACHINES, DISKS)
_COMPUTE = "/subscriptions/*/providers/Microsoft.Compute"
ROUTES: dict[tuple[str, str], tuple[Route, str]] = {
    ("GET", f"{_COMPUTE}/skus"): (_skus, "Microsoft.Compute/skus/read"),
    ("GET", f"{_COMPUTE}/locations/*/usages"): (_usages, "Microsoft.Compute/locations/usages/read"),
    ("GET", f"{_COMPUTE}/locations/*/publishers/*/artifacttypes/vmimage/offers/*/skus/*/versions"): (
        _versions,
        "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions/read",
    ),
}
