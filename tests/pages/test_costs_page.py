"""What an answer's page tells about sizes and costs, against the command's JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from browsed import RANKED

from opdeploy.costs import dollars, duration
from opdeploy.recommendation import Branch, Capacity, Cost, Sizing
from opdeploy.views.costs import decimal, monthly, takes

if TYPE_CHECKING:
    from browsed import Command, Many, Open
    from playwright.sync_api import Page

    Answers = dict[tuple[str, str], dict[str, Any]]

PRICED = [key for key in RANKED if key[1] == "2026"]
TABLE = "What each platform takes and costs"


@pytest.fixture(scope="module")
def answers(many: Many, asked: Command) -> Answers:
    """Return the answers to every workload that some platform takes."""
    printed = many(asked(["recommend", name, "--edition", edition, "-o", "json"]) for name, edition in RANKED)
    return {key: json.loads(text) for key, text in zip(RANKED, printed, strict=True)}


def cells(page: Page, region: str) -> list[list[str]]:
    """Return the rows of the table in a region, folded away or not."""
    rows = page.get_by_role("region", name=region, exact=True, include_hidden=True).locator("tbody tr")
    found: list[list[str]] = rows.evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return found


@pytest.mark.parametrize("key", PRICED, ids="-".join)
def test_each_platform_has_its_size_time_grade_and_cost(
    open_page: Open, answers: Answers, key: tuple[str, str]
) -> None:
    """In the order of the answer: instances, what one carries, p95 or the time of a run, the month and its status."""
    page = open_page(f"recommend {' '.join(key)}").page
    rows = cells(page, TABLE)
    ranked = answers[key]["ranked"]
    assert [row[0] for row in rows] == [item["platform"] for item in ranked]
    for (_, month, status, _, instances, time, carries, grade), item in zip(rows, ranked, strict=True):
        sizing, cost = item["sizing"], item["cost"]
        assert status == (cost["status"] if cost else "")
        known = cost is not None and bool(cost["lines"])
        assert month.startswith("at least ") == (known and status == "partial")
        assert month.startswith("about ") == (status == "borrowed")
        assert (month == "not known") != known
        if known:
            assert abs(float(month.split("$")[1].replace(",", "")) - cost["monthly_usd"]) <= 0.5
        if sizing is None:
            assert (instances, time, carries, grade) == ("", "", "", "")
            continue
        assert instances.replace(",", " ").split()[:3] == [
            str(sizing["count"]),
            "\N{MULTIPLICATION SIGN}",
            sizing["size"],
        ]
        assert ("(Spot)" in instances) == sizing["spot"]
        assert ("by" in instances.split()) == (sizing["spare"] > 0)
        assert time == duration(sizing["run_s"] if sizing["p95_ms"] is None else sizing["p95_ms"] / 1000)
        assert grade == sizing["capacity"]["grade"]
        assert carries.split()[1] == sizing["capacity"]["unit"]
    heading = page.get_by_role("region", name=TABLE).locator("th[scope=col]").all_text_contents()
    times = {item["sizing"]["p95_ms"] is None for item in ranked if item["sizing"]}
    assert times <= {heading[5] == "a run"}


@pytest.mark.parametrize("key", PRICED, ids="-".join)
def test_every_line_of_a_cost_has_its_price_with_date_and_source(
    open_page: Open, answers: Answers, key: tuple[str, str]
) -> None:
    """Each price stands once, each line with its platform, and what is missing is named."""
    page = open_page(f"recommend {' '.join(key)}").page
    ranked = answers[key]["ranked"]
    lines = [line for item in ranked for line in (item["cost"] or {"lines": []})["lines"]]
    expected = {(line["meter"], line["region"], line["date"] or "none", line["source"]) for line in lines}
    source, found = "", []
    for meter, _, region, day, *more in cells(page, "Prices"):
        (source,) = more or [source]
        found.append((meter, region, day, source))
    assert sorted(found) == sorted(expected)
    assert page.locator("summary", has_text="dates and sources").count() == (1 if lines else 0)
    for item in ranked:
        cost = item["cost"] or {"lines": [], "missing": []}
        shown = cells(page, f"Cost of {item['platform']}")
        assert [(row[0], float(row[3].replace(",", ""))) for row in shown] == [
            (line["meter"], line["usd"]) for line in cost["lines"]
        ]
        text = str(page.locator("details", has_text=f". {item['platform']}, ").text_content())
        assert all(part in text for part in cost["missing"])


@pytest.mark.parametrize("key", PRICED, ids="-".join)
def test_what_follows_from_costs_stands_in_sentences(open_page: Open, answers: Answers, key: tuple[str, str]) -> None:
    """The cheapest to the fastest, at which loads two change places, and the notes."""
    answer = answers[key]
    page = open_page(f"recommend {' '.join(key)}").page
    said = page.get_by_role("heading", name="What it costs").locator("+ ul li").all_text_contents()
    assert len(said) == bool(answer["pareto"]) + len(answer["break_even"]) + len(answer["notes"])
    if len(answer["pareto"]) > 1:
        places = [said[0].index(f"{platform} (") for platform in answer["pareto"]]
        assert places == sorted(places)
    elif answer["pareto"]:
        assert said[0].startswith(f"{answer['pareto'][0]} costs least and ")
    for crossing in answer["break_even"]:
        cheaper, than, above = crossing["cheaper"], crossing["than"], crossing["above"]
        assert f"{cheaper} costs less than {than} above {above:g} times this load." in said
    assert [sentence[1:] for sentence in said[len(said) - len(answer["notes"]) :]] == [
        note[1:].rstrip(".") + "." for note in answer["notes"]
    ]


def test_the_edition_of_2018_has_no_costs_on_its_page(open_page: Open) -> None:
    """Neither a section nor a column."""
    page = open_page("recommend demo 2018").page
    assert page.get_by_role("heading", name="What it costs").count() == 0
    assert page.locator(".cost, .costs").count() == 0
    assert "$" not in page.locator("main").inner_text()


def test_the_heatmap_of_a_workload_tells_costs_too(open_page: Open) -> None:
    """The same as the page of the answer; of the edition alone it tells none."""
    expected = {row[0]: row[4] for row in open_page("recommend demo 2026").state().rows}
    rows = open_page("heatmap of a workload").page.locator("#ranked tr")
    found = rows.evaluate_all(
        "(rows) => rows.map((row) => [row.dataset.platform, row.querySelector('.cost').textContent])"
    )
    assert dict(found) == expected
    assert open_page("heatmap 2026").page.locator(".cost").count() == 0


def test_costs_move_with_their_platforms(open_page: Open) -> None:
    """When a weight moves, each platform keeps its cost."""
    opened = open_page("recommend level 2026")
    before = {row[0]: row[4] for row in opened.state().rows}
    order = [row[0] for row in opened.state().rows]
    opened.move({"ease_of_deployment": 5.0})
    assert [row[0] for row in opened.state().rows] != order
    assert {row[0]: row[4] for row in opened.state().rows} == before


FIGURES = {
    "a fraction of a second": (duration, 0.0279, "27.9 ms"),
    "seconds": (duration, 89.6, "89.6 s"),
    "minutes": (duration, 2374.0, "39.6 min"),
    "hours": (duration, 7001.0, "1.94 h"),
    "cents": (dollars, 9.934, "$9.93"),
    "dollars": (dollars, 6043.4, "$6,043"),
    "nothing": (dollars, 0.0, "$0"),
    "a price of a second": (decimal, 3e-06, "0.000003"),
    "many seconds": (decimal, 6390000.0, "6,390,000"),
}


@pytest.mark.parametrize(("write", "value", "text"), FIGURES.values(), ids=FIGURES)
def test_how_figures_are_written(write: Any, value: float, text: str) -> None:  # noqa: ANN401  any function on a figure
    """In the unit that suits them, without exponents."""
    assert write(value) == text


def test_who_stands_by_is_told() -> None:
    """Beside the instances that work, and whether they may be taken away."""
    capacity = Capacity(1.0, 0.5, 2.0, "requests/s", "estimate", (Branch(("a",), 1.0, 0.5, 2.0),))
    sizing = Sizing("D4", 3, capacity, 20.0, None, 1, 1, 1.5, spot=True, instance_hours=730.0, variant=None, why=())
    assert takes(sizing).replace("\N{NO-BREAK SPACE}", " ") == ("3 \N{MULTIPLICATION SIGN} D4 (Spot), 1 stands by")


def test_what_costs_nothing_is_told_from_what_is_not_known() -> None:
    """Without a line there is a cost only where nothing is missing."""
    assert monthly(Cost(0.0, 0.0, 0.0, "complete", (), ())) == "$0"
    assert monthly(Cost(0.0, 0.0, None, "partial", (), ("all",))) == "not known"
    assert monthly(None) == "not known"
