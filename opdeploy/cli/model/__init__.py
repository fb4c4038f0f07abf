"""The commands of `opdeploy model`: from any trained model to one verified, measured artefact."""

from __future__ import annotations

import typer

from opdeploy.cli.model import convert, inspect, measure, optimize, package, verify

app = typer.Typer(
    rich_markup_mode=None,
    help="Turn a trained model into one verified, optimised, measured artefact.",
    no_args_is_help=True,
)
app.command("inspect")(inspect.inspect)
app.command("convert")(convert.convert)
app.command("optimize")(optimize.optimize)
app.command("verify")(verify.verify)
app.command("measure")(measure.measure)
app.command("package")(package.package)
