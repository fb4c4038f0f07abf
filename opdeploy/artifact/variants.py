"""Ways to run a model faster: graphs quantised or rewritten with ONNX Runtime's own tools, and settings."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy.artifact.graph import load
from opdeploy.runtime.cpus import usable_cpus
from opdeploy.runtime.settings import CPU, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opdeploy.artifact.samples import Samples

GPUS = {
    "CUDAExecutionProvider": "cuda",
    "DmlExecutionProvider": "directml",
    "MIGraphXExecutionProvider": "migraphx",
    "TensorrtExecutionProvider": "tensorrt",
}
"""Execution providers that compute on a GPU, and how their variants are called."""
OTHERS = {
    "CoreMLExecutionProvider": "coreml",
    "DnnlExecutionProvider": "dnnl",
    "OpenVINOExecutionProvider": "openvino",
    "QNNExecutionProvider": "qnn",
}
CALIBRATED = 128
"""Records to calibrate with, at most: the ranges of activations settle long before."""
_CALIBRATION_BATCH = 4
_QUANTISED = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A variant to try."""

    name: str
    precision: str
    settings: Settings = Settings()
    make: Callable[[Path], None] | None = None
    """Writes the graph to a file."""
    graph: Path | None = None
    """A file that has the graph; where nothing makes it either, it is the graph as it is."""
    skipped: str = ""
    """Why it is not tried here."""


def candidates(model: Path, calibration: Samples, batch: int | None) -> list[Candidate]:
    """Return what to try with a model; `batch` is its number of records where that is fixed."""
    import onnxruntime

    installed = onnxruntime.get_available_providers()
    kind = precision(model)
    calibrated = partial(static_int8, model, calibration=calibration, batch=batch or _CALIBRATION_BATCH)
    found = [
        Candidate(f"{kind}-extended", kind, Settings(level="extended")),
        Candidate(f"{kind}-basic", kind, Settings(level="basic")),
        Candidate(f"{kind}-as-exported", kind, Settings(level="disable")),
        Candidate(f"{kind}-fused", kind, make=partial(fused, model)),
        Candidate("int8-dynamic", "int8", make=partial(dynamic_int8, model)),
        Candidate("int8-static", "int8", make=calibrated),
        Candidate("int8-static-reduced", "int8", make=partial(calibrated, reduce_range=True)),
        Candidate("int8-static-tensor", "int8", make=partial(calibrated, per_channel=False)),
    ]
    for provider in installed:
        settings = Settings(provider=provider)
        if provider in GPUS:
            found.append(Candidate(f"{kind}-{GPUS[provider]}", kind, settings))
            found.append(Candidate(f"fp16-{GPUS[provider]}", "fp16", settings, partial(half, model)))
        elif provider in OTHERS:
            found.append(Candidate(f"{kind}-{OTHERS[provider]}", kind, settings))
            found.append(Candidate(f"int8-static-{OTHERS[provider]}", "int8", settings, calibrated))
    if not set(installed) & set(GPUS):
        found.append(Candidate("fp16", "fp16", skipped="it is for a GPU, and ONNX Runtime finds none here"))
    return found


def threaded(candidate: Candidate) -> list[Candidate]:
    """Return a candidate with fewer threads, where it is computed on the CPU."""
    if candidate.settings.provider != CPU:
        return []
    counts = [2**power for power in range(8) if 2**power < usable_cpus()]
    return [
        replace(
            candidate,
            name=f"{candidate.name}-{count}-thread{'s' if count > 1 else ''}",
            settings=Settings(CPU, count, candidate.settings.level),
        )
        for count in counts
    ]


class NotApplicableError(Exception):
    """There is nothing in a graph that a variant would change."""


def precision(model: Path) -> str:
    """Return what a graph computes in, by its operators and weights: int8, fp16, fp64 or fp32."""
    import onnx

    graph = load(model, weights=False).graph
    if any(node.op_type in _QUANTISED for node in graph.node):
        return "int8"
    sizes = Counter[int]()
    for tensor in graph.initializer:
        sizes[tensor.data_type] += math.prod(tensor.dims)
    names = {int(onnx.TensorProto.FLOAT16): "fp16", int(onnx.TensorProto.DOUBLE): "fp64"}
    return names.get(max(sizes, key=lambda kind: sizes[kind]), "fp32") if sizes else "fp32"


def dynamic_int8(model: Path, target: Path) -> None:
    """Quantise weights beforehand and activations as they come.

    Raises NotApplicableError where nothing is quantised.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _prepared(model) as prepared:
        quantize_dynamic(prepared, target, per_channel=True, weight_type=QuantType.QInt8)
    _check_quantised(target)


def static_int8(
    model: Path,
    target: Path,
    *,
    calibration: Samples,
    batch: int,
    per_channel: bool = True,
    reduce_range: bool = False,
) -> None:
    """Quantise weights and activations beforehand, with ranges that records show: unsigned times signed, as QDQ.

    With `reduce_range` weights have 7 bits, so that sums do not saturate on an x86 without VNNI. Raises
    NotApplicableError where nothing is quantised.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            records = calibration.take(slice(0, CALIBRATED))
            sizes = range(0, len(records), batch)
            self._batches = (records.take(slice(start, None)).batch(batch) for start in sizes)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._batches, None)

    with _prepared(model) as prepared:
        quantize_static(
            prepared,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            reduce_range=reduce_range,
        )
    _check_quantised(target)


def _check_quantised(target: Path) -> None:
    if precision(target) != "int8":
        raise NotApplicableError("it has no operators that are quantised")


def fused(model: Path, target: Path) -> None:
    """Put the parts of transformers together: attention, layer normalisation, GELU.

    Raises NotApplicableError where there are none.
    """
    if not {"MatMul", "Softmax"} <= {node.op_type for node in load(model, weights=False).graph.node}:
        raise NotApplicableError("it has no parts of a transformer")
    from onnxruntime.transformers.optimizer import optimize_model

    optimised = optimize_model(str(model), model_type="bert", opt_level=0)
    if not sum(optimised.get_fused_operator_statistics().values()):
        raise NotApplicableError("it has no parts of a transformer that could be put together")
    optimised.save_model_to_file(str(target))


def half(model: Path, target: Path) -> None:
    """Compute in 16 bits, with inputs and outputs as they were."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save_model(convert_float_to_float16(onnx.load_model(model), keep_io_types=True), target)


@contextlib.contextmanager
def _prepared(model: Path) -> Iterator[Path]:
    """Give the graph with shapes and without what can be computed beforehand, as quantisation wants it."""
    if precision(model) == "int8":
        raise NotApplicableError("it is quantised already")
    if not any(opset.domain in ("", "ai.onnx") for opset in load(model, weights=False).opset_import):
        raise NotApplicableError("it has no operators that are quantised")
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(model, prepared, skip_symbolic_shape=True)  # onnx's own shapes do
        yield prepared


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the tools from talking: they log what to do to people who call them by hand."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
