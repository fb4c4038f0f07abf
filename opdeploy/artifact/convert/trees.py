"""Finds the values at which a graph's trees decide, so that inputs can be drawn on both sides of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx
    from numpy.typing import NDArray

_NEXT_TO_ZERO = 1e-30


def thresholds(model: onnx.ModelProto, widths: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """Return for each input that trees take directly a table (values, features) of thresholds, one column a feature.

    Those next to zero, LightGBM's marks for it, are zero.
    A feature with fewer thresholds than another has them repeated; one with none has zeros.
    """
    import numpy as np

    found: dict[str, list[list[float]]] = {}
    for node in model.graph.node:
        if node.domain != "ai.onnx.ml" or not node.op_type.startswith("TreeEnsemble") or node.input[0] not in widths:
            continue
        columns = found.setdefault(node.input[0], [[] for _ in range(widths[node.input[0]])])
        told = {attribute.name: attribute for attribute in node.attribute}
        modes = [mode.decode() for mode in told["nodes_modes"].strings]
        for feature, value, mode in zip(told["nodes_featureids"].ints, told["nodes_values"].floats, modes, strict=True):
            if mode != "LEAF":
                columns[feature].append(value if abs(value) > _NEXT_TO_ZERO else 0.0)
    return {
        name: np.column_stack(
            [np.resize(np.unique(column or [0.0]), max(map(len, columns)) or 1) for column in columns]
        )
        for name, columns in found.items()
    }
