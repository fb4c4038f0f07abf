"""Platforms side by side: as columns where there is room, else below each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.ui import new_table
from opdeploy.views.comparison import BEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from opdeploy.views.comparison import Cell, Row

LABEL = 14
"""The fewest columns of a row's name."""
CELL = 19
"""The fewest columns of a platform: below that, sentences fall to pieces."""
GAP = 3
"""Columns between two cells."""


def show(console: Console, headline: str, ids: Sequence[str], rows: Sequence[Row]) -> None:
    """Print the comparison, as wide as there is room for it."""
    console.print(headline, style="bold", markup=False)
    label = min(max(LABEL, console.width // 6), max(len(row.label) for row in rows))
    room = (console.width - label) // len(ids) - GAP
    console.print(_columns(ids, rows, label) if room >= CELL else _stacked(ids, rows))
    console.print(f"{BEST} best of its row. opdeploy docs ID gives reasons and sources.", markup=False)


def _columns(ids: Sequence[str], rows: Sequence[Row], label: int) -> Table:
    """Show a column for each platform, all of the same width."""
    from rich.text import Text

    table = new_table("", *ids)
    table.columns[0].width = label
    for column in table.columns[1:]:
        column.ratio = 1
    for row in rows:
        table.add_row(Text(row.label), *map(_text, row.cells))
    return table


def _stacked(ids: Sequence[str], rows: Sequence[Row]) -> Table:
    """Show a line for each platform below the name of each row."""
    from rich.table import Table
    from rich.text import Text

    stack = Table.grid()
    for row in rows:
        stack.add_row(Text(f"\n{row.label}", style="bold"))
        lines = Table.grid(padding=(0, 2, 0, 0))
        lines.add_column(no_wrap=True, min_width=max(map(len, ids)) + 2)
        lines.add_column(overflow="fold")
        for platform, cell in zip(ids, row.cells, strict=True):
            lines.add_row(f"  {platform}", _text(cell))
        stack.add_row(lines)
    return stack


def _text(cell: Cell) -> Text:
    from rich.text import Text

    return Text(f"{cell.full} {BEST}" if cell.best else cell.full, style="bold" if cell.best else "")
