"""How a page looks: colours that can be read and told apart, widths that fit, paper."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Literal

import pytest
from browsed import KINDS

from opdeploy.views import palette

if TYPE_CHECKING:
    from pathlib import Path

    from browsed import Open
    from playwright.sync_api import Page

    Colour = tuple[float, float, float]
    Scheme = Literal["light", "dark"]

READABLE = 4.5
"""The contrast that WCAG 2.2 demands of text."""
A4_WIDTH = 703
"""Pixels of CSS between the margins of an A4 page: 210 mm less two times 12."""
CELLS = """(which) => [...document.querySelectorAll(which)].map((cell) => {
    const style = getComputedStyle(cell);
    return [Number(cell.textContent), style.color, style.backgroundColor];
})"""
BODY = "() => { const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]; }"


def rgb(written: str) -> Colour:
    """Return a colour as the browser writes it, in parts of 255."""
    assert re.match(r"(rgb|color\(srgb )", written), written
    red, green, blue = (float(part) * (255 if written.startswith("color") else 1) for part in _parts(written))
    return red, green, blue


def _parts(written: str) -> list[str]:
    parts = re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", written)
    assert len(parts) == 3, f"{written} is not opaque"
    return parts


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, by WCAG 2.2."""

    def luminance(colour: Colour) -> float:
        red, green, blue = (
            part / 255 / 12.92 if part <= 255 * 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["recommend demo 2026", "heatmap 2026", "heatmap 2018", "heatmap then and now"])
def test_ratings_can_be_read_and_told_apart(open_page: Open, name: str, scheme: Scheme) -> None:
    """Every rating stands out from its colour, and colours go from orange to teal as ratings go from poor to good."""
    page = open_page(name, scheme=scheme).page
    everything = page.evaluate(CELLS, ".rating")
    assert min(contrast(rgb(ink), rgb(paper)) for _, ink, paper in everything) >= READABLE
    cells = {value: rgb(paper) for value, _, paper in page.evaluate(CELLS, "tr:not(.out) > .rating:not(.out)")}
    assert len(cells) > 10
    falling = [cells[value][0] - cells[value][2] for value in sorted(cells)]  # red less blue
    assert all(before > after for before, after in itertools.pairwise(falling))


@pytest.mark.parametrize("media", ["screen", "print"])
def test_light_colours_are_those_of_the_pictures(open_page: Open, media: Literal["screen", "print"]) -> None:
    """The browser's mix and the palette's are the same colours, but for rounding; on paper from a dark screen too."""
    page = open_page("heatmap 2026", scheme="dark" if media == "print" else "light").page
    page.emulate_media(media=media)
    for value, ink, paper in page.evaluate(CELLS, "tr:not(.out) > .rating"):
        written = palette.colour(value)
        expected = [int(written[at : at + 2], 16) for at in (1, 3, 5)]
        assert max(abs(a - b) for a, b in zip(rgb(paper), expected, strict=True)) <= 2, value
        assert contrast(rgb(ink), (0, 0, 0)) < 1.5


@pytest.mark.parametrize("name", KINDS)
def test_the_dark_page_is_dark(open_page: Open, name: str) -> None:
    """A reader who asks for dark gets light text on dark, and otherwise dark on white."""
    page = open_page(name).page
    schemes: tuple[Scheme, ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        ink, paper = map(rgb, page.evaluate(BODY))
        assert contrast(ink, paper) > 10, scheme
        assert (sum(ink) > sum(paper)) == (scheme == "dark")


def too_wide(page: Page, width: int) -> list[str]:
    """Return what makes the document wider than a window."""
    found: list[str] = page.evaluate(
        "(width) => document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll('body *')]"
        ".filter((node) => node.getBoundingClientRect().right > width).map((node) => node.outerHTML.slice(0, 80))",
        width,
    )
    return found


@pytest.mark.parametrize("name", KINDS)
def test_the_document_never_scrolls_sideways(open_page: Open, name: str) -> None:
    """What is wider than the window scrolls in a region of its own, from a telephone to a desk."""
    opened = open_page(name)
    opened.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    if opened.page.locator("#reset").count():
        opened.move({"speed": 4.2})
    for width in (360, 768, 1280):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert too_wide(opened.page, width) == []


@pytest.mark.parametrize("name", ["recommend demo 2026", "heatmap 2026", "heatmap then and now"])
def test_a_desk_shows_whole_heatmaps(open_page: Open, name: str) -> None:
    """At 1280 pixels no heatmap has to be scrolled."""
    assert open_page(name).page.locator(".wide").first.evaluate("(node) => node.scrollWidth - node.clientWidth") == 0


@pytest.mark.parametrize("name", KINDS)
def test_paper_is_white_and_holds_all_columns(open_page: Open, name: str) -> None:
    """From a dark screen too, print is dark on white, as wide as A4, with weights as figures and nothing to press."""
    opened = open_page(name, width=A4_WIDTH, scheme="dark")
    opened.page.emulate_media(media="print")
    ink, paper = map(rgb, opened.page.evaluate(BODY))
    assert paper == (255, 255, 255)
    assert contrast(ink, paper) > 10
    assert opened.page.locator("input:visible, button:visible").count() == 0
    assert opened.page.locator("[data-weight]:visible").count() == opened.page.locator("[data-weight]").count()
    assert too_wide(opened.page, A4_WIDTH) == []
    for region in opened.page.locator(".wide:visible").all():
        assert region.evaluate("(node) => node.scrollWidth <= node.clientWidth")


def test_paper_shows_what_a_screen_folds_away(open_page: Open) -> None:
    """The points of each platform, which a reader would unfold, are on paper at once."""
    page = open_page("recommend demo 2026").page
    hidden = page.get_by_role("region", name="Points of", include_hidden=True)
    assert [hidden.nth(at).is_visible() for at in (0, 9)] == [False, False]
    page.emulate_media(media="print")
    assert [hidden.nth(at).is_visible() for at in (0, 9)] == [True, True]


def test_a_pdf_has_pages(open_page: Open, tmp_path: Path) -> None:
    """Printing gives a PDF of several A4 pages."""
    path = tmp_path / "page.pdf"
    open_page("recommend demo 2026").page.pdf(path=path, format="A4")
    written = path.read_bytes()
    assert written.startswith(b"%PDF-")
    assert 3 <= len(re.findall(rb"/Type\s*/Page\b", written)) <= 12
    assert set(re.findall(rb"/MediaBox\s*\[\s*0 0 (\d+)", written)) <= {b"594", b"595"}
