"""What a page loads, runs and says: itself, its own script, and nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from advice import catalogue, workload_of
from browsed import DAY, EDITIONS, KINDS, PAGES, REFUSED, WORKLOADS

from opdeploy import pages as written_by
from opdeploy.advisor import Facts, recommend
from opdeploy.catalogue import load_market
from opdeploy.recommendation import Assumption, BreakEven
from opdeploy.views.continuum import Own, continuum
from opdeploy.views.heatmap import heatmap
from opdeploy.views.then_now import then_now

if TYPE_CHECKING:
    from pathlib import Path

    from browsed import Command, Open

    from opdeploy.recommendation import Cost, Line
    from tests.conftest import Opdeploy

TODAY = date.fromisoformat(DAY)
HOSTILE = [
    "</script><script>window.ran = 1</script>",
    '"><img src=x onerror="window.ran = 2">',
    "</title><svg onload='window.ran = 3'>",
    "{{ 7 * 7 }}{% raw %}&lt;b&gt;",
]
"""What a text must not do: end the script, an attribute or the title, or be taken for a template or an entity."""
VOID = {"br", "img", "input", "link", "meta"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_for_nothing_and_says_nothing(open_page: Open, name: str) -> None:
    """The browser fetches the page alone, and neither it nor the script complains, whatever a reader does."""
    opened = open_page(name)
    opened.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    if opened.page.locator("#reset").count():
        opened.move({"speed": 3.3, "scalability": 0.1})
        opened.page.locator("#reset").click()
    opened.page.emulate_media(media="print", color_scheme="dark")
    opened.page.set_viewport_size({"width": 400, "height": 900})
    assert opened.page.locator("h1").is_visible()
    assert opened.requests == [opened.page.url]
    assert opened.said == []


def hostile_lines(cost: Cost, text: str) -> tuple[Line, ...]:
    """Return the lines of a cost with a text in each place that takes one."""
    return tuple(replace(line, meter=text, unit=text, region=text, source=text, date=text) for line in cost.lines)


def hostile_pages(text: str) -> dict[str, str]:
    """Return every kind of page with a text in each place that takes one."""
    now, then = catalogue("2026"), catalogue("2018")
    answer = recommend(workload_of(WORKLOADS["demo"]), now, TODAY, facts=Facts(load_market()))[0]
    view = heatmap(now, TODAY, answer)
    line = continuum(now, TODAY, Own(text, 0.5))
    line = replace(line, points=tuple(replace(point, platform=text) for point in line.points))
    rows = tuple(replace(row, title=text, out=row.out and text) for row in view.rows)
    view = replace(view, rows=rows, headline=text)
    ranked = tuple(
        replace(
            item,
            reasons=(text, text),
            warnings=(text,),
            sizing=item.sizing and replace(item.sizing, size=text, variant=text, why=(text,)),
            cost=item.cost and replace(item.cost, lines=hostile_lines(item.cost, text), missing=(text,)),
            contributions=tuple(replace(part, why=text) for part in item.contributions),
        )
        for item in answer.ranked
    )
    reasons = tuple(
        replace(item, reasons=tuple(replace(reason, text=text, would_need=text) for reason in item.reasons))
        for item in answer.excluded
    )
    assumed = (Assumption(text, text, text),)
    answer = replace(answer, workload=text, ranked=ranked, excluded=reasons, assumptions=assumed)
    answer = replace(answer, region=text, notes=(text,), break_even=(BreakEven(text, text, 2.0),))
    pairs = tuple(
        replace(
            pair,
            title=text,
            changes=tuple(replace(change, then=text, why=text, source=text) for change in pair.changes),
        )
        for pair in then_now(then, now, TODAY)
    )
    return {
        "recommendation": written_by.recommendation(answer, view, line),
        "heatmap": written_by.heatmap(view),
        "continuum": written_by.continuum(line),
        "then and now": written_by.then_now(pairs),
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_text_is_shown_as_it_is_and_never_run(open_page: Open, tmp_path: Path, text: str) -> None:
    """Names, titles, reasons and values stand on the page as text, whatever they look like."""
    for kind, content in hostile_pages(text).items():
        path = tmp_path / "hostile.html"
        path.write_text(content)
        opened = open_page(path)
        assert opened.page.evaluate("window.ran") is None
        assert text in opened.page.locator("main").text_content(), kind  # type: ignore[operator]  # there is a main
        assert (opened.said, opened.requests) == ([], [path.as_uri()])
        assert opened.page.locator("img, [onerror], [onload]").count() == 0
        assert opened.page.locator("script").count() == (2 if kind == "recommendation" else 0)


def test_what_is_not_the_pages_own_is_refused(open_page: Open, pages: dict[str, Path], tmp_path: Path) -> None:
    """Were a text ever to become markup, the page's policy would still run nothing and load nothing."""
    path = tmp_path / "broken-into.html"
    more = (
        "<script>window.ran = 1</script><img src='data:,' onerror='window.ran = 2'>"
        "<a href='javascript:window.ran=3'>go</a><script src='https://example.com/x.js'></script><form action='https://example.com/'></form><h1>"
    )
    path.write_text(pages["recommend demo 2026"].read_text().replace("<h1>", more))
    opened = open_page(path)
    opened.page.get_by_role("link", name="go").click()
    opened.page.evaluate("document.forms[0].submit()")
    assert opened.page.evaluate("window.ran") is None
    assert opened.page.url == path.as_uri()
    assert len([said for said in opened.said if "Content Security Policy" in said]) >= 5
    assert opened.page.get_by_role("status").text_content() == "Leads: aci"


