"""The heatmap to look at: legible at every width, coloured where the terminal can."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.views import palette

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy

    Answers = dict[tuple[str, str], Asked]
    Many = Callable[..., list[str]]
    Terminal = Callable[..., str]
    Shown = dict[tuple[int, str], str]
    Records = dict[str, list[dict[str, Any]]]

DAY = "--as-of=2026-11-02"
WIDTHS = (24, 30, 40, 52, 60, 80, 110, 140, 200, 400)
CRITERIA = ("speed", "scalability", "data_proximity", "debuggability", "ease_of_deployment")
VIEWS = ("2018", "2026", "2018 with a workload", "2026 with a workload", "then-now")
ESCAPE = "\x1b"
CODES = r"\x1b\[[0-9;]*m"
CELL = re.compile(r"\x1b\[38;2;27;27;27;48;2;(\d+);(\d+);(\d+)m *(\d\.\d\d)")
WORDS = r"[A-Za-z0-9.]+"
FIGURE = r"(\d?\.\d+)"


@pytest.fixture(scope="session")
def views(answers: Answers) -> dict[str, list[str]]:
    """Return the arguments of each view."""
    path = str(answers["bare", "2026"].path)
    editions = {edition: ["heatmap", "--edition", edition, DAY] for edition in ("2018", "2026")}
    with_workload = {f"{edition} with a workload": [*editions[edition], "--workload", path] for edition in editions}
    return {**editions, **with_workload, "then-now": ["heatmap", "--then-now", DAY]}


@pytest.fixture(scope="session")
def shown(views: dict[str, list[str]], many: Many) -> Shown:
    """Return each view at each width."""
    return {
        (width, name): out
        for width in WIDTHS
        for name, out in zip(views, many(views.values(), COLUMNS=str(width)), strict=True)
    }


@pytest.fixture(scope="session")
def records(views: dict[str, list[str]], many: Many) -> Records:
    """Return each view as data."""
    printed = many([*arguments, "-o", "json"] for arguments in views.values())
    return {name: json.loads(out) for name, out in zip(views, printed, strict=True)}


each_view = pytest.mark.parametrize("view", VIEWS)
each_width = pytest.mark.parametrize("width", WIDTHS)


@each_width
@each_view
def test_no_line_is_wider_than_the_terminal(shown: Shown, width: int, view: str) -> None:
    """Every line has room, and nothing is shortened with an ellipsis."""
    lines = shown[width, view].splitlines()
    assert [line for line in lines if len(line) > width] == []
    assert "…" not in shown[width, view]


@each_width
@each_view
def test_every_rating_is_readable(shown: Shown, records: Records, width: int, view: str) -> None:
    """After each id, in one piece, stand the platform's five ratings: both of them where one has changed."""
    body = " ".join(shown[width, view].split("\n\n", 1)[1].split())
    for record in records[view]:
        now = record.get("now", record)
        then = record.get("then") or now
        row = re.split(rf"(?<![\w-]){record['platform']}(?![\w-])", body, maxsplit=1)[1]
        found = re.findall(rf"(?<![\d.]){FIGURE}(?: ?→ ?{FIGURE})?", row)[:5]
        read = [(float(first), float(last or first)) for first, last in found]
        assert read == [(then[name], now[name]) for name in CRITERIA], record["platform"]


@each_width
@pytest.mark.parametrize("view", [view for view in VIEWS if view.startswith("2026")])
def test_why_a_platform_is_out_is_readable(shown: Shown, records: Records, width: int, view: str) -> None:
    """What excludes a platform, or the day on which it ended, is told at every width, in its row or below."""
    text = " ".join(shown[width, view].split())
    told = {record["excluded"] for record in records[view] if record.get("excluded")}
    assert [note for note in told if note not in text] == []
    assert "retired since 2026-06-30" in text


@pytest.mark.parametrize("view", ["2018", "2026 with a workload"])
def test_each_rating_has_its_colour(
    terminal: Terminal, views: dict[str, list[str]], records: Records, view: str
) -> None:
    """Where the terminal shows all colours, each figure stands on that of its rating; there is one for each rating."""
    found = CELL.findall(terminal(*views[view], COLUMNS="140", COLORTERM="truecolor"))
    colours = ["#" + "".join(f"{int(part):02x}" for part in cell[:3]) for cell in found]
    assert colours == [palette.colour(float(cell[3])) for cell in found]
    alive = [record for record in records[view] if not record.get("excluded")]
    fit = [[record["fit"]] if "fit" in record else [] for record in alive]
    values = [f"{value:.2f}" for record, more in zip(alive, fit, strict=True) for value in _ratings(record) + more]
    assert [cell[3] for cell in found] == [*values, "0.00", "0.25", "0.50", "0.75", "1.00"]


