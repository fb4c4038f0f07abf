"""Small networks with random weights: what takes the time is the serving."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SIZES = (64, 64, 10)
SIDE = 32
CHANNELS = (3, 32, 64, 64)
TOKENS, WIDTH, HEADS, LAYERS = 64, 256, 4, 4
"""Of the transformer."""


def dense(path: Path) -> None:
    """Write a network of `x` (batch, 64) to `y` (batch, 10) with one hidden layer of 64."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w2", "b2"], ["y"]),
    ]
    taken, hidden, given = SIZES
    weights = {"w1": (taken, hidden), "b1": (hidden,), "w2": (hidden, given), "b2": (given,)}
    _save(path, nodes, weights, ([taken], [given]))


def convolutional(path: Path) -> None:
    """Write a network of `x` (batch, 3, 32, 32) to `y` (batch, 10): three convolutions, the mean, and a layer."""
    nodes: list[onnx.NodeProto] = []
    weights: dict[str, tuple[int, ...]] = {}
    last = "x"
    for index, (before, after) in enumerate(pairwise(CHANNELS)):
        weights |= {f"w{index}": (after, before, 3, 3), f"b{index}": (after,)}
        convolution = [last, f"w{index}", f"b{index}"]
        nodes.append(helper.make_node("Conv", convolution, [f"c{index}"], pads=[1] * 4, strides=[1 + index % 2] * 2))
        last = f"r{index}"
        nodes.append(helper.make_node("Relu", [f"c{index}"], [last]))
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "w", "b"], ["y"]))
    weights |= {"w": (CHANNELS[-1], SIZES[-1]), "b": (SIZES[-1],)}
    _save(path, nodes, weights, ([CHANNELS[0], SIDE, SIDE], [SIZES[-1]]))


def transformer(path: Path) -> None:
    """Write an encoder of `x` (batch, 64, 256) to `y` (batch, 256): four layers of attention, and the mean."""
    nodes: list[onnx.NodeProto] = []
    weights: dict[str, tuple[int, ...]] = {}

    def add(kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401  any attribute
        name = f"{kind.lower()}_{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def times(x: str, *shape: int) -> str:
        weights[f"w{len(weights)}"] = shape
        return add("MatMul", x, f"w{len(weights) - 1}")

    def normal(x: str) -> str:
        weights[f"w{len(weights)}"] = (WIDTH,)
        return add("LayerNormalization", x, f"w{len(weights) - 1}")

    def heads(x: str, *order: int) -> str:
        return add("Transpose", add("Reshape", x, "heads"), perm=order)

    last = "x"
    for _ in range(LAYERS):
        query, key, value = (times(last, WIDTH, WIDTH) for _ in range(3))
        scores = add("MatMul", heads(query, 0, 2, 1, 3), heads(key, 0, 2, 3, 1))
        mixed = add("MatMul", add("Softmax", scores), heads(value, 0, 2, 1, 3))
        joined = add("Reshape", add("Transpose", mixed, perm=[0, 2, 1, 3]), "joined")
        last = normal(add("Add", last, times(joined, WIDTH, WIDTH)))
        wide = add("Relu", times(last, WIDTH, 4 * WIDTH))
        last = normal(add("Add", last, times(wide, 4 * WIDTH, WIDTH)))
    nodes.append(helper.make_node("ReduceMean", [last], ["y"], axes=[1], keepdims=0))
    shapes = {"heads": [0, TOKENS, HEADS, WIDTH // HEADS], "joined": [0, TOKENS, WIDTH]}
    _save(path, nodes, weights, ([TOKENS, WIDTH], [WIDTH]), shapes)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    weights: dict[str, tuple[int, ...]],
    shapes: tuple[list[int], list[int]],
    numbers: Mapping[str, list[int]] | None = None,
) -> None:
    random = np.random.default_rng(0)
    tensors = [
        numpy_helper.from_array(0.1 * random.standard_normal(shape, dtype=np.float32), name)
        for name, shape in weights.items()
    ]
    tensors += [numpy_helper.from_array(np.array(values), name) for name, values in (numbers or {}).items()]
    taken, given = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])]
        for name, shape in zip("xy", shapes, strict=True)
    )
    graph = helper.make_graph(nodes, path.stem, taken, given, tensors)
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
