"""The platforms of an edition on one day: their order, and what opdeploy can do there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from opdeploy import targets

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from opdeploy.platform import Profile

Ability = Literal["recommend", "recommend-when-named", "deploy"]


def abilities(profile: Profile, day: date) -> tuple[Ability, ...]:
    """Return what opdeploy can do with a platform on a day; nothing with one that has ended."""
    if profile.lifecycle.ended(day):
        return ()
    named = profile.only_when_named
    recommends: Ability = "recommend-when-named" if named and named.value else "recommend"
    return (recommends, "deploy") if profile.id in targets.ids() else (recommends,)


def in_order(profiles: Iterable[Profile], day: date) -> list[Profile]:
    """Return the platforms that can be had, then those that have ended, each from batch to real time."""
    return sorted(profiles, key=lambda profile: (profile.lifecycle.ended(day), profile.place.order, profile.id))


def as_data(profile: Profile, day: date) -> dict[str, object]:
    """Return what the list says of a platform, for a program."""
    cycle = profile.lifecycle
    return {
        "platform": profile.id,
        "title": profile.title,
        "state": cycle.state_on(day),
        "until": cycle.until.isoformat() if cycle.until else None,
        "successors": cycle.successors,
        "best_for": profile.best_for,
        "can": abilities(profile, day),
    }
