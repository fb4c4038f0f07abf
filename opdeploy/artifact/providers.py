"""Which execution providers of ONNX Runtime can run a model: tried where they are installed, else what is known."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from opdeploy.artifact import confined

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.artifact.operators import Operators

CPU = "CPUExecutionProvider"
_ASKED = {
    CPU: "CPU",
    "CUDAExecutionProvider": "NVIDIA GPU",
    "TensorrtExecutionProvider": "NVIDIA GPU, TensorRT",
    "OpenVINOExecutionProvider": "Intel CPU, GPU and NPU",
    "DmlExecutionProvider": "GPU under Windows, DirectML",
    "MIGraphXExecutionProvider": "AMD GPU",
    "QNNExecutionProvider": "Qualcomm NPU",
    "CoreMLExecutionProvider": "Apple",
}
Verdict = Literal["all", "part", "none", "unknown"]


@dataclass(frozen=True, slots=True)
class Provider:
    """What an execution provider makes of a model."""

    name: str
    device: str
    installed: bool
    runs: Verdict
    """`all` or `none` where it was tried here; `part` where it leaves some operators to the CPU."""
    note: str


def providers(path: Path, size: int, operators: Operators) -> tuple[Provider, ...]:
    """Return for each execution provider what is known; one that is installed loads the model, and runs nothing."""
    there = _installed()
    return tuple(
        _tried(path, size, name, device) if name in there else _known(name, device, operators)
        for name, device in _ASKED.items()
    )


def _installed() -> frozenset[str]:
    if find_spec("onnxruntime") is None:
        return frozenset()
    import onnxruntime

    return frozenset(onnxruntime.get_available_providers())


def _tried(path: Path, size: int, name: str, device: str) -> Provider:
    why = confined.loads(path, name, size)
    if why is None:
        return Provider(name, device, installed=True, runs="all", note="loads it here")
    left = "fallback" in why  # the error of session.disable_cpu_ep_fallback
    note = "leaves operators to the CPU" if left else why
    return Provider(name, device, installed=True, runs="part" if left else "none", note=note)


def _known(name: str, device: str, operators: Operators) -> Provider:
    """Return what follows from the operators alone.

    Kernels of ai.onnx.ml and for text are for the CPU only: docs/OperatorKernels.md of ONNX Runtime 1.24.
    """
    notes = ["not installed here"]
    runs: Verdict = "unknown"
    if operators.custom:
        runs, notes = "none", [*notes, "does not know its custom operators"]
    elif name != CPU and (operators.on_cpu_only or operators.text):
        left = "operators of ai.onnx.ml" if operators.on_cpu_only else "text"
        runs, notes = "part", [*notes, f"leaves {left} to the CPU"]
    return Provider(name, device, installed=False, runs=runs, note="; ".join(notes))
