"""Small models for tests, built by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FEATURES, CLASSES = 8, 3


def save(path: Path, nodes: Sequence[onnx.NodeProto], weights: dict[str, Any], batch: int | str = "batch") -> Path:
    """Write a model of `x` (batch, 8) to `y`."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, None])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, path)
    return path


def linear(path: Path, *, batch: int | str = "batch", softmax: bool = True, bias: float = 0, seed: int = 0) -> Path:
    """Write a linear classifier (batch, 8) to (batch, 3); a large bias makes it answer the last class always."""
    generator = np.random.default_rng(seed)
    weights = {
        "w": generator.standard_normal((FEATURES, CLASSES)).astype(np.float32),
        "b": np.array([0, 0, bias], np.float32),
    }
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["z" if softmax else "y"])]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["z"], ["y"], axis=1))
    return save(path, nodes, weights, batch)


def records(count: int, seed: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Draw records for these models."""
    return np.random.default_rng(seed).standard_normal((count, FEATURES), dtype=np.float32)
