"""What an exporter hands over: the graph, and the source's own answers to hold it against."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    import onnx
    from numpy.typing import NDArray

    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Options:
    """How to export."""

    opset: int
    dynamic_batch: bool
    inputs: tuple[TensorSpec, ...] = ()
    """Of a source that does not say what it takes."""
    data: Arrays | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """A graph, and how its source answers."""

    model: onnx.ModelProto
    answer: Callable[[Arrays], list[NDArray[Any]]]
    """Runs the source; its answers stand in the order of the graph's outputs."""
    examples: Arrays | None = None
    """Inputs that came with the source."""
    ranges: Mapping[str, NDArray[Any]] | None = None
    """Values, by input or by column, around which to draw: thresholds of trees, known categories."""
    free: tuple[str, ...] = ()
    """Axes beside the batch that the source says are free: they get several sizes."""
    labelled: bool = False
    """Whether the outputs are a label and the scores that it is the highest of."""


def need(package: str, extra: str, source: str) -> ModuleType:
    """Import a package; raises InputError with the extra that brings it, where it is missing."""
    try:
        return import_module(package)
    except ImportError:
        raise InputError(
            f"{source}: needs the package {package.split('.', maxsplit=1)[0]}; pip install 'opdeploy[{extra}]'"
        ) from None


def one_line(error: BaseException, most: int = 300) -> str:
    """Return what an error says, on one line and without colours."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()) or type(error).__name__
    return text if len(text) <= most else text[: most - 1] + "…"


def renamed(model: onnx.ModelProto, old: str, new: str) -> onnx.ModelProto:
    """Rename an input or output of a graph, where it has one of that name."""
    for value in (*model.graph.input, *model.graph.output):
        value.name = new if value.name == old else value.name
    for node in model.graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
        node.input[:] = [new if name == old else name for name in node.input]
    return model
