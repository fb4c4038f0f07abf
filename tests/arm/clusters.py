"""Microsoft.ContainerService: managed clusters and their nodes; what is in one is the cluster of a test's kubeconfig.

A cluster has a group of its own for its machines and disks, with the tags of the cluster, as the service makes it.
`arm.kubeconfig` is what its credentials are.
"""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, Any

from tests.arm import identities
from tests.arm.answers import Answer, refused
from tests.arm.basics import GROUP
from tests.arm.identities import KINDS as IDENTITIES
from tests.arm.kinds import ASYNC, IDENTITY, LOCATION, TAGS, Kind, Resource

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.kinds import Request

VERSIONS = ("2025-10-01", "2026-05-01", "2026-08-01")
POWER = {"code": ("Running", "Stopped")}
POOL = {
    "artifactStreamingProfile": {"enabled": bool},
    "availabilityZones=": [str],
    "capacityReservationGroupID=": str,
    "count": int,
    "currentOrchestratorVersion-": str,
    "eTag-": str,
    "enableAutoScaling": bool,
    "enableEncryptionAtHost=": bool,
    "enableFIPS": bool,
    "enableNodePublicIP=": bool,
    "enableUltraSSD=": bool,
    "gpuInstanceProfile=": ("MIG1g", "MIG2g", "MIG3g", "MIG4g", "MIG7g"),
    "gpuProfile": {"driver": ("Install", "None")},
    "kubeletConfig": object,
    "kubeletDiskType": ("OS", "Temporary"),
    "linuxOSConfig": object,
    "maxCount": int,
    "maxPods=": int,
    "minCount": int,
    "mode": ("System", "User", "Gateway"),
    "nodeImageVersion-": str,
    "nodeLabels": {"*": str},
    "nodeTaints": [str],
    "orchestratorVersion": str,
    "osDiskSizeGB=": int,
    "osDiskType=": ("Managed", "Ephemeral"),
    "osSKU": ("Ubuntu", "AzureLinux", "AzureLinux3", "Ubuntu2204", "Ubuntu2404", "Windows2022", "Windows2025"),
    "osType=": ("Linux", "Windows"),
    "podSubnetID=": str,
    "powerState": POWER,
    "provisioningState-": str,
    "scaleDownMode": ("Delete", "Deallocate"),
    "scaleSetEvictionPolicy=": ("Delete", "Deallocate"),
    "scaleSetPriority=": ("Spot", "Regular"),
    "spotMaxPrice": float,
    "tags": TAGS,
    "type=": ("VirtualMachineScaleSets", "AvailabilitySet", "VirtualMachines"),
    "upgradeSettings": {"maxSurge": str, "maxUnavailable": str, "drainTimeoutInMinutes": int},
    "vmSize=": str,
    "vnetSubnetID=": str,
}
CLUSTER = {
    "sku": {"name": ("Base", "Automatic"), "tier": ("Free", "Standard", "Premium")},
    "identity": IDENTITY,
    "kind": str,
    "properties!": {
        "aadProfile": {
            "managed": bool, "enableAzureRBAC": bool, "adminGroupObjectIDs": [str], "tenantID": str
        },
        "addonProfiles": {"*": {"enabled!": bool, "config": {"*": str}}},
        "agentPoolProfiles": [{"name!=": str, **{name.rstrip("="): form for name, form in POOL.items()}}],
        "apiServerAccessProfile": {"authorizedIPRanges": [str], "enablePrivateCluster=": bool, "privateDNSZone": str},
        "autoScalerProfile": {"*": str},
        "autoUpgradeProfile": {
            "upgradeChannel": ("rapid", "stable", "patch", "node-image", "none"),
            "nodeOSUpgradeChannel": ("None", "Unmanaged", "NodeImage", "SecurityPatch"),
        },
        "azurePortalFQDN-": str,
        "currentKubernetesVersion-": str,
        "disableLocalAccounts": bool,
        "dnsPrefix=": str,
        "enableRBAC=": bool,
        "fqdn-": str,
        "identityProfile": {"*": {"resourceId": str, "clientId": str, "objectId": str}},
        "ingressProfile": object,
        "kubernetesVersion": str,
        "linuxProfile": object,
        "maxAgentPools-": int,
        "networkProfile": {
            "networkPlugin=": ("azure", "kubenet", "none"),
            "networkPluginMode": ("overlay",),
            "networkDataplane": ("azure", "cilium"),
            "networkPolicy": ("none", "calico", "azure", "cilium"),
            "loadBalancerSku=": ("standard", "basic"),
            "podCidr": str,
            "serviceCidr": str,
            "dnsServiceIP": str,
            "outboundType": ("loadBalancer", "userDefinedRouting", "managedNATGateway", "none"),
        },
        "nodeResourceGroup=": str,
        "nodeResourceGroupProfile": {"restrictionLevel": ("Unrestricted", "ReadOnly")},
        "oidcIssuerProfile": {"enabled": bool, "issuerURL-": str},
        "powerState-": POWER,
        "provisioningState-": str,
        "securityProfile": {"workloadIdentity": {"enabled": bool}, "imageCleaner": object, "defender": object},
        "storageProfile": object,
        "supportPlan": ("KubernetesOfficial", "AKSLongTermSupport"),
        "workloadAutoScalerProfile": {"keda": {"enabled!": bool}, "verticalPodAutoscaler": {"enabled!": bool}},
    },
}  # fmt: skip
BUSY = (
    "OperationNotAllowed",
    "Operation is not allowed because there's an in progress operation on the managed cluster {name}.",
)
UNCHANGEABLE = (400, "PropertyChangeNotAllowed", "Changing property is not allowed on {name}.")
LEAST_SYSTEM = 1
LONGEST_GROUP = 80


