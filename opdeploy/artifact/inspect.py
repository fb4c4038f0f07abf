"""Reads the facts that matter for placing a model out of its file, without running anything that it holds."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

    from opdeploy.workload import Framework

MAX_ONNX_BYTES = 2**31 - 1
"""The most that one protobuf message may have."""
MAX_AMOUNT = 1e12

_BY_SUFFIX: dict[str, Framework] = {
    ".onnx": "onnx",
    ".pt2": "pytorch",
    ".pt": "pytorch",
    ".pth": "pytorch",
    ".pb": "tensorflow",
    ".tflite": "tensorflow",
    ".h5": "keras",
    ".keras": "keras",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".joblib": "sklearn",
    ".ubj": "xgboost",
    ".gguf": "llm",
}
_BY_PRODUCER: dict[str, Framework] = {
    "pytorch": "pytorch",
    "tf2onnx": "tensorflow",
    "keras2onnx": "keras",
    "skl2onnx": "sklearn",
}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model's file tells; None is what it does not."""

    framework: Framework | None
    """`llm` for a generative model."""
    size_mb: float
    gflops: float | None = None
    record_mb: float | None = None
    lacks_onnx: bool = False
    """Whether the package onnx is missing, so that only name and size were looked at."""

    @property
    def generative(self) -> bool:
        """Whether the model is placed by tokens per second, which is out of scope."""
        return self.framework == "llm"


def inspect_model(path: Path) -> ModelFacts:
    """Return what a model's file tells: of ONNX its content, of any other only name and size.

    Sizes are in MB (10^6 bytes), the cost of one record in 10^9 operations. Raises InputError for what is no model.
    """
    try:
        if path.is_dir():
            return _folder(path)
        if not path.exists():
            raise InputError(f"{path}: no such file; name a model that exists")
        if not path.is_file():
            raise InputError(f"{path}: is not a file, but a pipe or a device; name a model's file")
        size = _not_empty(path, path.stat().st_size)
        suffix = path.suffix.lower()
        if suffix == ".onnx":
            return _onnx(path, size)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; check the path and its permissions") from error
    return ModelFacts(_BY_SUFFIX.get(suffix), size / 1e6)


def _folder(path: Path) -> ModelFacts:
    if not (path / "saved_model.pb").is_file():
        raise InputError(f"{path}: is a directory, and no SavedModel of TensorFlow; name the model's file in it")
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    return ModelFacts("tensorflow", _not_empty(path, size) / 1e6)


def _not_empty(path: Path, size: int) -> int:
    if not size:
        raise InputError(f"{path}: is empty; write the model again")
    return size


def _onnx(path: Path, size: int) -> ModelFacts:
    if size > MAX_ONNX_BYTES:
        raise InputError(
            f"{path}: is larger than 2 GB, which no ONNX file can be; write its weights to a file beside it"
        )
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        return ModelFacts("onnx", size / 1e6, lacks_onnx=True)
    try:
        # Unlike onnx.load, it follows no path to external data. The bytes have no name, so that they go at once.
        model = onnx.load_model_from_string(path.read_bytes())
    except DecodeError:
        raise _not_onnx(path) from None
    if not (model.ir_version and model.opset_import and model.graph.node):  # bytes that happen to be protobuf
        raise _not_onnx(path)
    try:
        size_mb = (size + sum(file.stat().st_size for file in _external_files(model, path.parent))) / 1e6
        if _is_generative(model.graph):
            return ModelFacts("llm", size_mb)
        gflops, record_mb = _cost_and_record(model)
        return ModelFacts(_framework(model, counted=gflops is not None), size_mb, gflops, record_mb)
    except (KeyError, RuntimeError, TypeError, ValueError):  # types that there are not, names that are not text
        raise _not_onnx(path) from None


def _not_onnx(path: Path) -> InputError:
    return InputError(f"{path}: is not ONNX, or only a part of it; export or copy the model again")


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Give a graph and the bodies of its loops and branches."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)


def _external_files(model: onnx.ModelProto, folder: Path) -> set[Path]:
    """Return the files that hold weights; one outside the model's folder is none of the model's, and is left alone."""
    places = {
        entry.value
        for graph in _graphs(model.graph)
        for tensor in graph.initializer
        for entry in tensor.external_data
        if entry.key == "location" and "\0" not in entry.value
    }
    home = folder.resolve()
    files = {Path(os.path.realpath(home / place)) for place in places}
    return {file for file in files if file.is_relative_to(home) and file.is_file()}


_CACHE = re.compile(r"past_key_values|present(_key_values)?[._]?\d")
"""Names of the key-value cache, as Hugging Face's and ONNX Runtime's exporters write them."""


def _is_generative(graph: onnx.GraphProto) -> bool:
    return any(_CACHE.match(value.name) for value in (*graph.input, *graph.output))


