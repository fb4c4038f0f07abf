"""What the declaration of an answer says about how variants of a model are judged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from nets import linear, records

from opdeploy.artifact.data import Declared, judged, task_of
from opdeploy.runtime.processing.spec import Processing
from opdeploy.runtime.session import Session

COLUMNS = [{"name": f"c{number}", "type": "number"} for number in range(8)]


def declared(output: dict[str, object], folder: Path = Path()) -> Declared:
    """Return a declaration of rows that go to `x`, with this output."""
    value = {"input": {"kind": "table", "tensor": "x", "columns": COLUMNS}, "output": output}
    return Declared(msgspec.convert(value, Processing), folder)


@pytest.mark.parametrize(
    ("output", "task"),
    [
        ({"kind": "classification", "tensor": "y"}, "classification"),
        ({"kind": "embedding", "tensor": "y"}, "other"),
        ({"kind": "regression", "tensor": "y"}, "other"),
        ({"kind": "raw"}, "auto"),
    ],
)
def test_the_declaration_tells_the_task(output: dict[str, object], task: str) -> None:
    """Declared classes are classes, also where the model gives scores that are no probabilities."""
    assert task_of(declared(output)) == task
    assert task_of(None) == "auto"


def test_embeddings_are_judged_as_they_are_given(tmp_path: Path) -> None:
    """What is judged of an embedding is the vector of the answer; of anything else, the outputs."""
    session = Session(linear(tmp_path / "linear.onnx", softmax=False))
    inputs = {"x": records(5)}
    outputs = session.run(inputs)
    vectors = judged(declared({"kind": "embedding", "tensor": "y", "normalize": "l2"}, tmp_path), session)
    found = vectors(outputs, inputs)["y"]
    np.testing.assert_allclose(found, outputs["y"] / np.linalg.norm(outputs["y"], axis=1, keepdims=True), rtol=1e-6)
    assert judged(declared({"kind": "raw"}, tmp_path), session)(outputs, inputs) is outputs
    assert judged(None, session)(outputs, inputs) is outputs
