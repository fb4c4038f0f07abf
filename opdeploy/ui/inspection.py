"""What a model's file tells, as tables."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from opdeploy.artifact.inspection import Inspection
from opdeploy.ui import new_table, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from opdeploy.artifact.inspection import Glance, Tensor
    from opdeploy.artifact.providers import Provider

_LONGEST_NAME, _LONGEST_NOTE = 60, 200
"""Characters that are shown: names may be as long as one likes, and the JSON has all of them."""
_RUNS = {"all": "yes", "part": "in part", "none": "no", "unknown": "not tried"}


def show(console: Console, seen: Inspection | Glance) -> None:
    """Print what is known of a model: facts, then what goes in and out, then what can run it."""
    console.print(printable(seen.file), style="bold", markup=False)
    if not isinstance(seen, Inspection):
        rows = [("framework", seen.framework or "unknown"), ("size", f"{seen.size_mb:,.3f} MB")]
        _show(console, ("fact", "value"), [*rows, *([("to ONNX", seen.convert)] if seen.convert else [])])
        return
    _show(console, ("fact", "value"), _facts(seen))
    console.print()
    ways = [("in", tensor) for tensor in seen.inputs] + [("out", tensor) for tensor in seen.outputs]
    _show(console, ("", "tensor", "datatype", "shape"), [(way, *row_of(tensor)) for way, tensor in ways])
    console.print()
    _show(
        console,
        ("execution provider", "installed", "runs it", "note"),
        _providers(seen.providers),
    )


def _providers(providers: Iterable[Provider]) -> Iterable[Sequence[str]]:
    """Give a row for those that stand one after the other and of which the same is known."""
    for (installed, runs, note), same in groupby(providers, lambda item: (item.installed, item.runs, item.note)):
        names = ", ".join(item.name.removesuffix("ExecutionProvider") for item in same)
        yield names, "yes" if installed else "no", _RUNS[runs], _short(note, _LONGEST_NOTE)


def _show(console: Console, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.text import Text

    table = new_table(*heads)
    for row in rows:
        table.add_row(*(Text(printable(text)) for text in row))
    console.print(table)


def _short(text: str, most: int = _LONGEST_NAME) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_short, names))


def _facts(seen: Inspection) -> Iterable[tuple[str, str]]:
    """Give what is known in the order in which one asks for it."""
    yield "framework", seen.framework or "unknown"
    yield "producer", _short(seen.producer) or "unknown"
    yield "kind", "generative (it hands keys and values on)" if seen.generative else "single-pass"
    yield (
        "versions",
        _listed([f"IR {seen.ir_version}", *(f"{name} {number}" for name, number in seen.opsets.items())]),
    )
    yield "size", f"{seen.size_mb:,.3f} MB"
    if seen.external_data:
        yield "weights in", _listed(seen.external_data)
    yield "parameters", f"{seen.parameters:,}"
    yield "cost of a record", "not counted" if seen.gflops is None else f"{seen.gflops:g} GFLOPs"
    yield "bytes of a record", "not fixed" if seen.record_bytes is None else f"{seen.record_bytes:,}"
    yield "operators", _listed(f"{name} {times}" for name, times in seen.operators.items())
    if seen.functions:
        yield "functions", f"{seen.functions}, each counted once among the operators; their cost is not counted"
    yield "custom operators", _listed(seen.custom_operators) or "none"
    yield "Windows ML", seen.windows_ml.runs_from or "none runs it"


def row_of(tensor: Tensor) -> tuple[str, str, str]:
    """Return name, datatype and shape in words."""
    name = _short(tensor.name)
    if tensor.shape is None:
        return name, tensor.datatype, "any"
    return name, tensor.datatype, " x ".join("?" if size is None else _short(str(size)) for size in tensor.shape) or "1"
