"""What a resource is, in a few words for a person. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.compare import refs
from opdeploy.targets.azure.kinds import PROVIDERS, name_of
from opdeploy.targets.azure.shared import ACR_PULL, REPOSITORY_READER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TOLD: dict[str, tuple[tuple[str, str], ...]] = {
    "node pool": (("{}", "properties.vmSize"), ("nodes: {}", "properties.count")),
    "cluster": (("Kubernetes {}", "properties.currentKubernetesVersion"), ("tier {}", "sku.tier")),
    "container group": (
        ("{} CPU", "properties.containers.0.properties.resources.requests.cpu"),
        ("{} GB", "properties.containers.0.properties.resources.requests.memoryInGB"),
        ("{}", "properties.priority"),
    ),
    "virtual machine": (("{}", "properties.hardwareProfile.vmSize"),),
    "disk": (("{} GB", "properties.diskSizeGB"),),
    "public address": (("{}", "properties.ipAddress"),),
    "slot": (("on the plan {}", "properties.serverFarmId"),),
    "site": (("on the plan {}", "properties.serverFarmId"),),
    "app service plan": (("{}", "sku.name"), ("machines: {}", "sku.capacity")),
    "container app": (
        ("{} CPU", "properties.template.containers.0.resources.cpu"),
        ("{}", "properties.template.containers.0.resources.memory"),
        ("profile {}", "properties.workloadProfileName"),
    ),
    "container registry": (("{}", "sku.name"),),
    "resource group": (("{}", "location"),),
}
"""What is told of each kind: words, and the path to what stands in them; of an id, its name."""
_ROLES = {ACR_PULL: "pull from", REPOSITORY_READER: "pull from"}


def about(kind: str, item: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Return what a resource is, as Azure has it; `body` is what it was made as."""
    if kind == "role assignment":
        return _right(item, body)
    return ", ".join(_words(kind, item))


def _words(kind: str, item: Mapping[str, Any]) -> Iterator[str]:
    for words, path in _TOLD.get(kind, ()):
        value: Any = item
        for key in path.split("."):
            if isinstance(value, list):
                value = value[0] if value else None
            else:
                value = value.get(key) if isinstance(value, dict) else None
        if value is not None:
            yield words.format(name_of(value) if isinstance(value, str) else f"{value:g}")


def _right(item: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Return whom a role lets do what, and where."""
    own = item.get("properties") or {}
    who = next((name_of(each) for each in refs(dict(body))), own.get("principalId") or "somebody")
    where = name_of(item["id"].rpartition(PROVIDERS)[0])
    role = name_of(str(own.get("roleDefinitionId") or ""))
    return f"lets {who} {_ROLES.get(role, f'have the role {role} on')} {where}"
