"""`opdeploy model measure`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, get_args

import typer

from opdeploy.cli.model.options import DataFile, Format, Label, Output, Processing, Rounds, Seconds
from opdeploy.cli.options import File, SizeName, format_of, require_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opdeploy.artifact.measure import Measurement, Sweep
    from opdeploy.artifact.samples import Samples
    from opdeploy.cli.model.options import Source
    from opdeploy.runtime.session import Session
    from opdeploy.runtime.settings import Settings


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
    no_requests: Annotated[
        bool, typer.Option("--no-requests", help="Leave out what a request costs the server beside the run.")
    ] = False,
    size: SizeName = None,
    output: Format = None,
    file: File = None,
) -> None:
    """Measure records per second, latency, memory and load time on this machine, and what a request costs beside.

    Each thread count has a process of its own. Of an artefact, the variant is measured that would be served here, with
    its settings. Requests go for some seconds to a server on loopback that has the model's tensors, and computes
    nothing. The JSON is what `opdeploy model package --measurement` takes.
    """
    from opdeploy import files, ui
    from opdeploy.artifact.measure import Sweep
    from opdeploy.cli.model.options import Source, declared

    form = format_of(output, file, get_args(Output))
    if file:
        files.check_place(file)
    require_size(size)
    sweep = Sweep(tuple(batch or Sweep().batches), tuple(threads or ()), rounds, seconds)
    source = Source(data, declared(processing), label)
    with ui.progress("measuring") as watch, _subject(model, source) as subject:
        found = _measured(subject, sweep, watch)
        if not no_requests:
            found = _with_requests(found, subject, watch)
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


class _Subject(NamedTuple):
    """What is measured."""

    name: str
    file: Path
    session: Session
    samples: Samples
    settings: Settings


@contextmanager
def _subject(model: Path, source: Source) -> Iterator[_Subject]:
    """Give an ONNX file, or the variant of an artefact that would be served here, with records for it."""
    from opdeploy.artifact import graph
    from opdeploy.artifact.samples import Samples
    from opdeploy.artifact.size import is_artefact
    from opdeploy.runtime.choosing import choose
    from opdeploy.runtime.package import opened
    from opdeploy.runtime.session import Session
    from opdeploy.runtime.settings import Settings

    if not is_artefact(model):
        graph.load(model, weights=False)
        session = Session(model)
        yield _Subject(model.name, model, session, source.read(session, judged=False).samples, Settings())
        return
    with opened(model) as package:
        chosen = choose(package)
        if source.path:
            samples = source.read(chosen.session).samples
        else:
            samples = Samples(package.golden().inputs, "golden records", package.manifest.golden.synthetic)
        variant = chosen.variant
        yield _Subject(variant.name, package.path(variant.file), chosen.session, samples, variant.settings)


def _measured(subject: _Subject, sweep: Sweep, watch: Callable[[str], None]) -> Measurement:
    from opdeploy.artifact.measure import measure as measured

    found = measured(subject.file, subject.samples, subject.settings, sweep, watch)
    return replace(found, model=subject.name)


def _with_requests(found: Measurement, subject: _Subject, watch: Callable[[str], None]) -> Measurement:
    """Add what a request costs the server beside the run; where that cannot be measured, say why."""
    from opdeploy import ui
    from opdeploy.cli.test_local import require_packages
    from opdeploy.errors import OpdeployError

    try:
        require_packages()
        from opdeploy.local.carrying import Model, carrying

        return replace(
            found, carrying=carrying(Model(subject.session, subject.samples, _is_quick(found, subject)), watch)
        )
    except OpdeployError as error:
        ui.warn(f"{found.model}: what a request costs is not measured: {error}")
        return found


def _is_quick(found: Measurement, subject: _Subject) -> bool:
    """Tell whether the server would run the model in its event loop, as it does with what is soon done."""
    from opdeploy.artifact.samples import fixed_batch
    from opdeploy.serving.batching import QUICK
    from opdeploy.serving.model import is_steady

    fastest = max(point.records_per_second for point in found.points if point.batch == found.points[0].batch)
    batches = fixed_batch(subject.session.inputs) is None
    return fastest * QUICK >= 1 and is_steady(subject.file, subject.session, batches=batches)
