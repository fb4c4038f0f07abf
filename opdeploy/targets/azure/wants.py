"""What new resources want of a region, by their bodies: machines of a size, plans, environments. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure import offers
from opdeploy.targets.azure.machines import Machines, question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.questions import Question
    from opdeploy.targets.azure.shared import Resource

_TIERS = {"B": "Basic", "S": "Standard"}
"""Tiers of plans by the first letter of a size; that of Premium has a version at its end, as P1v3 has (azure-mgmt-web
11.0.1, SkuName, read 2026-11-26)."""


def questions(made: Iterable[Resource], at: Where) -> Iterator[Question]:
    """Yield what is asked of a region for resources that are not there yet."""
    machines: list[Machines] = []
    for item in made:
        machines += _machines(item)
        yield from _ASKS[item.kind](item.body, at) if item.kind in _ASKS else ()
    if machines:
        yield question(at, machines)


def _machines(item: Resource) -> Iterator[Machines]:
    """Yield the machines that the nodes of a cluster are."""
    own = item.body.get("properties") or {}
    if item.kind == "cluster":
        for pool in own.get("agentPoolProfiles") or ():
            yield Machines(str(pool["vmSize"]), _most(pool), "deploy.aks.system_size")
    elif item.kind == "node pool":
        spot = own.get("scaleSetPriority") == "Spot"
        yield Machines(str(own["vmSize"]), _most(own), "deploy.aks.size", spot)


def _most(pool: Mapping[str, Any]) -> int:
    """Return how many nodes a pool may come to have; one that may have none has to be able to have one."""
    return max(1, int(pool.get("count") or 0), int(pool.get("maxCount") or 0))


def _plan(body: Mapping[str, Any], at: Where) -> Iterator[Question]:
    tier = tier_of(str((body.get("sku") or {}).get("name", "")))
    if tier:
        yield offers.plan(at, tier, "deploy.webapp.sku")


def tier_of(size: str) -> str | None:
    """Return the tier of a size of plans; None for one that is not known, which is not asked for."""
    version = size.partition("v")[2]
    return f"PremiumV{version}" if size.startswith("P") and version else _TIERS.get(size[:1])


def _environment(_body: Mapping[str, Any], at: Where) -> Iterator[Question]:
    yield offers.environment(at, "deploy.container_apps.environment")


_ASKS: dict[str, Callable[[Mapping[str, Any], Where], Iterator[Question]]] = {
    "app service plan": _plan,
    "container app environment": _environment,
}
"""What yields the questions of a kind, by its body; a machine that is made for itself is asked for by its place."""
