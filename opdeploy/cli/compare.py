"""`opdeploy compare`."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import typer

from opdeploy.cli.options import AsOf, Edition, File, day, format_of, platform_ids

Output = Literal["table", "json", "markdown"]


def compare(
    platforms: Annotated[
        list[str],
        typer.Argument(
            metavar="ID ID...",
            help="Two platforms or more; opdeploy platforms lists them.",
            autocompletion=platform_ids,
        ),
    ],
    *,
    edition: Edition = "2026",
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="Format of the comparison.", show_default="table")
    ] = None,
    file: File = None,
    as_of: AsOf = None,
) -> None:
    """Show platforms side by side: ratings, skills and limits."""
    from opdeploy import ui
    from opdeploy.catalogue import load_catalogue
    from opdeploy.errors import InputError
    from opdeploy.views.comparison import as_data, headline, markdown, rows

    form = format_of(output, file, get_args(Output))
    on = day(as_of)
    catalogue = load_catalogue(edition)
    compared = [catalogue.find(platform) for platform in dict.fromkeys(platforms)]
    if len(compared) == 1:
        raise InputError(f"{compared[0].id} has nothing to be compared with; name at least two platforms")
    if len(compared) < len(platforms):
        ui.warn("a platform is named twice; it is shown once")
    if form == "json":
        import json

        ui.deliver(json.dumps(as_data(compared, on), indent=2), file)
    elif form == "markdown":
        ui.deliver(markdown(compared, edition, on), file)
    else:
        from opdeploy.ui.comparison import show

        ids = [profile.id for profile in compared]
        ui.tables(lambda console: show(console, headline(compared, edition, on), ids, rows(compared, on)), file)
