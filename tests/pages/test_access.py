"""Who can use a page: readers without a mouse, without sight, without scripts, in the dark, on a telephone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsed import KINDS

from opdeploy.words import plain
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from browsed import Open
    from playwright.sync_api import Page

SLIDERS = [name for name in KINDS if name.startswith("recommend") and "nothing" not in name]
FOCUSABLE = "summary, button, input, .wide"


def unfold(page: Page) -> list[str]:
    """Unfold the prices, where there are any, and the first platform; returns the regions that this shows."""
    shown = set(names(page))
    for words in ("dates and sources", "points"):
        for summary in page.locator("summary", has_text=words).all()[:1]:
            summary.click()
    return [name for name in names(page) if name not in shown]


def names(page: Page) -> list[str]:
    """Return the names of the regions that are to be seen."""
    return [str(region.get_attribute("aria-label")) for region in page.get_by_role("region").all()]


@pytest.mark.parametrize("name", KINDS)
def test_axe_finds_nothing_wrong(open_page: Open, name: str) -> None:
    """No rule of axe is broken in light or dark, wide or narrow, before or after weights are moved."""
    opened = open_page(name, bypass_csp=True)  # axe brings its own script
    broken = []
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        opened.page.emulate_media(color_scheme=scheme)
        for width in (1280, 400):
            opened.page.set_viewport_size({"width": width, "height": 900})
            broken += Axe().run(opened.page).response["violations"]
        if name in SLIDERS:
            opened.move({"speed": 4.2, "scalability": 5.0})
            unfold(opened.page)
    if name in SLIDERS:
        broken += Axe().run(opened.page).response["violations"]
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in broken] == []


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", KINDS)
def test_the_tab_key_reaches_everything_and_shows_where_it_is(open_page: Open, name: str, width: int) -> None:
    """Tab goes through sliders, button, scrolling regions and details in the order of the page, each with a frame."""
    page = open_page(name, width=width).page
    expected = page.evaluate(
        "(which) => [...document.querySelectorAll(which)].filter((node) => node.checkVisibility()"
        " && (node.localName === 'summary' || !node.closest('details:not([open])'))).map((node) => node.outerHTML)",
        FOCUSABLE,
    )
    assert expected
    for html in expected:
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const node = document.activeElement, style = getComputedStyle(node);"
            " return [node.outerHTML, style.outlineStyle, parseFloat(style.outlineWidth)]; }"
        )
        assert found == [html, "solid", 3]


def test_arrow_keys_move_a_weight_by_a_tenth(open_page: Open) -> None:
    """Right and left change the weight that has the focus by 0.1, as figure and in the ranking, up to the ends."""
    opened = open_page("recommend demo 2026")
    opened.page.get_by_role("slider", name="weight of scalability", exact=True).focus()
    seen = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Home", "ArrowLeft", "End", "ArrowRight"):
        opened.page.keyboard.press(key)
        seen.append(opened.state().weights["scalability"])
    assert seen == ["0.6", "0.7", "0.6", "0", "0", "5", "5"]
    assert opened.state().rows[0][0] == "container-apps"


def test_names_say_what_each_thing_is(open_page: Open) -> None:
    """Sliders are named for their weights, one line tells the leader when it changes, drawings have names."""
    opened = open_page("recommend demo 2026")
    page = opened.page
    names = [f"weight of {plain(criterion)}" for criterion in CRITERIA]
    assert page.get_by_role("slider").count() == len(names)
    assert [page.get_by_role("slider", name=name, exact=True).count() for name in names] == [1] * len(names)
    status = page.get_by_role("status")
    assert status.aria_snapshot() == '- status: "Leads: aci"'
    opened.move({"speed": 5.0})
    assert status.aria_snapshot() == '- status: "Leads: container-apps"'
    assert page.get_by_role("img", name=re.compile("^From batch to real time, .*: hdinsight 0.1")).count() == 1
    regions = page.get_by_role("region")
    assert all(f'region "{name}"' in page.locator("main").aria_snapshot() for name in ("Heatmap", "Continuum"))
    assert regions.count() == page.locator(".wide:visible").count()


def test_a_slider_speaks_the_weight_that_counts(open_page: Open) -> None:
    """A weight between the slider's steps is read out as it is, until the slider has moved, and again after a reset."""
    opened = open_page("recommend off-step 2018")
    speed = opened.page.get_by_role("slider").first
    assert speed.get_attribute("aria-valuetext") == "2.33333"
    opened.move({"speed": 3.0})
    assert speed.get_attribute("aria-valuetext") == "3"
    opened.page.locator("#reset").click()
    assert speed.get_attribute("aria-valuetext") == "2.33333"


@pytest.mark.parametrize("name", KINDS)
def test_headers_have_scopes_and_drawings_names(open_page: Open, name: str) -> None:
    """Every header of a table says what it heads, and every drawing has a name or is hidden from those who listen."""
    page = open_page(name).page
    assert page.locator("th:not([scope]), svg:not([aria-labelledby], [aria-hidden])").count() == 0
    assert page.locator("th, svg").count() > 0
    for svg in page.locator("svg[aria-labelledby]").all():
        assert "real time" in str(svg.locator("title").text_content())


@pytest.mark.parametrize("name", ["recommend demo 2026", "recommend off-step 2018"])
def test_without_scripts_all_is_there_to_read(open_page: Open, name: str) -> None:
    """Ranking, weights, reasons and assumptions are in the page itself; what would need the script does not show."""
    page = open_page(name, java_script_enabled=False).page
    assert page.locator("input:visible, button:visible, [role=status]:visible, #keep:visible").count() == 0
    assert page.locator("#ranked tr:visible").count() >= 5
    shown = page.locator("main").inner_text()
    assert "Move a weight" not in shown
    assert all(heading in shown for heading in ("From batch to real time", "Why ", "How firm it is", "Assumed"))
    weights = {"recommend demo 2026": "1 0.5 1 2 5 5", "recommend off-step 2018": "2.33333 1e-07 4.95 0 2 5"}
    assert page.locator("[data-weight]:visible").all_inner_texts() == weights[name].split()
    priced = "2026" in name
    assert ("What it costs" in shown) == priced
    assert len(unfold(page)) == 1 + 2 * priced
