"""Residual networks with random weights, built with onnx's own helpers: they tell how fast, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

DEPTHS = {"resnet-50": (3, 4, 6, 3), "resnet-152": (3, 8, 36, 3)}
"""Blocks in each of the four stages: He et al., Deep Residual Learning (2015), table 1."""
SMALL = {"resnet-14": (1, 1, 1, 1)}
"""Those of one that is not in the table: 14 layers."""
CLASSES = 1000
SIDE = 224


class _Network:
    """A graph under construction; each method adds a layer and returns the name of its output."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401  any attribute
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, *shape: int, scale: float) -> str:
        name = f"weight_{len(self.weights)}"
        array = self._random.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def conv(self, x: str, channels: tuple[int, int], kernel: int, *, stride: int = 1, gain: float = 1.0) -> str:
        """Add a convolution with its batch normalisation folded in, as exporters write it."""
        before, after = channels
        scale = gain * (2 / (before * kernel * kernel)) ** 0.5  # keeps the size of activations: He et al. (2015)
        weight = self.weight(after, before, kernel, kernel, scale=scale)
        bias = self.weight(after, scale=0.1)
        sizes = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "strides": [stride] * 2}
        return self.add("Conv", x, weight, bias, **sizes)

    def block(self, x: str, before: int, middle: int, stride: int) -> str:
        """Add a bottleneck: 1x1, 3x3 and 1x1, and the shortcut."""
        after = 4 * middle
        y = self.add("Relu", self.conv(x, (before, middle), 1))
        y = self.add("Relu", self.conv(y, (middle, middle), 3, stride=stride))
        y = self.conv(y, (middle, after), 1, gain=0.3)
        shortcut = x if before == after else self.conv(x, (before, after), 1, stride=stride, gain=0.7)
        return self.add("Relu", self.add("Add", y, shortcut))


def build(name: str, path: Path, seed: int = 0) -> None:
    """Write a network of `image` (batch, 3, 224, 224) to `logits` (batch, 1000)."""
    network = _Network(seed)
    x = network.add("Relu", network.conv("image", (3, 64), 7, stride=2))
    x = network.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, depth in enumerate((DEPTHS | SMALL)[name]):
        for block in range(depth):
            x = network.block(x, channels, 64 << stage, 2 if stage and not block else 1)
            channels = 256 << stage
    x = network.add("Flatten", network.add("GlobalAveragePool", x))
    weight, bias = network.weight(CLASSES, channels, scale=channels**-0.5), network.weight(CLASSES, scale=0.01)
    network.nodes.append(helper.make_node("Gemm", [x, weight, bias], ["logits"], transB=1))
    graph = helper.make_graph(
        network.nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        network.weights,
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def images(count: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Draw images (count, 3, 224, 224) with large patches of one colour, which differ more than noise does."""
    random = np.random.default_rng(seed)
    patches = random.standard_normal((count, 3, 7, 7), dtype=np.float32)
    return np.kron(patches, np.ones((SIDE // 7, SIDE // 7), np.float32)).astype(np.float32)
