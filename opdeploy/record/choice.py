"""The answer, what else there is, and why not that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy import report
from opdeploy.costs import small
from opdeploy.markdown import table, text
from opdeploy.record.figures import figure, joined, monthly, usd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.recommendation import Branch, Capacity, Cost, Ranked, Recommendation, Sizing

MOST = 2
"""Criteria that are named where a platform comes after the best one."""


def answered(best: Ranked, title: str, region: str | None) -> Iterator[str]:
    """Yield what was answered: platform, size, time, cost, and how sure that is."""
    sizing, cost = best.sizing, best.cost
    size = f": {text(_instances(sizing))}; {_time(sizing)}" if sizing else ""
    yield f"**{best.platform}** ({text(title)}){size}. Score: {best.score:.0f} of 100"
    if cost:
        yield f"**Cost:** {text(_cost(cost, region))}"
    if sizing:
        yield f"**How sure:** {text(_sure(sizing))}"
    yield f"**Why:** {text('; '.join(reason.rstrip('.') for reason in best.reasons))}"
    if best.warnings:
        yield f"**Warning:** {text('; '.join(warning.rstrip('.') for warning in best.warnings))}"


def _instances(sizing: Sizing) -> str:
    return joined(
        (
            f"{sizing.count} x {sizing.size}",
            f"variant {sizing.variant}" if sizing.variant else "",
            "spot capacity" if sizing.spot else "",
            f"{sizing.spare} of them standing by" if sizing.spare else "",
        )
    )


def _time(sizing: Sizing) -> str:
    if sizing.p95_ms is not None:
        return f"p95 at the peak: {figure(sizing.p95_ms)} ms"
    return f"a run: {figure(sizing.run_s)} s" if sizing.run_s is not None else "its time is not known"


def _cost(cost: Cost, region: str | None) -> str:
    if not cost.lines:
        return f"not known: without a price are {', '.join(cost.missing)}"
    between = f"between {usd(cost.low)} and {usd(cost.high)}" if cost.high is not None else ""
    each = cost.per_million_records
    return joined(
        (
            f"{monthly(cost)} a month in {region}",
            between if cost.high != cost.low else "",
            "" if each is None else f"{small(each)} per million records, {small(each / 100)} per 10,000",
            "some prices are those of another region" if cost.status == "borrowed" else "",
            f"without a price: {', '.join(cost.missing)}" if cost.missing else "",
        ),
        "; ",
    )


def _sure(sizing: Sizing) -> str:
    found = sizing.capacity
    branches = [f"{_between(branch)} on {' or '.join(branch.processors)}" for branch in found.branches]
    return joined(
        (
            f"{found.grade}, an instance carries {_between(found)} {found.unit}",
            f"by its processor: {'; '.join(branches)}" if branches else "",
            sizing.why[0] if sizing.why else "",
        ),
        ". ",
    )


def _between(found: Capacity | Branch) -> str:
    return f"{figure(found.value)} ({figure(found.low)} to {figure(found.high)})"


def alternatives(answer: Recommendation) -> Iterator[str]:
    """Yield a table of all that can run the workload, the answer first."""
    best = answer.ranked[0]
    sized = any(item.sizing or item.cost for item in answer.ranked)
    runs = any(item.sizing and item.sizing.run_s is not None for item in answer.ranked)
    heads = ("size", "count", "run (s)" if runs else "p95 (ms)", "a month") if sized else ()
    rows = (
        (
            str(rank),
            item.platform,
            *(_size(item) if sized else ()),
            f"{item.score:.0f}",
            *((item.sizing.capacity.grade if item.sizing else report.NOTHING,) if sized else ()),
            text(_why_not(best, item)),
        )
        for rank, item in enumerate(answer.ranked, 1)
    )
    yield from table(("", "platform", *heads, "score", *(("grade",) if sized else ()), "why not"), rows)


def _size(item: Ranked) -> tuple[str, ...]:
    sizing = item.sizing
    if sizing is None:
        return report.NOTHING, report.NOTHING, report.NOTHING, monthly(item.cost)
    time = sizing.run_s if sizing.p95_ms is None else sizing.p95_ms
    return text(sizing.size), str(sizing.count), report.NOTHING if time is None else figure(time), monthly(item.cost)


def _why_not(best: Ranked, item: Ranked) -> str:
    """Say in a few words why a platform comes after the best one."""
    if item is best:
        return "the answer"
    lost = report.gaps(best, item)[:MOST]
    words = [f"{gap.points:.1f} in {gap.of_best.criterion}" for gap in lost if gap.points > 0]
    return f"loses {', '.join(words)}" if words else "comes later in the tie"
