"""A resource group that was made for a deployment, and in which others have something: it stays. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.targets.azure.kinds import kind_of, name_of, type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opdeploy.deployment import Observed

_MOST = 5


def others(observed: Observed) -> list[str]:
    """Return the ids of what others have in the group of a deployment, where that was made for it."""
    group = observed.facts.get("group")
    found = group.get("others") if isinstance(group, dict) else None
    return [*map(str, found)] if isinstance(found, list) else []


def stays(group: str | None, others: Sequence[str]) -> str:
    """Say why a group is not removed with the deployment that it was made for."""
    named = [f"{_kind(item)} {name_of(item)}" for item in others[:_MOST]]
    more = [f"{len(others) - _MOST} more"] if len(others) > _MOST else []
    return f"the resource group {group} stays: others have something in it: {', '.join([*named, *more])}"


def _kind(resource: str) -> str:
    kind = kind_of(resource)
    return kind.name if kind else type_of(resource)
