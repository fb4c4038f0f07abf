"""The platforms of an edition as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.ui import new_table
from opdeploy.views.platforms import abilities
from opdeploy.words import edition_and_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from rich.console import Console

    from opdeploy.platform import Edition, Profile

NARROW = 72
"""Columns below which there is no room for titles."""


def show(console: Console, profiles: Sequence[Profile], edition: Edition, day: date) -> None:
    """Print a line for each platform, in the given order: those that can be had, then those that have ended."""
    heading = f"{len(profiles)} platforms ({edition_and_day(edition, day.isoformat())})"
    console.print(heading, style="bold", markup=False)
    alive = [profile for profile in profiles if not profile.lifecycle.ended(day)]
    able = [", ".join(abilities(profile, day)).replace("-", " ") for profile in alive]
    _show(
        console,
        ("platform", "title", "state", "opdeploy can"),
        ((item.id, item.title, item.lifecycle.on(day), can) for item, can in zip(alive, able, strict=True)),
    )
    if any(profile.only_when_named for profile in alive):
        console.print("When named: only if constraints.only in the workload file names it.", markup=False)
    ended = [profile for profile in profiles if profile.lifecycle.ended(day)]
    if ended:
        console.print()
        said = ((item.id, item.title, item.lifecycle.on(day) + _instead(item)) for item in ended)
        _show(console, ("ended", "title", "opdeploy can only say"), said)


def _show(console: Console, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table of ids, titles, where there is room for them, and more."""
    from rich.text import Text

    untitled = console.width < NARROW
    table = new_table(*_without_title(heads) if untitled else heads)
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*map(Text, _without_title(row) if untitled else row))
    console.print(table)


def _without_title(cells: Sequence[str]) -> tuple[str, ...]:
    return (cells[0], *cells[2:])


def _instead(profile: Profile) -> str:
    heirs = profile.lifecycle.successors
    return f"; see {' or '.join(heirs)}" if heirs else ""
