"""Checks that the tensors stored in an ONNX model hold what their shapes ask for."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from opdeploy.artifact.structure import UnsoundError, bodies
from opdeploy.document import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import onnx

MAX_DENSE_BYTES = 2**31 - 1
"""The most that a sparse tensor may take once a runtime has written it out."""


def check(model: onnx.ModelProto) -> None:
    """Raise UnsoundError for a tensor that holds more or less data than its shape asks for, or none that there is."""
    import onnx

    for tensor in stored(model):
        wanted = bytes_of(tensor)
        if tensor.data_location != onnx.TensorProto.EXTERNAL and not _holds(tensor, wanted):
            raise UnsoundError(
                f"the tensor {shown(tensor.name)} does not hold the data of its shape; export or copy the model again"
            )
    for sparse in _sparse(model):
        bits = _bits().get(sparse.values.data_type, 8)
        if min(sparse.dims, default=0) < 0 or math.prod(sparse.dims) * bits > MAX_DENSE_BYTES * 8:
            raise UnsoundError("has a sparse tensor that unfolds to more than 2 GB; export the model again")


def stored(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Give every tensor that a model holds: initializers and attributes, in bodies and functions too."""
    yield from _in_graph(model.graph)
    for function in model.functions:
        yield from _in_nodes(function.node)
    for training in model.training_info:
        yield from _in_graph(training.initialization)
        yield from _in_graph(training.algorithm)
    for sparse in _sparse(model):
        yield sparse.values
        yield sparse.indices


def count_of(tensor: onnx.TensorProto) -> int:
    """Return the elements of a tensor; raises UnsoundError for a negative size."""
    if any(size < 0 for size in tensor.dims):
        raise UnsoundError(f"the tensor {shown(tensor.name)} has a negative size; export the model again")
    return math.prod(tensor.dims)


def bytes_of(tensor: onnx.TensorProto) -> int | None:
    """Return the bytes that a tensor's shape asks for; None for text. Raises UnsoundError for an unknown type."""
    import onnx

    if tensor.data_type == onnx.TensorProto.STRING:
        return None
    bits = _bits().get(tensor.data_type)
    if bits is None:
        raise UnsoundError(f"the tensor {shown(tensor.name)} is of no type that there is; export the model again")
    return -(-count_of(tensor) * bits // 8)


@cache
def _bits() -> dict[int, int]:
    """Return the bits of an element of each type."""
    import onnx

    kinds = dict(onnx.TensorProto.DataType.items())
    narrow = {"INT2": 2, "UINT2": 2, "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4}
    return {
        kind: narrow.get(name) or onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize * 8
        for name, kind in kinds.items()
        if name not in ("UNDEFINED", "STRING")
    }


def _holds(tensor: onnx.TensorProto, wanted: int | None) -> bool:
    import onnx

    count = count_of(tensor)
    if wanted is not None and tensor.HasField("raw_data"):
        return len(tensor.raw_data) == wanted
    values = len(getattr(tensor, onnx.helper.tensor_dtype_to_field(tensor.data_type)))
    if tensor.data_type in (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128):
        values //= 2
    # Elements narrower than a byte stand in bytes, or each alone.
    return values == count or (wanted is not None and wanted < count and values == wanted)


def _in_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    yield from _in_nodes(graph.node)


def _in_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
        for body in bodies([node]):
            yield from _in_graph(body)


def _sparse(model: onnx.ModelProto) -> Iterator[onnx.SparseTensorProto]:
    yield from _sparse_in(model.graph.node, model.graph.sparse_initializer)
    for function in model.functions:
        yield from _sparse_in(function.node, ())


def _sparse_in(
    nodes: Iterable[onnx.NodeProto], sparse: Iterable[onnx.SparseTensorProto]
) -> Iterator[onnx.SparseTensorProto]:
    yield from sparse
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor
            yield from attribute.sparse_tensors
        for body in bodies([node]):
            yield from _sparse_in(body.node, body.sparse_initializer)
