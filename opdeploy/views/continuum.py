"""The line from batch to real time: the chapter's figure 10-7, of either edition, and a workload's own place on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from opdeploy.words import edition_and_day

if TYPE_CHECKING:
    from datetime import date

    from opdeploy.catalogue import Catalogue
    from opdeploy.platform import Edition, Grade, Group

JUDGED = "*"
ENDED = "†"
LABEL_INDENT = 4
"""Columns before a label's text: a branch, the mark of its group, and spaces."""
SHORTEST_AXIS = 24
LINE_COLUMNS = 110
"""Columns of a layout that has all the room it needs, such as that of a picture."""


@dataclass(frozen=True, slots=True)
class Point:
    """A platform at its place from 0 (batch) to 1 (real time)."""

    platform: str
    title: str
    place: float
    group: Group
    grade: Grade
    ended: bool

    @property
    def label(self) -> str:
        """The id, marked where its place is a judgement, and where it cannot be had any more."""
        return self.platform + (JUDGED if self.grade == "judgement" else "") + (ENDED if self.ended else "")


@dataclass(frozen=True, slots=True)
class Own:
    """A workload and its place."""

    workload: str
    place: float


@dataclass(frozen=True, slots=True)
class Continuum:
    """Points from batch to real time, and the ids of platforms without a place."""

    edition: Edition
    as_of: str
    points: tuple[Point, ...]
    without_place: tuple[str, ...]
    own: Own | None

    @property
    def headline(self) -> str:
        """What it shows, in a few words."""
        return f"From batch to real time, {edition_and_day(self.edition, self.as_of)}"

    @property
    def groups(self) -> set[Group]:
        """The groups that are drawn."""
        return {point.group for point in self.points}

    @property
    def notes(self) -> list[str]:
        """What the marks on the labels mean, and what has no place."""
        found = []
        if any(JUDGED in point.label for point in self.points):
            found.append(f"{JUDGED} its place is a judgement: the chapter does not draw it")
        if any(point.ended for point in self.points):
            found.append(f"{ENDED} cannot be had any more")
        if self.without_place:
            found.append(f"Without a place: {', '.join(self.without_place)}")
        return found

    def records(self) -> list[dict[str, Any]]:
        """Return each point as data; the workload's own is the one without a platform."""
        found: list[dict[str, Any]] = [
            {
                "platform": p.platform,
                "title": p.title,
                "place": p.place,
                "group": p.group,
                "grade": p.grade,
                "ended": p.ended,
            }
            for p in self.points
        ]
        if self.own:
            own = {"platform": None, "title": self.own.workload, "place": self.own.place, "group": None}
            found.append(own | {"grade": "judgement", "ended": False})
        return sorted(found, key=lambda record: record["place"])


def continuum(catalogue: Catalogue, day: date, own: Own | None = None) -> Continuum:
    """Return the continuum of an edition as on a day."""
    points = [
        Point(profile.id, profile.title, place.value, place.group, place.grade, profile.lifecycle.ended(day))
        for profile in catalogue.profiles
        if (place := profile.place).value is not None and place.group is not None
    ]
    points.sort(key=lambda point: (point.place, point.platform))
    without = tuple(profile.id for profile in catalogue.profiles if profile.place.value is None)
    return Continuum(catalogue.edition, day.isoformat(), tuple(points), without, own)


@dataclass(frozen=True, slots=True)
class Stack:
    """Labels below one column of the axis: a stem leads down to rows `top` and following, one for each point."""

    column: int
    top: int
    points: tuple[Point, ...]

    @property
    def bottom(self) -> int:
        """The row of the last label."""
        return self.top + len(self.points) - 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in cells of one character: the axis has `axis` columns, labels have `rows` rows below it."""

    axis: int
    stacks: tuple[Stack, ...]

    @property
    def rows(self) -> int:
        """How many rows of labels there are."""
        return max(stack.bottom + 1 for stack in self.stacks)

    @property
    def columns(self) -> int:
        """How many columns the axis and the labels take."""
        ends = (stack.column + LABEL_INDENT + len(p.label) for stack in self.stacks for p in stack.points)
        return max(self.axis, *ends)

    def column(self, place: float) -> int:
        """Return the column of a place."""
        return column_of(place, self.axis)


def column_of(place: float, axis: int) -> int:
    """Return the column of a place on an axis of so many columns."""
    return round(place * (axis - 1))


def layout(view: Continuum, columns: int) -> Layout:
    """Return a layout in which no label meets another, with the longest axis that so many columns allow."""
    tried = (_stacked(view, axis) for axis in range(columns, SHORTEST_AXIS, -1))
    return next((found for found in tried if found.columns <= columns), _stacked(view, SHORTEST_AXIS))


def _stacked(view: Continuum, axis: int) -> Layout:
    """Place labels from right to left: a label that reaches under another stem goes below all that hangs there."""
    stacks: list[Stack] = []
    for column, group in groupby(reversed(view.points), key=lambda point: column_of(point.place, axis)):
        points = tuple(reversed(list(group)))
        end = column + LABEL_INDENT + max(len(point.label) for point in points)
        top = max((stack.bottom + 1 for stack in stacks if stack.column <= end), default=0)
        stacks.append(Stack(column, top, points))
    return Layout(axis, tuple(reversed(stacks)))
