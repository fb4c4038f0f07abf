"""Clusters, machines, and the networks that they need."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.arm.callers import code_of

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.callers import Caller

AKS, POOL, VERSION = "Microsoft.ContainerService/managedClusters", "agentPools", "2026-05-01"
NETWORK, NETWORKS = "Microsoft.Network", "2025-07-01"
COMPUTE, COMPUTERS = "Microsoft.Compute/virtualMachines", "2026-03-01"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJhc2U2NG9mbm9rZXlhdGFsbHRoYXRhbnlib2R5aGFz test"


def cluster(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the body of a cluster of one node."""
    pool = {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D2s_v5", "osType": "Linux"}
    own = {"dnsPrefix": "one", "agentPoolProfiles": [pool], **properties}
    sku = {"name": "Base", "tier": "Free"}
    return {"location": "westeurope", "identity": {"type": "SystemAssigned"}, "sku": sku, "properties": own}


def test_a_cluster_is_made_with_pools(arm: Arm, caller: Caller) -> None:
    """Pools are resources of their own, a kubeconfig is given, and the cluster's group comes and goes with it."""
    made = caller.put(caller.path(AKS, "one"), VERSION, cluster())
    assert made["properties"]["nodeResourceGroup"] == "MC_g_one_westeurope"
    pool = {"mode": "User", "vmSize": "Standard_NC4as_T4_v3", "count": 0, "minCount": 0, "maxCount": 2}
    pool |= {"enableAutoScaling": True, "nodeTaints": ["sku=gpu:NoSchedule"]}
    caller.put(f"{made['id']}/{POOL}/gpu", VERSION, {"properties": pool})
    clusters = caller.clusters.managed_clusters
    assert [each["name"] for each in clusters.get("g", "one").as_dict()["properties"]["agentPoolProfiles"]] == [
        "system",
        "gpu",
    ]
    arm.resource("resourceGroups/g/providers/" + AKS + "/one").private["kubeconfig"] = "apiVersion: v1"
    (config,) = caller.ask("POST", f"{made['id']}/listClusterUserCredential", VERSION)[1]["kubeconfigs"]
    assert base64.b64decode(config["value"]) == b"apiVersion: v1"
    clusters.begin_stop("g", "one").result()
    assert clusters.get("g", "one").as_dict()["properties"]["powerState"]["code"] == "Stopped"
    caller.delete(made["id"], VERSION)
    assert {each.name for each in caller.resources.resource_groups.list()} == {"g"}
    assert list(arm.resources) == [f"{arm.scope}/resourcegroups/g"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"agentPoolProfiles": []}, "InvalidParameter"),
        ({"kubernetesVersion": "1.20"}, "K8sVersionNotSupported"),
        ({"colour": "red"}, "InvalidRequestContent"),
        ({"networkProfile": {"networkPlugin": "magic"}}, "InvalidRequestContent"),
    ],
)
def test_wrong_clusters_are_refused(caller: Caller, change: dict[str, Any], code: str) -> None:
    """A cluster needs a system pool and a version that there is, and has no other properties."""
    got = caller.ask("PUT", caller.path(AKS, "one"), VERSION, cluster(**change))
    assert (got[0], got[1]["error"]["code"]) == (400, code)


def test_what_a_cluster_was_made_with_stays(caller: Caller) -> None:
    """A prefix cannot be changed, nor the size of a pool; a count can."""
    path = caller.path(AKS, "one")
    caller.put(path, VERSION, cluster())
    got = caller.ask("PUT", path, VERSION, cluster(dnsPrefix="two"))
    assert got[1]["error"]["code"] == "PropertyChangeNotAllowed"
    pool = {"mode": "System", "vmSize": "Standard_D2s_v5", "count": 2}
    assert caller.put(f"{path}/{POOL}/system", VERSION, {"properties": pool})["properties"]["count"] == 2
    pool["vmSize"] = "Standard_D4s_v5"
    assert caller.ask("PUT", f"{path}/{POOL}/system", VERSION, {"properties": pool})[0] == 400
    versions = caller.clusters.managed_clusters.list_kubernetes_versions("westeurope").as_dict()["values"]
    assert [each["version"] for each in versions if each.get("isDefault")] == ["1.35"]


