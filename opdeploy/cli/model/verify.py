"""`opdeploy model verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from opdeploy.cli.model.options import Atol, DataFile, Format, Label, Output, Processing, Rtol
from opdeploy.cli.options import File, format_of

if TYPE_CHECKING:
    from opdeploy.artifact.verify import Verification


PROCESSING = "processing"
"""What stands for pre-processing among the variants."""


def verify(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The reference, or an artefact.", show_default=False)],
    other: Annotated[Path | None, typer.Argument(metavar="OTHER", help="What must give the same answers.")] = None,
    *,
    golden: Annotated[
        bool, typer.Option("--golden", help="Hold an artefact's variants against its golden answers.")
    ] = False,
    data: DataFile = None,
    processing: Processing = None,
    label: Label = "label",
    rtol: Rtol = None,
    atol: Atol = None,
    output: Format = None,
    file: File = None,
) -> None:
    """Prove that two models, or an artefact and its golden answers, give the same numbers.

    Each model is an ONNX file or an artefact, of which the variant is taken that would be served here.

    Exits with 5 when the numbers differ; with --golden, when no variant gives the golden answers on this machine.
    """
    from opdeploy.artifact import verify as verifying
    from opdeploy.artifact.size import is_artefact
    from opdeploy.cli.model.options import Source, declared, tolerance
    from opdeploy.errors import DifferenceError, InputError

    form = format_of(output, file, get_args(Output))
    if golden and other is not None:
        raise InputError(f"{other}: --golden holds one artefact against itself; leave out one of the two")
    if golden and not is_artefact(model):
        raise InputError(f"{model}: is no artefact, and has no golden answers; make one with: opdeploy model package")
    if not golden and other is None:
        raise InputError(
            f"{model}: name another model to compare it with, or give --golden for an artefact's own answers"
        )
    if golden and any(item is not None for item in (data, processing, rtol, atol)):
        raise InputError("--golden: records and tolerances are those of the artefact; leave out what names others")
    if other is None:
        variants, prepared = verifying.golden(model)
        found = variants | ({PROCESSING: prepared} if prepared else {})
    else:
        source = Source(data, declared(processing), label)
        found = variants = {other.name: verifying.models(model, other, tolerance(rtol, atol), source.read)}
    _deliver(found, form, file)
    if golden and any(item.agrees for item in variants.values()):
        _say_served(variants)
    wrong = [name for name, item in found.items() if not item.agrees]
    if wrong and (not golden or PROCESSING in wrong or len(wrong) == len(found)):
        raise DifferenceError(f"{wrong[0]}: its numbers differ from those of {model}; the answer says where")


def _say_served(found: dict[str, Verification]) -> None:
    from opdeploy import ui

    served = next(name for name, item in found.items() if item.agrees)
    for name, item in found.items():
        if not item.agrees:
            ui.warn(f"{name} does not give the golden answers on this machine")
    ui.say(f"{served} would be served here")


def _deliver(found: dict[str, Verification], form: Output, file: Path | None) -> None:
    from opdeploy import ui

    if form == "json":
        import json

        records: list[dict[str, Any]] = [_record(name, item) for name, item in found.items()]
        ui.deliver(json.dumps(records, indent=2), file)
        return
    from opdeploy.ui.model import show_verification

    ui.tables(lambda console: show_verification(console, found), file)


def _record(name: str, item: Verification) -> dict[str, Any]:
    from opdeploy.artifact.report import finite

    return {"name": name, "agrees": item.agrees, **finite(item)}
