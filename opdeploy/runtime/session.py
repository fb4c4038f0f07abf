"""One ONNX graph in ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
import onnxruntime

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.tensors import BY_ONNX, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]
    """An array for each tensor, by name."""

CPU = "CPUExecutionProvider"
Level = Literal["all", "extended", "basic", "disable"]
"""How far ONNX Runtime rewrites the graph when it loads it."""

_FATAL_ONLY = 4
"""What goes to the log: errors are raised too, and would be told twice."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a graph is run."""

    provider: str = CPU
    """ONNX Runtime's name of what computes."""
    threads: int = 0
    """Of one run; 0 leaves it to ONNX Runtime: one for each physical core."""
    level: Level = "all"


class Session:
    """A loaded graph; `run` may be called from several threads at once."""

    def __init__(self, model: Path, settings: Settings = Settings()) -> None:
        """Load a model file.

        Raises InputError where there is no such file, ONNX Runtime refuses it, the provider is not there, or the Open
        Inference Protocol cannot carry one of its tensors.
        """
        if not model.is_file():
            raise InputError(f"{model}: no such file; name a model that exists")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL_ONLY
        options.intra_op_num_threads = settings.threads
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_{_LEVELS[settings.level]}")
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=[settings.provider])
        except Exception as error:  # noqa: BLE001 - the runtime's errors have no base class of their own
            raise InputError(f"{model}: ONNX Runtime cannot load it: {_one_line(error)}") from None
        if settings.provider not in self._session.get_providers():  # it falls back to the CPU without an error
            raise InputError(
                f"{model}: {settings.provider} is not there, or cannot run it; install what it needs, or take another"
            )
        self.inputs = tuple(_spec(model, node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(model, node) for node in self._session.get_outputs())

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> Arrays:
        """Return the wanted outputs by name, in the order asked for; all, where none are named.

        Raises OpdeployError where the model fails on these inputs.
        """
        names = [spec.name for spec in self.outputs] if outputs is None else list(outputs)
        try:
            arrays = self._session.run(names, dict(inputs))
        except Exception as error:  # noqa: BLE001 - the runtime's errors have no base class of their own
            raise OpdeployError(f"the model fails on these inputs: {_one_line(error)}") from None
        return dict(zip(names, arrays, strict=True))


_LEVELS: dict[Level, str] = {
    "all": "ENABLE_ALL",
    "extended": "ENABLE_EXTENDED",
    "basic": "ENABLE_BASIC",
    "disable": "DISABLE_ALL",
}


def _spec(model: Path, node: Any) -> TensorSpec:  # noqa: ANN401 - ONNX Runtime has no type stubs
    if node.type not in BY_ONNX:
        raise InputError(
            f"{model}: tensor {node.name!r} is of type {node.type}, which the Open Inference Protocol cannot carry; "
            "export the model with tensors (for scikit-learn: with zipmap off)"
        )
    return TensorSpec(node.name, BY_ONNX[node.type], tuple(node.shape))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
