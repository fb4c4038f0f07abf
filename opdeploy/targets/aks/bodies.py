"""What a cluster of Azure is made of: itself, nodes for the pods, and its right to pull the image. Pure.

learn.microsoft.com/rest/api/aks/managed-clusters/create-or-update and agent-pools/create-or-update.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError
from opdeploy.plan import fingerprint
from opdeploy.targets.aks import sizes
from opdeploy.targets.aks.choice import nodes
from opdeploy.targets.azure.compare import ref
from opdeploy.targets.azure.kinds import group_of, name_of
from opdeploy.targets.azure.names import assignment, tags, where
from opdeploy.targets.azure.shared import ACR_PULL, REPOSITORY_READER, Resource, registry
from opdeploy.targets.kubernetes.manifests import gpus
from opdeploy.targets.kubernetes.names import DEPLOYMENT
from opdeploy.targets.kubernetes.values import amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

    from opdeploy.deploy_settings import Deploy
    from opdeploy.targets.base import Wanted

CLUSTER = "cluster"
POOL = "node pool"
NODES = "node resource group"
"""The group that Azure makes for what a cluster is made of: machines, disks, addresses."""
KUBELET = "properties.identityProfile.kubeletidentity"
"""Where a cluster tells of the identity by which its nodes pull images."""
SPOT = "kubernetes.azure.com/scalesetpriority"
"""The taint that nodes have which may end at any time (learn.microsoft.com/azure/aks/spot-node-pool, of 2025-04-06,
read 2026-11-26)."""
_LONGEST_GROUP = 80
"""Characters of a node resource group's name (learn.microsoft.com/azure/aks/troubleshooting, "What naming restrictions
are enforced", as docs of it are kept in public, read 2026-11-26)."""
_LONGEST_PREFIX = 54
"""Of a DNS prefix (the same page)."""
_DIGITS = 6


def id_of(settings: Deploy, deployment: str) -> str:
    """Return the id of the cluster: the one that is named, else the deployment's own."""
    named = settings.aks.cluster
    at = where(settings, deployment)
    if named and named.startswith("/"):
        return named
    return at.id(CLUSTER, named or deployment)


def node_group(settings: Deploy, deployment: str) -> str:
    """Return the name of the group in which Azure makes what the deployment's own cluster is made of."""
    group = where(settings, deployment).group
    name = f"{group}-{deployment}-nodes"
    if len(name) <= _LONGEST_GROUP:
        return name
    return f"{deployment}-{hashlib.sha256(name.lower().encode()).hexdigest()[:16]}-nodes"


def cluster(wanted: Wanted) -> Resource:
    """Return the deployment's own cluster, with the nodes that it needs itself, which take no other pods."""
    settings, name = wanted.settings, wanted.deployment
    chosen = settings.aks
    at = where(settings, name)
    properties: dict[str, Any] = {
        "dnsPrefix": name[:_LONGEST_PREFIX].rstrip("-"),
        "nodeResourceGroup": node_group(settings, name),
        "enableRBAC": True,
        "agentPoolProfiles": [
            {
                "name": "system",
                "mode": "System",
                "type": "VirtualMachineScaleSets",
                "osType": "Linux",
                "vmSize": chosen.system_size or sizes.SYSTEM,
                "count": chosen.system_nodes or 1,
                "nodeTaints": ["CriticalAddonsOnly=true:NoSchedule"],
            }
        ],
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {"workloadIdentity": {"enabled": True}},
        "networkProfile": {
            "networkPlugin": "azure",
            "networkPluginMode": "overlay",
            "networkDataplane": "cilium",
            "networkPolicy": "cilium",
            "loadBalancerSku": "standard",
        },
        "autoUpgradeProfile": {"upgradeChannel": "patch", "nodeOSUpgradeChannel": "NodeImage"},
    }
    if chosen.kubernetes_version:
        properties["kubernetesVersion"] = chosen.kubernetes_version
    body: dict[str, Any] = {
        "location": at.location,
        "tags": tags(settings, name, settings.target or ""),
        "sku": {"name": "Base", "tier": chosen.tier or "Free"},
        "identity": {"type": "SystemAssigned"},
        "properties": properties,
    }
    if puller := settings.azure.identity:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {puller: {}}}
        properties["identityProfile"] = {
            "kubeletidentity": {
                "resourceId": puller,
                "clientId": ref(puller, "properties.clientId"),
                "objectId": ref(puller, "properties.principalId"),
            }
        }
    return Resource(CLUSTER, id_of(settings, name), body)


