"""A graph that takes and gives the tensors of a model, and computes next to nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from opdeploy.runtime.session import Arrays, Session
    from opdeploy.runtime.tensors import TensorSpec

_OPSET, _IR = 17, 9
"""As old as they may be for what is used here: the attributes of Shape came with opset 15."""


def write(path: Path, session: Session, outputs: Arrays, *, quick: bool) -> None:
    """Write the stub of a loaded model whose run gave these outputs.

    An output has a row of zeros for each record where the model's has one, else the shape that was seen. How many
    records there are is taken from the shape of the first input, with operators that the server takes for slow; a
    `quick` one takes it from values, with operators whose time does not depend on them, and the server runs it in its
    event loop, as it does with small models. Raises InputError for tensors that ONNX Runtime cannot fill.
    """
    from onnx import helper, save_model

    first = session.inputs[0]
    nodes, weights = _rows(first) if quick else _shape(first)
    for at, spec in enumerate(session.outputs):
        made, filled = _output(spec, outputs[spec.name].shape, at, quick=quick)
        nodes += made
        weights += filled
    graph = helper.make_graph(nodes, "stub", _tensors(session.inputs), _tensors(session.outputs), weights)
    opset = [helper.make_opsetid("", _OPSET)]
    save_model(helper.make_model(graph, opset_imports=opset, ir_version=_IR), path)


def _shape(first: TensorSpec) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return what makes `records`, the number of records."""
    from onnx import helper

    return [helper.make_node("Shape", [first.name], ["records"], start=0, end=1)], []


def _rows(first: TensorSpec) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return what makes `rows`, a zero for each record, of the first number of each."""
    from onnx import TensorProto, helper

    axes = range(1, len(first.shape))
    weights = [
        _numbers("starts", [0 for _ in axes]),
        _numbers("ends", [1 for _ in axes]),
        _numbers("axes", list(axes)),
        _numbers("flat", [-1]),
        _numbers("zero", [0]),
    ]
    nodes = [
        helper.make_node("Slice", [first.name, "starts", "ends", "axes"], ["corner"]),
        helper.make_node("Reshape", ["corner", "flat"], ["line"]),
        helper.make_node("Cast", ["line"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Mul", ["whole", "zero"], ["rows"]),
    ]
    return nodes, weights


def _output(
    spec: TensorSpec, shape: tuple[int, ...], at: int, *, quick: bool
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return what makes an output, of which a run gave this shape."""
    from onnx import helper

    by_record = bool(spec.shape) and not isinstance(spec.shape[0], int)
    rest = shape[1:] if by_record else shape
    if quick and by_record:
        return [helper.make_node("Gather", [f"row{at}", "rows"], [spec.name])], [_zeros(f"row{at}", spec, (1, *rest))]
    value = _zeros(f"value{at}", spec, (1,) * len(shape))
    size = _numbers(f"rest{at}", list(rest))
    if not by_record:
        return [helper.make_node("Expand", [value.name, size.name], [spec.name])], [value, size]
    nodes = [
        helper.make_node("Concat", ["records", size.name], [f"shape{at}"], axis=0),
        helper.make_node("Expand", [value.name, f"shape{at}"], [spec.name]),
    ]
    return nodes, [value, size]


def _tensors(specs: tuple[TensorSpec, ...]) -> list[onnx.ValueInfoProto]:
    from onnx import helper

    return [helper.make_tensor_value_info(spec.name, _kind(spec), spec.shape or None) for spec in specs]


def _kind(spec: TensorSpec) -> Any:  # noqa: ANN401 - an enumeration's member
    """Return ONNX's type of a tensor's elements, which has the name that ONNX Runtime has for it."""
    from onnx import TensorProto

    name = spec.datatype.onnx.removeprefix("tensor(").removesuffix(")").upper()
    return TensorProto.DataType.Value(name)  # FLOAT, DOUBLE, INT64, STRING …


def _zeros(name: str, spec: TensorSpec, shape: tuple[int, ...]) -> onnx.TensorProto:
    from onnx import helper

    if spec.datatype.name == "BF16":
        raise InputError(f"the output {spec.name!r} is of BF16, which ONNX Runtime fills on no CPU")
    zero: Any = b"" if spec.datatype.name == "BYTES" else 0
    return helper.make_tensor(name, _kind(spec), shape, [zero] * math.prod(shape))


def _numbers(name: str, values: list[int]) -> onnx.TensorProto:
    from onnx import TensorProto, helper

    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
