"""What a model's file tells, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.artifact.inspection import Inspection
from opdeploy.ui import new_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from opdeploy.artifact.inspection import Glance, Tensor

_RUNS = {"all": "yes", "part": "in part", "none": "no", "unknown": "not tried"}


def show(console: Console, seen: Inspection | Glance) -> None:
    """Print what is known of a model: facts, then what goes in and out, then what can run it."""
    console.print(seen.file, style="bold", markup=False)
    if not isinstance(seen, Inspection):
        rows = [("framework", seen.framework or "unknown"), ("size", f"{seen.size_mb:,.3f} MB")]
        _show(console, ("fact", "value"), [*rows, *([("to ONNX", seen.convert)] if seen.convert else [])])
        return
    _show(console, ("fact", "value"), _facts(seen))
    console.print()
    ways = [("in", tensor) for tensor in seen.inputs] + [("out", tensor) for tensor in seen.outputs]
    _show(console, ("", "tensor", "datatype", "shape"), [(way, *_tensor(tensor)) for way, tensor in ways])
    console.print()
    _show(
        console,
        ("execution provider", "installed", "runs it", "note"),
        [
            (
                item.name.removesuffix("ExecutionProvider"),
                "yes" if item.installed else "no",
                _RUNS[item.runs],
                item.note,
            )
            for item in seen.providers
        ],
    )


def _show(console: Console, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.text import Text

    table = new_table(*heads)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _facts(seen: Inspection) -> Iterable[tuple[str, str]]:
    """Give what is known in the order in which one asks for it."""
    yield "framework", seen.framework or "unknown"
    yield "producer", seen.producer or "unknown"
    yield "kind", "generative (it hands keys and values on)" if seen.generative else "single-pass"
    yield (
        "versions",
        ", ".join([f"IR {seen.ir_version}", *(f"{name} {number}" for name, number in seen.opsets.items())]),
    )
    yield "size", f"{seen.size_mb:,.3f} MB"
    if seen.external_data:
        yield "weights in", ", ".join(seen.external_data)
    yield "parameters", f"{seen.parameters:,}"
    yield "cost of a record", "not counted" if seen.gflops is None else f"{seen.gflops:g} GFLOPs"
    yield "bytes of a record", "not fixed" if seen.record_bytes is None else f"{seen.record_bytes:,}"
    yield "operators", ", ".join(f"{name} {times}" for name, times in seen.operators.items())
    if seen.functions:
        yield "functions", f"{seen.functions}, each counted once among the operators; their cost is not counted"
    yield "custom operators", ", ".join(seen.custom_operators) or "none"
    yield "Windows ML", seen.windows_ml.runs_from or "none runs it"


def _tensor(tensor: Tensor) -> tuple[str, str, str]:
    if tensor.shape is None:
        return tensor.name, tensor.datatype, "any"
    return tensor.name, tensor.datatype, " x ".join("?" if size is None else str(size) for size in tensor.shape) or "1"
