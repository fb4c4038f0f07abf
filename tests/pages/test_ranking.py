"""The page's sliders against the command: the same weights give the same ranking."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import asdict
from datetime import date
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from advice import catalogue, workload_of
from browsed import DAY, RANKED, WORKLOADS
from hypothesis import given, settings
from hypothesis import strategies as st

from opdeploy import document
from opdeploy.advisor import TIE_BAND, Facts, recommend
from opdeploy.advisor.weights import FIT_WEIGHT
from opdeploy.catalogue import load_market
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browsed import Command, Many, Open, Opened, State
    from playwright.sync_api import Browser

    from opdeploy.recommendation import Recommendation

    Weights = dict[str, float]
    Expected = dict[tuple[str, str], list[tuple[Weights, dict[str, Any], str | None]]]

NEAR = 1e-12
"""How far a score in the page may lie from that of the command."""


def weights_of(*values: float) -> Weights:
    """Name weights by their criteria."""
    return dict(zip(CRITERIA, values, strict=True))


WEIGHTINGS = [
    weights_of(0, 0, 0, 0, 0),
    weights_of(5, 5, 5, 5, 5),
    weights_of(0.1, 0.2, 0.3, 0.4, 0.5),
    weights_of(4.9, 0.1, 3.3, 2.7, 1.1),
    weights_of(5, 0, 0, 0, 0),
    weights_of(0, 0.1, 5, 0, 0),
    weights_of(2.9, 0.5, 1, 2, 5),
    weights_of(1.3, 4.7, 0.9, 0.3, 3.1),
]
TABLES = WEIGHTINGS[1:4]
"""Those with which the printed table is compared too."""


@pytest.fixture(scope="session")
def expected(many: Many, asked: Command, tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """Return what the command says: first of each file as it is, with no weights, then with each weighting in it."""
    folder = tmp_path_factory.mktemp("weighted")
    found: Expected = {key: [] for key in RANKED}
    cases = [(key, weights) for key in RANKED for weights in ({}, *WEIGHTINGS)]
    commands = []
    for number, ((name, edition), weights) in enumerate(cases):
        path = folder / f"{number}.yaml"
        path.write_text(json.dumps({"name": name, **WORKLOADS[name], **({"priorities": weights} if weights else {})}))
        commands += [asked(["recommend", str(path), "--edition", edition, "-o", "json"])]
        commands += [[*commands[-1][:-2], "table", commands[-1][-1]]] if weights in TABLES else []
    printed = iter(many(commands))
    for key, weights in cases:
        found[key].append((weights, json.loads(next(printed)), next(printed) if weights in TABLES else None))
    return found


def same_ranking(state: State, answer: dict[str, Any]) -> bool:
    """Whether a page shows the ranking of an answer: order, ranks, scores, ties, costs and the leader."""
    others = [platform for platform in answer["ties"] if platform != answer["best"]]
    tie = f", in a tie with {', '.join(others)}" if others else ""
    ranked = answer["ranked"]
    assert [row[:3] for row in state.rows] == [
        [item["platform"], str(rank), f"{'=' if item['platform'] in answer['ties'] else ''}{item['score']:.0f}"]
        for rank, item in enumerate(ranked, 1)
    ]
    assert [row[4] for row in state.rows] == [cost_of(item) if answer["region"] else None for item in ranked]
    assert state.lead == f"Leads: {answer['best']}{tie}"
    return all(abs(row[3] - item["score"]) <= NEAR for row, item in zip(state.rows, ranked, strict=True))


def cost_of(item: dict[str, Any]) -> str:
    """Return a platform's cost as the page writes it."""
    cost = item["cost"]
    if cost is None or not cost["lines"]:
        return "not known"
    how = "at least " if cost["missing"] else "about " if cost["status"] == "borrowed" else ""
    return how + (f"${cost['monthly_usd']:,.2f}" if 0 < cost["monthly_usd"] < 10 else f"${cost['monthly_usd']:,.0f}")


PLAIN = r"^ *(\d+) +([a-z0-9-]+) +(=?\d+) "
PRICED = r"^ *(\d+) +([a-z0-9-]+) .* (=?\d+) +(?:measured|scaled|vendor|chapter|estimate|-) *$"
"""Rows of a ranking without prices, and of one with sizes and prices."""


def in_table(table: str) -> list[list[str]]:
    """Return platform, rank and score from each row of a printed ranking."""
    rows = re.findall(PRICED if "a month" in table else PLAIN, table, re.MULTILINE)
    return [[platform, rank, score] for rank, platform, score in rows]


