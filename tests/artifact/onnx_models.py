"""Small models of every kind that the loader must take, to read and to spoil."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
node, value = helper.make_node, helper.make_tensor_value_info


def model(
    nodes: Sequence[NodeProto],
    weights: dict[str, Any] | None = None,
    *,
    shape: Sequence[int | str | None] = ("n", 4),
    opset: int = 21,
    ir_version: int = 10,
    others: Sequence[tuple[str, int]] = (),
) -> ModelProto:
    """Make a model from `x` to `y`; weights are arrays."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [value("x", FLOAT, shape)],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    imports = [helper.make_opsetid(*item) for item in (("", opset), *others)]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version)


def external(location: str, **numbers: int | str) -> ModelProto:
    """Make a model of 4 by 3 weights, 48 bytes, in another file."""
    proto = model([node("MatMul", ["x", "w"], ["y"])], {"w": np.zeros((4, 3), np.float32)})
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, number in {"location": location, **numbers}.items():
        tensor.external_data.add(key=key, value=str(number))
    return proto


def looping() -> ModelProto:
    """Make a model whose loop reads a weight of the graph around it."""
    body = helper.make_graph(
        [node("MatMul", ["v", "w"], ["out"]), node("Identity", ["c"], ["again"])],
        "body",
        [value("i", INT64, ()), value("c", BOOL, ()), value("v", FLOAT, (1, 4))],
        [value("again", BOOL, ()), value("out", FLOAT, (1, 4))],
    )
    weights = {"w": np.zeros((4, 4), np.float32), "go": np.array(1, np.bool_), "times": np.array(2)}
    return model([node("Loop", ["times", "go", "x"], ["y"], body=body)], weights, shape=(1, 4))


def calling(depth: int = 1, *, last: str = "", times: int = 2) -> ModelProto:
    """Make a model of functions that call one another several times; the last calls `last`, or an operator."""
    own, standard = helper.make_opsetid("own", 1), helper.make_opsetid("", 21)
    proto = model([node("F0", ["x"], ["y"], domain="own")], others=[("own", 1)])
    for number in range(depth):
        callee = f"F{number + 1}" if number + 1 < depth else last
        names = [*(f"t{step}" for step in range(times)), "b"]
        calls = [
            node(callee or "Relu", [source], [target], domain="own" if callee else "")
            for source, target in zip(["a", *names[1:-1]], names[1:], strict=True)
        ]
        proto.functions.append(helper.make_function("own", f"F{number}", ["a"], ["b"], calls, [own, standard]))
    return proto


def trees() -> ModelProto:
    """Make one tree of one split and two leaves."""
    attributes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [1.0, 2.0],
        "n_targets": 1,
    }
    return model(
        [node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **attributes)], others=[("ai.onnx.ml", 3)]
    )


def sparse(*dims: int) -> ModelProto:
    """Make a model with a sparse weight of one element."""
    proto = model([node("MatMul", ["x", "w"], ["y"])])
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    indices = numpy_helper.from_array(np.zeros(1, np.int64))
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, list(dims)))
    return proto


def narrow() -> ModelProto:
    """Make a model whose weights take four bits each, stored in both ways."""
    proto = model([node("DequantizeLinear", ["w", "s"], ["d"]), node("MatMul", ["x", "d"], ["y"])])
    kind = TensorProto.INT4
    proto.graph.initializer.append(helper.make_tensor("w", kind, [4, 3], [1] * 12))
    proto.graph.initializer.append(helper.make_tensor("v", kind, [4, 3], bytes(6), raw=True))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(0.1, np.float32), "s"))
    return proto


SOUND: dict[str, ModelProto] = {
    "network": model(
        [node("MatMul", ["x", "w"], ["a"], name="layer"), node("Relu", ["a"], ["y"])],
        {"w": np.zeros((4, 3), np.float32)},
    ),
    "convolution": model(
        [node("Conv", ["x", "w"], ["y"], strides=[1, 1])],
        {"w": np.zeros((2, 3, 3, 3), np.float32)},
        shape=("n", 3, 8, 8),
    ),
    "loop": looping(),
    "functions": calling(2),
    "trees": trees(),
    "sparse": sparse(4, 3),
    "four bits": narrow(),
    "text": model(
        [
            node("Constant", [], ["t"], value=numpy_helper.from_array(np.array(["a", "b"], np.object_))),
            node("Relu", "x", "y"),
        ]
    ),
    "an operator of ONNX Runtime": model(
        [node("Gelu", ["x"], ["y"], domain="com.microsoft")], others=[("com.microsoft", 1)]
    ),
    "an operator of nobody": model([node("Own", ["x"], ["y"], domain="own")], others=[("own", 1)]),
}
