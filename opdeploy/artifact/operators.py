"""Counts the operators of a model, and tells which of them are nobody's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from opdeploy.artifact import structure

if TYPE_CHECKING:
    import onnx

_OWN = ("com.microsoft", "com.ms.")
"""How the domains of ONNX Runtime's own operators start."""


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators of a model, those in bodies of loops and branches and in functions included."""

    counts: dict[str, int]
    """How often each occurs, most often first; one outside ai.onnx has its domain before its name."""
    custom: tuple[str, ...]
    """Those that ONNX Runtime does not know."""
    contrib: bool
    """Whether some are ONNX Runtime's own."""
    on_cpu_only: int
    """How many are of ai.onnx.ml."""
    text: bool
    """Whether text goes in or out."""


def operators(model: onnx.ModelProto) -> Operators:
    """Return the operators of a model; a function counts once, however often it is called."""
    functions = {structure.key_of_function(function) for function in model.functions}
    counted = structure.calls(model.graph.node)
    for function in model.functions:
        counted += structure.calls(function.node)
    known = _known_to_runtime()
    custom = {
        _name(key)
        for key in counted
        if key not in functions and key.domain not in structure.known_versions() and (key.domain, key.name) not in known
    }
    counts: Counter[str] = Counter()
    for key, times in counted.items():
        counts[_name(key)] += times
    return Operators(
        counts=dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))),
        custom=tuple(sorted(custom)),
        contrib=any(key.domain.startswith(_OWN) and key not in functions for key in counted),
        on_cpu_only=sum(times for key, times in counted.items() if key.domain == "ai.onnx.ml"),
        text=_text(model.graph),
    )


def _name(key: structure.Key) -> str:
    return f"{key.domain}:{key.name}" if key.domain else key.name


def _known_to_runtime() -> set[tuple[str, str]]:
    if find_spec("onnxruntime") is None:
        return set()
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return {(schema.domain, schema.name) for schema in state.get_all_operator_schema()}


def _text(graph: onnx.GraphProto) -> bool:
    import onnx

    kinds = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    return onnx.TensorProto.STRING in kinds