def _check(arm: Arm, old: Resource | None, new: Resource) -> None:
    """Refuse what the service refuses, and add what it adds."""
    own = new.properties
    profiles = own.get("agentPoolProfiles") or []
    if old is None and not any(each.get("mode") == "System" for each in profiles):
        raise refused(400, "InvalidParameter", "Must define at least one system pool.")
    if len(own.get("dnsPrefix", "")) > 54:
        raise refused(400, "InvalidParameter", "The value of parameter dnsPrefix is invalid.")
    group = own.setdefault("nodeResourceGroup", f"MC_{new.id.split('/')[4]}_{new.name}_{new.body['location']}")
    if len(group) > LONGEST_GROUP:
        message = f"The length of the node resource group name is too long. The maximum length is {LONGEST_GROUP}"
        raise refused(400, "NodeResourceGroupNameTooLong", message)
    for each in profiles:
        _sized(each, least=LEAST_SYSTEM)
    identities.attach(arm, new)
    if old is None and arm.find(_nodes(arm, new)):
        message = f"The node resource group {group} already exists. Please use a different name."
        raise refused(409, "NodeResourceGroupAlreadyExists", message)
    new.body.setdefault("sku", {"name": "Base", "tier": "Free"})
    own |= {"currentKubernetesVersion": own.get("kubernetesVersion") or "1.36.2", "powerState": {"code": "Running"}}
    own["fqdn"] = f"{own.get('dnsPrefix')}-x.hcp.{new.body['location']}.azmk8s.io"
    if old:
        own["identityProfile"] = old.properties["identityProfile"]
        own["powerState"] = old.properties["powerState"]
        kept = {each["name"] for each in profiles}
        own["agentPoolProfiles"] += [each for each in old.properties["agentPoolProfiles"] if each["name"] not in kept]


def _sized(pool: dict[str, Any], least: int) -> None:
    """Refuse a number of nodes that a pool cannot have, and add what is missing."""
    pool.setdefault("count", 1)
    pool.setdefault("osSKU", "Ubuntu")
    if pool.get("enableAutoScaling"):
        low, high = pool.get("minCount"), pool.get("maxCount")
        if low is None or high is None or not least <= low <= high or not low <= pool["count"] <= high:
            message = (
                "The value of parameter agentPoolProfile.count is invalid: it must be within minCount and maxCount."
            )
            raise refused(400, "InvalidParameter", message)
    elif pool.get("minCount") is not None or pool.get("maxCount") is not None or pool["count"] < least:
        message = "The value of parameter agentPoolProfile.minCount is invalid without enableAutoScaling."
        raise refused(400, "InvalidParameter", message)
    if pool.get("scaleSetPriority") == "Spot":
        taint = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
        if taint not in pool.setdefault("nodeTaints", []):
            pool["nodeTaints"].append(taint)


def _nodes(arm: Arm, cluster: Resource) -> str:
    return f"{arm.scope}/resourceGroups/{cluster.properties['nodeResourceGroup']}"


def _made(arm: Arm, cluster: Resource) -> None:
    """Make what a cluster is made of, in a group of its own."""
    group, location = _nodes(arm, cluster), cluster.body["location"]
    common = {"location": location, "tags": dict(cluster.body.get("tags") or {})}
    if arm.find(group) is None:
        body = {**common, "managedBy": cluster.id, "properties": {"provisioningState": "Succeeded"}}
        arm.resources[group.lower()] = Resource(group, GROUP, body)
    own = cluster.properties
    if "kubeletidentity" not in (own.get("identityProfile") or {}):
        identity = f"{group}/providers/{IDENTITIES[0].type}/{cluster.name}-agentpool"
        made = {"principalId": str(uuid.uuid4()), "clientId": str(uuid.uuid4()), "tenantId": arm.tenant}
        arm.resources[identity.lower()] = Resource(
            identity, IDENTITIES[0], {**common, "properties": made}, {"unknown": 0}
        )
        known = {"resourceId": identity, "clientId": made["clientId"], "objectId": made["principalId"]}
        own["identityProfile"] = {"kubeletidentity": known}
    address = f"{group}/providers/{PART.type.replace('virtualMachineScaleSets', 'disks')}/pvc-{cluster.name}"
    arm.resources.setdefault(address.lower(), Resource(address, DISK, {**common}))
    for each in own["agentPoolProfiles"]:
        _machines(arm, cluster, each["name"])


