"""A machine that is made in Azure, with its network: bodies, and the steps after which it is ready. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure import steps
from opdeploy.targets.azure.compare import secret
from opdeploy.targets.azure.first_boot import SSH, booted, encoded, first_boot
from opdeploy.targets.azure.names import tags, where
from opdeploy.targets.azure.shared import Resource, home
from opdeploy.targets.azure.sizes import is_arm
from opdeploy.targets.base import is_beyond

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Found, Observed
    from opdeploy.plan import Step
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.base import Wanted

KIND, DISK, INTERFACE = "virtual machine", "disk", "network interface"
ADDRESS, NETWORK, RULES = "public address", "virtual network", "network security group"
TARGET = "vm"
USER = "azureuser"
"""Who logs in, where no user is named."""
NOT_ALLOWED = frozenset(
    {"1", "123", "a", "actuser", "adm", "admin", "admin1", "admin2", "administrator", "aspnet", "backup", "console"}
    | {"david", "guest", "john", "owner", "root", "server", "sql", "support", "support_388945a0", "sys", "test"}
    | {"test1", "test2", "test3", "user", "user1", "user2", "user3", "user4", "user5"}
)
"""Names that Azure takes for nobody who logs in (learn.microsoft.com/rest/api/compute/virtual-machines/
create-or-update, OSProfile.adminUsername, as Ansible's modules quote it, read 2026-11-26)."""
PUBLISHER, OFFER = "Canonical", "ubuntu-24_04-lts"
"""Ubuntu 24.04 LTS for the second generation of machines, of which `server` is for x64 and `server-arm64` for ARM
(Azure/azure-rest-api-specs, arm-compute/quickstart-templates/aliases.json, read 2026-11-26)."""
TELL = {"commandId": "RunShellScript", "script": ["cat /etc/ssh/ssh_host_ed25519_key.pub"]}
"""What a machine's agent is asked to run, to tell its host key (learn.microsoft.com/azure/virtual-machines/linux/
run-command, of 2025-08-18, read 2026-11-26)."""
READY_S = 1800.0
"""Seconds within which a new machine is ready: Docker is installed, and on a GPU its driver."""
_DISK_GB = 64
_INSIDE = "VirtualNetwork"
"""The network and what is joined to it: who lets SSH in from nowhere else, where no address is known."""
RUNNING = "running"


def image(size: str) -> str:
    """Return the image of a size: Canonical's plan of it."""
    return "server-arm64" if is_arm(size) else "server"


def names(at: Where) -> dict[str, str]:
    """Return the ids of everything that a machine is made of, by kinds."""
    name = at.deployment
    return {
        RULES: at.id(RULES, f"{name}-rules"),
        NETWORK: at.id(NETWORK, f"{name}-net"),
        ADDRESS: at.id(ADDRESS, f"{name}-ip"),
        INTERFACE: at.id(INTERFACE, f"{name}-nic"),
        KIND: at.id(KIND, name),
        DISK: at.id(DISK, f"{name}-disk"),
    }


def resources(wanted: Wanted, facts: Mapping[str, JsonValue]) -> Iterator[Resource]:
    """Yield everything that a machine is made of, in the order in which it is made.

    The key of who logs in is a fact; a template takes it as a parameter.
    """
    vm = wanted.settings.vm
    at = where(wanted.settings, wanted.deployment)
    ids = names(at)
    base: dict[str, JsonValue] = {
        "location": at.location,
        "tags": {**tags(wanted.settings, wanted.deployment, TARGET)},
    }
    yield from home(wanted, TARGET, facts)
    yield Resource(RULES, ids[RULES], {**base, "properties": {"securityRules": _rules(wanted.settings)}})
    if vm.subnet is None:
        inside = {"name": "machines", "properties": {"addressPrefix": "10.0.0.0/24"}}
        network = {"addressSpace": {"addressPrefixes": ["10.0.0.0/24"]}, "subnets": [inside]}
        yield Resource(NETWORK, ids[NETWORK], {**base, "properties": network})
        address = {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"}
        yield Resource(ADDRESS, ids[ADDRESS], {**base, "sku": {"name": "Standard"}, "properties": address})
    outside = {} if vm.subnet else {"publicIPAddress": {"id": ids[ADDRESS]}}
    joined = {"name": "first", "properties": {"subnet": {"id": _subnet(wanted.settings, ids)}, **outside}}
    interface = {"ipConfigurations": [joined], "networkSecurityGroup": {"id": ids[RULES]}}
    yield Resource(INTERFACE, ids[INTERFACE], {**base, "properties": interface})
    yield Resource(KIND, ids[KIND], {**base, "properties": _machine(wanted, ids, facts)})


def _rules(settings: Deploy) -> list[dict[str, Any]]:
    """Return who is let in: to SSH the one who deploys, and to the port who may use it, where others may at all."""
    vm = settings.vm
    inside = _INSIDE if vm.subnet else None
    found = [_rule("ssh", 100, vm.ssh_port or SSH, vm.ssh_from or _INSIDE)]
    if is_beyond(settings.listening.host):
        found.append(_rule("port", 110, settings.listening.port, vm.clients or inside or "*"))
    return found


def _rule(name: str, priority: int, port: int, source: str) -> dict[str, Any]:
    properties = {
        "access": "Allow",
        "direction": "Inbound",
        "protocol": "Tcp",
        "priority": priority,
        "sourceAddressPrefix": source,
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": str(port),
    }
    return {"name": name, "properties": properties}


def _machine(wanted: Wanted, ids: Mapping[str, str], facts: Mapping[str, JsonValue]) -> dict[str, Any]:
    """Return the properties of a machine.

    learn.microsoft.com/rest/api/compute/virtual-machines/create-or-update.
    """
    vm = wanted.settings.vm
    user = vm.user or USER
    size = vm.size or ""
    key = {"path": f"/home/{user}/.ssh/authorized_keys", "keyData": facts.get("ssh_key") or secret("ssh-key")}
    text = first_boot(user, ssh_port=vm.ssh_port, gpu=wanted.gpu)
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": size},
        "storageProfile": {
            "imageReference": {"publisher": PUBLISHER, "offer": OFFER, "sku": image(size), "version": "latest"},
            "osDisk": {
                "name": ids[DISK].rpartition("/")[2],
                "createOption": "FromImage",
                "diskSizeGB": vm.disk_gb or _DISK_GB,
                "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
                "deleteOption": "Delete",
            },
        },
        "osProfile": {
            "computerName": wanted.deployment,
            "adminUsername": user,
            "customData": encoded(text),
            "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": [key]}},
        },
        "networkProfile": {
            "networkInterfaces": [{"id": ids[INTERFACE], "properties": {"primary": True, "deleteOption": "Delete"}}]
        },
        "priority": vm.priority or "Regular",
    }
    if vm.priority == "Spot":
        properties |= {"evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": -1}}
    return properties


