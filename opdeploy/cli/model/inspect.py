"""`opdeploy model inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from opdeploy.cli.options import File, format_of

Output = Literal["table", "json"]


def inspect(
    model: Annotated[
        Path, typer.Argument(metavar="FILE", help="The model's file, or an artefact.", show_default=False)
    ],
    *,
    output: Annotated[Output | None, typer.Option("--output", "-o", help="Format.", show_default="table")] = None,
    file: File = None,
) -> None:
    """Show what a model's file tells: what goes in and out, operators, size, cost, and what can run it.

    The model is looked at, and never run. Of other formats than ONNX only name, size and the first bytes are read. Of
    an artefact, every hash is checked, and its manifest shown.
    """
    import json

    from opdeploy import ui
    from opdeploy.artifact.inspection import look

    form = format_of(output, file, get_args(Output))
    if file and file.exists() and model.exists() and file.samefile(model):
        from opdeploy.errors import InputError

        raise InputError(f"--file {file}: is the model, which is not overwritten; name another")
    if (model / "model.yaml").is_file() or model.suffix.lower() == ".zip":
        ui.deliver(_manifest(model, form), file)
        return
    seen = look(model)
    if form == "json":
        ui.deliver(json.dumps(seen.record(), indent=2), file)
        return
    from opdeploy.ui.inspection import show

    ui.tables(lambda console: show(console, seen), file)


def _manifest(artefact: Path, form: Output) -> str:
    """Return what an artefact says of itself, and its digest; raises InputError where a hash is not right."""
    import json

    import msgspec

    from opdeploy import document
    from opdeploy.runtime.package import opened

    with opened(artefact) as package:
        told = {"sha256": package.digest, **msgspec.to_builtins(package.manifest)}
    return json.dumps(told, indent=2) if form == "json" else document.dump(told)
