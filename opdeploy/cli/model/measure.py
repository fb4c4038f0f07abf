"""`opdeploy model measure`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from opdeploy.cli.model.options import DataFile, Format, Label, Output, Processing, Rounds, Seconds
from opdeploy.cli.options import File, SizeName, format_of, require_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.artifact.measure import Measurement, Sweep
    from opdeploy.cli.model.options import Source


def measure(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX file or an artefact.", show_default=False)],
    *,
    data: DataFile = None,
    processing: Processing = None,
    label: Label = "label",
    batch: Annotated[
        list[int] | None,
        typer.Option(
            "--batch",
            min=1,
            max=4096,
            metavar="N",
            help="Records in one run; may be repeated.",
            show_default="1, 2, 4 to 32",
        ),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(
            "--threads",
            min=1,
            max=1024,
            metavar="N",
            help="Threads of one run; may be repeated.",
            show_default="1, 2, 4 to all processors",
        ),
    ] = None,
    rounds: Rounds = 5,
    seconds: Seconds = 0.5,
    size: SizeName = None,
    output: Format = None,
    file: File = None,
) -> None:
    """Measure records per second, latency, memory and load time on this machine.

    Each thread count has a process of its own. Of an artefact, the variant is measured that would be served here, with
    its settings. The JSON is what `opdeploy model package --measurement` takes.
    """
    from opdeploy import files, ui
    from opdeploy.artifact.measure import Sweep
    from opdeploy.cli.model.options import Source, declared

    form = format_of(output, file, get_args(Output))
    if file:
        files.check_place(file)
    require_size(size)
    sweep = Sweep(tuple(batch or Sweep().batches), tuple(threads or ()), rounds, seconds)
    with ui.progress("measuring") as watch:
        found = _measured(model, Source(data, declared(processing), label), sweep, watch)
    found = replace(found, machine=replace(found.machine, size=size))
    if batch and {point.batch for point in found.points}.isdisjoint(batch):
        taken = found.points[0].batch
        ui.warn(f"{model}: takes {taken} records at a time, and no other number, so --batch had no effect")
    if form == "json":
        import json

        from opdeploy.artifact.report import finite

        ui.deliver(json.dumps(finite(found), indent=2), file)
        return
    from opdeploy.ui.model import show_measurement

    ui.tables(lambda console: show_measurement(console, found), file)


def _measured(model: Path, source: Source, sweep: Sweep, watch: Callable[[str], None]) -> Measurement:
    from opdeploy.artifact import graph
    from opdeploy.artifact.measure import measure as measured
    from opdeploy.artifact.samples import Samples
    from opdeploy.artifact.verify import is_artefact
    from opdeploy.runtime.choosing import choose
    from opdeploy.runtime.package import opened
    from opdeploy.runtime.session import Session
    from opdeploy.runtime.settings import Settings

    if not is_artefact(model):
        graph.load(model, weights=False)
        return measured(model, source.read(Session(model), judged=False).samples, Settings(), sweep, watch)
    with opened(model) as package:
        chosen = choose(package)
        if source.path:
            samples = source.read(chosen.session).samples
        else:
            samples = Samples(package.golden().inputs, "golden records", package.manifest.golden.synthetic)
        variant = chosen.variant
        found = measured(package.path(variant.file), samples, variant.settings, sweep, watch)
        return replace(found, model=variant.name)
