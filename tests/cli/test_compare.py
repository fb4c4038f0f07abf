"""`opdeploy compare ID ID…`: platforms side by side, legible at any width."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from opdeploy.catalogue import load_catalogue
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

ON = "--as-of=2026-11-02"
SETS = {
    2: ["aci", "webapp-windows"],
    3: ["aci", "aks-gpu", "container-apps"],
    5: ["aci", "batch-ai", "service-fabric", "container-apps", "sql-server"],
}
KEYS = ["attribute", "label", "values", "best", "lifted_by"]


def compared(opdeploy: Opdeploy, *arguments: str) -> dict[str, dict[str, Any]]:
    """Return the comparison as JSON, by attribute."""
    return {row["attribute"]: row for row in opdeploy("compare", *arguments, ON, "-o", "json").json}


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120, 300])
@pytest.mark.parametrize("ids", SETS.values(), ids=map(str, SETS))
def test_it_fits_its_width_and_names_every_platform(opdeploy: Opdeploy, ids: list[str], columns: int) -> None:
    """No line is wider than there is room, and every id, mark and name of a row is there."""
    ran = opdeploy("compare", *ids, ON, COLUMNS=str(columns))
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= columns
    if columns > 20:
        assert set(ids) - set(re.findall(r"[a-z0-9-]+", ran.out)) == set()
        assert "*" in ran.out


@pytest.mark.parametrize(
    ("count", "columns", "beside"),
    [(2, 40, False), (2, 80, True), (3, 79, False), (3, 80, True), (5, 80, False), (5, 120, False), (5, 300, True)],
)
def test_platforms_are_columns_where_there_is_room(
    opdeploy: Opdeploy, count: int, columns: int, *, beside: bool
) -> None:
    """Side by side while each has room for its sentences, else a line for each below the name of the row."""
    lines = opdeploy("compare", *SETS[count], ON, COLUMNS=str(columns)).out.splitlines()
    assert any(line.split() == SETS[count] for line in lines) == beside
    stacked = [line.split()[0] for line in lines if line.startswith("  ") and line.split()[:1] == ["aci"]]
    assert bool(len(stacked) > 10) != beside


@pytest.mark.parametrize("edition", ["2018", "2026"])
def test_json_holds_the_values_of_the_profiles(opdeploy: Opdeploy, edition: str) -> None:
    """Values are those of the profiles, numbers as numbers and flags as flags; null is what is not known."""
    by_id = load_catalogue("2018" if edition == "2018" else "2026").by_id
    ids = ["aci", "batch-ai", "vm"]
    found = compared(opdeploy, *ids, "--edition", edition)
    for row in found.values():
        assert list(row) == KEYS
        assert list(row["values"]) == ids
    for criterion in CRITERIA:
        values = {platform: by_id[platform].ratings.of(criterion).value for platform in ids}
        top = [platform for platform in ids if values[platform] == max(values.values())]
        row = found[f"ratings.{criterion}"]
        assert row["values"] == values
        assert row["best"] == ([] if len(top) == len(ids) else top)
    known = {
        name
        for platform in ids
        for name, limit in by_id[platform].limits.model_dump(mode="json").items()
        if limit is not None
    }
    assert {name.removeprefix("limits.") for name in found if name.startswith("limits.")} == known
    for name in known:
        limits = {platform: by_id[platform].limits.model_dump(mode="json")[name] for platform in ids}
        row = found[f"limits.{name}"]
        assert row["values"] == {platform: limit and limit["value"] for platform, limit in limits.items()}
        assert row["lifted_by"] == {
            platform: limit["lifted_by"] for platform, limit in limits.items() if limit and limit["lifted_by"]
        }


def test_the_state_is_that_of_the_day(opdeploy: Opdeploy) -> None:
    """What has ended since was available."""

    def state(day: str) -> str:
        rows = opdeploy("compare", "batch-ai", "aci", "-o", "json", "--as-of", day).json
        return next(str(row["values"]["batch-ai"]) for row in rows if row["attribute"] == "state")

    assert (state("2019-03-30"), state("2019-03-31")) == ("available", "retired")
    shown = opdeploy("compare", "batch-ai", "aci", "--as-of=2019-03-30", COLUMNS="120").out
    assert "available until 2019-03-31" in shown


@pytest.mark.parametrize("ids", SETS.values(), ids=map(str, SETS))
def test_markdown_is_one_table_with_a_cell_for_each_platform(opdeploy: Opdeploy, ids: list[str]) -> None:
    """Every row has as many cells as the head; they say what JSON says, and the best are bold."""
    printed = opdeploy("compare", *ids, ON, "-o", "markdown").out
    found = MarkdownIt("commonmark").enable("table").parse(printed)
    cells = [token.children or [] for token in found if token.type == "inline"][1:]
    rows = [cells[at : at + len(ids) + 1] for at in range(0, len(cells), len(ids) + 1)]
    texts = [["".join(child.content for child in cell) for cell in row] for row in rows]
    table = [line for line in printed.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {len(ids) + 2}
    assert texts[0] == ["", *ids]
    data = compared(opdeploy, *ids)
    assert [row[0] for row in texts[1:]] == [row["label"] for row in data.values()]
    bold = {
        (text[0], platform)
        for row, text in zip(rows, texts, strict=True)
        for cell, platform in zip(row[1:], ids, strict=True)
        if any(child.type == "strong_open" for child in cell)
    }
    assert bold == {(row["label"], platform) for row in data.values() for platform in row["best"]}
    assert {child.type for cell in cells for child in cell} <= {"text", "text_special", "strong_open", "strong_close"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("memory of an instance (GB)", ["240", "8.59; lifted by: dedicated profiles go up to 256 GiB"]),
        ("scale to zero", ["no", "yes"]),
        ("cold start (s)", ["not known", "37"]),
        ("lifetime", ["7 days or less", "any"]),
        ("data read in place", ["none", "none"]),
        ("speed", ["0.43", "0.80 *"]),
        ("debuggability", ["1.00 *", "0.90"]),
    ],
)
def test_rows_have_units_words_and_marks(opdeploy: Opdeploy, row: str, said: list[str]) -> None:
    """Units stand in the name of the row, flags are yes and no, and the best is marked without colour too."""
    out = opdeploy("compare", "aci", "container-apps", ON, COLUMNS="300").out
    (line,) = [line for line in out.splitlines() if line.startswith(f"{row} ")]
    cells = re.split(r" {3,}", line.strip())
    assert cells[0] == row
    assert all(cell.startswith(text) for cell, text in zip(cells[1:], said, strict=True))


def test_platforms_stand_in_the_order_in_which_they_are_named(opdeploy: Opdeploy) -> None:
    """The first that is named comes first."""
    assert list(compared(opdeploy, "vm", "aci")["title"]["values"]) == ["vm", "aci"]
    assert list(compared(opdeploy, "aci", "vm")["title"]["values"]) == ["aci", "vm"]


def test_one_that_is_named_twice_is_shown_once(opdeploy: Opdeploy, one_line: Callable[[Ran], str]) -> None:
    """The second time is left out, which is said."""
    twice, once = (opdeploy("compare", *ids, ON) for ids in (["aci", "vm", "aci"], ["aci", "vm"]))
    assert (twice.code, twice.out) == (0, once.out)
    assert one_line(twice) == "warning: a platform is named twice; it is shown once"


def test_it_is_styled_on_a_terminal_only(opdeploy: Opdeploy, terminal: Callable[..., str]) -> None:
    """The best stand out on a terminal, and a pipe gets plain text; NO_COLOR allows bold and dim."""
    assert "\x1b[1m1.00 *" in terminal("compare", "aci", "vm", ON, COLUMNS="80")
    codes = re.findall(r"\x1b\[([0-9;]*)m", terminal("compare", "aci", "vm", ON, NO_COLOR="1"))
    assert set(codes) <= {"0", "1", "2"}
    assert "\x1b" not in opdeploy("compare", "aci", "vm", ON).out


@pytest.mark.parametrize(("name", "form"), [("a.json", "json"), ("a.md", "markdown"), ("a.txt", "table")])
def test_a_file_gets_the_format_of_its_name(opdeploy: Opdeploy, tmp_path: Path, name: str, form: str) -> None:
    """`--file` writes what would have been printed, in the format that its suffix names."""
    ran = opdeploy("compare", "aci", "vm", ON, "--file", tmp_path / name)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / name).read_text() == opdeploy("compare", "aci", "vm", ON, "-o", form).out


MISTAKES = {
    "one": (["aci"], "aci has nothing to be compared with; name at least two platforms"),
    "the same twice": (["aci", "aci"], "aci has nothing to be compared with; name at least two platforms"),
    "none": ([], "Missing argument 'ID ID...'"),
    "misspelt": (["aci", "azure-bacth"], "no platform 'azure-bacth'; did you mean \"azure-batch\"?"),
    "nothing like it": (["aci", "zzz"], "no platform 'zzz'; valid: aci, aks-cpu, "),
    "only today": (["aci", "local", "--edition=2018"], "local is not in edition 2018; ask with --edition 2026"),
    "a suffix that names no format": (["aci", "vm", "--file=a.csv"], "--file a.csv: no format is called .csv"),
    "a file that cannot be written": (["aci", "vm", "--file=absent/a.md"], "absent/a.md: cannot be written"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=list(MISTAKES))
def test_bad_input_ends_with_2_and_one_line(
    opdeploy: Opdeploy, one_line: Callable[[Ran], str], tmp_path: Path, arguments: list[str], said: str
) -> None:
    """What is wrong is said in one line, and nothing is printed."""
    ran = opdeploy("compare", *arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith(f"error: {said}")
    assert list(tmp_path.iterdir()) == []
