"""The commands of `opdeploy model`: from any trained model to one verified, measured artefact."""

from __future__ import annotations

import typer

from opdeploy.cli.model import convert

app = typer.Typer(
    rich_markup_mode=None,
    help="Turn a trained model into one verified, optimised, measured artefact.",
    no_args_is_help=True,
)
app.command("convert")(convert.convert)
