"""`opdeploy continuum`: the chapter's figure 10-7, today's, a workload's own place, and the drawing in characters."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy

    Answers = dict[tuple[str, str], Asked]
    Many = Callable[..., list[str]]
    Terminal = Callable[..., str]
    Write = Callable[[str | dict[str, Any]], Path]

DAY = "--as-of=2026-11-02"
FIELDS = ["platform", "title", "place", "group", "grade", "ended"]
FIGURE_10_7 = {
    "hdinsight": 0.10,
    "aztk": 0.21,
    "batch-ai": 0.25,
    "sql-server": 0.48,
    "vm": 0.60,
    "aks-cpu": 0.74,
    "aks-gpu": 0.74,
    "service-fabric": 0.745,
    "aci": 0.88,
    "webapp": 0.885,
    "webapp-windows": 0.885,
}
COLOURS = [
    {"hdinsight"},
    {"aztk", "batch-ai"},
    {"sql-server", "vm"},
    {"aks-cpu", "aks-gpu", "service-fabric", "aci", "webapp", "webapp-windows"},
]
"""What figure 10-7 draws in one colour."""


def test_the_chapters_continuum(opdeploy: Opdeploy) -> None:
    """Edition 2018 has the places of figure 10-7 in its order; two more are marked as a judgement."""
    ran = opdeploy("continuum", "--edition=2018", "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    assert {tuple(record) for record in ran.json} == {tuple(FIELDS)}
    assert [(r["platform"], r["place"]) for r in ran.json if r["grade"] == "book"] == list(FIGURE_10_7.items())
    assert {r["platform"] for r in ran.json if r["grade"] == "judgement"} == {"batch-shipyard", "databricks"}
    assert not any(record["ended"] for record in ran.json)


def test_the_chapters_colours(opdeploy: Opdeploy) -> None:
    """The four colours of the figure are four groups."""
    found: dict[str, set[str]] = {}
    for record in opdeploy("continuum", "--edition=2018", "-o", "json").json:
        if record["grade"] == "book":
            found.setdefault(record["group"], set()).add(record["platform"])
    assert list(found.values()) == COLOURS


@pytest.mark.parametrize(("day", "ended"), [("2019-03-30", set()), ("2019-03-31", {"batch-ai"})])
def test_a_platform_ends_on_its_day(opdeploy: Opdeploy, day: str, ended: set[str]) -> None:
    """`--as-of` decides what is drawn as ended."""
    ran = opdeploy("continuum", "-o", "json", "--as-of", day)
    assert {record["platform"] for record in ran.json if record["ended"]} == ended


PLACES = [
    ("scheduled-batch", None, 0.15),
    ("triggered-batch", None, 0.25),
    ("in-database", None, 0.48),
    ("stream", None, 0.65),
    ("request-response", None, 0.80),
    ("on-device", None, 0.80),
    ("request-response", 100, 0.90),
    ("request-response", 101, 0.80),
    ("request-response", 9_999, 0.80),
    ("request-response", 10_000, 0.65),
    ("stream", 50, 0.75),
    ("on-device", 100, 0.80),
    ("scheduled-batch", 50, 0.15),
]
"""Pattern, p95 in milliseconds, and the place that docs/scoring.md gives them."""


def test_a_workload_has_its_own_place(many: Many, tmp_path: Path) -> None:
    """The place follows from pattern and p95 as documented; the record is the one without a platform."""
    commands = []
    for number, (pattern, p95, _) in enumerate(PLACES):
        path = tmp_path / f"{number}.yaml"
        latency = {"latency_ms": {"p95": p95}} if p95 else {}
        path.write_text(json.dumps({"name": "own", "serving": {"pattern": pattern, **latency}}))
        commands.append(["continuum", "--workload", str(path), "-o", "json"])
    for (pattern, p95, place), printed in zip(PLACES, many(commands), strict=True):
        records = json.loads(printed)
        (own,) = (record for record in records if record["platform"] is None)
        assert (own["title"], own["place"]) == ("own", pytest.approx(place)), (pattern, p95)
        assert records == sorted(records, key=lambda record: record["place"])


@pytest.fixture(scope="session")
def with_workloads(answers: Answers, many: Many) -> dict[tuple[str, str], str]:
    """Return the continuum with each workload as JSON."""
    commands = [
        ["continuum", "--workload", str(asked.path), "--edition", asked.edition, DAY, "-o", "json"]
        for asked in answers.values()
    ]
    return dict(zip(answers, many(commands), strict=True))


def test_the_place_is_the_one_that_the_engine_uses(with_workloads: dict[tuple[str, str], str], ranking: Asked) -> None:
    """The distances of which the fit speaks are those between the points that are drawn."""
    records = json.loads(with_workloads[ranking.name, ranking.edition])
    places = {record["platform"]: record["place"] for record in records}
    told = {
        item["platform"]: float(found[1])
        for item in ranking.answer["ranked"]
        if (found := re.search(r"lies (\d\.\d\d) from the workload's place", item["contributions"][-1]["why"]))
    }
    drawn = {platform: abs(place - places[None]) for platform, place in places.items() if platform}
    apart = {item["platform"] for item in ranking.answer["ranked"] if drawn.get(item["platform"], 0) > 0}
    assert told == {platform: pytest.approx(drawn[platform], abs=0.0051) for platform in apart}


@pytest.fixture(scope="session")
def points(many: Many) -> dict[str, list[dict[str, Any]]]:
    """Return the points of each edition as data."""
    printed = many(["continuum", DAY, "--edition", edition, "-o", "json"] for edition in ("2018", "2026"))
    return {edition: json.loads(out) for edition, out in zip(("2018", "2026"), printed, strict=True)}


def label(record: dict[str, Any]) -> str:
    """Return what is written beside a point."""
    mark = "*" if record["grade"] == "judgement" else ""
    return f"{record['platform']}{mark}{'†' if record['ended'] else ''}"


WIDTHS = (24, 30, 40, 52, 80, 110, 200, 400)
OPTIONS = {"2018": ["--edition=2018"], "2026": [], "2026 with a workload": ["--workload"]}


@pytest.fixture(scope="session")
def drawings(answers: Answers, many: Many) -> dict[tuple[str, int], str]:
    """Return the continuum in characters, by its options and the width."""
    path = str(answers["bare", "2026"].path)
    commands = [
        ["continuum", DAY, *options, *([path] if "--workload" in options else [])] for options in OPTIONS.values()
    ]
    return {
        (name, width): out
        for width in WIDTHS
        for name, out in zip(OPTIONS, many(commands, COLUMNS=str(width)), strict=True)
    }


Drawings = dict[tuple[str, int], str]
Points = dict[str, list[dict[str, Any]]]
each_drawing = pytest.mark.parametrize("name", OPTIONS)
each_width = pytest.mark.parametrize("width", WIDTHS)


@each_drawing
@each_width
def test_no_line_is_wider_than_the_terminal(drawings: Drawings, name: str, width: int) -> None:
    """Nothing is cut, and each mark stands on a line with its meaning."""
    lines = drawings[name, width].splitlines()
    assert max(map(len, lines)) <= width
    words = {"▲": "Spark cluster", "■": "cluster on demand", "◆": "machine or database", "●": "service"}
    assert all(any(f"{mark} {word}" in line for line in lines) for mark, word in words.items())


@each_drawing
@pytest.mark.parametrize("width", [width for width in WIDTHS if width >= 40])
def test_every_label_hangs_under_its_place(drawings: Drawings, points: Points, name: str, width: int) -> None:
    """Read back, the drawing has every label once, at the column of its place, on a stem that reaches the axis."""
    expected = {label(r): r["place"] for r in points[name[:4]]}
    lines = drawings[name, width].split("\n\n")[1].splitlines()
    at = next(number for number, line in enumerate(lines) if set(line) <= {"─", "┬"})
    axis, below = lines[at], lines[at + 1 :]
    found = {}
    for row, line in enumerate(below):
        for hit in re.finditer(r"[├└] [▲■◆●✚] (\S+)", line):
            assert axis[hit.start()] == "┬"
            assert all(below[above][hit.start()] in "│├" for above in range(row))
            assert hit[1] not in found
            found[hit[1]] = hit.start()
    assert found == {text: round(place * (len(axis) - 1)) for text, place in expected.items()}
    assert axis.count("┬") == len(set(found.values()))
    own = [line.index("▼") for line in lines if "▼" in line]
    assert own == ([round(0.8 * (len(axis) - 1))] if "workload" in name else [])


@each_drawing
@pytest.mark.parametrize("width", [24, 30])
def test_without_room_it_is_a_list(drawings: Drawings, points: Points, name: str, width: int) -> None:
    """On a narrow terminal the labels follow each other from batch to real time, each with its place."""
    expected = [(r["place"], label(r)) for r in points[name[:4]]]
    body = drawings[name, width].split("\n\n")[1].splitlines()
    assert (body[0], body[-1]) == ("batch", "real time")
    found = [(float(place), text) for place, mark, text in (line.split() for line in body[1:-1]) if mark != "▼"]
    assert found == expected
    assert ("0.8   ▼ bare" in body) == ("workload" in name)


@pytest.mark.parametrize("columns", ["24", "40", "52"])
def test_a_long_name_stays_within_the_terminal(opdeploy: Opdeploy, write: Write, columns: str) -> None:
    """The longest name that a workload may have is told whole, on a line or folded."""
    name = "n" * 40
    ran = opdeploy("continuum", "--workload", write(f"name: {name}\nserving: {{pattern: stream}}\n"), COLUMNS=columns)
    assert max(map(len, ran.out.splitlines())) <= int(columns)
    assert name in "".join(ran.out.split())


def test_groups_have_colours_on_a_terminal_only(terminal: Terminal, opdeploy: Opdeploy) -> None:
    """On a terminal each group's marks have their colour; in a pipe and with NO_COLOR there is none."""
    shown, plain = (terminal("continuum", DAY, COLUMNS="110", **more) for more in ({}, {"NO_COLOR": "1"}))
    assert set(re.findall(r"\x1b\[(3\d)m[▲■◆●✚]", shown)) == {"31", "35", "33", "36", "32"}
    assert not re.search(r"\x1b\[[0-9;]*3\dm", plain)
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == opdeploy("continuum", DAY, COLUMNS="110").out
