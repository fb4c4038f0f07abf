"""Writes what there is to look at as pages: one file each, which loads nothing and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy import __version__, report, words
from opdeploy.advisor import TIE_BAND
from opdeploy.catalogue import data
from opdeploy.costs import dollars
from opdeploy.platform import GROUPS
from opdeploy.views import palette
from opdeploy.views.continuum import LINE_COLUMNS, layout
from opdeploy.views.costs import costs, decimal, monthly
from opdeploy.views.then_now import HEADLINE
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from opdeploy.platform import Group
    from opdeploy.recommendation import Ranked, Recommendation
    from opdeploy.views.continuum import Continuum
    from opdeploy.views.heatmap import Heatmap
    from opdeploy.views.then_now import Pair

MARKS: dict[Group, str] = dict(
    zip(
        GROUPS,
        (
            "M0 -5L5.5 4.5H-5.5Z",
            "M-5 -5H5V5H-5Z",
            "M0 -6L6 0L0 6L-6 0Z",
            "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z",
            "M-2 -6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
        ),
        strict=True,
    )
)
"""SVG paths around the origin: triangle, square, diamond, circle, cross."""


def heatmap(view: Heatmap) -> str:
    """Write a heatmap as a page."""
    return _page("heatmap.html.j2", view.headline, view=view)


def then_now(pairs: tuple[Pair, ...]) -> str:
    """Write both editions, and what changed, as a page."""
    return _page("then_now.html.j2", HEADLINE, pairs=pairs)


def continuum(view: Continuum) -> str:
    """Write the continuum as a page."""
    return _page("continuum.html.j2", view.headline, line=view, layout=layout(view, LINE_COLUMNS))


def recommendation(answer: Recommendation, view: Heatmap, line: Continuum) -> str:
    """Write an answer as a page, in which its reader can move the weights."""
    return _page(
        "recommendation.html.j2",
        report.headline(answer),
        answer=answer,
        best_title=view.rows[0].title,
        costs=costs(answer),
        firmness=report.firmness(answer),
        layout=layout(line, LINE_COLUMNS),
        line=line,
        ranking=_ranking(answer.ranked),
        view=view,
    )


def _ranking(ranked: tuple[Ranked, ...]) -> dict[str, Any]:
    """Return what the page's script computes with: weights and ratings, `fit` last, and costs that are known whole."""
    return {
        "criteria": CRITERIA,
        "weights": [part.weight for item in ranked[:1] for part in item.contributions],
        "platforms": [
            {
                "id": item.platform,
                "hundredths": [round(100 * part.rating) for part in item.contributions],
                "usd": item.cost.monthly_usd if item.cost and not item.cost.missing else None,
            }
            for item in ranked
        ],
        "tie_band": TIE_BAND,
    }


def _page(template: str, title: str, **values: object) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    folder = Path(str(data("templates"))) / "pages"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"decimal": decimal, "dollars": dollars, "monthly": monthly}
    environment.filters |= {"plain": words.plain, "written": report.written}
    script = (folder / "rank.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = environment.get_template(template).render(
        criteria=CRITERIA,
        dark=palette.DARK,
        group_colours=palette.GROUP_COLOURS,
        groups=GROUPS,
        light=palette.LIGHT,
        marks=MARKS,
        script=Markup(script),  # noqa: S704  our own file
        script_source=f"'sha256-{digest}'",
        tie_band=TIE_BAND,
        title=title,
        version=__version__,
        **values,
    )
    # In ASCII, a page reads the same in whatever encoding it is written to a pipe.
    return page.encode("ascii", "xmlcharrefreplace").decode()
