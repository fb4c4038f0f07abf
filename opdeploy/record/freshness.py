"""How old each fact is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.markdown import table, text
from opdeploy.market.prices import GLOBAL, is_stale
from opdeploy.record.figures import exact, joined
from opdeploy.report import NOTHING
from opdeploy.speed import Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from opdeploy.market.sizes import Size
    from opdeploy.platform import Profile
    from opdeploy.recommendation import Line, Ranked
    from opdeploy.speed import Measured

HEADS = ("fact", "figure", "region", "source", "date", "")


class _Sources:
    """Numbers sources in the order in which they are named."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def number(self, name: str) -> str:
        if name not in self.names:
            self.names.append(name)
        return rf"\[{self.names.index(name) + 1}\]"


def freshness(
    best: Ranked, profile: Profile, size: Size | None, measured: tuple[Measured, ...], where: str | None, as_of: date
) -> Iterator[str]:
    """Yield a table of the facts that the answer rests on, with source and date, and below it the sources."""
    sources = _Sources()
    lines = best.cost.lines if best.cost else ()
    rows = [_price(item, sources, where, as_of) for item in lines]
    rows += [_measurement(item) for item in measured]
    if size:
        series = size.series
        rows.append((text(f"size {size.id}"), "", "", sources.number(series.source), series.date, ""))
    rows.append(_facts(profile))
    told = [column for column in zip(HEADS, *rows, strict=True) if any(column[1:])]
    heads, *cells = zip(*told, strict=True)
    yield from table(heads, cells)
    if sources.names:
        yield from ("", " ".join(f"{sources.number(name)} {text(name)}." for name in list(sources.names)))


def _price(line: Line, sources: _Sources, where: str | None, as_of: date) -> tuple[str, ...]:
    flags = (
        "**stale**" if is_stale(line.date, as_of) else "",
        "borrowed" if line.region not in (where, GLOBAL) else "",
    )
    each = f"${exact(line.price)} per {text(line.unit)}"
    source = sources.number(line.source)
    return text(line.meter), each, text(line.region), source, line.date or NOTHING, joined(flags)


def _measurement(item: Measured) -> tuple[str, ...]:
    deployed = not isinstance(item, Run) and item.runtime == "deployed"
    how = (
        "opdeploy model measure"
        if isinstance(item, Run)
        else "opdeploy deploy --load"
        if deployed
        else "opdeploy test-local"
    )
    on = ", ".join(item.machine.gpus) or item.machine.cpu or "a machine that it does not name"
    return text(f"speed of {item.model}"), "measured", "", text(f"{how}, on {on}"), text(item.date), ""


def _facts(profile: Profile) -> tuple[str, ...]:
    found = list(_evidence(profile.model_dump(mode="json")))
    dates = sorted(date for date, _ in found)
    grades = [grade for _, grade in found]
    counted = ", ".join(f"{grades.count(grade)} {grade}" for grade in sorted(set(grades)))
    days = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return f"`opdeploy docs {profile.id}`", counted, "", "", days, ""


def _evidence(value: object) -> Iterator[tuple[str, str]]:
    """Yield date and grade of every figure of a profile."""
    if isinstance(value, dict):
        if "grade" in value and "date" in value:
            yield value["date"], value["grade"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _evidence(part)
