"""The colours from poor to good: orange over pale to teal, which red-green colour-blindness does not confuse."""

from __future__ import annotations

from typing import NamedTuple

from opdeploy.platform import GROUPS, Group


class Stops(NamedTuple):
    """Colours at 0, 0.5 and 1; in between they are mixed in proportion, in sRGB. Text on them is `ink`."""

    poor: str
    middle: str
    good: str
    ink: str


LIGHT = Stops("#e58b3a", "#f7f3e9", "#4fa79c", "#1b1b1b")
DARK = Stops("#9a5716", "#3d3d3b", "#1d776d", "#f4f4f4")
"""For pages that are read on a dark screen."""

GROUP_COLOURS: dict[Group, str] = dict(
    zip(GROUPS, ("#d55e00", "#cc79a7", "#b8860b", "#0072b2", "#009e73"), strict=True)
)
"""Of the groups on the continuum, after the palette of Okabe and Ito, which colour-blindness does not confuse."""


def colour(rating: float) -> str:
    """Return the light colour of a rating from 0 to 1, as #rrggbb."""
    low, high = (LIGHT.poor, LIGHT.middle) if rating < 0.5 else (LIGHT.middle, LIGHT.good)  # noqa: PLR2004  the middle
    share = 2 * rating % 1 if rating < 1 else 1.0
    parts = (round((1 - share) * int(low[at : at + 2], 16) + share * int(high[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)
