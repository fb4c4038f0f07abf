"""Whether machines of a size can be had in a region: offered, open to the subscription, and within its quota. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.errors import nearest
from opdeploy.targets.azure.questions import Question, problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


class _Open(NamedTuple):
    """Machines that can be had, and their sizes as they are offered."""

    machines: Machines
    offered: dict[str, Any]
    before: dict[str, Any] | None
    """The size that they have now."""

    @property
    def family(self) -> str:
        return _family(self.offered)

    @property
    def takes(self) -> int:
        """Processors that they take."""
        return _cores(self.offered, self.machines.number)

    def has(self, quota: str) -> int:
        """Return how many processors of a quota are theirs already."""
        of_family = quota == self.family
        if self.before is None or (of_family and _family(self.before) != quota):
            return 0
        return _cores(self.before, self.machines.number)


def question(at: Where, wanted: Sequence[Machines]) -> Question:
    """Return the question whether machines can be had in a region, all of them together."""

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said | Question]:
        offered = {str(item["name"]): item for item in answer or () if item.get("resourceType") == "virtualMachines"}
        by_name = {name.lower(): item for name, item in offered.items()}
        open_to_us = []
        for each in wanted:
            found = by_name.get(each.size.lower())
            why = [*_not_to_be_had(at, each, found, [*offered])]
            yield from why
            if found and not why:
                open_to_us.append(_Open(each, found, by_name.get((each.instead or "").lower())))
        if open_to_us:
            yield _quota(at, open_to_us)

    path = f"/subscriptions/{at.subscription}/providers/Microsoft.Compute/skus"
    query = {"$filter": f"location eq '{at.location}'"}
    return Question(f"which sizes {at.location} offers", path, _SKUS, judge, query, is_list=True)


def _not_to_be_had(at: Where, wanted: Machines, found: dict[str, Any] | None, offered: list[str]) -> Iterator[Said]:
    """Yield why machines of a size cannot be had, whatever is left of a quota."""
    if found is None:
        todo = nearest(wanted.size, offered) if len(offered) <= _FEW else _like(wanted.size, offered)
        yield problem(f"{wanted.setting}: {wanted.size} is not offered in {at.location}{todo}")
        return
    if wanted.spot and _told(found).get("LowPriorityCapable") == "False":
        yield problem(f"{wanted.setting}: {wanted.size} is not offered as Spot; take another size, or no Spot")
    closed = [item for item in found.get("restrictions") or () if item.get("type") == "Location"]
    if closed:
        why = _WHY.get(str(closed[0].get("reasonCode")), "it is not open to you; take another size or region")
        yield problem(f"{wanted.setting}: {wanted.size} in {at.location}: {why}")


def _like(size: str, offered: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(size, offered, n=_FEW, cutoff=0.5)
    return f"; there are: {', '.join(near)}" if near else "; take another size or region"


def _told(sku: dict[str, Any]) -> dict[str, str]:
    return {str(item.get("name")): str(item.get("value")) for item in sku.get("capabilities") or ()}


def _family(sku: dict[str, Any]) -> str:
    return str(sku.get("family", "")).lower()


def _cores(sku: dict[str, Any], number: int) -> int:
    return int(_told(sku).get("vCPUs", "0")) * number


def _quota(at: Where, wanted: Sequence[_Open]) -> Question:
    """Return the question whether the quotas are enough for machines, each with its size as it is offered."""
    takes: dict[str, list[_Open]] = {}
    for each in wanted:
        own = (_SPOT,) if each.machines.spot else (_ALL, each.family)  # Spot has one for all families
        for name in own:
            takes.setdefault(name.lower(), []).append(each)

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        for item in answer or ():
            name = item.get("name") or {}
            quota = str(name.get("value")).lower()
            own = takes.get(quota, [])
            cores = sum(each.takes for each in own)
            limit, left = int(item["limit"]), int(item["limit"]) - int(item["currentValue"])
            left += sum(each.has(quota) for each in own)
            if cores > left:
                zero = ", as that of GPUs is in the beginning" if limit == 0 else ""
                yield problem(
                    f"{_shown([each.machines for each in own])} take {cores} processors, and of the quota "
                    f"{name.get('localizedValue') or name.get('value')} in {at.location} {max(0, left)} of {limit} are "
                    f"left{zero}; ask for more in the portal, or take another size or region"
                )

    path = f"/subscriptions/{at.subscription}/providers/Microsoft.Compute/locations/{at.location}/usages"
    return Question(f"the quota of machines in {at.location}", path, _USAGES, judge, is_list=True)


def _shown(wanted: Sequence[Machines]) -> str:
    """Return the settings that name sizes, and how many machines of each there are to be."""
    settings = ", ".join(dict.fromkeys(each.setting for each in wanted))
    numbers: dict[str, int] = {}
    for each in wanted:
        numbers[each.size] = numbers.get(each.size, 0) + each.number
    return f"{settings}: {' and '.join(f'{number} of {size}' for size, number in numbers.items())}"
