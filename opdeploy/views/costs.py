"""What platforms take and cost, in words: sizes, times, dollars, and how good each figure is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from opdeploy.costs import dollars, time, turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.recommendation import Basis, Cost, Line, Recommendation, Sizing

UNKNOWN = "not known"
GRADES: dict[Basis, str] = {
    "measured": "measured on this size",
    "scaled": "measured elsewhere, and carried over",
    "vendor": "a vendor's figure for this model",
    "chapter": "the chapter's figure",
    "estimate": "estimated from floating-point operations, and provisional",
}
"""What each grade of a capacity means, best first."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one platform takes and costs; a text is empty where nothing is known."""

    platform: str
    takes: str
    carries: str
    """What one instance does, with its bounds."""
    grade: str
    time: str
    monthly: str
    bounds: str
    """Between which the cost lies."""
    status: str


@dataclass(frozen=True, slots=True)
class Costs:
    """What there is to say about sizes and costs of an answer."""

    region: str
    time: str
    """What the times are of."""
    rows: tuple[Row, ...]
    grades: dict[str, str]
    """Those in the rows, with their meaning."""
    said: tuple[str, ...]
    prices: tuple[Line, ...]
    """Each price once, with its date and source."""


def costs(answer: Recommendation) -> Costs | None:
    """Return what an answer tells about sizes and costs; None in an edition without them."""
    if answer.region is None or not answer.ranked:
        return None
    sizings = [item.sizing for item in answer.ranked if item.sizing]
    lines = {
        (line.meter, line.region, line.date or "", line.price): line
        for item in answer.ranked
        for line in (item.cost.lines if item.cost else ())
    }
    used = {sizing.capacity.grade for sizing in sizings}
    return Costs(
        region=answer.region,
        time="a run" if any(sizing.run_s is not None for sizing in sizings) else "p95",
        rows=tuple(_row(item.platform, item.sizing, item.cost) for item in answer.ranked),
        grades={grade: meaning for grade, meaning in GRADES.items() if grade in used},
        said=tuple(_said(answer)),
        prices=tuple(lines[key] for key in sorted(lines)),
    )


def _row(platform: str, sizing: Sizing | None, cost: Cost | None) -> Row:
    known = cost if cost and cost.lines else None
    return Row(
        platform=platform,
        takes=takes(sizing) if sizing else "",
        carries=_carries(sizing) if sizing else "",
        grade=sizing.capacity.grade if sizing else "",
        time=time(sizing) if sizing else "",
        monthly=monthly(cost),
        bounds=_bounds(known) if known else "",
        status=cost.status if cost else "",
    )


def takes(sizing: Sizing) -> str:
    """Say which instances a platform takes."""
    standby = f", {sizing.spare} {'stands' if sizing.spare == 1 else 'stand'} by" if sizing.spare else ""
    times = "\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}"
    return f"{sizing.count}{times}{sizing.size}{' (Spot)' if sizing.spot else ''}{standby}"


def _carries(sizing: Sizing) -> str:
    capacity = sizing.capacity
    return f"{capacity.value:,.3g} {capacity.unit} ({capacity.low:,.3g} to {capacity.high:,.3g})"


def monthly(cost: Cost | None) -> str:
    """Tell what a month costs, in short: about so much, with borrowed prices; at least, where some are missing."""
    if cost is None or not (cost.lines or cost.status == "complete"):
        return UNKNOWN
    return {"complete": "", "borrowed": "about ", "partial": "at least "}[cost.status] + dollars(cost.monthly_usd)


def _bounds(cost: Cost) -> str:
    if cost.high is None:
        return f"{dollars(cost.low)} or more" if cost.low < cost.monthly_usd else ""
    return "" if cost.low == cost.high else f"{dollars(cost.low)} to {dollars(cost.high)}"


def decimal(value: float) -> str:
    """Write a figure with six digits and no exponent: prices of a second are small, and there are many."""
    return f"{Decimal(f'{value:.6g}'):,f}"


def _said(answer: Recommendation) -> Iterator[str]:
    """Yield what follows from costs and times, as sentences."""
    by_id = {item.platform: item for item in answer.ranked}
    found = [
        (name, item.cost, item.sizing)
        for name in answer.pareto
        if (item := by_id[name]) and item.cost is not None and item.sizing is not None
    ]
    if found:
        runs = found[0][2].run_s is not None
        does = "ends" if runs else "answers"
        if len(found) == 1:
            yield f"{found[0][0]} costs least and {does} soonest, of those whose cost is known whole."
        else:
            points = ", ".join(f"{name} ({monthly(cost)}, {time(sizing)})" for name, cost, sizing in found)
            yield (
                f"From the cheapest to the fastest: {points}. No other whose cost is known whole costs less than"
                f" one of these and {does} sooner too."
            )
    yield from turns(answer)
    yield from answer.notes
