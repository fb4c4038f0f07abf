"""What sizes and costs of an answer say in words: pure text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.recommendation import Cost, Ranked, Recommendation, Sizing

UNKNOWN = "-"
AT_LEAST, ABOUT = "≥", "~"
"""Before a cost of which a part has no price, and before one with prices of other regions."""
CENTS_BELOW = 10
"""Dollars up to which cents are shown."""
MINUTE, HOUR = 60, 3600
LONG = 1.5
"""So many of a unit are told in it, fewer in the next smaller one."""


class Row(NamedTuple):
    """A platform's cells."""

    size: str
    instances: str
    time: str
    cost: str
    grade: str

    @classmethod
    def of(cls, item: Ranked) -> Self:
        """Return those of a platform."""
        sizing = item.sizing
        if sizing is None:
            return cls(UNKNOWN, UNKNOWN, UNKNOWN, money(item.cost), UNKNOWN)
        size = sizing.size.removeprefix("Standard_").replace("Consumption-GPU", "GPU")
        size += " Spot" if sizing.spot else ""
        return cls(size, str(sizing.count), time(sizing), money(item.cost), sizing.capacity.grade)


def money(cost: Cost | None) -> str:
    """Write what a month costs, with a sign before what is not the whole, or not of this region."""
    if cost is None or not (cost.lines or cost.status == "complete"):
        return UNKNOWN
    return {"complete": "", "borrowed": ABOUT, "partial": AT_LEAST}[cost.status] + dollars(cost.monthly_usd)


def dollars(usd: float) -> str:
    """Write an amount as finely as it matters."""
    return f"${usd:,.2f}" if 0 < usd < CENTS_BELOW else f"${usd:,.0f}"


def small(usd: float) -> str:
    """Write an amount which may be one of cents, without an exponent."""
    if usd >= 1 or not usd:
        return f"${usd:,.2f}"
    cents = f"{float(f'{100 * usd:.2g}'):,.12f}".rstrip("0").rstrip(".")
    return f"{cents} cents"


def time(sizing: Sizing) -> str:
    """Tell how long a request takes, or a run."""
    return duration(sizing.p95_ms / 1000 if sizing.p95_ms is not None else sizing.run_s or 0.0)


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < LONG * MINUTE:
        return f"{seconds:.3g} s"
    if seconds < LONG * HOUR:
        return f"{seconds / MINUTE:.3g} min"
    return f"{seconds / HOUR:.3g} h"


def legend(answer: Recommendation) -> Iterator[str]:
    """Say what the signs mean, and where and of when prices are."""
    costs = [item.cost for item in answer.ranked if item.cost]
    lines = [line for cost in costs for line in cost.lines]
    if not lines:
        return
    signs = {cost.status for cost in costs}
    days = sorted(line.date for line in lines if line.date)
    dated = f", listed {days[0]} to {days[-1]}" if days else ""
    said = [f"US dollars, at prices of {answer.region}{dated}"]
    if "borrowed" in signs:
        said.append(f"{ABOUT} some of the nearest region that has one")
    if "partial" in signs:
        said.append(f"{AT_LEAST} a part has no price")
    yield "; ".join(said) + "."


def each(answer: Recommendation) -> Iterator[str]:
    """Say what records cost on the best platform: a million of them, and ten thousand as the chapter counts images."""
    cost = answer.ranked[0].cost if answer.ranked else None
    if cost is None or cost.per_million_records is None:
        return
    million = cost.per_million_records
    least = "at least " if cost.missing else ""
    yield f"{answer.best}: {least}{small(million)} for a million records, {small(million / 100)} for 10,000."


def turns(answer: Recommendation) -> Iterator[str]:
    """Say at which loads platforms change places by cost."""
    for item in answer.break_even:
        yield f"{item.cheaper} costs less than {item.than} above {item.above:g} times this load."
