"""`opdeploy model measure`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from opdeploy.cli.model.options import DataFile, Label, Processing
from opdeploy.cli.options import File

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.artifact.measure import Measurement, Sweep
    from opdeploy.cli.model.options import Source

Output = Literal["table", "json"]


def measure(
    model: Annotated[Path, typer.Argument(help="An ONNX file or an artefact.", show_default=False)],
    *,
    data: DataFile = None,
    processing: Processing = None,
    label: Label = "label",
    batch: Annotated[
        list[int] | None,
        typer.Option("--batch", min=1, max=4096, help="Records in one run; may be repeated.", show_default="1 to 32"),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option("--threads", min=1, max=1024, help="May be repeated.", show_default="1, 2, 4 to all processors"),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=1000, help="Repetitions of each point.")] = 5,
    seconds: Annotated[float, typer.Option("--seconds", min=0.01, max=600, help="Length of one repetition.")] = 0.5,
    output: Annotated[Output, typer.Option("--output", "-o", help="Format of the answer.")] = "table",
    file: File = None,
) -> None:
    """Measure records per second, latency, memory and load time on this machine.

    Each thread count has a process of its own. Of an artefact, the variant is measured that would be served here, with
    its settings. The JSON is what `opdeploy model package --measurement` takes.
    """
    from opdeploy import ui
    from opdeploy.artifact.measure import Sweep
    from opdeploy.cli.model.options import Source, declared

    sweep = Sweep(tuple(batch or Sweep().batches), tuple(threads or ()), rounds, seconds)
    with ui.progress("measuring") as watch:
        found = _measured(model, Source(data, declared(processing), label), sweep, watch)
    if output == "json":
        import json

        from opdeploy.artifact.report import finite

        ui.deliver(json.dumps(finite(found), indent=2), file)
        return
    from opdeploy.ui.model import show_measurement

    ui.tables(lambda console: show_measurement(console, found), file)


def _measured(model: Path, source: Source, sweep: Sweep, watch: Callable[[str], None]) -> Measurement:
    from dataclasses import replace

    from opdeploy.artifact import graph
    from opdeploy.artifact.measure import measure as measured
    from opdeploy.artifact.samples import Samples
    from opdeploy.artifact.verify import is_artefact
    from opdeploy.runtime.package import choose, opened
    from opdeploy.runtime.session import Session, Settings

    if not is_artefact(model):
        graph.load(model, weights=False)
        return measured(model, source.read(Session(model)).samples, Settings(), sweep, watch)
    with opened(model) as package:
        chosen = choose(package)
        if source.path:
            samples = source.read(chosen.session).samples
        else:
            samples = Samples(package.golden().inputs, "golden records", package.manifest.golden.synthetic)
        variant = chosen.variant
        found = measured(package.path(variant.file), samples, variant.settings, sweep, watch)
        return replace(found, model=variant.name)
