"""What others have in a resource group that was made for a deployment: it would go with the group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.kinds import GROUP, KINDS, PROVIDERS
from opdeploy.targets.azure.names import LOCK, NOTE
from opdeploy.targets.azure.record import NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.targets.azure.names import Where

_NOTE = KINDS["note"]


def contents(arm: Arm, at: Where) -> Iterator[dict[str, Any]]:
    """Yield what is in the group of a deployment: resources, and the records and locks of other deployments."""
    yield from arm.every(f"{at.group_id}/resources", GROUP.api)
    own = {at.note.lower(), at.lock.lower()}
    for item in arm.every(f"{at.group_id}{PROVIDERS}{_NOTE.type}", _NOTE.api):
        if item["name"].lower().startswith((NOTE, LOCK)) and item["id"].lower() not in own:
            yield item


def others(arm: Arm, at: Where, own: Collection[str]) -> list[str]:
    """Return the ids of what is in the group of a deployment and neither its own nor made by what is.

    `own` are ids in small letters, beside which all that has its tag is its own.
    """
    return [item["id"] for item in contents(arm, at) if not _is_own(item, at, own)]


def _is_own(item: dict[str, Any], at: Where, own: Collection[str]) -> bool:
    if (item.get("tags") or {}).get(NAME) == at.deployment:
        return True
    names = (item["id"].lower(), str(item.get("managedBy") or "").lower())  # a disk is managed by its machine
    return any(f"{name}/".startswith(f"{mine}/") for name in names for mine in own)
