"""What a shared run must not do, and what happens while requests are prepared."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from nets import FEATURES, records
from onnx import TensorProto, helper, save_model

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from tests.serving import graphs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.serving.servers import Server

    Start = Callable[..., Server]

FILTER = """filter (float[n, 1] x) => (float[n, 1] y) {
  least = Constant<value = float {-5}>()
  flat = Constant<value = int64[1] {-1}>()
  kept = Greater(x, least)
  line = Reshape(kept, flat)
  y = Compress<axis = 0>(x, line)
}"""
"""Drops records below -5, although its signature says that it has an answer for each."""


def test_nobody_gets_the_rows_of_another(start: Start, tmp_path: Path) -> None:
    """Where a run has not one row for each record, requests are run each alone."""
    server = start(graphs.saved(FILTER, tmp_path / "filter.onnx"), "--max-batch=3", "--max-delay-ms=500")

    def ask(value: float) -> Any:  # noqa: ANN401 - JSON
        tensor = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [value]}
        return server.infer("filter", {"inputs": [tensor]}).body["outputs"][0]["data"]

    with ThreadPoolExecutor(3) as clients:
        assert list(clients.map(ask, (-9, 1, 2))) == [[], [1], [2]]


def test_an_artefact_with_a_scalar_is_served(start: Start, tmp_path: Path) -> None:
    """An output without axes has no records, and is compared as it is."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [])
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    graph = helper.make_graph([node], "sum", [x], [y])
    save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "s.onnx"
    )
    build(Contents("sum", tmp_path / "s.onnx", Samples({"x": records(8)}, "records")), tmp_path / "sum")
    server = start(tmp_path / "sum")
    rows = np.ones((2, FEATURES), np.float32)
    tensor = {"name": "x", "shape": rows.shape, "datatype": "FP32", "data": rows.ravel().tolist()}
    answer = server.request("POST", "/v2/models/sum/infer", json.dumps({"inputs": [tensor]}).encode())
    assert answer.body["outputs"][0]["data"] == [2 * FEATURES]
