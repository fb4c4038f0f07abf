"""The drawing of the continuum: every platform at its place, and every word within the drawing."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from browsed import LONGEST_NAME

if TYPE_CHECKING:
    from browsed import Command, Many, Open

NAMES = {
    "continuum 2018": ["continuum", "--edition", "2018"],
    "continuum 2026": ["continuum"],
    "continuum of demo": ["continuum", "--workload", "demo"],
    f"continuum of {LONGEST_NAME}": ["continuum", "--workload", LONGEST_NAME],
    "recommend demo 2018": ["continuum", "--workload", "demo", "--edition", "2018"],
    "recommend device 2026": ["continuum", "--workload", "device"],
}
"""Pages with a continuum, and the command that gives the same as data."""
DRAWN = """(svg) => {
    const box = (node) => {
        const { x, y, right, bottom } = node.getBoundingClientRect();
        return [x, y, right, bottom];
    };
    return {
        svg: box(svg),
        texts: [...svg.querySelectorAll("text")].map((text) => [text.textContent, ...box(text)]),
        dots: [...svg.querySelectorAll("circle")].map(box),
        own: [...svg.querySelectorAll("path[fill=currentColor]")].map(box),
    };
}"""

COLUMN = 0.01
"""Places nearer than this may share a stem."""


@pytest.fixture
def drawn(open_page: Open, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return where things stand in a drawing."""
    found: dict[str, Any] = open_page(request.param).page.locator("svg.continuum").evaluate(DRAWN)
    return found


@pytest.fixture
def records(many: Many, asked: Command, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Return the same continuum as data."""
    (printed,) = many([asked([*NAMES[request.param], "-o", "json"])])
    found: list[dict[str, Any]] = json.loads(printed)
    return found


def label(record: dict[str, Any]) -> str:
    """Return what a platform is called in the drawing."""
    return f"{record['platform']}{'*' * (record['grade'] == 'judgement')}{'†' * record['ended']}"


@pytest.mark.parametrize(("drawn", "records"), [(name, name) for name in NAMES], ids=list(NAMES), indirect=True)
def test_everything_stands_at_its_place(drawn: dict[str, Any], records: list[dict[str, Any]]) -> None:
    """Each platform of the data has a label and a dot, x grows with the place, the workload's mark is at its own."""
    starts: dict[str, float] = {text: x for text, x, *_ in drawn["texts"]}
    (end,) = [float(right) for text, _, _, right, _ in drawn["texts"] if text == "real time"]

    def place(box: list[float]) -> float:
        return ((box[0] + box[2]) / 2 - starts["batch"]) / (end - starts["batch"])

    platforms = [record for record in records if record["platform"]]
    for before, after in itertools.pairwise(platforms):
        apart = starts[label(after)] - starts[label(before)]
        assert apart >= 0
        if apart == 0:
            assert after["place"] - before["place"] < COLUMN
        elif after["place"] == before["place"]:
            pytest.fail(f"{label(before)} and {label(after)} have one place, and two stems")
    dots = sorted(map(place, drawn["dots"]))
    assert all(min(abs(record["place"] - dot) for dot in dots) < COLUMN for record in platforms)
    assert all(min(abs(record["place"] - dot) for record in platforms) < COLUMN for dot in dots)
    own = [record for record in records if not record["platform"]]
    assert [f"{record['title']} {record['place']:.2f}" for record in own] == list(
        starts.keys() - {label(record) for record in platforms} - {"batch", "real time"}
    )
    assert all(abs(place(mark) - record["place"]) < COLUMN for mark, record in zip(drawn["own"], own, strict=True))


@pytest.mark.parametrize("drawn", NAMES, indirect=True)
def test_no_word_is_cut_off_or_meets_another(drawn: dict[str, Any]) -> None:
    """Every word of the drawing lies within it, and apart from all others."""
    left, top, right, bottom = drawn["svg"]
    for text, x, y, end, below in drawn["texts"]:
        assert left <= x < end <= right, text
        assert top <= y < below <= bottom, text
    for (one, ax, ay, a_end, a_below), (other, bx, by, b_end, b_below) in itertools.combinations(drawn["texts"], 2):
        assert a_end <= bx or b_end <= ax or a_below <= by + 4 or b_below <= ay + 4, (one, other)
