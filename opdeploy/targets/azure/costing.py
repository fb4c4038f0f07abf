"""How large is what costs by its size, in a few words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opdeploy.targets.azure.shared import Resource


def size(resource: Resource) -> str:
    """Return how large a resource is, in brackets; nothing where it costs nothing by that, or it is not known."""
    tell = _TOLD.get(resource.kind)
    return f" ({tell(resource.body)})" if tell else ""


def _group(body: Mapping[str, Any]) -> str:
    wants = [item["properties"]["resources"]["requests"] for item in body["properties"]["containers"]]
    cpus, memory = sum(item["cpu"] for item in wants), sum(item["memoryInGB"] for item in wants)
    return f"{_many(cpus, 'processor')}, {memory:g} GB"


def _plan(body: Mapping[str, Any]) -> str:
    return f"{body['sku']['name']}, {_many(body['sku']['capacity'], 'machine')}"


def _cluster(body: Mapping[str, Any]) -> str:
    pools = [f"{_many(pool['count'], 'node')} {pool['vmSize']}" for pool in body["properties"]["agentPoolProfiles"]]
    return ", ".join((f"{body['sku']['tier']} tier", *pools))


def _pool(body: Mapping[str, Any]) -> str:
    found = body["properties"]
    least, most = found.get("minCount"), found.get("maxCount")
    moving = f", {least} to {most} by load" if found.get("enableAutoScaling") else ""
    spot = ", Spot" if found.get("scaleSetPriority") == "Spot" else ""
    return f"{_many(found['count'], 'node')} {found['vmSize']}{moving}{spot}"


def _machine(body: Mapping[str, Any]) -> str:
    found = body["properties"]
    disk = f"a disk of {found['storageProfile']['osDisk']['diskSizeGB']} GB"
    spot = "Spot" if found.get("priority") == "Spot" else ""
    return ", ".join(filter(None, (found["hardwareProfile"]["vmSize"], disk, spot)))  # a size may be yet to be named


def _many(count: float, what: str) -> str:
    return f"{count:g} {what}{'' if count == 1 else 's'}"


_TOLD: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "container registry": lambda body: str(body["sku"]["name"]),
    "container group": _group,
    "app service plan": _plan,
    "cluster": _cluster,
    "node pool": _pool,
    "virtual machine": _machine,
}
"""What tells it, by the kind of resource."""
