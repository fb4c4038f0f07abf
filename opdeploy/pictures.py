"""Draws what there is to look at as SVG and PNG: one matplotlib figure for both, with its own fonts as outlines."""

from __future__ import annotations

import io
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from opdeploy import words
from opdeploy.errors import OpdeployError
from opdeploy.platform import GROUPS
from opdeploy.views import palette
from opdeploy.views.continuum import LABEL_INDENT, LINE_COLUMNS, layout
from opdeploy.views.then_now import HEADLINE
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from opdeploy.platform import Group
    from opdeploy.views.continuum import Continuum, Layout, Point
    from opdeploy.views.heatmap import Heatmap, Row
    from opdeploy.views.then_now import Pair

Form = Literal["svg", "png"]

CELL_INCHES = (0.95, 0.3)
"""Width and height of a cell of a heatmap."""
LETTER_INCHES = (0.085, 0.22)
"""Width and height of a cell of the continuum."""
DOTS_PER_INCH = 120
INK = palette.LIGHT.ink
GREY = "#6b6b6b"
GROUP_MARKS: dict[Group, str] = dict(zip(GROUPS, "^sDoP", strict=True))


def heatmap(view: Heatmap, form: Form) -> bytes:
    """Draw a heatmap."""
    with _figure() as figure:
        end = len(CRITERIA) + 2 * view.ranking
        axes = _axes(figure, CELL_INCHES, end, len(view.rows))
        _criteria(axes, ["fit", "score"] if view.ranking else [], above=1 if view.weights else 0)
        for column, weight in enumerate(view.weights.values()):
            _text(axes, column + 0.5, -0.5, f"{weight:g}", weight="bold")
        if view.weights:
            _text(axes, -0.15, -0.5, "weight", align="right")
        for index, row in enumerate(view.rows):
            _row(axes, row, index, end)
        notes = ["grey: no candidate"] * any(row.out for row in view.rows)
        judged = any(row.grade == "judgement" for row in view.rows)
        notes += ["judgement: not all ratings are figures of the chapter"] * judged
        _scale(axes, len(view.rows) + 0.6, notes)
        _headline(axes, view.headline)
        return _saved(figure, form, view.headline)


def then_now(pairs: tuple[Pair, ...], form: Form) -> bytes:
    """Draw both editions side by side; what changed has a frame."""
    now_at = len(CRITERIA) + 0.5
    with _figure() as figure:
        axes = _axes(figure, CELL_INCHES, now_at + len(CRITERIA), len(pairs))
        for start, edition in ((0.0, "2018"), (now_at, "2026")):
            _criteria(axes, [], start=start)
            _text(axes, start + len(CRITERIA) / 2, -2.0, edition, weight="bold")
        for index, pair in enumerate(pairs):
            grey = pair.kind == "ended"
            _text(axes, -0.15, index + 0.5, pair.title, align="right", grey=grey)
            for column, (then, now) in enumerate(pair.ratings):
                if pair.then:
                    _cell(axes, column, index, then, grey=False)
                _cell(axes, now_at + column, index, now, grey=grey, framed=then != now)
            _text(axes, now_at + len(CRITERIA) + 0.15, index + 0.5, pair.note, align="left", grey=grey)
        _scale(axes, len(pairs) + 0.6, ["framed: changed", "grey: cannot be had any more"])
        _headline(axes, HEADLINE)
        return _saved(figure, form, HEADLINE)


def continuum(view: Continuum, form: Form) -> bytes:
    """Draw the continuum, with its labels where a wide terminal has them."""
    found = layout(view, LINE_COLUMNS)
    with _figure() as figure:
        axes = _axes(figure, LETTER_INCHES, LINE_COLUMNS, found.rows + 2)
        _line(axes, view, found)
        for stack in found.stacks:
            axes.plot([stack.column] * 2, [0, stack.bottom + 1], color=GREY, linewidth=0.8, zorder=1)
            for offset, point in enumerate(stack.points):
                _label(axes, stack.column, stack.top + offset + 1, point)
        _groups(axes, view, found.rows + 1.8)
        for index, note in enumerate(view.notes):
            _text(axes, 0, found.rows + 3 + index, note, align="left", size=7.5, grey=True)
        _headline(axes, view.headline)
        return _saved(figure, form, view.headline)


def _line(axes: Axes, view: Continuum, found: Layout) -> None:
    end = found.axis - 1
    axes.annotate("", (end + 1.5, 0), (-1, 0), arrowprops={"arrowstyle": "<->", "color": INK, "linewidth": 1.4})
    _text(axes, 0, -0.9, "batch", align="left", weight="bold")
    _text(axes, end, -0.9, "real time", align="right", weight="bold")
    for stack in found.stacks:
        axes.plot(
            stack.column, 0, marker="o", markersize=7, color=palette.GROUP_COLOURS[stack.points[0].group], zorder=3
        )
    if view.own:
        column = found.column(view.own.place)
        axes.plot(column, -0.55, marker="v", markersize=8, color=INK, zorder=3)
        _text(axes, column, -1.5, f"{view.own.workload} {view.own.place:.2f}", weight="bold")


def _label(axes: Axes, column: int, row: float, point: Point) -> None:
    colour = GREY if point.ended else palette.GROUP_COLOURS[point.group]
    axes.plot([column, column + 1], [row, row], color=GREY, linewidth=0.8, zorder=1)
    axes.plot(column + 2, row, marker=GROUP_MARKS[point.group], markersize=5, color=colour)
    _text(axes, column + LABEL_INDENT - 0.7, row, point.label, align="left", grey=point.ended)


