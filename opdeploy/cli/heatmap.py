"""`opdeploy heatmap`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from opdeploy.cli.options import FORMATS, AsOf, EditionName, File, Output, WorkloadFile, day, format_of

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from opdeploy.cli.output import Sight


def heatmap(
    *,
    edition: Annotated[
        EditionName | None,
        typer.Option("--edition", help="Today's platforms, or those of the chapter.", show_default="2026"),
    ] = None,
    workload: WorkloadFile = None,
    then_now: Annotated[
        bool, typer.Option("--then-now", help="Show both editions, and what changed with its reason.")
    ] = False,
    output: Output = None,
    file: File = None,
    as_of: AsOf = None,
) -> None:
    """Show the platforms by the five criteria, from poor (0) to good (1).

    With a workload: in the order of its ranking, with its weights, and with what it excludes.
    """
    from opdeploy.cli.output import deliver
    from opdeploy.errors import InputError

    form = format_of(output, file, FORMATS)
    if then_now and (edition or workload):
        raise InputError("--then-now: compares both editions, without a workload; leave --edition and --workload out")
    deliver(_both(day(as_of)) if then_now else _one(edition or "2026", workload, day(as_of), file), form, file)


def _one(edition: EditionName, workload: Path | None, on: date, file: Path | None) -> Sight:
    from opdeploy import pages, pictures
    from opdeploy.catalogue import load_catalogue
    from opdeploy.cli.answer import ask
    from opdeploy.cli.output import Sight
    from opdeploy.ui.heatmap import show
    from opdeploy.views.heatmap import heatmap as look

    catalogue = load_catalogue(edition)
    view = look(catalogue, on, ask(workload, catalogue, on, file).recommendation if workload else None)
    return Sight(
        lambda console: show(console, view),
        view.records,
        lambda form: pictures.heatmap(view, form),
        lambda: pages.heatmap(view),
    )


def _both(on: date) -> Sight:
    from opdeploy import pages, pictures
    from opdeploy.catalogue import load_catalogue
    from opdeploy.cli.output import Sight
    from opdeploy.ui.heatmap import show_then_now
    from opdeploy.views.then_now import change_records
    from opdeploy.views.then_now import then_now as look

    pairs = look(load_catalogue("2018"), load_catalogue("2026"), on)
    return Sight(
        lambda console: show_then_now(console, pairs),
        lambda: [pair.record() for pair in pairs],
        lambda form: pictures.then_now(pairs, form),
        lambda: pages.then_now(pairs),
        lambda: change_records(pairs),
    )
