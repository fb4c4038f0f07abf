"""Whether a machine of a size can be had in a region: by what Azure offers to the subscription, and its quota."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.errors import nearest
from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.machine import KIND, NOT_ALLOWED, OFFER, PUBLISHER, USER, image
from opdeploy.targets.azure.names import where
from opdeploy.targets.azure.sizes import refusals, remarks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.targets.base import Wanted

_API = KINDS[KIND].api
_SKUS = "2021-07-01"
"""The version of the list of sizes (learn.microsoft.com/rest/api/compute/resource-skus/list)."""
_SYSTEM_GB = 1.0
"""Memory that the system and the engine take for themselves."""
_CORES, _SPOT = "cores", "lowPriorityCores"
"""Names of the quotas of all sizes together, and of Spot (learn.microsoft.com/rest/api/compute/usage/list)."""


class Offered(NamedTuple):
    """What is said of a size, a sentence each with what to do."""

    obstacles: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def offered(arm: Arm, wanted: Wanted, *, is_there: bool) -> Offered:
    """Return what keeps a machine from being made, and what is to be known of it; one that is there is not counted."""
    size, day = wanted.settings.vm.size, datetime.now(UTC).date()
    at = where(wanted.settings, wanted.deployment)
    if size is None:
        return Offered(("deploy.vm.size: names no size of a machine; name one: --set vm.size=Standard_D2s_v5",))
    if is_there or not at.location:
        return Offered(remarks=tuple(remarks(size, day)))
    if refused := [*refusals(size, day, gpu=wanted.gpu), *_nobody(wanted.settings.vm.user)]:
        return Offered(tuple(refused))
    return Offered(tuple(_lacking(arm, wanted, size, at.location)), tuple(remarks(size, day)))


def _nobody(user: str | None) -> Iterator[str]:
    if user and user.lower() in NOT_ALLOWED:
        yield f"deploy.vm.user: Azure lets nobody be called {user}; take another name, such as {USER}"


def _lacking(arm: Arm, wanted: Wanted, size: str, location: str) -> Iterator[str]:
    compute = f"/subscriptions/{arm.session.subscription}/providers/Microsoft.Compute"
    query = {"$filter": f"location eq '{location}'"}
    sizes = {
        item["name"]: item
        for item in arm.every(f"{compute}/skus", _SKUS, query)
        if item.get("resourceType") == "virtualMachines"
    }
    found = sizes.get(size)
    if found is None:
        yield f"deploy.vm.size: {location} has no {size}{nearest(size, [*sizes])}"
        return
    for item in found.get("restrictions") or ():
        if item.get("type") == "Location":
            yield (
                f"deploy.vm.size: {size} is not offered to this subscription in {location} ({item.get('reasonCode')}); "
                "take another size or region"
            )
    can = {item["name"]: item["value"] for item in found.get("capabilities") or ()}
    yield from _incapable(wanted, size, can)
    yield from _used_up(arm, f"{compute}/locations/{location}/usages", found, can, wanted)
    offer = f"{compute}/locations/{location}/publishers/{PUBLISHER}/artifacttypes/vmimage/offers/{OFFER}"
    if not arm.ask("GET", f"{offer}/skus/{image(size)}/versions", _API, query={"$top": "1"}):
        yield f"{location} has no image of Ubuntu 24.04 ({PUBLISHER} {OFFER} {image(size)}); take another region"


def _incapable(wanted: Wanted, size: str, can: dict[str, str]) -> Iterator[str]:
    if "V2" not in can.get("HyperVGenerations", "V2"):
        yield f"deploy.vm.size: {size} runs machines of the first generation alone, and the image is for the second"
    if wanted.settings.vm.priority == "Spot" and can.get("LowPriorityCapable", "True") != "True":
        yield f"deploy.vm.priority: {size} cannot be Spot; take Regular, or another size"
    memory, needed = float(can.get("MemoryGB", "inf")), wanted.memory_gb + _SYSTEM_GB
    if memory < needed:
        yield f"deploy.vm.size: {size} has {memory:g} GB of memory, and {needed:g} are needed; take a larger one"
    if wanted.gpu and int(can.get("GPUs", "0")) < 1:
        yield f"deploy.vm.size: {size} has no GPU; take one such as Standard_NC4as_T4_v3"


def _used_up(arm: Arm, path: str, found: dict[str, Any], can: dict[str, str], wanted: Wanted) -> Iterator[str]:
    """Yield the quotas of which not enough is left; those of GPUs are 0 at first."""
    needed = int(can.get("vCPUs", "0"))
    counted = {_SPOT} if wanted.settings.vm.priority == "Spot" else {_CORES, str(found.get("family"))}
    for item in arm.every(path, _API):
        name, left = item["name"]["value"], item["limit"] - item["currentValue"]
        if name.lower() in {each.lower() for each in counted} and left < needed:
            shown = item["name"].get("localizedValue") or name
            yield (
                f"the quota of {shown} has {max(0, left)} of {item['limit']} left, and {needed} are needed; ask for "
                "more in the portal, or take another size or region"
            )