def _groups(axes: Axes, view: Continuum, row: float) -> None:
    column = 0.0
    for group, meaning in GROUPS.items():
        if group in view.groups:
            axes.plot(column + 0.5, row, marker=GROUP_MARKS[group], markersize=5, color=palette.GROUP_COLOURS[group])
            _text(axes, column + 2, row, meaning, align="left")
            column += len(meaning) + 6


def _row(axes: Axes, row: Row, index: int, end: int) -> None:
    grey = row.out is not None
    name = row.title if row.rank is None else f"{row.rank}.  {row.title}"
    _text(axes, -0.15, index + 0.5, name, align="right", grey=grey)
    for column, value in enumerate(row.ratings):
        _cell(axes, column, index, value, grey=grey)
    if row.fit is not None:
        _cell(axes, len(CRITERIA), index, row.fit, grey=False)
    if row.score is not None:
        _text(axes, end - 0.5, index + 0.5, f"{'= ' if row.tie else ''}{row.score:.0f}", weight="bold")
    note = row.out or ("judgement" if row.grade == "judgement" else "")
    _text(axes, end + 0.15, index + 0.5, note, align="left", grey=True)


def _cell(axes: Axes, column: float, row: float, rating: float, *, grey: bool, framed: bool = False) -> None:
    from matplotlib.patches import Rectangle

    colour = "#f2f2f2" if grey else palette.colour(rating)
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.5))
    if framed:
        inner = Rectangle((column + 0.04, row + 0.1), 0.92, 0.8, fill=False, edgecolor=INK, linewidth=1.3, zorder=3)
        axes.add_patch(inner)
    _text(axes, column + 0.5, row + 0.5, f"{rating:.2f}", grey=grey)


def _criteria(axes: Axes, more: list[str], *, start: float = 0, above: float = 0) -> None:
    for column, criterion in enumerate([*CRITERIA, *more]):
        name = words.plain(criterion).replace("ease of ", "ease of\n").replace("data ", "data\n")
        _text(axes, start + column + 0.5, -0.15 - above, name, vertical="bottom")


def _scale(axes: Axes, row: float, notes: list[str]) -> None:
    from matplotlib.patches import Rectangle

    steps = 20
    _text(axes, -0.1, row + 0.3, "poor", align="right")
    for step in range(steps):
        place = (2.0 * step / steps, row + 0.1)
        patch = Rectangle(place, 2.02 / steps, 0.4, facecolor=palette.colour(step / (steps - 1)), linewidth=0)
        axes.add_patch(patch)
    _text(axes, 2.1, row + 0.3, "good", align="left")
    _text(axes, 2.8, row + 0.3, "; ".join(notes), align="left", grey=True, size=8)


def _headline(axes: Axes, headline: str) -> None:
    """Write the headline above everything else, where the leftmost text starts."""
    boxes = [text.get_window_extent() for text in axes.texts]
    corner = (min(box.x0 for box in boxes), max(box.y1 for box in boxes))
    left, top = axes.transData.inverted().transform(corner)
    _text(axes, left, top - 1, headline, align="left", weight="bold", size=11)


def _axes(figure: Figure, cell: tuple[float, float], columns: float, rows: float) -> Axes:
    """Return axes in cells of a size in inches: y goes down, and marks beyond the edges are cut off; text is not."""
    edge = 2
    figure.set_size_inches((columns + 2 * edge) * cell[0], (rows + 2 * edge) * cell[1])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-edge, columns + edge), ylim=(rows + edge, -edge), autoscale_on=False)
    axes.set_axis_off()
    return axes


def _text(  # noqa: PLR0913  properties of a text
    axes: Axes,
    x: float,
    y: float,
    text: str,
    *,
    align: Literal["left", "center", "right"] = "center",
    vertical: Literal["center_baseline", "bottom"] = "center_baseline",
    weight: str = "normal",
    size: float = 9,
    grey: bool = False,
) -> None:
    axes.text(
        x, y, text, ha=align, va=vertical, fontsize=size, fontweight=weight, color=GREY if grey else INK,
        parse_math=False,
    )  # fmt: skip


@contextmanager
def _figure() -> Iterator[Figure]:
    """Give an empty figure that looks the same whatever the user's settings and fonts are."""
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)  # it would tell of its settings, folders and fonts
    os.environ["MPLBACKEND"] = "agg"  # a name that it does not know would stop it
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        raise OpdeployError("pictures need matplotlib (the extra pictures): pip install matplotlib") from None
    except UnicodeDecodeError as error:
        raise OpdeployError(f"matplotlib cannot read its file matplotlibrc: {error}; mend or remove it") from error
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "opdeploy", "font.family": ["DejaVu Sans"]})
        yield Figure(facecolor="white")


def _saved(figure: Figure, form: Form, title: str) -> bytes:
    out = io.BytesIO()
    metadata: dict[str, str | None] = (
        {"Title": title, "Date": None} if form == "svg" else {"Title": title, "Software": None}
    )
    figure.savefig(out, format=form, dpi=DOTS_PER_INCH, metadata=metadata, bbox_inches="tight", pad_inches=0.2)
    return out.getvalue()
