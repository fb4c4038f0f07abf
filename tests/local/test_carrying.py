"""What requests cost beside the run: the stub has the model's tensors, and the real server answers with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from nets import linear, records
from onnx import TensorProto, helper, save_model

from opdeploy.artifact.samples import Samples
from opdeploy.errors import InputError, OpdeployError
from opdeploy.local import carrying as carrying_module
from opdeploy.local import inference, stub
from opdeploy.local.carrying import Model, carrying
from opdeploy.runtime.cpus import usable_cpus
from opdeploy.runtime.session import Session
from opdeploy.serving.model import is_steady

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.runtime.session import Arrays

KINDS = ("FLOAT", "DOUBLE", "FLOAT16", "INT64", "INT32", "INT8", "UINT8", "BOOL", "STRING")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load for a moment only."""
    monkeypatch.setattr(carrying_module, "SECONDS", 0.01)
    monkeypatch.setattr(carrying_module, "ROUNDS", 1)


def identity(path: Path, kind: str, shape: list[int | str]) -> Session:
    """Return a model that gives what it takes, of a type and shape."""
    tensors = [helper.make_tensor_value_info(name, getattr(TensorProto, kind), shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", tensors[:1], tensors[1:])
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return Session(path)


def stubbed(folder: Path, session: Session, outputs: Arrays, *, quick: bool = False) -> Session:
    """Return the stub of a model."""
    path = folder / "stub.onnx"
    stub.write(path, session, outputs, quick=quick)
    return Session(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stub_has_the_tensors_of_the_model(tmp_path: Path, kind: str) -> None:
    """Names, types and shapes, and as many rows as there are records."""
    session = identity(tmp_path / "m.onnx", kind, ["batch", 3, "free"])
    array = np.zeros((2, 3, 5), session.inputs[0].datatype.dtype)
    found = stubbed(tmp_path, session, {"y": array})
    assert (found.inputs, found.outputs) == (session.inputs, session.outputs)
    taken = np.full((7, 3, 5), "a", object) if kind == "STRING" else np.ones((7, 3, 5), array.dtype)
    given = found.run({"x": taken})["y"]
    assert (given.shape, given.dtype) == ((7, 3, 5), array.dtype)
    assert set(given.ravel().tolist()) <= {0, ""}


@pytest.mark.parametrize("shape", [["batch", 8], ["batch"], ["batch", 2, 2]])
def test_a_quick_one_is_what_the_server_takes_for_quick(tmp_path: Path, shape: list[int | str]) -> None:
    """And the other one never is."""
    session = identity(tmp_path / "m.onnx", "FLOAT", shape)
    rest = [size for size in shape if isinstance(size, int)]
    for quick in (True, False):
        found = stubbed(tmp_path, session, {"y": np.zeros((2, *rest), np.float32)}, quick=quick)
        assert is_steady(tmp_path / "stub.onnx", found, batches=True) == quick
        taken = np.full((3, *rest), np.nan, np.float32)
        assert np.array_equal(found.run({"x": taken})["y"], np.zeros((3, *rest), np.float32))


def test_outputs_without_records_have_the_shape_that_was_seen(tmp_path: Path) -> None:
    """Those of a graph that takes a fixed number of records have it too."""
    session = Session(linear(tmp_path / "m.onnx", batch=3))
    given = stubbed(tmp_path, session, session.run({"x": records(3)})).run({"x": records(3)})["y"]
    assert given.shape == (3, 3)


def test_an_output_that_states_no_axes_has_the_shape_that_was_seen(tmp_path: Path) -> None:
    """Here it has those that are not 1."""
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1])
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Squeeze", ["x"], ["y"])], "open", [taken], [given])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    save_model(model, tmp_path / "m.onnx")
    session = Session(tmp_path / "m.onnx")
    for count, shape in ((1, ()), (2, (2,))):
        outputs = session.run({"x": np.ones((count, 1), np.float32)})
        found = stubbed(tmp_path, session, outputs).run({"x": np.ones((3, 1), np.float32)})
        assert found["y"].shape == shape


def test_what_cannot_be_filled_is_refused(tmp_path: Path) -> None:
    """BF16 has no operators on a CPU."""
    session = identity(tmp_path / "m.onnx", "BFLOAT16", ["batch", 2])
    with pytest.raises(InputError, match=r"^the output 'y' is of BF16, which ONNX Runtime fills on no CPU$"):
        stub.write(tmp_path / "stub.onnx", session, {"y": np.zeros((1, 2), np.float32)}, quick=False)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("quick", [False, True])
def test_requests_are_measured_with_one_processor_and_with_all(tmp_path: Path, *, quick: bool) -> None:
    """With one record in each, and with eight."""
    told: list[str] = []
    session = Session(linear(tmp_path / "m.onnx"))
    found = carrying(Model(session, Samples({"x": records(3)}, "records"), quick), told.append)
    everything = max(1, int(usable_cpus()))
    counts = sorted({1, everything}) if hasattr(os, "sched_setaffinity") else [everything]
    assert [(item.cpus, item.records) for item in found] == [(cpus, size) for cpus in counts for size in (1, 8)]
    assert all(0 < item.low <= item.ms <= item.high for item in found)
    assert len(told) == len(counts)


@pytest.mark.usefixtures("short")
def test_a_fixed_batch_is_the_only_request(tmp_path: Path) -> None:
    """The model takes no other."""
    session = Session(linear(tmp_path / "m.onnx", batch=3))
    found = carrying(Model(session, Samples({"x": records(2)}, "records"), quick=False), lambda _: None)
    assert {item.records for item in found} == {3}


@pytest.mark.usefixtures("short")
def test_requests_that_are_too_large_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the smallest."""
    monkeypatch.setattr(carrying_module, "MOST_MB", 1e-6)
    session = Session(linear(tmp_path / "m.onnx"))
    found = carrying(Model(session, Samples({"x": records(2)}, "records"), quick=False), lambda _: None)
    assert {item.records for item in found} == {1}


@pytest.mark.usefixtures("short")
def test_large_requests_come_from_few_clients(tmp_path: Path) -> None:
    """Of 64 with 5 MB each the server would refuse some."""
    session = identity(tmp_path / "m.onnx", "FLOAT", ["batch", 160_000])
    found = carrying(
        Model(session, Samples({"x": np.zeros((1, 160_000), np.float32)}, "zeros"), quick=False), lambda _: None
    )
    assert {item.records for item in found} == {1, 8}


@pytest.mark.usefixtures("short")
def test_a_server_that_refuses_the_load_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said is told."""
    monkeypatch.setattr(inference, "path", lambda _: "/v2/models/other/infer")
    session = Session(linear(tmp_path / "m.onnx"))
    with pytest.raises(OpdeployError, match=r"^the server fails under load: 404 .*no such path"):
        carrying(Model(session, Samples({"x": records(2)}, "records"), quick=False), lambda _: None)