def pool(wanted: Wanted, facts: Mapping[str, JsonValue]) -> Resource | None:
    """Return the nodes for the pods; None where those of a named cluster are used as they are.

    What cannot be changed is in its name, so that nodes of another size are others.
    """
    settings = wanted.settings
    if settings.aks.cluster and not settings.aks.size:
        return None
    size = settings.aks.size or _size(wanted)
    is_spot = settings.aks.priority == "Spot"
    taints = ["sku=gpu:NoSchedule"] if wanted.gpu else []
    taints += [f"{SPOT}=spot:NoSchedule"] if is_spot else []
    fixed: dict[str, Any] = {
        "mode": "User",
        "type": "VirtualMachineScaleSets",
        "osType": "Linux",
        "vmSize": size,
        "scaleSetPriority": "Spot" if is_spot else "Regular",
        **({"scaleSetEvictionPolicy": "Delete", "spotMaxPrice": -1} if is_spot else {}),
        "nodeTaints": taints,
    }
    name = f"{'gpu' if wanted.gpu else 'cpu'}{fingerprint([wanted.deployment, fixed])[:_DIGITS]}"
    least, most = nodes(settings)
    there = facts.get("nodes")
    count = there.get(name) if isinstance(there, dict) else None
    now = count if isinstance(count, int) else max(least, 1)
    moving = {"enableAutoScaling": True, "minCount": least, "maxCount": most} if least < most else {}
    body: dict[str, Any] = {
        "properties": {
            **fixed,
            "nodeLabels": {DEPLOYMENT: wanted.deployment},
            "count": min(max(now, least), most),
            **(moving or {"enableAutoScaling": False}),
            "tags": tags(settings, wanted.deployment, settings.target or ""),
        }
    }
    return Resource(POOL, f"{id_of(settings, wanted.deployment)}/agentPools/{name}", body)


def right(wanted: Wanted, facts: Mapping[str, JsonValue]) -> Resource | None:
    """Return the right of a cluster's nodes to pull the image; None where there is nothing to be given.

    So it is where the registry is none of Azure's, where an identity is named, or where others gave the right.
    """
    found = registry(wanted, facts)
    if found.id is None or wanted.settings.azure.identity or facts.get("pulls") == "others":
        return None
    whose = id_of(wanted.settings, wanted.deployment)
    role = REPOSITORY_READER if found.by_attributes else ACR_PULL
    subscription = group_of(found.id).split("/")[2]
    definition = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    body: dict[str, JsonValue] = {
        "properties": {
            "roleDefinitionId": definition,
            "principalId": ref(whose, f"{KUBELET}.objectId"),
            "principalType": "ServicePrincipal",
        }
    }
    return Resource("role assignment", assignment(found.id, f"{whose} {wanted.deployment}", role), body)


def _size(wanted: Wanted) -> str:
    """Return the size of nodes that a pod fits on; raises InputError where it fits on none."""
    deployment = next(item for item in wanted.manifests if item["kind"] == "Deployment")
    limits = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    found = sizes.fitting(amount(str(limits["cpu"])), wanted.memory_gb, gpus(deployment))
    if found is None:
        needs = [f"{limits['cpu']} CPU", f"{wanted.memory_gb:g} GB"]
        needs += [f"{gpus(deployment)} GPU"] if gpus(deployment) else []
        said = f"opdeploy knows no size with room for {', '.join(needs)}"
        raise InputError(f"deploy.aks.size: {said}; name one with --set aks.size=SIZE")
    return found


def called(resource: str) -> str:
    """Return the name of a cluster, with its group, as az takes it."""
    return f"--resource-group {name_of(group_of(resource))} --name {name_of(resource)}"
