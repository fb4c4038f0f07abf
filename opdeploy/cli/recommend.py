"""`opdeploy recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from opdeploy.cli.options import DEFAULT, AsOf, Edition, File, day, format_of, platform_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from opdeploy.catalogue import Catalogue
    from opdeploy.cli.answer import Answer
    from opdeploy.recommendation import Recommendation
    from opdeploy.views.continuum import Own

Output = Literal["table", "json", "yaml", "markdown", "html"]


def recommend(
    workload: Annotated[Path, typer.Argument(help="The workload file.")] = DEFAULT,
    *,
    edition: Edition = "2026",
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="Format of the answer.", show_default="table")
    ] = None,
    file: File = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show how each figure came about.")] = False,
    why_not: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Say why this platform is not the recommended one.", autocompletion=platform_ids
        ),
    ] = None,
    as_of: AsOf = None,
    measurement: Annotated[
        list[Path] | None,
        typer.Option(
            "--measurement",
            metavar="FILE",
            help="JSON of `opdeploy model measure` or `opdeploy test-local`; may be repeated.",
            show_default="what the model's artefact holds",
        ),
    ] = None,
) -> None:
    """Rank the platforms for a workload, from batch to real time, and say why.

    Exits with 4 when no platform is viable, and for generative models (tokens per second), which are out of scope:
    look at vLLM, a Kubernetes operator such as KAITO, or a model API.
    """
    from opdeploy import advisor, report, ui
    from opdeploy.catalogue import load_catalogue
    from opdeploy.cli.answer import ask
    from opdeploy.errors import InputError, NoPlatformError

    if workload == DEFAULT and not workload.exists():
        raise InputError(f"{workload}: no such file; name a workload file, or write one with: opdeploy init")
    catalogue = load_catalogue(edition)
    if why_not is not None:
        catalogue.find(why_not, "--why-not")
    form = format_of(output, file, get_args(Output))
    on = day(as_of)
    found = ask(workload, catalogue, on, file, measurement or [])
    answer = found.recommendation
    if form == "table":
        from opdeploy.ui.recommendation import show, show_why_not

        best = catalogue.by_id[answer.best].title if answer.best else None
        ui.tables(
            lambda console: (
                show_why_not(console, answer, why_not)
                if why_not
                else show(console, answer, explain=explain, title=best)
            ),
            file,
        )
    else:
        if form == "html":
            written = _page(answer, catalogue, found.own, on)
        elif form == "markdown":
            written = _record(found, catalogue, on, _again(workload, edition, on, measurement or []))
        else:
            written = _serialised(answer, form)
        ui.deliver(written, file)
        for sentence in report.why_not(answer, why_not) if why_not else ():
            ui.say(sentence)
    if answer.status == "out-of-scope":
        raise NoPlatformError(
            f"{workload}: a generative model is out of scope; go to {advisor.OUT_OF_SCOPE.would_need}"
        )
    if answer.status == "no-viable-platform":
        raise NoPlatformError(f"{workload}: no viable platform; the answer says what would have to change")


def _page(answer: Recommendation, catalogue: Catalogue, own: Own | None, on: date) -> str:
    from opdeploy import pages
    from opdeploy.views.continuum import continuum
    from opdeploy.views.heatmap import heatmap

    return pages.recommendation(answer, heatmap(catalogue, on, answer), continuum(catalogue, on, own))


def _again(workload: Path, edition: str, on: date, measurements: Sequence[Path]) -> tuple[str, ...]:
    """Return the command that writes the same record on any day."""
    measured = (word for path in measurements for word in ("--measurement", str(path)))
    asked = ("--edition", edition, "--as-of", on.isoformat())
    return ("opdeploy", "recommend", str(workload), *asked, *measured, "-o", "markdown")


def _record(found: Answer, catalogue: Catalogue, on: date, again: tuple[str, ...]) -> str:
    from opdeploy import record

    facts = found.facts
    sizes, measured = (facts.market.sizes, facts.speeds.measured) if facts else ({}, ())
    return record.markdown(found.recommendation, record.Asked(found.workload, catalogue, on, sizes, measured, again))


def _serialised(answer: Recommendation, form: str) -> str:
    import json
    from dataclasses import asdict

    text = json.dumps(asdict(answer), indent=2)
    if form == "json":
        return text
    from opdeploy import document

    return document.dump(json.loads(text))
