"""One ONNX graph in ONNX Runtime."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.cpus import limited_threads
from opdeploy.runtime.settings import CUDA, Level, Settings
from opdeploy.runtime.tensors import BY_ONNX, TensorSpec, bf16_bits, bf16_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]
    """An array for each tensor, by name."""

_FATAL_ONLY = 4
"""What goes to the log: errors are raised too, and would be told twice."""


def has_cuda() -> bool:
    """Tell whether this ONNX Runtime is built for NVIDIA GPUs; there need be none here."""
    return CUDA in onnxruntime.get_available_providers()


class Session:
    """A loaded graph; `run` may be called from several threads at once."""

    def __init__(self, model: Path, settings: Settings = Settings(), *, spin: bool = True) -> None:
        """Load a model file.

        With `spin`, threads that wait for work keep their processors busy, as ONNX Runtime has it: good for a loop that
        has the machine for itself, bad for a server, which needs the processors for other work and may be charged for
        them. Without, they do so for 50 microseconds, which bridges the gaps within a run.

        Raises InputError where there is no such file, ONNX Runtime refuses it, the provider is not there, or the Open
        Inference Protocol cannot carry one of its tensors.
        """
        if not model.is_file():
            raise InputError(f"{model}: no such file; name a model that exists")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL_ONLY
        options.intra_op_num_threads = settings.threads or limited_threads()
        if not spin:
            options.add_session_config_entry("session.intra_op.spin_duration_us", "50")
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
        kinds = {spec.datatype.name for spec in (*self.inputs, *self.outputs)}
        if {"BF16", "BYTES"} <= kinds:  # text cannot go by OrtValue, and BF16 cannot go otherwise
            raise InputError(f"{model}: has tensors of BF16 and of text, which do not go together; cast BF16 to FP32")
        self._run = self._run_bf16 if "BF16" in kinds else self._session.run

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str] | None = None) -> Arrays:
        """Return the wanted outputs by name, in the order asked for; all, where none are named.

        Raises OpdeployError where the model fails on these inputs.
        """
        names = [spec.name for spec in self.outputs] if outputs is None else list(outputs)
        try:
            arrays = self._run(names, dict(inputs))
        except Exception as error:  # noqa: BLE001 - the runtime's errors have no base class of their own
            raise OpdeployError(f"the model fails on these inputs: {_one_line(error)}") from None
        return dict(zip(names, arrays, strict=True))

    def _run_bf16(self, names: list[str], inputs: Arrays) -> list[NDArray[Any]]:
        """Run a model with tensors of BF16, which ONNX Runtime takes and gives as bits only."""
        types = {spec.name: spec.datatype.name for spec in self.inputs}
        values = {name: _value(array, types[name]) for name, array in inputs.items()}
        return [_array(value) for value in self._session.run_with_ort_values(names, values)]


_BFLOAT16 = 16
"""Of TensorProto.DataType in onnx.proto."""


def _value(array: NDArray[Any], kind: str) -> Any:  # noqa: ANN401 - ONNX Runtime has no type stubs
    if kind == "BF16":
        return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bf16_bits(array), _BFLOAT16)
    return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))


def _array(value: Any) -> NDArray[Any]:  # noqa: ANN401 - ONNX Runtime has no type stubs
    """Return the tensor of an OrtValue, a copy of it where it is BF16, whose memory ends with the value."""
    if value.data_type() != "tensor(bfloat16)":
        array: NDArray[Any] = value.numpy()
        return array
    shape = tuple(value.shape())
    size = value.tensor_size_in_bytes()
    bits = np.frombuffer(ctypes.string_at(value.data_ptr(), size) if size else b"", np.uint16)
    return bf16_values(bits).reshape(shape)


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