def _framework(model: onnx.ModelProto, *, counted: bool) -> Framework:
    """Return what the model was trained with, as far as its producer tells.

    A workload whose file does not say what a record costs is taken for a neural network, with 0.1 GFLOPs for each MB,
    unless its framework is one of trees and the like; so a model of nothing else must not be called `onnx`.
    """
    found = _BY_PRODUCER.get(model.producer_name)
    if found:
        return found
    graph = model.graph
    texts = [graph.name, graph.doc_string, model.doc_string, *(node.name for node in graph.node)]
    texts += [entry.key + " " + entry.value for entry in model.metadata_props]
    text = " ".join(texts).lower()
    if model.producer_name == "OnnxMLTools":
        if "lgbm" in text or "lightgbm" in text:
            return "lightgbm"
        if "xgb" in text:
            return "xgboost"
    classical = any(node.domain == "ai.onnx.ml" for node in graph.node)
    return "sklearn" if classical and not counted else "onnx"


class _Counted(NamedTuple):
    """Where a counted operator has its operands among its inputs."""

    left: int
    right: int


_COUNTED = {
    "Conv": _Counted(0, 1),
    "ConvInteger": _Counted(0, 1),
    "QLinearConv": _Counted(0, 3),
    "ConvTranspose": _Counted(0, 1),
    "Gemm": _Counted(0, 1),
    "MatMul": _Counted(0, 1),
    "MatMulInteger": _Counted(0, 1),
    "QLinearMatMul": _Counted(0, 3),
}
_HEAVY = re.compile("Attention|Conv|Einsum|Gemm|GRU|LSTM|MatMul|RNN")
"""Names of operators that multiply matrices, of which one that is not counted makes the count worthless."""
_DATA_KEPT = 1024
"""Bytes of an initializer that may be a shape, which the inference of others needs; a larger one is weights."""

_Shapes = dict[str, tuple[int, ...]]


def _cost_and_record(model: onnx.ModelProto) -> tuple[float | None, float | None]:
    """Return GFLOPs and MB of one record: the first axis of every input is the batch, and is set to 1."""
    import onnx

    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    for value in inputs:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    # What stands in the file was inferred for another batch.
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for tensor in graph.initializer:
        if len(tensor.raw_data) > _DATA_KEPT:
            tensor.ClearField("raw_data")
    record_mb = _record_mb(inputs)
    if model.functions:  # a few that call each other may unfold to more than any memory holds
        return None, record_mb
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):  # a graph that contradicts itself
        return None, record_mb
    shapes: _Shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*inferred.value_info, *inferred.output, *inputs):
        shape = _shape(value)
        if shape is not None:
            shapes[value.name] = shape
    return _gflops(graph, shapes), record_mb


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    """Return the shape of a value, None where any of it is unknown."""
    tensor = value.type.tensor_type
    dims = tensor.shape.dim
    known = tensor.HasField("shape") and all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims)
    return tuple(dim.dim_value for dim in dims) if known else None


def _record_mb(inputs: list[onnx.ValueInfoProto]) -> float | None:
    import onnx

    size = 0
    for value in inputs:
        shape, kind = _shape(value), value.type.tensor_type.elem_type
        if shape is None or kind in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
            return None
        size += math.prod(shape) * onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize
    return _amount(size, 1e6)


def _amount(count: int, unit: float) -> float | None:
    """Return a count in a unit; None for nothing, and for more than a workload file takes: a shape may say anything."""
    return count / unit if 0 < count <= MAX_AMOUNT * unit else None


def _gflops(graph: onnx.GraphProto, shapes: _Shapes) -> float | None:
    """Return 10^9 operations, two for a multiplication with its addition; None when they cannot all be counted."""
    total = 0
    for part in _graphs(graph):
        for node in part.node:
            if not _HEAVY.search(node.op_type):
                continue
            if part is not graph or node.op_type not in _COUNTED:  # a loop's body runs who knows how often
                return None
            operations = _operations(node, shapes)
            if operations is None:
                return None
            total += operations
    gflops = _amount(total, 1e9)
    return gflops and float(f"{gflops:.4g}")


def _operations(node: onnx.NodeProto, shapes: _Shapes) -> int | None:
    where = _COUNTED[node.op_type]
    if node.domain not in ("", "ai.onnx") or len(node.input) <= where.right or not node.output:
        return None
    left, right, out = (shapes.get(name) for name in (node.input[where.left], node.input[where.right], node.output[0]))
    if not left or not right or out is None:
        return None
    if node.op_type == "ConvTranspose":  # each element of the input meets a whole kernel, for each output channel
        return 2 * math.prod(left) * math.prod(right[1:])
    if "Conv" in node.op_type:  # as does each element of the output, for each input channel of its group
        return 2 * math.prod(out) * math.prod(right[1:])
    transposed = node.op_type == "Gemm" and any(item.name == "transA" and item.i for item in node.attribute)
    return 2 * math.prod(out) * (left[0] if transposed else left[-1])
