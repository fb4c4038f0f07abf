"""The request that is shown after a deployment can be pasted into a shell, and is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from nets import linear
from onnx import TensorProto, helper

from opdeploy.deploy.example import curl, example
from opdeploy.local.subject import subject
from tests.artefacts import penguins
from tests.deploy.pasted import pasted
from tests.serving.servers import HOST, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "a-key-of-this-test"


def identity(path: Path, name: str = "x", kind: int = TensorProto.FLOAT, width: int = 4, batch: Any = "n") -> Path:  # noqa: ANN401 - a number or a name
    """Write a model that gives back what it gets."""
    shape = [batch, width]
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], ["y"])],
        "same",
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


MODELS: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "numbers": (lambda folder, _: linear(folder / "m.onnx"), "/v2/models/m/infer"),
    "a fixed batch": (lambda folder, _: identity(folder / "m.onnx", batch=3), "/v2/models/m/infer"),
    "whole numbers": (lambda folder, _: identity(folder / "m.onnx", kind=TensorProto.INT64), "/v2/models/m/infer"),
    "texts": (lambda folder, _: identity(folder / "m.onnx", kind=TensorProto.STRING), "/v2/models/m/infer"),
    "truths": (lambda folder, _: identity(folder / "m.onnx", kind=TensorProto.BOOL), "/v2/models/m/infer"),
    "a name for a shell": (lambda folder, _: identity(folder / "m.onnx", "it's $(x) `x`"), "/v2/models/m/infer"),
    "records": (penguins, "/score"),
    "too long": (lambda folder, _: identity(folder / "m.onnx", width=1000), "/v2/models/m"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_it_is_answered(kind: str, tmp_path: Path, root: Path) -> None:
    """With a record that the model takes; where that is long, it asks what the model takes."""
    make, route = MODELS[kind]
    model = make(tmp_path, root)
    with subject(model, "m") as tried, serving(model, "--name=m") as server:
        asked = example(tried, "m", keyed=False)
        answer = pasted(curl(f"http://{HOST}:{server.port}", asked))
    assert asked.route == route
    assert len(asked.body or "") <= 1000
    expected = {"/score": "predictions", "/v2/models/m/infer": "outputs", "/v2/models/m": "inputs"}
    assert answer[expected[route]]


def test_a_key_is_taken_from_the_environment(tmp_path: Path) -> None:
    """It stands in no command line that is shown."""
    model = linear(tmp_path / "m.onnx")
    with subject(model, "m") as tried, serving(model, "--name=m", OPDEPLOY_API_KEYS=KEY) as server:
        line = curl(f"http://{HOST}:{server.port}", example(tried, "m", keyed=True))
        assert KEY not in line
        assert pasted(line, KEY)["outputs"]


def test_what_is_no_number_is_not_sent(tmp_path: Path) -> None:
    """JSON has no such thing."""
    model = identity(tmp_path / "m.onnx")
    with subject(model, "m") as tried:
        tried.golden.inputs["x"] = np.full_like(tried.golden.inputs["x"], np.nan)
        assert example(tried, "m", keyed=False).body is None
