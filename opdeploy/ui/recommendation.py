"""An answer as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy import costs, report
from opdeploy.advisor import TIE_BAND
from opdeploy.ui import new_table, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from opdeploy.recommendation import Recommendation

WIDE = 90
"""Columns from which criteria are written out."""
NARROW = 72
"""Columns below which there is no room for ratings."""
LEAST = {"grade": 92, "size": NARROW, "count": 56, "p95": 56, "run": 56}
"""Columns of a terminal from which there is room for a column of the table."""


def show(console: Console, answer: Recommendation, *, explain: bool, title: str | None) -> None:
    """Print an answer as tables; `title` is the best platform's, `explain` adds how each figure came about."""
    console.print(report.headline(answer), style="bold", markup=False)
    if answer.ranked:
        console.print(f"{title}: {answer.ranked[0].reasons[0]}\n", markup=False)
        priced = answer.region is not None
        console.print(sizes(answer, console.width) if priced else _ranking(answer, console.width))
    if answer.ties:
        console.print(tie(answer), markup=False)
    said = (*costs.legend(answer), *costs.each(answer), *answer.notes, *report.firmness(answer), *costs.turns(answer))
    for sentence in said:
        console.print(sentence, markup=False)
    leading = {answer.best, *answer.ties}
    for item in answer.ranked:
        for warning in item.warnings if explain or item.platform in leading else ():
            console.print(f"{item.platform}: {warning}", style="yellow", markup=False)
    if answer.excluded:
        console.print()
        _show_excluded(console, answer, explain=explain)
    if explain:
        if answer.region is not None and answer.ranked:
            _show_ways(console, answer)
        console.print()
        console.print(_contributions(answer))
        console.print()
        console.print(_assumptions(answer))
    elif answer.assumptions:
        console.print(f"\n{len(answer.assumptions)} values were assumed; --explain lists them.", markup=False)


def tie(answer: Recommendation) -> str:
    """Say what the sign before a score means."""
    cheap = ", in which the cheaper one comes first" if answer.region is not None else ""
    return f"= within {TIE_BAND} points of the best: a tie{cheap}"


def _show_excluded(console: Console, answer: Recommendation, *, explain: bool) -> None:
    """Print what is excluded, in a table where there is room for its words; what a word explains comes last."""
    plain = {} if explain else report.plainly_excluded(answer)
    table = _excluded(answer, {platform for ids in plain.values() for platform in ids}, explain=explain)
    if table.row_count and console.width >= NARROW:
        console.print(table)
    elif table.row_count:
        for platform, because, would_need in zip(*(column.cells for column in table.columns), strict=True):
            console.print(f"{platform or ' also'}: {because} Would need {would_need}.", markup=False)
    for why, ids in plain.items():
        more = "Also excluded" if table.row_count else "Excluded"
        console.print(f"{more}: {', '.join(ids)} ({why}).", markup=False)


def sizes(answer: Recommendation, width: int) -> Table:
    """Show what each platform takes, how soon it answers, and what it costs; less where there is no room."""
    timed = "run" if any(item.sizing and item.sizing.run_s is not None for item in answer.ranked) else "p95"
    columns = ["", "platform", "size", "count", timed, "a month", "score", "grade"]
    left_out = {column for column, least in LEAST.items() if width < least}
    kept = [column for column in columns if column not in left_out]
    table = new_table(*kept, right=("", "count", timed, "a month", "score"))
    for rank, item in enumerate(answer.ranked, 1):
        tie = "=" if item.platform in answer.ties else ""
        said = costs.Row.of(item)
        row = (
            str(rank),
            item.platform,
            said.size,
            said.instances,
            said.time,
            said.cost,
            f"{tie}{item.score:.0f}",
            said.grade,
        )
        cells = [cell for column, cell in zip(columns, row, strict=True) if column in kept]
        table.add_row(*cells, style="bold" if rank == 1 else "")
    for column in table.columns:
        column.no_wrap = True
    return table


def _show_ways(console: Console, answer: Recommendation) -> None:
    """Print how sizes and costs came about."""
    from rich.text import Text

    for item in answer.ranked:
        for sentence in item.sizing.why if item.sizing else ():
            console.print(printable(f"{item.platform}: {sentence}"), markup=False)
    console.print()
    table = new_table(
        "platform", "meter", "units", "price", "a month", "region", "date", right=("units", "price", "a month")
    )
    for item in answer.ranked:
        for index, line in enumerate(item.cost.lines if item.cost else ()):
            units = f"{line.quantity:,.6g} {line.unit}s"
            figures = (units, f"{line.price:g}", f"{line.usd:,.2f}", line.region, line.date or "undated")
            table.add_row("" if index else item.platform, *map(Text, (line.meter, *figures)))
        for missing in item.cost.missing if item.cost else ():
            table.add_row("" if item.cost and item.cost.lines else item.platform, Text(missing), "", "", "no price")
    console.print(table)
    console.print()
    console.print(_ranking(answer, console.width))


def _ranking(answer: Recommendation, width: int) -> Table:
    """Show ranks, scores and, where there is room, the rating by each criterion under its weight."""
    parts = answer.ranked[0].contributions if width >= NARROW else ()
    names = [part.criterion.split("_")[0][: None if width >= WIDE else 5] for part in parts]
    table = new_table("", "platform", "score", *names, right=("", "score", *names))
    if parts:
        table.add_row("", "weight", "", *(f"{part.weight:g}" for part in parts), style="dim")
    for rank, item in enumerate(answer.ranked, 1):
        tie = "=" if item.platform in answer.ties else ""
        ratings = [f"{part.rating:.2f}" for part in item.contributions[: len(parts)]]
        table.add_row(str(rank), item.platform, f"{tie}{item.score:.0f}", *ratings, style="bold" if rank == 1 else "")
    for column in table.columns:
        column.no_wrap = True
    return table


def _excluded(answer: Recommendation, but: set[str], *, explain: bool) -> Table:
    """Show what is excluded, but for some: with one reason, or with all."""
    from rich.text import Text

    table = new_table("excluded", "because", "would need")
    table.columns[0].no_wrap = True
    for item in answer.excluded:
        reasons = () if item.platform in but else item.reasons if explain else item.reasons[:1]
        more = f"; and {len(item.reasons) - 1} more" if len(item.reasons) > len(reasons) else ""
        for index, reason in enumerate(reasons):
            table.add_row("" if index else item.platform, Text(reason.text), Text(reason.would_need + more))
    return table


def _contributions(answer: Recommendation) -> Table:
    from rich.text import Text

    table = new_table(
        "platform", "criterion", "points", "weight", "rating", "why", "grade", right=("points", "weight", "rating")
    )
    for item in answer.ranked:
        for index, part in enumerate(item.contributions):
            figures = (f"{part.points:.1f}", f"{part.weight:g}", f"{part.rating:.2f}")
            table.add_row("" if index else item.platform, part.criterion, *figures, Text(part.why), part.grade)
    return table


def _assumptions(answer: Recommendation) -> Table:
    from rich.text import Text

    table = new_table("assumed", "value", "why")
    for item in answer.assumptions:
        table.add_row(item.field, Text(report.written(item.value)), Text(item.why))
    return table


def show_why_not(console: Console, answer: Recommendation, platform: str) -> None:
    """Print why a platform is not the recommended one."""
    for line in (report.headline(answer), *report.why_not(answer, platform)):
        console.print(line, markup=False)
