"""The commands of `opdeploy model`: from any trained model to one verified, measured artefact."""

from __future__ import annotations

import typer

from opdeploy.cli.model import convert, inspect, measure, optimize, package, verify

app = typer.Typer(rich_markup_mode=None)
app.command("inspect")(inspect.inspect)
app.command("convert")(convert.convert)
app.command("optimize")(optimize.optimize)
app.command("verify")(verify.verify)
app.command("measure")(measure.measure)
app.command("package")(package.package)


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    """Turn a trained model into one verified, optimised, measured artefact."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
