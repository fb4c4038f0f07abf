"""`opdeploy model optimize`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from opdeploy.cli.model.options import DataFile, Label, Name, Output, Processing, Rounds, Seconds, Target

if TYPE_CHECKING:
    from opdeploy.artifact.optimize import Optimised

Task = Literal["auto", "classification", "other"]


def optimize(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX file.", show_default=False)],
    target: Target,
    *,
    data: DataFile = None,
    processing: Processing = None,
    label: Label = "label",
    name: Name = None,
    batch: Annotated[
        int,
        typer.Option(
            "--batch", min=1, max=4096, metavar="N", help="Records in one run, where the model leaves it free."
        ),
    ] = 1,
    max_accuracy_loss: Annotated[
        float,
        typer.Option(
            "--max-accuracy-loss", min=0, max=1, metavar="SHARE", help="Share of all answers that may become wrong."
        ),
    ] = 0.01,
    task: Annotated[
        Task,
        typer.Option(
            "--task",
            help="Whether the largest score is an answer's class; auto: as declared, else where there are labels or "
            "probabilities.",
        ),
    ] = "auto",
    rounds: Rounds = 5,
    seconds: Seconds = 0.5,
    report: Annotated[Output, typer.Option("--report", help="Format of what is printed.")] = "table",
) -> None:
    """Try variants of a model, and keep the fastest whose answers stay right.

    Each variant takes turns with the model as it is, and its answers are held against those of the graph as exported,
    and against labels where there are any. The artefact holds the best one, and the model as it is as second variant.
    """
    from opdeploy import ui
    from opdeploy.artifact import graph
    from opdeploy.artifact.data import judged, task_of
    from opdeploy.artifact.optimize import Goal
    from opdeploy.artifact.optimize import optimize as optimised
    from opdeploy.artifact.package import Contents, build, check_target
    from opdeploy.artifact.report import written
    from opdeploy.cli.model.options import Source, declared, name_of
    from opdeploy.runtime.session import Session

    check_target(target)
    called = name_of(name, model)
    graph.load(model, weights=False)
    declaration = declared(processing)
    session = Session(model)
    found = Source(data, declaration, label).read(session)
    judged_as = task_of(declaration) if task == "auto" else task
    goal = Goal(batch, max_accuracy_loss, judged_as, rounds, seconds, judged(declaration, session))
    with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
        with ui.progress("trying") as watch:
            result = optimised(model, found.samples, goal, Path(folder), watch=watch)
        contents = Contents(
            called,
            model,
            found.samples,
            found.records,
            declaration,
            result,
            {"optimize": written(result)},
        )
        digest = build(contents, target)
    if batch not in (1, result.batch):
        ui.warn(
            f"{model}: takes {result.batch} records at a time, and no other number, so --batch {batch} had no effect"
        )
    _deliver(result, report)
    ui.say(f"wrote {target}")
    ui.say(f"sha256:{digest}")


def _deliver(result: Optimised, report: Output) -> None:
    from opdeploy import ui
    from opdeploy.artifact.report import written

    if report == "json":
        ui.deliver(written(result))
        return
    from opdeploy.ui.model import show_trials

    ui.tables(lambda console: show_trials(console, result))