def fixed(wanted: Wanted, observed: Observed) -> Iterator[str]:
    """Yield what is wanted of a machine that is there otherwise and stays so, a sentence each with what to do.

    Who logs in by which key, and what it did at its first start, are as they were made, whoever deploys now.
    """
    vm, made = wanted.settings.vm, body_of(observed, KIND, observed.deployment)
    if made is None:
        return
    was = made["properties"]
    boot = booted(was["osProfile"]["customData"])
    todo = "remove the deployment, and deploy it again"
    for name, before, after in (
        ("disk_gb", was["storageProfile"]["osDisk"]["diskSizeGB"], vm.disk_gb or _DISK_GB),
        ("user", was["osProfile"]["adminUsername"], vm.user or USER),
        ("priority", was["priority"], vm.priority or "Regular"),
        ("ssh_port", boot.ssh_port, vm.ssh_port or SSH),
    ):
        if before != after:
            yield f"deploy.vm.{name}: the machine was made with {before}, which cannot become {after}; {todo}"
    sku = was["storageProfile"]["imageReference"]["sku"]
    if sku != image(vm.size or ""):
        yield f"deploy.vm.size: {vm.size} has processors of another kind than the machine; {todo}"
    if wanted.gpu and not boot.gpu:
        yield f"deploy.vm.gpu: the machine was made without the driver of a GPU; {todo}"
    ids = names(where(wanted.settings, wanted.deployment))
    joined = body_of(observed, INTERFACE, ids[INTERFACE].rpartition("/")[2])
    if joined and _subnet_of(joined).lower() != _subnet(wanted.settings, ids).lower():
        yield f"deploy.vm.subnet: the machine is in {_subnet_of(joined)}, and cannot move to another; {todo}"