def networked(caller: Caller) -> str:
    """Make a network, an address and an interface."""
    where: dict[str, Any] = {"location": "westeurope"}
    rule = {"protocol": "Tcp", "access": "Allow", "priority": 100, "direction": "Inbound"}
    rule |= {"sourcePortRange": "*", "destinationPortRange": "22", "sourceAddressPrefix": "*"}
    rules = [{"name": "ssh", "properties": rule | {"destinationAddressPrefix": "*"}}]

    def put(kind: str, name: str, body: dict[str, Any]) -> str:
        return str(caller.put(caller.path(f"{NETWORK}/{kind}", name), NETWORKS, where | body)["id"])

    group = put("networkSecurityGroups", "rules", {"properties": {"securityRules": rules}})
    subnet = {"name": "inside", "properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": group}}}
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]}
    network = put("virtualNetworks", "net", {"properties": space})
    public = put(
        "publicIPAddresses", "ip", {"sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
    )
    own = {"subnet": {"id": f"{network}/subnets/inside"}, "publicIPAddress": {"id": public}}
    return put("networkInterfaces", "nic", {"properties": {"ipConfigurations": [{"name": "first", "properties": own}]}})


def machine(interface: str, size: str = "Standard_D2s_v5") -> dict[str, Any]:
    """Return the body of a machine."""
    image = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
    disk = {"createOption": "FromImage", "deleteOption": "Delete", "managedDisk": {"storageAccountType": "Premium_LRS"}}
    ssh = {"publicKeys": [{"path": "/home/user/.ssh/authorized_keys", "keyData": KEY}]}
    linux = {"disablePasswordAuthentication": True, "ssh": ssh}
    system = {"computerName": "one", "adminUsername": "user", "linuxConfiguration": linux, "customData": "c2VjcmV0"}
    return {
        "location": "westeurope",
        "properties": {
            "hardwareProfile": {"vmSize": size},
            "storageProfile": {"imageReference": image, "osDisk": disk},
            "osProfile": system,
            "networkProfile": {"networkInterfaces": [{"id": interface, "properties": {"deleteOption": "Delete"}}]},
        },
    }


def test_a_machine_needs_an_interface(arm: Arm, caller: Caller) -> None:
    """What a machine uses must be there, cannot be deleted, and goes with it where it says so."""
    path = caller.path(COMPUTE, "one")
    got = caller.ask("PUT", path, COMPUTERS, machine(caller.path(f"{NETWORK}/networkInterfaces", "none")))
    assert got[1]["error"]["code"] == "InvalidResourceReference"
    interface = networked(caller)
    arm.run_command = lambda name, script: (f"{name}: {script}", "")
    made = caller.put(path, COMPUTERS, machine(interface))
    assert "customData" not in made["properties"]["osProfile"]
    with pytest.raises(HttpResponseError) as caught:
        caller.delete(interface, NETWORKS)
    assert code_of(caught.value) == "NicInUse"
    view = caller.ask("GET", f"{path}/instanceView", COMPUTERS)[1]["statuses"]
    assert [each["code"] for each in view] == ["ProvisioningState/succeeded", "PowerState/running"]
    status, _, headers = caller.ask(
        "POST", f"{path}/runCommand", COMPUTERS, {"commandId": "RunShellScript", "script": ["uname"]}
    )
    done = [caller.ask("GET", headers["Location"]) for _ in range(2)]
    assert (status, "one: uname" in done[-1][1]["value"][0]["message"]) == (202, True)
    caller.delete(path, COMPUTERS)
    assert {each.name for each in caller.resources.resources.list()} == {"net", "ip", "rules"}
    subnets = caller.ask("GET", caller.path(f"{NETWORK}/virtualNetworks", "net"), NETWORKS)[1]["properties"]["subnets"]
    assert [each["name"] for each in subnets] == ["inside"]


def test_a_region_offers_sizes(arm: Arm, caller: Caller) -> None:
    """Sizes have capabilities and restrictions, and cores a quota."""
    arm.restricted = {"Standard_NC4as_T4_v3"}
    skus = caller.ask(
        "GET", f"{arm.scope}/providers/Microsoft.Compute/skus?%24filter=location%20eq%20'eastus'", "2021-07-01"
    )
    told = {each["name"]: each for each in skus[1]["value"]}
    assert {"name": "vCPUs", "value": "4"} in told["Standard_D4s_v5"]["capabilities"]
    assert [name for name, each in told.items() if each["restrictions"]] == ["Standard_NC4as_T4_v3"]
    interface = networked(caller)
    for number in range(2):
        caller.put(caller.path(COMPUTE, f"m-{number}"), COMPUTERS, machine(interface, "Standard_D4s_v5"))
    got = caller.ask("PUT", caller.path(COMPUTE, "m-3"), COMPUTERS, machine(interface, "Standard_D4s_v5"))
    assert "Current Usage: 8, Additional Required: 4" in got[1]["error"]["message"]
    usages = f"{arm.scope}/providers/Microsoft.Compute/locations/westeurope/usages"
    used = {each["name"]["value"]: each["currentValue"] for each in caller.ask("GET", usages, COMPUTERS)[1]["value"]}
    assert (used["cores"], used["standardDSv5Family"]) == (8, 8)
