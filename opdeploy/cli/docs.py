"""`opdeploy docs`."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import typer

from opdeploy.cli.options import AsOf, Edition, File, day, format_of, platform_ids

Output = Literal["text", "markdown", "json"]


def docs(
    platform: Annotated[
        str,
        typer.Argument(metavar="ID", help="The platform; opdeploy platforms lists them.", autocompletion=platform_ids),
    ],
    *,
    edition: Edition = "2026",
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="Format of the document.", show_default="text")
    ] = None,
    file: File = None,
    as_of: AsOf = None,
) -> None:
    """Show all that is known of a platform, with reasons and sources.

    On a terminal the text is rendered; elsewhere it is Markdown.
    """
    from opdeploy import ui
    from opdeploy.catalogue import about, load_catalogue
    from opdeploy.views.profile import as_data, markdown

    form = format_of(output, file, get_args(Output))
    asked = (load_catalogue(edition).find(platform), edition, day(as_of), about(platform))
    if form == "json":
        import json

        ui.deliver(json.dumps(as_data(*asked), indent=2), file)
    elif form == "markdown":
        ui.deliver(markdown(*asked), file)
    else:
        ui.document(markdown(*asked), file)
