"""The colours of ratings: legible, and in order."""

from __future__ import annotations

import pytest

from opdeploy.views import palette

HUNDREDTHS = [step / 100 for step in range(101)]
LEGIBLE = 4.5
"""Contrast of text that WCAG 2.2 asks for at level AA."""


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of #rrggbb."""
    assert len(colour) == 7
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def luminance(colour: str) -> float:
    """Return the relative luminance as WCAG 2.2 defines it."""
    shares = (value / 255 for value in channels(colour))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ink", ["#000000", palette.LIGHT.ink])
def test_figures_are_legible_on_every_colour(ink: str) -> None:
    """Text on the colour of each of the 101 ratings has the contrast that WCAG asks for."""
    assert [rating for rating in HUNDREDTHS if contrast(ink, palette.colour(rating)) < LEGIBLE] == []


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_figures_are_legible_on_the_stops(colours: palette.Stops) -> None:
    """On a light and on a dark screen text is legible at both ends and in the middle."""
    assert min(contrast(colours.ink, stop) for stop in colours[:3]) >= LEGIBLE


def test_colours_run_one_way_from_poor_to_good() -> None:
    """Red gives way to blue with every hundredth: no two ratings have one colour, and none goes back."""
    found = [channels(palette.colour(rating)) for rating in HUNDREDTHS]
    lead = [red - blue for red, _, blue in found]
    assert lead == sorted(set(lead), reverse=True)


def test_lightness_tells_the_distance_from_the_middle() -> None:
    """Colours grow paler up to the middle and deeper from there: the figures' ends stand out in grey too."""
    found = [luminance(palette.colour(rating)) for rating in HUNDREDTHS]
    assert found[:51] == sorted(found[:51])
    assert found[50:] == sorted(found[50:], reverse=True)


def test_the_ends_and_the_middle_are_the_stops() -> None:
    """0, 0.5 and 1 have the colours that are written down."""
    assert [palette.colour(rating) for rating in (0, 0.5, 1)] == list(palette.LIGHT[:3])
