"""The continuum as a line of characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.platform import GROUPS, Group
from opdeploy.views.continuum import LINE_COLUMNS, layout

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from opdeploy.views.continuum import Continuum, Layout, Own, Point

MARKS: dict[Group, str] = dict(zip(GROUPS, "▲■◆●✚", strict=True))
STYLES: dict[Group, str] = dict(zip(GROUPS, ("red", "magenta", "yellow", "cyan", "green"), strict=True))


def show(console: Console, view: Continuum) -> None:
    """Print the line with its labels, or a list where there is no room for one; then what the marks mean."""
    console.print(view.headline, style="bold", markup=False)
    console.print()
    found = layout(view, min(console.width, LINE_COLUMNS))
    drawing = _drawing(view, found)
    for line in drawing if all(line.cell_len <= console.width for line in drawing) else _list(view):
        console.print(line)
    console.print()
    _legend(console, view)


def _drawing(view: Continuum, found: Layout) -> list[Text]:
    from rich.text import Text

    ends = "batch" + "real time".rjust(found.axis - len("batch"))
    stems = {stack.column for stack in found.stacks}
    axis = "".join("┬" if column in stems else "─" for column in range(found.axis))
    lines = [Text(ends, style="bold"), *(_own(view.own, found) if view.own else ()), Text(axis)]
    return lines + [_row(found, row) for row in range(found.rows)]


def _own(own: Own, found: Layout) -> list[Text]:
    from rich.text import Text

    name = f"{own.workload} {own.place:.2f}"
    column = found.column(own.place)
    start = min(column, max(found.axis - len(name), 0))
    return [Text(" " * start + name, style="bold"), Text(" " * column + "▼", style="bold")]


def _row(found: Layout, row: int) -> Text:
    from rich.text import Text

    line = Text()
    for stack in found.stacks:
        if stack.bottom < row:
            continue
        line.append(" " * (stack.column - len(line)))
        if stack.top > row:
            line.append("│")
        else:
            branch = "└" if stack.bottom == row else "├"
            line.append(branch + " ").append_text(_label(stack.points[row - stack.top]))
    return line


def _label(point: Point) -> Text:
    from rich.text import Text

    style = "dim" if point.ended else STYLES[point.group]
    return Text.assemble((f"{MARKS[point.group]} ", style), (point.label, "dim" if point.ended else ""))


def _list(view: Continuum) -> list[Text]:
    from rich.text import Text

    lines = [(point.place, Text(f"{point.place:<5g} ").append_text(_label(point))) for point in view.points]
    if view.own:
        lines.append((view.own.place, Text(f"{view.own.place:<5g} ▼ {view.own.workload}", style="bold")))
    found = [line for _, line in sorted(lines, key=lambda item: item[0])]
    return [Text("batch", style="bold"), *found, Text("real time", style="bold")]


def _legend(console: Console, view: Continuum) -> None:
    from rich.text import Text

    drawn = [group for group in GROUPS if group in view.groups]
    marks = [Text.assemble((MARKS[group], STYLES[group]), f" {GROUPS[group]}") for group in drawn]
    on_one_line = Text("   ").join(marks)
    for line in [on_one_line] if on_one_line.cell_len <= console.width else marks:
        console.print(line)
    for note in view.notes:
        console.print(note, markup=False)