@pytest.mark.parametrize("key", RANKED, ids="-".join)
def test_sliders_rank_as_the_command_does(open_page: Open, expected: Expected, key: tuple[str, str]) -> None:
    """A page opens with the ranking of the command, and goes on as if the sliders' weights stood in the file."""
    opened = open_page(f"recommend {' '.join(key)}")
    (_, as_written, _), *weighted = expected[key]
    assert same_ranking(opened.state(), as_written)
    assert not opened.state().keep
    for weights, answer, table in weighted:
        opened.move(weights)
        state = opened.state()
        assert {name: float(shown) for name, shown in state.weights.items()} == {**weights, "fit": FIT_WEIGHT}
        assert same_ranking(state, answer)
        if table is not None:
            assert [row[:3] for row in state.rows] == in_table(table)
            assert f": {state.lead.removeprefix('Leads: ')} (edition" in table.splitlines()[0]


@pytest.mark.parametrize("key", [("bare", "2026"), ("batch", "2018"), ("one", "2026")], ids="-".join)
def test_the_script_starts_with_what_was_written(open_page: Open, key: tuple[str, str]) -> None:
    """The ranking in the file, as it shows without scripts, is the one that the script starts with."""
    name = f"recommend {' '.join(key)}"
    state = open_page(name).state()
    written = open_page(name, java_script_enabled=False).page.locator("#ranked tr").all_inner_texts()
    shown = [[row[1], row[2], *(row[4] or "").split()] for row in state.rows]
    assert [
        [words[0], *words[-len(row) + 1 :]] for words, row in zip(map(str.split, written), shown, strict=True)
    ] == shown


def hundredths(answer: Recommendation) -> list[tuple[int, ...]]:
    """Return the ratings of each ranked platform."""
    return [tuple(round(100 * part.rating) for part in item.contributions) for item in answer.ranked]


def edges(ratings: list[tuple[int, ...]], usd: list[float], unit: Fraction) -> dict[str, Weights]:
    """Return a weighting for each edge of the arithmetic that whole multiples of a unit reach, as written decimals."""
    found: dict[str, Weights] = {}
    for counts in itertools.product((0, 1, 2, 3, 5), repeat=len(CRITERIA)):
        exact = [*(count * unit for count in counts), Fraction(FIT_WEIGHT)]
        by_row = [sum((w * r for w, r in zip(exact, row, strict=True)), Fraction()) / sum(exact) for row in ratings]
        scores = sorted(by_row, reverse=True)
        level = sorted((-score, cost) for score, cost in zip(by_row, usd, strict=True) if scores[0] - score <= TIE_BAND)
        pairs = [(better, worse) for (_, better), (_, worse) in itertools.pairwise(level)]
        hit = {
            "the worse is cheaper": any(worse < better < math.inf for better, worse in pairs),
            "the better is not known whole": any(worse < better == math.inf for better, worse in pairs),
            "equal": scores[0] == scores[1],
            "equal behind": any(a == b for a, b in itertools.pairwise(scores[1:])),
            "on the band": any(scores[0] - score == Fraction(TIE_BAND) for score in scores),
            "a half": any(score.denominator == 2 for score in scores),
        }
        for name in (name for name, there in hit.items() if there and name not in found):
            found[name] = weights_of(*(float(weight) for weight in exact[:-1]))
        if len(found) == len(hit):
            break
    return found


def test_edges_of_the_arithmetic_are_those_of_the_command(open_page: Open) -> None:
    """Equal scores, a distance of exactly the band, a half that is rounded, costs: the page decides as the command."""
    names = set()
    opened = open_page("recommend bare 2026")
    answer = advised(WORKLOADS["bare"])
    usd = [item.cost.monthly_usd if item.cost and not item.cost.missing else math.inf for item in answer.ranked]
    for unit in (Fraction(1), Fraction(1, 10)):
        found = edges(hundredths(answer), usd, unit)
        for weights in found.values():
            opened.move(weights)
            assert same_ranking(opened.state(), answered("bare", "2026", weights))
        names |= set(found)
    assert names == {
        "the worse is cheaper",
        "the better is not known whole",
        "equal",
        "equal behind",
        "on the band",
        "a half",
    }


def answered(name: str, edition: str, weights: Weights) -> dict[str, Any]:
    """Return the advisor's answer with these priorities, in the shape of the command's JSON."""
    return asdict(advised({**WORKLOADS[name], "priorities": weights}, edition))


def advised(fields: dict[str, Any], edition: str = "2026") -> Recommendation:
    """Return the advisor's answer, in the edition of today with sizes and prices."""
    facts = None if edition == "2018" else Facts(market())
    return recommend(workload_of(fields), catalogue(edition), date.fromisoformat(DAY), facts=facts)[0]


market = cache(load_market)


