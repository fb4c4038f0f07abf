"""Counts what one record costs: the operations of a graph, and the bytes that go in."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.artifact import confined, structure, wire

if TYPE_CHECKING:
    import onnx

MAX_AMOUNT = 1e12


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


def gflops_and_record_mb(model: onnx.ModelProto) -> tuple[float | None, float | None]:
    """Return GFLOPs and MB of one record: the first axis of every input is the batch, and is set to 1.

    Spoils the model: shapes that depend on the batch go, and so do large weights. Models with functions have no count.
    """
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    for value in inputs:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    record_mb = _record_mb(inputs)
    if model.functions or not _countable(graph):
        return None, record_mb
    shapes = _inferred(model)
    if shapes is None:
        return None, record_mb
    shapes |= {value.name: shape for value in inputs if (shape := _shape(value)) is not None}
    return _gflops(graph, shapes), record_mb


def _countable(graph: onnx.GraphProto) -> bool:
    """Tell whether there are operators to count, and none among them that cannot be counted."""
    heavy = [(part, node) for part in structure.graphs(graph) for node in part.node if _HEAVY.search(node.op_type)]
    # A loop's body runs who knows how often.
    return bool(heavy) and all(part is graph and node.op_type in _COUNTED for part, node in heavy)


def _inferred(model: onnx.ModelProto) -> _Shapes | None:
    """Return the shape of each tensor, as far as it is known; None where inference fails."""
    import onnx

    graph = model.graph
    shapes: _Shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    del graph.value_info[:]  # what stands in the file was inferred for another batch
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for tensor in graph.initializer:
        if len(tensor.raw_data) > _DATA_KEPT:
            tensor.ClearField("raw_data")
    found = confined.inferred(model.SerializeToString())
    if found is None:
        return None
    try:
        wire.check(found, onnx.GraphProto.DESCRIPTOR)
    except wire.WireError:
        return None
    answer = onnx.GraphProto.FromString(found)
    return shapes | {
        value.name: shape for value in (*answer.value_info, *answer.output) if (shape := _shape(value)) is not None
    }


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
    for node in graph.node:
        if not _HEAVY.search(node.op_type):
            continue
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