def body_of(observed: Observed, kind: str, name: str) -> dict[str, Any] | None:
    """Return what a resource was made as; None where it is not there, or that is not known."""
    found = observed.of(kind, name)
    made: Any = found.made.get("body") if found else None
    return made if isinstance(made, dict) else None


def _subnet(settings: Deploy, ids: Mapping[str, str]) -> str:
    """Return the id of the subnet that a machine is to be in."""
    return settings.vm.subnet or f"{ids[NETWORK]}/subnets/machines"


def _subnet_of(interface: Mapping[str, Any]) -> str:
    """Return the id of the subnet that an interface was made in."""
    (first,) = interface["properties"]["ipConfigurations"]
    return str(first["properties"]["subnet"]["id"])


def kept(resource: Resource, found: Found | None) -> Resource:
    """Return a machine as it is to be: as it was made, but for what can be changed."""
    made = found.made.get("body") if found else None
    if not isinstance(made, dict):
        return resource
    before: dict[str, Any] = made
    size = {"hardwareProfile": resource.body["properties"]["hardwareProfile"]}
    return resource._replace(
        body={**before, "tags": resource.body["tags"], "properties": {**before["properties"], **size}}
    )


def steps_to(wanted: Wanted, observed: Observed) -> Iterator[Step]:
    """Yield the steps after which the machine is as is wanted, and ready for what runs on it."""
    name = observed.deployment
    found = observed.of(KIND, name)
    known = observed.facts.get("machine")
    is_ready = found is not None and known == "ready"
    for resource in resources(wanted, observed.facts):
        there = observed.of(resource.kind, resource.id.rpartition("/")[2])
        made = [*steps.put(kept(resource, there) if resource.kind == KIND else resource, there)]
        yield from made
        is_ready = is_ready and not (made and resource.kind == KIND)
    here = (KIND, name)
    resource_id = names(where(wanted.settings, name))[KIND]
    if found and found.properties.get("state") not in {RUNNING, None}:
        is_ready = False
        title = f"start the machine {name}, which is {found.properties['state']}"
        args: dict[str, JsonValue] = {"resource": resource_id}
        yield steps.act(here, "machine.start", title, args, timeout_s=steps.MADE_S)
    if found is None or known is None:
        title = f"have Azure tell the host key of {name}, which its SSH server has to show"
        vm = wanted.settings.vm
        who: dict[str, JsonValue] = {"user": vm.user or USER, "port": vm.ssh_port or SSH}
        yield steps.act(here, "machine.learn", title, {"resource": resource_id, **who}, timeout_s=READY_S)
    if not is_ready:
        title = f"wait until {name} has started for the first time, and Docker answers there"
        waits: dict[str, JsonValue] = {"gpu": wanted.gpu, "ready_s": READY_S}
        yield steps.act(here, "machine.ready", title, waits, timeout_s=READY_S)


def again(observed: Observed) -> Step:
    """Return the step that ends a plan after which a machine is reached: what runs on it is known only then."""
    where_ = (KIND, observed.deployment)
    return steps.act(where_, "machine.again", "see what runs on the machine, which was not reached", {}, action="check")