@pytest.fixture(scope="module")
def bare(browser: Browser, pages: dict[str, Path]) -> Iterator[Opened]:
    """Return one open page, for many examples."""
    from browsed import Opened

    context = browser.new_context()
    page = context.new_page()
    page.goto(pages["recommend bare 2026"].as_uri())
    yield Opened(page, [], [])
    context.close()


@given(st.lists(st.integers(0, 50).map(lambda tenths: tenths / 10), min_size=5, max_size=5))
@settings(max_examples=50, deadline=None)
def test_any_place_of_the_sliders_ranks_as_the_advisor_does(bare: Opened, values: list[float]) -> None:
    """Every combination of tenths gives the advisor's ranking."""
    weights = weights_of(*values)
    bare.move(weights)
    assert same_ranking(bare.state(), answered("bare", "2026", weights))


@given(st.lists(st.floats(0, 5), min_size=5, max_size=5))
@settings(max_examples=50, deadline=None)
def test_any_weight_ranks_as_the_advisor_does(bare: Opened, values: list[float]) -> None:
    """Weights that no slider could reach give the advisor's ranking too: the arithmetic is exact, not near."""
    bare.move(weights_of(*values), step="any")
    state = bare.state()
    weights = weights_of(*map(float, state.sliders))
    assert all(math.isclose(weights[name], value, abs_tol=1e-9) for name, value in weights_of(*values).items())
    assert same_ranking(state, answered("bare", "2026", weights))


@pytest.mark.parametrize("key", [("off-step", "2026"), ("demo", "2018"), ("kubernetes", "2026")], ids="-".join)
def test_reset_gives_back_the_weights_of_the_file(open_page: Open, key: tuple[str, str]) -> None:
    """The button undoes every move: the file's exact weights, as they were written, and the order that they give."""
    opened = open_page(f"recommend {' '.join(key)}")
    before = opened.state()
    opened.move(WEIGHTINGS[3])
    assert opened.state().rows != before.rows
    opened.page.get_by_role("button", name="Back to the file's weights").click()
    assert opened.state() == before


def test_a_weight_between_the_steps_counts_in_full_beside_moved_ones(open_page: Open) -> None:
    """A slider that nobody moved keeps the file's weight, though it cannot show it."""
    priorities = WORKLOADS["off-step"]["priorities"]
    opened = open_page("recommend off-step 2026")
    assert opened.state().weights["speed"] == "2.33333"
    opened.move({"ease_of_deployment": 3.7})
    weights = {**priorities, "ease_of_deployment": 3.7}
    assert same_ranking(opened.state(), answered("off-step", "2026", weights))
    assert document.parse(opened.state().priorities, "page").value == {"priorities": weights}


def test_the_note_shows_while_weights_differ_from_the_file(open_page: Open) -> None:
    """The page says once a slider has moved, and not after a reset, that its rest holds for the file's own weights."""
    opened = open_page("recommend demo 2026")
    note = opened.page.get_by_text("The title, and what follows, hold for the file's own weights.")
    assert not note.is_visible()
    opened.page.get_by_role("slider", name="weight of speed", exact=True).fill("4.2")
    assert note.is_visible()
    opened.page.get_by_role("slider", name="weight of speed", exact=True).fill("1")
    assert not note.is_visible()


def test_a_page_that_is_loaded_again_shows_the_weights_of_the_file(open_page: Open) -> None:
    """A browser that remembers what stood in a form does not bring back sliders that the ranking ignores."""
    opened = open_page("recommend demo 2026")
    before = opened.state()
    opened.move(WEIGHTINGS[3])
    opened.page.reload()
    assert opened.state() == before
    opened.move(WEIGHTINGS[3])
    opened.page.goto("about:blank")
    opened.page.go_back()
    assert [float(value) for value in opened.state().sliders] == [
        float(opened.state().weights[criterion]) for criterion in CRITERIA
    ]


@pytest.mark.parametrize("key", [("demo", "2026"), ("off-step", "2018"), ("batch", "2026")], ids="-".join)
def test_what_the_page_says_to_write_gives_the_ranking_that_it_shows(
    open_page: Open, many: Many, asked: Command, workloads: dict[str, Path], tmp_path: Path, key: tuple[str, str]
) -> None:
    """The line of priorities, put into the workload file, makes the command rank as the page does."""
    name, edition = key
    opened = open_page(f"recommend {name} {edition}")
    opened.move({"speed": 3.3, "data_proximity": 0.1})
    state = opened.state()
    kept = [line for line in workloads[name].read_text().splitlines() if not line.startswith("priorities:")]
    path = tmp_path / "kept.yaml"
    path.write_text("\n".join([*kept, state.priorities]))
    (printed,) = many([asked(["recommend", str(path), "--edition", edition, "-o", "json"])])
    assert same_ranking(state, json.loads(printed))