def _machines(arm: Arm, cluster: Resource, pool: str) -> None:
    name = f"{_nodes(arm, cluster)}/providers/{PART.type}/aks-{pool}-1-vmss"
    body = {"location": cluster.body["location"], "tags": dict(cluster.body.get("tags") or {})}
    arm.resources.setdefault(name.lower(), Resource(name, PART, body))


def _gone(arm: Arm, cluster: Resource) -> None:
    """Take away what it was made of, unless a test wants that to stay."""
    group = arm.find(_nodes(arm, cluster))
    if group and not cluster.private.get("stays"):
        arm.remove(group)


def _credentials(arm: Arm, cluster: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    if cluster.properties["provisioningState"] == "Creating" or not arm.kubeconfig:
        message = f"Unable to get credentials of {cluster.name}: it is not there yet."
        raise refused(409, "ControlPlaneNotFound", message)
    text = base64.b64encode(arm.kubeconfig.encode()).decode()
    return Answer(200, {"kubeconfigs": [{"name": "clusterUser", "value": text}]})


def _stop(_arm: Arm, cluster: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    cluster.properties["powerState"] = {"code": "Stopped"}
    return Answer(204)


def _pool_check(arm: Arm, old: Resource | None, new: Resource) -> None:
    own = new.properties
    _sized(own, least=0 if own.get("mode") == "User" else LEAST_SYSTEM)
    own["powerState"] = {"code": "Running"}
    if old is None and own.get("vmSize") is None:
        raise refused(400, "InvalidParameter", "The value of parameter agentPoolProfile.vmSize is invalid.")
    cluster = _cluster(arm, new)
    if cluster.properties["provisioningState"] != "Succeeded":
        code, message = BUSY
        raise refused(409, code, message.format(name=cluster.name))


def _cluster(arm: Arm, pool: Resource) -> Resource:
    return arm.resources[pool.id.rsplit("/", 2)[0].lower()]


def _pool_made(arm: Arm, pool: Resource) -> None:
    """Have it among the pools of its cluster, and machines for it."""
    cluster = _cluster(arm, pool)
    others = [each for each in cluster.properties["agentPoolProfiles"] if each["name"] != pool.name]
    cluster.properties["agentPoolProfiles"] = [*others, {"name": pool.name, **pool.properties}]
    _machines(arm, cluster, pool.name)


def _pool_gone(arm: Arm, pool: Resource) -> None:
    cluster = arm.find(pool.id.rsplit("/", 2)[0])
    if cluster:
        profiles = cluster.properties["agentPoolProfiles"]
        cluster.properties["agentPoolProfiles"] = [each for each in profiles if each["name"] != pool.name]
        machines = arm.find(f"{_nodes(arm, cluster)}/providers/{PART.type}/aks-{pool.name}-1-vmss")
        if machines:
            arm.remove(machines)


PART = Kind(type="Microsoft.Compute/virtualMachineScaleSets", versions=("2025-04-01",), form={"properties": object})
DISK = Kind(type="Microsoft.Compute/disks", versions=("2025-01-02",), form={"properties": object})
"""What is only made by clusters here."""
KINDS = (
    Kind(
        type="Microsoft.ContainerService/managedClusters",
        versions=VERSIONS,
        form=CLUSTER,
        name=r"[a-zA-Z0-9]([-_a-zA-Z0-9]{0,61}[a-zA-Z0-9])?",
        put=ASYNC,
        patch=None,
        delete=LOCATION,
        busy=BUSY,
        unchangeable=UNCHANGEABLE,
        check=_check,
        made=_made,
        gone=_gone,
        needs=identities.needs,
        actions={"POST listClusterUserCredential": _credentials, "POST stop": _stop},
    ),
    Kind(
        type="Microsoft.ContainerService/managedClusters/agentPools",
        versions=VERSIONS,
        form={"properties!": POOL},
        name=r"[a-z][a-z0-9]{0,11}",
        tracked=False,
        put=ASYNC,
        patch=None,
        delete=LOCATION,
        busy=BUSY,
        unchangeable=UNCHANGEABLE,
        check=_pool_check,
        made=_pool_made,
        gone=_pool_gone,
    ),
    PART,
)
ROUTES: dict[Any, Any] = {}
