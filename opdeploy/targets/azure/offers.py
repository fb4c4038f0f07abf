"""What App Service and Container Apps offer in a region, and how much of it is left. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.questions import Question, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.questions import Said

_WEB, _APPS = KINDS["app service plan"].api, KINDS["container app environment"].api
_ENVIRONMENTS = "ManagedEnvironmentCount"
_GPU_REGIONS = {
    "Consumption-GPU-NC8as-T4": [
        "australiaeast", "brazilsouth", "canadacentral", "centralindia", "eastus", "francecentral", "italynorth",
        "japaneast", "northcentralus", "southcentralus", "southeastasia", "southindia", "swedencentral", "uksouth",
        "westeurope", "westus", "westus2", "westus3",
    ],
    "Consumption-GPU-NC24-A100": [
        "australiaeast", "brazilsouth", "canadacentral", "eastus", "italynorth", "swedencentral", "uksouth", "westus",
        "westus3",
    ],
}  # fmt: skip
"""Where profiles with a GPU were offered on 2026-04-17 (microsoft/azure-container-apps, region-features.json)."""


def plan(at: Where, tier: str, setting: str) -> Question:
    """Return the question whether a region has Linux plans of a tier, such as PremiumV3; `setting` names that."""

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        named = {str(item.get("name") or (item.get("properties") or {}).get("name")) for item in answer or ()}
        regions = {name.lower().replace(" ", "") for name in named}
        if regions and at.location not in regions:
            offered = ", ".join(sorted(regions))
            yield problem(
                f"{setting}: {at.location} has no Linux plan of {tier}; take another size, or one of: {offered}"
            )

    path = f"/subscriptions/{at.subscription}/providers/Microsoft.Web/geoRegions"
    query = {"sku": tier, "linuxWorkersEnabled": "true"}
    return Question(f"which regions have plans of {tier}", path, _WEB, judge, query, is_list=True)


def profile(at: Where, wanted: str, setting: str) -> Question:
    """Return the question whether a region has a workload profile, such as Consumption-GPU-NC8as-T4."""

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        offered = [str(item["name"]) for item in answer or ()]
        if wanted.lower() not in {name.lower() for name in offered}:
            others = [name for name in _GPU_REGIONS.get(wanted, ()) if name != at.location]
            like = f", such as one of: {', '.join(others)}" if others else ""
            own = f"one that it has, {', '.join(offered)}, or " if offered and not others else ""
            todo = f"take {own}another region with --location{like}"
            yield problem(f"{setting}: {at.location} has no workload profile {wanted}; {todo}")

    path = _location(at, "availableManagedEnvironmentsWorkloadProfileTypes")
    return Question(f"which workload profiles {at.location} has", path, _APPS, judge, is_list=True)


def environment(at: Where, setting: str) -> Question:
    """Return the question whether another environment of container apps may be made."""

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        for item in answer or ():
            if (item.get("name") or {}).get("value") != _ENVIRONMENTS:
                continue
            limit, used = float(item["limit"]), float(item["currentValue"])
            if used + 1 > limit:
                yield problem(
                    f"quota of environments in {at.location}: all {limit:g} are used; name one that is there with "
                    f"{setting}, take another region, or ask for more in the portal"
                )

    return Question(f"the quota of environments in {at.location}", _location(at, "usages"), _APPS, judge, is_list=True)


def _location(at: Where, what: str) -> str:
    return f"/subscriptions/{at.subscription}/providers/Microsoft.App/locations/{at.location}/{what}"
