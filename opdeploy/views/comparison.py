"""Platforms side by side: a row for each attribute, with a cell for each platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opdeploy import words
from opdeploy.markdown import table, text
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from opdeploy.platform import AnyLimit, Edition, FlagLimit, Profile

BEST = "*"
"""Marks the best of a row, with and without colour."""


@dataclass(frozen=True)
class Cell:
    """What one platform has: as a value for a program, None where it is not known, and in words."""

    value: Any
    said: str
    lifted_by: str | None = None
    best: bool = False

    @property
    def full(self) -> str:
        """The words, with what would lift the limit."""
        return f"{self.said}; lifted by: {self.lifted_by}" if self.lifted_by else self.said


@dataclass(frozen=True)
class Row:
    """One attribute: its path in a profile, its name with the unit, and a cell for each platform."""

    attribute: str
    label: str
    cells: tuple[Cell, ...]


def rows(profiles: Sequence[Profile], day: date) -> tuple[Row, ...]:
    """Return what is compared: of the limits, those that any of the platforms knows."""
    return (*_character(profiles, day), *_ratings(profiles), *_needs(profiles), *_limits(profiles))


def headline(profiles: Sequence[Profile], edition: Edition, day: date) -> str:
    """Say what is compared, and for when."""
    *others, last = (profile.id for profile in profiles)
    return f"{', '.join(others)} and {last} ({words.edition_and_day(edition, day.isoformat())})"


def markdown(profiles: Sequence[Profile], edition: Edition, day: date) -> str:
    """Write the comparison as Markdown; the best of a row is bold."""
    compared = (
        [text(row.label), *(f"**{text(cell.full)}**" if cell.best else text(cell.full) for cell in row.cells)]
        for row in rows(profiles, day)
    )
    head = ("", *(profile.id for profile in profiles))
    return "\n".join((f"# {headline(profiles, edition, day)}", "", *table(head, compared))) + "\n"


def as_data(profiles: Sequence[Profile], day: date) -> list[dict[str, object]]:
    """Return the comparison for a program: values by platform, the best, and what would lift a limit."""
    ids = [profile.id for profile in profiles]
    return [
        {
            "attribute": row.attribute,
            "label": row.label,
            "values": {platform: cell.value for platform, cell in zip(ids, row.cells, strict=True)},
            "best": [platform for platform, cell in zip(ids, row.cells, strict=True) if cell.best],
            "lifted_by": {
                platform: cell.lifted_by for platform, cell in zip(ids, row.cells, strict=True) if cell.lifted_by
            },
        }
        for row in rows(profiles, day)
    ]


def _character(profiles: Sequence[Profile], day: date) -> Iterator[Row]:
    yield _row("title", "title", [profile.title for profile in profiles])
    cycles = [profile.lifecycle for profile in profiles]
    cells = (Cell(cycle.state_on(day), cycle.on(day)) for cycle in cycles)
    yield Row("state", "state", tuple(cells))
    yield _row("best_for", "best for", [profile.best_for for profile in profiles])
    yield Row("not_for", "not for", tuple(Cell(profile.not_for, "; ".join(profile.not_for)) for profile in profiles))


def _ratings(profiles: Sequence[Profile]) -> Iterator[Row]:
    for criterion in CRITERIA:
        values = [profile.ratings.of(criterion).value for profile in profiles]
        # Where all are equal, none is better than another.
        top = max(values) if len(set(values)) > 1 else None
        cells = (Cell(value, f"{value:.2f}", best=value == top) for value in values)
        yield Row(f"ratings.{criterion}", words.plain(criterion), tuple(cells))


def _needs(profiles: Sequence[Profile]) -> Iterator[Row]:
    yield _row("place", "place, batch 0 to real time 1", [profile.place.value for profile in profiles])
    yield _row("patterns", "patterns", [profile.patterns.value for profile in profiles])
    yield _row("stages", "stages, 0 to 1", [profile.stages.value for profile in profiles])
    yield _row("skills", "skills", [profile.skills.value for profile in profiles])
    yield _row("docker", "Docker", [profile.docker.value for profile in profiles])
    yield _row("spark", "Spark", [_has(profile.spark) for profile in profiles])
    yield _row("single_node", "single machine", [_has(profile.single_node) for profile in profiles])
    lives = [(profile.lifetime, words.living(profile.lifetime)) for profile in profiles]
    cells = (Cell({"at_least": life.at_least, "at_most": life.at_most} if life else None, said) for life, said in lives)
    yield Row("lifetime", "lifetime", tuple(cells))
    yield _row("data_in_place", "data read in place", [profile.data_in_place.value for profile in profiles])
    if any(profile.data_required for profile in profiles):
        required = [profile.data_required.value if profile.data_required else None for profile in profiles]
        cells = (Cell(value, words.shown(value) if value else "any") for value in required)
        yield Row("data_required", "only for data in", tuple(cells))


def _limits(profiles: Sequence[Profile]) -> Iterator[Row]:
    for name in words.LIMITS:
        limits: list[AnyLimit | None] = [getattr(profile.limits, name) for profile in profiles]
        if any(limits):
            yield Row(f"limits.{name}", words.heading(name), tuple(_limit(limit) for limit in limits))


def _limit(limit: AnyLimit | None) -> Cell:
    if limit is None:
        return Cell(None, words.shown(None))
    dumped = limit.model_dump(mode="json")
    return Cell(dumped["value"], words.shown(limit.value), limit.lifted_by)


def _row(attribute: str, label: str, values: Sequence[object]) -> Row:
    return Row(attribute, label, tuple(Cell(value, words.shown(value)) for value in values))


def _has(flag: FlagLimit | None) -> bool:
    return bool(flag and flag.value)
