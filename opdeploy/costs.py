"""What sizes and costs of an answer say in words: pure text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.recommendation import Cost, Ranked, Recommendation

UNKNOWN = "-"
AT_LEAST, ABOUT = "≥", "~"
"""Before a cost of which a part has no price, and before one with prices of other regions."""
_MINUTE = 120
_HOUR = 7200


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
        time = duration(sizing.run_s) if sizing.p95_ms is None else latency(sizing.p95_ms)
        return cls(size, str(sizing.count), time, money(item.cost), sizing.capacity.grade)


def money(cost: Cost | None) -> str:
    """Write what a month costs, with a sign before what is not the whole, or not of this region."""
    if cost is None or (not cost.lines and cost.missing):
        return UNKNOWN
    sign = {"complete": "", "borrowed": ABOUT, "partial": AT_LEAST}[cost.status]
    return f"{sign}${cost.monthly_usd:,.0f}" if cost.monthly_usd >= 1 else f"{sign}${cost.monthly_usd:.2f}"


def latency(milliseconds: float) -> str:
    """Write how soon answers come."""
    return f"{milliseconds:.3g} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.3g} s"  # noqa: PLR2004


def duration(seconds: float | None) -> str:
    """Write how long a run takes."""
    if seconds is None:
        return UNKNOWN
    if seconds < _MINUTE:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < _HOUR else f"{seconds / 3600:.3g} h"


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


def turns(answer: Recommendation) -> Iterator[str]:
    """Say at which loads platforms change places by cost."""
    for item in answer.break_even:
        yield f"{item.cheaper} costs less than {item.than} from {item.above:g} times this load on."
