"""`opdeploy continuum`."""

from __future__ import annotations

from opdeploy.cli.options import FORMATS, AsOf, Edition, File, Output, WorkloadFile, day, format_of


def continuum(
    *,
    edition: Edition = "2026",
    workload: WorkloadFile = None,
    output: Output = None,
    file: File = None,
    as_of: AsOf = None,
) -> None:
    """Show the platforms on the line from batch to real time, and a workload's own place on it."""
    from opdeploy import pages, pictures
    from opdeploy.catalogue import load_catalogue
    from opdeploy.cli.answer import ask
    from opdeploy.cli.output import Sight, deliver
    from opdeploy.ui.continuum import show
    from opdeploy.views.continuum import continuum as look

    form = format_of(output, file, FORMATS)
    catalogue = load_catalogue(edition)
    on = day(as_of)
    view = look(catalogue, on, ask(workload, catalogue, on, file).own if workload else None)
    sight = Sight(
        lambda console: show(console, view),
        view.records,
        lambda picture: pictures.continuum(view, picture),
        lambda: pages.continuum(view),
    )
    deliver(sight, form, file)
