"""Heatmaps as tables: coloured where the terminal can, and as figures everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opdeploy import words
from opdeploy.ui import new_table
from opdeploy.views import palette
from opdeploy.views.then_now import HEADLINE
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
    from rich.theme import Theme

    from opdeploy.views.heatmap import Heatmap, Row
    from opdeploy.views.then_now import Pair


class Detail(NamedTuple):
    """How much of a row is shown; `letters` shortens the names of criteria, None writes them out."""

    titles: bool = False
    notes: bool = False
    grades: bool = False
    letters: int | None = 13
    rank: bool = True
    fit: bool = True
    tight: bool = False
    leading_zero: bool = True


DETAILS = (
    Detail(titles=True, notes=True, grades=True, letters=None),
    Detail(notes=True, grades=True, letters=None),
    Detail(notes=True, grades=True),
    Detail(grades=True),
    Detail(),
    Detail(letters=5),
    Detail(letters=5, tight=True),
    Detail(letters=3, tight=True, leading_zero=False),
    Detail(letters=3, tight=True, leading_zero=False, fit=False),
    Detail(letters=3, tight=True, leading_zero=False, fit=False, rank=False),
)
"""From wide to narrow: the first that fits the terminal is shown."""


def show(console: Console, view: Heatmap) -> None:
    """Print a heatmap in as much detail as there is room for, and how to read it."""
    console.push_theme(_colours(console))
    console.print(view.headline, style="bold", markup=False)
    console.print()
    detail = next((d for d in DETAILS if _fits(console, _table(view, d))), None)
    if detail:
        console.print(_table(view, detail))
    for row in () if detail else view.rows:
        name = row.platform if row.score is None else f"{row.platform} ({row.score:.0f})"
        sentence = _sentence(name, (f"{value:.2f}" for value in row.ratings))
        console.print(sentence, markup=False, style="dim" if row.out else "")
    console.print()
    if not (detail and detail.notes):
        for note in dict.fromkeys(row.out for row in view.rows if row.out):
            ids = ", ".join(row.platform for row in view.rows if row.out == note)
            console.print(f"{ids}: {note}", markup=False, style="dim")
    console.print(_legend())


def _fits(console: Console, table: Table) -> bool:
    return console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width


def _table(view: Heatmap, detail: Detail) -> Table:
    rank = ["", "score"] if view.ranking and detail.rank else ["score"] if view.ranking else []
    figures = [*_names(detail), *["fit"] * (view.ranking and detail.fit)]
    front = [*rank[:-1], "platform", *["title"] * detail.titles, *rank[-1:]]
    back = [*["grade"] * detail.grades, *["note"] * detail.notes]
    table = _plain_table(*front, *figures, *back, right=(*rank, *figures), tight=detail.tight)
    if view.weights:
        weights = [f"{weight:g}" for weight in view.weights.values()][: len(figures)]
        table.add_row(*["weight" if name == "platform" else "" for name in front], *weights, style="bold")
    for row in view.rows:
        table.add_row(*_cells(row, view, detail), style="dim" if row.out else "")
    return table


def _plain_table(*columns: str, right: tuple[str, ...] = (), tight: bool) -> Table:
    table = new_table(*columns, right=right)
    for column in table.columns:
        column.no_wrap = True
    if tight:
        table.padding = (0, 0)
    return table


def _cells(row: Row, view: Heatmap, detail: Detail) -> list[Text | str]:
    cells: list[Text | str] = [row.platform]
    if detail.titles:
        cells.append(row.title)
    if view.ranking and detail.rank:
        cells.insert(0, "" if row.rank is None else str(row.rank))
    if view.ranking:
        cells.append("" if row.score is None else f"{'=' if row.tie else ''}{row.score:.0f}")
    cells += [_rating(value, detail, grey=row.out is not None) for value in row.ratings]
    if view.ranking and detail.fit:
        cells.append("" if row.fit is None else _rating(row.fit, detail, grey=False))
    return cells + [row.grade] * detail.grades + [row.out or ""] * detail.notes


def _sentence(name: str, ratings: Iterable[str]) -> str:
    """Write a row out, for a terminal in which no table has room."""
    said = (f"{criterion} {rating}" for criterion, rating in zip(_names(Detail()), ratings, strict=True))
    return f"{name}: {', '.join(said)}"


def _rating(value: float, detail: Detail, *, grey: bool) -> Text:
    from rich.text import Text

    figure = f" {value:.2f} " if detail.leading_zero else "1.0" if value == 1 else f"{value:.2f}"[1:]
    return Text(figure, style="" if grey else f"rating.{100 * value:.0f}")


def _colours(console: Console) -> Theme:
    """Return the styles of all ratings in hundredths; of 16 colours only three tell poor from good."""
    from rich.theme import Theme

    if console.color_system in {"standard", "windows"}:
        names = ("yellow", "white", "cyan")
        return Theme({f"rating.{n}": f"black on {names[min(n // 34, 2)]}" for n in range(101)})
    return Theme({f"rating.{n}": f"{palette.LIGHT.ink} on {palette.colour(n / 100)}" for n in range(101)})


def _names(detail: Detail) -> list[str]:
    if detail.letters is None:
        return [words.plain(criterion) for criterion in CRITERIA]
    return [criterion.split("_")[0][: detail.letters] for criterion in CRITERIA]


def _legend() -> Text:
    from rich.text import Text

    scale = [_rating(step / 4, Detail(), grey=False) for step in range(5)]
    return Text.assemble("poor ", *scale, " good")


def show_then_now(console: Console, pairs: tuple[Pair, ...]) -> None:
    """Print the ratings of both editions, and below them each change with its reason."""
    console.push_theme(_colours(console))
    console.print(HEADLINE, style="bold", markup=False)
    console.print()
    detail = next((d for d in DETAILS[2:] if _fits(console, _both(pairs, d))), None)
    if detail:
        console.print(_both(pairs, detail))
        console.print()
        console.print(_legend())
    for pair in () if detail else pairs:
        ratings = (f"{now:.2f}" if then == now else f"{then:.2f}→{now:.2f}" for then, now in pair.ratings)
        console.print(_sentence(pair.platform, ratings), markup=False, style="dim" if pair.kind == "ended" else "")
    console.print()
    for pair in pairs:
        for change in pair.changes:
            console.print(f"{pair.platform}: {change.sentence}", markup=False)


def _both(pairs: tuple[Pair, ...], detail: Detail) -> Table:
    from rich.text import Text

    table = _plain_table("platform", *_names(detail), *["note"] * detail.notes, tight=detail.tight)
    for pair in pairs:
        grey = pair.kind == "ended"
        cells = []
        for before, after in pair.ratings:
            cell = _rating(after, detail, grey=grey)
            cells.append(cell if before == after else Text.assemble(_rating(before, detail, grey=grey), "→", cell))
        note = [pair.note] * detail.notes
        table.add_row(pair.platform, *cells, *note, style="dim" if grey else "")
    return table
