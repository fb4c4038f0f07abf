"""Microsoft.ContainerService: clusters and their pools; what is in a cluster is another server's business."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

from tests.arm import basics, computers, engine, identities, sdk
from tests.arm.answers import Answer, refused
from tests.arm.kinds import ASYNC, LOCATION, Kind, Long, Resource
from tests.arm.operations import Operation

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.kinds import Action, Request, Route

VERSIONS = ("2024-09-01", "2025-05-01", "2025-10-01", "2026-01-01", "2026-05-01", "2026-08-01")
SPOT = "kubernetes.azure.com/scalesetpriority"
KUBERNETES = {"1.34": ("1.34.4", False), "1.35": ("1.35.3", True), "1.36": ("1.36.1", False)}
"""Minor versions, each with a patch, and whether it is the default."""
POOL_DEFAULTS = {
    "count": 1, "osType": "Linux", "osSKU": "Ubuntu", "type": "VirtualMachineScaleSets", "mode": "User", "maxPods": 110,
    "osDiskSizeGB": 128, "enableAutoScaling": False, "scaleSetPriority": "Regular",
}  # fmt: skip


def _model(name: str, *fixed: str) -> Any:  # noqa: ANN401 - a form
    """Return the form of a model, in whose properties some cannot be changed."""
    from azure.mgmt.containerservice import models

    form = dict(sdk.form(getattr(models, name)))
    form["properties"] = {f"{key}=" if key in fixed else key: each for key, each in form["properties"].items()}
    return form


def _pool(given: dict[str, Any]) -> dict[str, Any]:
    """Return a pool with what the service adds; raises Refused for counts that do not fit."""
    pool = {**POOL_DEFAULTS, **{name: each for name, each in given.items() if each is not None}}
    low, high = pool.get("minCount"), pool.get("maxCount")
    if pool["scaleSetPriority"] == "Spot":  # learn: aks/spot-node-pool
        pool["nodeTaints"] = list(dict.fromkeys([*(pool.get("nodeTaints") or []), f"{SPOT}=spot:NoSchedule"]))
        pool["nodeLabels"] = {**(pool.get("nodeLabels") or {}), SPOT: "spot"}
    if pool["enableAutoScaling"] and low is not None and high is not None and not low <= pool["count"] <= high:
        raise refused(400, "InvalidParameter", "The count of an agent pool must be within minCount and maxCount.")
    if pool["enableAutoScaling"] and (low is None or high is None or low > high):
        raise refused(400, "InvalidParameter", "minCount and maxCount are needed where enableAutoScaling is true.")
    if pool["mode"] == "System" and (
        pool["osType"] != "Linux" or not (low if pool["enableAutoScaling"] else pool["count"])
    ):
        raise refused(400, "InvalidParameter", "A system pool needs at least one node, of Linux.")
    state = {"provisioningState": "Succeeded", "powerState": {"code": "Running"}}
    return pool | state | {"currentOrchestratorVersion": KUBERNETES["1.35"][0]}


def _check_version(version: str | None) -> str:
    known = {patch: patch for patch, _ in KUBERNETES.values()} | {
        minor: patch for minor, (patch, _) in KUBERNETES.items()
    }
    default = next(patch for patch, is_default in KUBERNETES.values() if is_default)
    if version and version not in known:
        message = f"Managed cluster is on version {version}, which is not supported in this region. Please use [az aks "
        raise refused(
            400, "K8sVersionNotSupported", f"{message}get-versions] command to get the supported version list."
        )
    return known.get(version or default, default)


def _check_cluster(arm: Arm, old: Resource | None, new: Resource) -> None:
    """Refuse what has no pool or no identity, and add what the service adds."""
    own = new.properties
    identities.attach(arm, new)
    if not new.body.get("identity") and not own.get("servicePrincipalProfile"):
        message = (
            "Provisioning of resource(s) for container service failed: an identity or a service principal is needed."
        )
        raise refused(400, "InvalidParameter", message)
    pools = own.get("agentPoolProfiles") or (old.properties["agentPoolProfiles"] if old else [])
    automatic = (new.body.get("sku") or {}).get("name") == "Automatic"
    if not automatic and not any(each.get("mode") == "System" for each in pools):
        raise refused(400, "InvalidParameter", "The cluster needs at least one agent pool of mode System.")
    own["agentPoolProfiles"] = [_pool(each) for each in pools]
    new.body.setdefault("sku", {"name": "Base", "tier": "Free"})
    own["currentKubernetesVersion"] = _check_version(own.get("kubernetesVersion"))
    own.setdefault("kubernetesVersion", old.properties["kubernetesVersion"] if old else own["currentKubernetesVersion"])
    own.setdefault("dnsPrefix", old.properties["dnsPrefix"] if old else f"{new.name}-dns")
    own.setdefault("enableRBAC", True)
    kept = ("fqdn", "nodeResourceGroup", "identityProfile", "oidcIssuerProfile")
    if old:
        own.update({name: old.properties[name] for name in kept if name in old.properties and not own.get(name)})
        return
    group = new.id.split("/")[4]
    own.setdefault("nodeResourceGroup", f"MC_{group}_{new.name}_{new.body['location']}"[:80])
    own["fqdn"] = f"{own['dnsPrefix']}-{uuid.uuid4().hex[:8]}.hcp.{new.body['location']}.azmk8s.io"
    own["powerState"] = {"code": "Running"}
    path = f"{arm.scope}/resourceGroups/{own['nodeResourceGroup']}"
    if arm.find(path):
        message = f"The node resource group {own['nodeResourceGroup']} already exists."
        raise refused(409, "NodeResourceGroupAlreadyExists", message)
    common = {"location": new.body["location"], "tags": dict(new.body.get("tags") or {})}  # learn: aks/use-tags
    body = {**common, "managedBy": new.id, "properties": {"provisioningState": "Succeeded"}}
    arm.resources[path.lower()] = Resource(path, basics.GROUP, body)
    disk = f"{path}/providers/{computers.DISKS.type}/pvc-{new.name}"
    arm.resources[disk.lower()] = Resource(disk, computers.DISKS, {**common, "properties": {}})
    kubelet = {name: str(uuid.uuid4()) for name in ("principalId", "clientId")}
    name = f"{path}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{new.name}-agentpool"
    body = {**common, "properties": {**kubelet, "tenantId": arm.tenant}}
    arm.resources[name.lower()] = Resource(name, identities.KINDS[0], body)
    told = {"resourceId": name, "clientId": kubelet["clientId"], "objectId": kubelet["principalId"]}
    own["identityProfile"] = {"kubeletidentity": told}


def _gone_cluster(arm: Arm, cluster: Resource) -> None:
    """Take away what it was made of, unless a test wants that to stay: `private["stays"]`."""
    group = arm.find(f"{arm.scope}/resourceGroups/{cluster.properties['nodeResourceGroup']}")
    if group and not cluster.private.get("stays"):
        arm.remove(group)


def _made_cluster(arm: Arm, cluster: Resource) -> None:
    """Have a resource of each pool."""
    for each in cluster.properties["agentPoolProfiles"]:
        path = f"{cluster.id}/agentPools/{each['name']}"
        own = {name: value for name, value in each.items() if name != "name"}
        arm.resources[path.lower()] = Resource(path, POOL, {"properties": own})


def _profiles(arm: Arm, cluster: Resource) -> list[dict[str, Any]]:
    pools = [each for each in arm.below(cluster.id) if each.kind is POOL]
    return [{"name": each.name, **each.properties} for each in pools] or cluster.properties["agentPoolProfiles"]


def _view_cluster(arm: Arm, cluster: Resource) -> dict[str, Any]:
    return {**cluster.body, "properties": {**cluster.properties, "agentPoolProfiles": _profiles(arm, cluster)}}


def _check_pool(arm: Arm, old: Resource | None, new: Resource) -> None:
    cluster = arm.find(new.id.rsplit("/", 2)[0])
    if cluster and cluster.operation and cluster.operation.status == "InProgress":
        message = "Operation is not allowed: another operation (Updating) is in progress on the managed cluster."
        raise refused(409, "OperationNotAllowed", message)
    if not old and not new.properties.get("vmSize"):
        raise refused(400, "InvalidParameter", "Required parameter vmSize is missing (null).")
    new.body["properties"] = _pool({**(old.properties if old else {}), **new.properties})


def _credential(arm: Arm, cluster: Resource, _request: Request, _names: tuple[str, ...]) -> Answer:
    """Return a kubeconfig: that of `private["kubeconfig"]`, or of `arm.kubeconfig`, where a test set one."""
    server = {"name": cluster.name, "cluster": {"server": f"https://{cluster.properties['fqdn']}:443"}}
    user = f"clusterUser_{cluster.id.split('/')[4]}_{cluster.name}"
    context = {"name": cluster.name, "context": {"cluster": cluster.name, "user": user}}
    made = {
        "apiVersion": "v1", "kind": "Config", "clusters": [server], "contexts": [context],
        "current-context": cluster.name, "users": [{"name": user, "user": {"token": "not-for-any-cluster"}}],
    }  # fmt: skip
    if cluster.properties["provisioningState"] == "Creating":
        raise refused(404, "NotFound", f"The control plane of '{cluster.name}' is not there yet.")
    text = cluster.private.get("kubeconfig") or arm.kubeconfig or json.dumps(made)
    value = base64.b64encode(text.encode()).decode()
    return Answer(200, {"kubeconfigs": [{"name": "clusterUser", "value": value}]})


def _power(code: str) -> Action:
    def change(arm: Arm, cluster: Resource, request: Request, _names: tuple[str, ...]) -> Answer:
        finish = lambda: cluster.properties.update(powerState={"code": code})  # noqa: E731 - once
        operation = Operation(arm.polls, finish, resource=cluster)
        cluster.operation = operation
        return engine.begin(arm, request, LOCATION, operation)

    return change


def _versions(_arm: Arm, _request: Request, _names: tuple[str, ...]) -> Answer:
    found = [
        {
            "version": minor,
            "isDefault": default,
            "isPreview": False,
            "capabilities": {"supportPlan": ["KubernetesOfficial", "AKSLongTermSupport"]},
            "patchVersions": {patch: {"upgrades": [each for each, _ in KUBERNETES.values() if each > patch]}},
        }
        for minor, (patch, default) in KUBERNETES.items()
    ]
    return Answer(200, {"values": found})


ACTIONS: dict[str, Action] = {
    "POST listClusterUserCredential": _credential,
    "POST start": _power("Running"),
    "POST stop": _power("Stopped"),
}
BUSY = ("OperationNotAllowed", "Operation is not allowed: another operation is in progress on '{name}'.")
FIXED = (400, "PropertyChangeNotAllowed", "Changing a property that was set when '{name}' was made is not allowed.")
CLUSTER = Kind(
    type="Microsoft.ContainerService/managedClusters",
    versions=VERSIONS,
    form=lambda: _model("ManagedCluster", "dnsPrefix", "nodeResourceGroup", "enableRBAC"),
    name=r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?",
    put=ASYNC,
    patch=Long(200, "Azure-AsyncOperation"),
    delete=LOCATION,
    busy=BUSY,
    unchangeable=FIXED,
    check=_check_cluster,
    made=_made_cluster,
    gone=_gone_cluster,
    view=_view_cluster,
    needs=identities.needs,
    actions=ACTIONS,
)
POOL = Kind(
    type="Microsoft.ContainerService/managedClusters/agentPools",
    versions=VERSIONS,
    form=lambda: _model("AgentPool", "vmSize", "osType", "osDiskSizeGB", "scaleSetPriority", "vnetSubnetID"),
    name=r"[a-z][a-z0-9]{0,11}",
    tracked=False,
    put=ASYNC,
    delete=LOCATION,
    busy=BUSY,
    unchangeable=FIXED,
    check=_check_pool,
)
KINDS = (CLUSTER, POOL)
ROUTES: dict[tuple[str, str], tuple[Route, str]] = {
    ("GET", "/subscriptions/*/providers/Microsoft.ContainerService/locations/*/kubernetesVersions"): (
        _versions,
        "Microsoft.ContainerService/locations/kubernetesversions/read",
    )
}