def _ratings(record: dict[str, Any]) -> list[float]:
    return [record[name] for name in CRITERIA]


@pytest.mark.parametrize("view", ["2026", "2026 with a workload"])
def test_what_is_out_is_dim_and_has_no_colour(terminal: Terminal, views: dict[str, list[str]], view: str) -> None:
    """Rows of what has ended or is excluded are dim, without a background; the others are not dim."""
    lines = terminal(*views[view], COLUMNS="140", COLORTERM="truecolor").splitlines()
    rows = [line for line in lines if len(re.findall(r"\d\.\d\d", line)) >= 5 and "poor" not in line]
    out = [row for row in rows if "48;2;" not in row]
    assert len(rows) == 22
    assert len(out) == {"2026": 4, "2026 with a workload": 13}[view]
    assert all(f"{ESCAPE}[2m" in row for row in out)
    assert not any(f"{ESCAPE}[2m" in row for row in rows if row not in out)


COLOURLESS = {"NO_COLOR": {"NO_COLOR": "1"}, "a dumb terminal": {"TERM": "dumb"}}


@pytest.mark.parametrize("variables", COLOURLESS.values(), ids=list(COLOURLESS))
@pytest.mark.parametrize("width", [40, 140])
def test_without_colours_the_figures_stay(
    terminal: Terminal, opdeploy: Opdeploy, views: dict[str, list[str]], variables: dict[str, str], width: int
) -> None:
    """A terminal that has or wants no colours shows the text that a pipe gets, at its own width."""
    arguments, columns = views["2026 with a workload"], str(width)
    found = terminal(*arguments, COLUMNS=columns, COLORTERM="truecolor", **variables)
    assert not re.search(r"\x1b\[[0-9;]*[34]8;", found)
    assert re.sub(CODES, "", found) == opdeploy(*arguments, COLUMNS=columns).out


def test_a_pipe_and_a_file_get_plain_text(terminal: Terminal, views: dict[str, list[str]], tmp_path: Path) -> None:
    """With `--file` the table is plain, and as wide as usual, whatever the terminal is."""
    path = tmp_path / "heatmap.txt"
    said = terminal(*views["2026"], "--file", path, COLUMNS="40", COLORTERM="truecolor")
    text = path.read_text(encoding="utf-8")
    assert said == ""
    assert ESCAPE not in text
    assert 80 < max(map(len, text.splitlines())) <= 110


def test_a_terminal_of_few_colours_has_backgrounds_too(terminal: Terminal, views: dict[str, list[str]]) -> None:
    """With 16 colours figures are black on light backgrounds."""
    found = terminal(*views["2018"], COLUMNS="110", COLORTERM="", TERM="xterm")
    codes = set(re.findall(r"\x1b\[(\d+(?:;\d+)+)m", found))
    assert codes
    assert {code for code in codes if not re.fullmatch(r"30;(47|4[1-6]|10[1-7])", code)} == set()


ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("variables", ENCODINGS.values(), ids=list(ENCODINGS))
@pytest.mark.parametrize("command", ["heatmap", "continuum", "then-now", "recommend"])
def test_an_encoding_that_lacks_a_character_keeps_the_rest(
    opdeploy: Opdeploy, answers: Answers, variables: dict[str, str], command: str
) -> None:
    """Where stdout cannot have lines and arrows they are replaced; words and figures stay, and nothing fails."""
    arguments = {"then-now": ["heatmap", "--then-now"], "recommend": ["recommend", str(answers["bare", "2026"].path)]}
    words = [*arguments.get(command, [command]), DAY]
    plain, poor = opdeploy(*words), opdeploy(*words, cwd=None, **variables)
    assert (poor.code, poor.err) == (0, "")
    assert re.findall(WORDS, poor.out) == re.findall(WORDS, plain.out)


def test_sixteen_colours_tell_poor_from_good(terminal: Terminal) -> None:
    """Where there are few colours, three stand for poor, middle and good."""
    shown = terminal("heatmap", "--edition", "2018", TERM="xterm", COLORTERM="", COLUMNS="100")
    found = set(re.findall(r"\x1b\[30;(\d+)m +(\d\.\d\d)", shown))
    assert found
    yellow, white, cyan = "43", "47", "46"
    expected = {
        figure: yellow if float(figure) < 0.34 else white if float(figure) < 0.68 else cyan for _, figure in found
    }
    assert {(code, figure) for figure, code in expected.items()} == found
