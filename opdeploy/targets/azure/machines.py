"""Whether machines of a size can be had in a region: offered, open to the subscription, and within its quota. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.errors import nearest
from opdeploy.targets.azure.questions import Question, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.questions import Said

_SKUS = "2021-07-01"
"""The version of the interface to sizes (learn.microsoft.com/azure/azure-resource-manager/troubleshooting/
error-sku-not-available, of 2023-01-03, read 2026-11-26)."""
_USAGES = "2024-07-01"
"""That to quotas of machines (learn.microsoft.com/rest/api/compute/usage/list, read 2026-11-26)."""
_ALL, _SPOT = "cores", "lowPriorityCores"
"""The quotas that all sizes of a region share: of what is always there, and of Spot."""
_WHY = {
    "QuotaId": "the kind of your subscription gets none of them; take another subscription, size or region",
    "NotAvailableForSubscription": "your subscription gets none of them; take another size or region, or ask for it",
}
_FEW = 5


class Machines(NamedTuple):
    """Machines that are wanted."""

    size: str
    """Such as Standard_NC4as_T4_v3."""
    number: int
    setting: str
    """That names the size, such as deploy.vm.size."""
    spot: bool = False
    instead: str | None = None
    """The size that as many have now, whose processors are theirs already."""


def question(at: Where, wanted: Machines) -> Question:
    """Return the question whether machines can be had in a region."""

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said | Question]:
        offered = {str(item["name"]): item for item in answer or () if item.get("resourceType") == "virtualMachines"}
        found = next((item for name, item in offered.items() if name.lower() == wanted.size.lower()), None)
        if found is None:
            todo = nearest(wanted.size, [*offered]) if len(offered) <= _FEW else _like(wanted.size, [*offered])
            yield problem(f"{wanted.setting}: {wanted.size} is not offered in {at.location}{todo}")
            return
        told = _told(found)
        if wanted.spot and told.get("LowPriorityCapable") == "False":
            yield problem(f"{wanted.setting}: {wanted.size} is not offered as Spot; take another size, or no Spot")
        closed = [item for item in found.get("restrictions") or () if item.get("type") == "Location"]
        if closed:
            why = _WHY.get(str(closed[0].get("reasonCode")), "it is not open to you; take another size or region")
            yield problem(f"{wanted.setting}: {wanted.size} in {at.location}: {why}")
            return
        before = next((item for name, item in offered.items() if name.lower() == (wanted.instead or "").lower()), None)
        yield _quota(at, wanted, found, before)

    path = f"/subscriptions/{at.subscription}/providers/Microsoft.Compute/skus"
    query = {"$filter": f"location eq '{at.location}'"}
    return Question(f"which sizes {at.location} offers", path, _SKUS, judge, query, is_list=True)


def _like(size: str, offered: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(size, offered, n=_FEW, cutoff=0.5)
    return f"; there are: {', '.join(near)}" if near else "; take another size or region"


def _told(sku: dict[str, Any]) -> dict[str, str]:
    return {str(item.get("name")): str(item.get("value")) for item in sku.get("capabilities") or ()}


def _cores(sku: dict[str, Any], number: int) -> int:
    return int(_told(sku).get("vCPUs", "0")) * number


def _quota(at: Where, wanted: Machines, sku: dict[str, Any], before: dict[str, Any] | None) -> Question:
    cores, family = _cores(sku, wanted.number), str(sku.get("family", "")).lower()
    names = {_SPOT.lower()} if wanted.spot else {_ALL, family}  # Spot has one quota for all families

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        for item in answer or ():
            name = item.get("name") or {}
            quota = str(name.get("value")).lower()
            if quota not in names:
                continue
            has = before is not None and (quota != family or str(before.get("family", "")).lower() == family)
            limit, left = int(item["limit"]), int(item["limit"]) - int(item["currentValue"])
            left += _cores(before, wanted.number) if before and has else 0
            if cores > left:
                zero = ", as that of GPUs is in the beginning" if limit == 0 else ""
                yield problem(
                    f"{wanted.setting}: {wanted.number} of {wanted.size} take {cores} processors, and of the quota "
                    f"{name.get('localizedValue') or name.get('value')} in {at.location} {max(0, left)} of {limit} are "
                    f"left{zero}; ask for more in the portal, or take another size or region"
                )

    path = f"/subscriptions/{at.subscription}/providers/Microsoft.Compute/locations/{at.location}/usages"
    return Question(f"the quota of machines in {at.location}", path, _USAGES, judge, is_list=True)