class Nesting(HTMLParser):
    """Reads a page as strictly as HTML is written here: every element is closed in turn, no attribute stands twice."""

    def __init__(self) -> None:
        """Start outside every element."""
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.wrong: list[str] = []
        self.seen: list[str] = []
        self.referred: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element, its id and what it refers to."""
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.wrong.append(f"<{tag}> at {self.getpos()} has an attribute twice")
        values = dict(attrs)
        self.seen.append(tag)
        self.ids += [str(values["id"])] if "id" in values else []
        self.referred += [str(values[name]) for name in ("aria-labelledby", "for") if name in values]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG that closes itself."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, and no other."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()} closes another element")


@pytest.mark.parametrize("name", KINDS)
def test_a_page_is_well_formed(open_page: Open, pages: dict[str, Path], name: str) -> None:
    """Elements nest, ids are unique and found, there is one heading above all; the browser mends nothing."""
    text = pages[name].read_text(encoding="utf-8")
    read = Nesting()
    read.feed(text)
    read.close()
    assert (read.wrong, read.open) == ([], [])
    assert len(read.ids) == len(set(read.ids))
    assert set(read.referred) <= set(read.ids)
    assert (read.seen.count("h1"), read.seen.count("main")) == (1, 1)
    page = open_page(name, java_script_enabled=False).page
    assert text.startswith("<!doctype html>\n")
    assert page.evaluate("document.compatMode") == "CSS1Compat"
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title() == page.locator("h1").text_content()
    assert page.evaluate("[...document.querySelectorAll('*')].map((node) => node.localName)") == read.seen


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("edition", EDITIONS)
def test_an_answer_without_a_platform_is_a_page_too(
    open_page: Open, opdeploy: Opdeploy, asked: Command, tmp_path: Path, name: str, edition: str
) -> None:
    """The command ends with 4 and writes a page all the same: reasons and remedies, and nothing to move."""
    path = tmp_path / "page.html"
    ran = opdeploy(*asked(["recommend", name, "--edition", edition, "--file", str(path)]))
    assert (ran.code, ran.out) == (4, "")
    page = open_page(path).page
    assert ("out of scope" if name == "llm" else "no viable platform") in str(page.locator("h1").text_content())
    assert page.locator("input, button, script, [role=status]").count() == 0
    if name == "llm":  # one reason for all, which stands once
        assert "It is out of scope: a generative model" in page.locator("main").inner_text()
        assert page.locator("table, svg").count() == 0
        return
    excluded = page.get_by_role("region", name="Excluded platforms").locator("tbody tr")
    assert set(excluded.locator("th").all_text_contents()) == set(catalogue(edition).by_id)
