"""`opdeploy platforms`."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import typer

from opdeploy.cli.options import AsOf, Edition, File, day, format_of

Output = Literal["table", "json"]


def platforms(
    *,
    edition: Edition = "2026",
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="Format of the list.", show_default="table")
    ] = None,
    file: File = None,
    as_of: AsOf = None,
) -> None:
    """List the platforms, and what opdeploy can do with each.

    Those that have ended come last; before that, from batch to real time.
    """
    from opdeploy import ui
    from opdeploy.catalogue import load_catalogue
    from opdeploy.views.platforms import as_data, in_order

    form = format_of(output, file, get_args(Output))
    on = day(as_of)
    listed = in_order(load_catalogue(edition).profiles, on)
    if form == "json":
        import json

        ui.deliver(json.dumps([as_data(profile, on) for profile in listed], indent=2), file)
    else:
        from opdeploy.ui.platforms import show

        ui.tables(lambda console: show(console, listed, edition, on), file)
