"""`opdeploy recommend`."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from opdeploy.recommendation import Recommendation

Output = Literal["table", "json", "yaml", "markdown"]


def recommend(
    workload: Annotated[Path, typer.Argument(help="The workload file.")] = Path("workload.yaml"),
    *,
    edition: Annotated[
        Literal["2018", "2026"], typer.Option(help="Today's platforms, or those of the chapter.")
    ] = "2026",
    output: Annotated[Output, typer.Option("--output", "-o", help="Format of the answer.")] = "table",
    explain: Annotated[bool, typer.Option("--explain", help="Show how each figure came about.")] = False,
    why_not: Annotated[
        str | None, typer.Option(metavar="ID", help="Say why this platform is not the recommended one.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Decide as on this day; today if not given."),
    ] = None,
) -> None:
    """Rank the platforms for a workload, from batch to real time, and say why.

    Exits with 4 when no platform is viable, and for generative models (tokens per second), which are out of scope:
    look at vLLM, a Kubernetes operator such as KAITO, or a model API.
    """
    from opdeploy import advisor, report, ui
    from opdeploy.catalogue import load_catalogue
    from opdeploy.errors import InputError, NoPlatformError, nearest
    from opdeploy.workload_file import load_workload, size_on_disk_mb

    catalogue = load_catalogue(edition)
    if why_not is not None and why_not not in catalogue.by_id:
        if why_not in catalogue.all_ids:
            where = " and ".join(catalogue.editions_of(why_not))
            raise InputError(f"--why-not: {why_not} is not in edition {edition}; ask with --edition {where}")
        raise InputError(f"--why-not: no platform {why_not!r}{nearest(why_not, sorted(catalogue.by_id))}")
    request = load_workload(workload, catalogue.all_ids)
    day = as_of.date() if as_of else date.today()  # noqa: DTZ011  the user's own day
    answer, warnings = advisor.recommend(request, catalogue, day, size_on_disk_mb(workload, request))
    for warning in warnings:
        ui.warn(f"{workload}: {warning}")
    if output == "table" and why_not:
        ui.sentences([report.headline(answer), *report.why_not(answer, why_not)])
    elif output == "table":
        best = catalogue.by_id[answer.best].title if answer.best else None
        ui.recommendation(answer, explain=explain, title=best)
    else:
        ui.data(_serialised(answer, output))
        for sentence in report.why_not(answer, why_not) if why_not else ():
            ui.say(sentence)
    if answer.status == "out-of-scope":
        raise NoPlatformError(
            f"{workload}: a generative model is out of scope; go to {advisor.OUT_OF_SCOPE.would_need}"
        )
    if answer.status == "no-viable-platform":
        raise NoPlatformError(f"{workload}: no viable platform; the answer says what would have to change")


def _serialised(answer: Recommendation, output: Output) -> str:
    from opdeploy import report

    if output == "markdown":
        return report.markdown(answer)
    import json
    from dataclasses import asdict

    text = json.dumps(asdict(answer), indent=2)
    if output == "json":
        return text
    from opdeploy import document

    return document.dump(json.loads(text))
