"""`opdeploy model convert`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opdeploy.errors import InputError, nearest

if TYPE_CHECKING:
    from opdeploy.artifact.convert import Converted
    from opdeploy.runtime.tensors import TensorSpec


Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="SPEC", help="An input of TorchScript, such as 'image:FP32[batch,3,224,224]'."),
]
Trust = Annotated[bool, typer.Option("--trust", help="Load a file that runs code when it is loaded, such as a pickle.")]


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A model's file or folder, or module:function (see above).")
    ],
    *,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The ONNX file to write, over an older one if need be."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Inputs to verify on: .npz, an array by input; or .csv, a column by input."),
    ] = None,
    inputs: Inputs = None,
    trust: Trust = False,
    opset: Annotated[int, typer.Option(min=13, max=18, metavar="13..18", help="The newest ONNX opset to use.")] = 18,
    dynamic_batch: Annotated[
        bool, typer.Option("--dynamic-batch/--fixed-batch", help="Leave the batch axis free, or fix it.")
    ] = True,
    rtol: Annotated[float, typer.Option(min=0, metavar="X", help="Relative difference that is still right.")] = 1e-4,
    atol: Annotated[float, typer.Option(min=0, metavar="X", help="Absolute difference that is still right.")] = 1e-5,
    mismatches: Annotated[
        float,
        typer.Option(min=0, max=1, metavar="SHARE", help="Share of an output's elements that may differ by more."),
    ] = 0.0,
) -> None:
    """Convert a trained model to ONNX, and verify it: nothing is written unless it answers as its source does.

    A source is a PyTorch program (torch.export .pt2, TorchScript .pt, or module:function that returns the module and an
    example of its inputs), a SavedModel's folder, .keras or .h5, a pickled estimator or pipeline of scikit-learn,
    LightGBM or XGBoost, a LightGBM .txt, or an XGBoost .json or .ubj.

    Exits with 5 when the answers differ by more than the tolerance.
    """
    from opdeploy import ui
    from opdeploy.artifact.convert import convert as run
    from opdeploy.runtime.tolerance import Tolerance

    done = run(
        source,
        output,
        trust=trust,
        data=data,
        specs=tuple(map(spec, inputs or ())),
        opset=opset,
        dynamic_batch=dynamic_batch,
        tolerance=Tolerance(rtol=rtol, atol=atol, mismatches=mismatches),
        debug="--debug" in sys.argv,
        tell=ui.say if sys.stderr.isatty() else lambda _: None,
    )
    ui.deliver("\n".join(_lines(done)))


def _lines(done: Converted) -> list[str]:
    told = done.verified
    opset = f"opset {done.opset}" if done.opset else "operators of ai.onnx.ml alone"
    records = "records of the data given" if told.given else "records drawn from a fixed seed (your own: --data)"
    differ = f"; {told.mismatches:.2%} of an output's elements differ by more" if told.mismatches else ""
    allowed = f"{done.tolerance.atol:g} + {done.tolerance.rtol:g} of the value"
    return [
        f"{done.output}: {done.kind} to ONNX, {opset}, {done.size / 1e6:.3f} MB",
        *(f"input   {_said(spec)}" for spec in done.inputs),
        *(f"output  {_said(spec)}" for spec in done.outputs),
        *([f"the batch is fixed at {done.batch}"] if done.batch else []),
        f"verified on {told.records} {records}, in batches of {', '.join(map(str, told.batches))}",
        f"the largest difference is {told.largest:.2g} (allowed: {allowed}){differ}",
    ]


def _said(spec: TensorSpec) -> str:
    from opdeploy import ui

    return ui.printable(f"{spec.name} {spec.datatype.name} [{', '.join(str(size or '?') for size in spec.shape)}]")


def spec(text: str) -> TensorSpec:
    """Read an input such as `image:FP32[batch,3,224,224]`."""
    import re

    from opdeploy.runtime.tensors import BY_ONNX, TensorSpec

    found = re.fullmatch(r"([^:\[\]]+):(\w+)\[([\w, ]*)\]", text)
    if not found:
        raise InputError(f"--input {text}: is not of the form name:FP32[batch,3,224,224]")
    name, kind, shape = found.groups()
    types = {datatype.name: datatype for datatype in BY_ONNX.values()}
    if kind not in types:
        raise InputError(f"--input {text}: no type {kind}{nearest(kind, list(types))}")
    sizes = [size.strip() for size in shape.split(",") if size.strip()]
    return TensorSpec(name, types[kind], tuple(int(size) if size.isdigit() else size for size in sizes))
