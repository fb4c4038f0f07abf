"""Records to try a model on: what fits, what is refused, and what is drawn."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from nets import linear, records, save
from onnx import TensorProto, helper

from opdeploy.artifact.samples import Samples, fixed_batch, read, synthetic
from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.session import Session

if TYPE_CHECKING:
    from pathlib import Path

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "has no array for the input 'x'"),
    "another name": ({"X": records(4)}, "'X' is no input of the model; did you mean \"x\"?"),
    "too few axes": ({"x": records(4)[0]}, "has the shape [8], but the model takes [batch, 8]"),
    "too few features": ({"x": records(4)[:, :7]}, "has the shape [4, 7], but the model takes [batch, 8]"),
    "no records": ({"x": records(4)[:0]}, "holds no records"),
    "text": ({"x": np.full((4, 8), "a")}, "is of type <U1, but the model takes FP32"),
    "complex": ({"x": np.zeros((4, 8), complex)}, "is of type complex128, but the model takes FP32"),
    "not a number": ({"x": np.full((4, 8), np.nan)}, "not a finite number"),
    "too large for FP32": ({"x": np.full((4, 8), 1e300)}, "not a finite number"),
    "too few labels": ({"x": records(4), "labels": np.arange(3)}, "different numbers of records (x 4, labels 3)"),
    "two columns of labels": ({"x": records(4), "labels": np.zeros((4, 2))}, "labels has the shape [4, 2]"),
    "one label": ({"x": records(4), "labels": np.array(1)}, "different numbers of records (x 4, labels 0)"),
}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Return a classifier of 8 features."""
    return Session(linear(tmp_path / "linear.onnx"))


@pytest.mark.parametrize(("arrays", "why"), REFUSED.values(), ids=list(REFUSED))
def test_data_that_does_not_fit_is_refused(tmp_path: Path, session: Session, arrays: dict[str, Any], why: str) -> None:
    """One line names the file and says what the model takes instead."""
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"^.*$") as caught:
        read(path, session.inputs)
    assert str(caught.value).startswith(f"{path}: ")
    assert why in str(caught.value)


FILES = {
    "empty": b"",
    "text": b"hello",
    "cut zip": b"PK\x03\x04",
    "single array": b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }".ljust(127)
    + b"\n" * 9,
}


@pytest.mark.parametrize("content", FILES.values(), ids=list(FILES))
def test_what_is_no_npz_file_is_refused(tmp_path: Path, session: Session, content: bytes) -> None:
    """Anything else than an archive of arrays is one line."""
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^.*data\.npz: is (no \.npz file|a single array).*$"):
        read(path, session.inputs)


class Harmful:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Say what to run."""
        return (RuntimeError, ("was run",))


@pytest.mark.parametrize("bare", [True, False], ids=["pickle", "object array"])
def test_pickles_are_not_loaded(tmp_path: Path, session: Session, *, bare: bool) -> None:
    """A data file that would run code is refused before it does."""
    path = tmp_path / "data.npz"
    if bare:
        path.write_bytes(pickle.dumps(Harmful()))
    else:
        np.savez(path, x=np.array([Harmful()], dtype=object))
    with pytest.raises(InputError, match="pickled objects, which are not loaded"):
        read(path, session.inputs)


def test_numbers_are_converted_where_nothing_is_lost(tmp_path: Path, session: Session) -> None:
    """Numbers of 64 bits become those of 32 that the model takes."""
    np.savez(tmp_path / "data.npz", x=records(4).astype(np.float64), labels=[0, 1, 2, 0])
    samples = read(tmp_path / "data.npz", session.inputs)
    assert samples.inputs["x"].dtype == np.float32
    np.testing.assert_array_equal(samples.inputs["x"], records(4))
    assert samples.labels is not None
    assert samples.labels.tolist() == [0, 1, 2, 0]
    assert not samples.synthetic


def test_bytes_are_text_in_utf_8(tmp_path: Path) -> None:
    """ONNX Runtime would take what Python writes for bytes, `b'…'`; what is no UTF-8 is refused."""
    specs = Session(signature(tmp_path / "m.onnx", TensorProto.STRING, ["n"])).inputs
    np.savez(tmp_path / "data.npz", x=np.strings.encode(np.array(["ä", "b"]), "utf-8"))
    assert read(tmp_path / "data.npz", specs).inputs["x"].tolist() == ["ä", "b"]
    np.savez(tmp_path / "data.npz", x=np.array([b"\xff"]))
    with pytest.raises(InputError, match="no UTF-8 text"):
        read(tmp_path / "data.npz", specs)


def signature(path: Path, kind: int, shape: list[int | str] | None) -> Path:
    """Write a model that gives its input `x` of this type and shape again."""
    x, y = (helper.make_tensor_value_info(name, kind, shape) for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "net", [x], [y])
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("shape", [[], None], ids=["a single value", "any number of axes"])
def test_an_input_without_axes_is_refused(tmp_path: Path, shape: list[int | str] | None) -> None:
    """Records need an axis to stand on: the same line for data and for records drawn at random."""
    session = Session(signature(tmp_path / "m.onnx", TensorProto.FLOAT, shape))
    np.savez(tmp_path / "data.npz", x=np.array(1, np.float32))
    with pytest.raises(InputError, match="input 'x' states no axes"):
        read(tmp_path / "data.npz", session.inputs)
    with pytest.raises(InputError, match="input 'x' states no axes"):
        synthetic(session, 4)


def test_batches_cover_all_records_in_order() -> None:
    """Batches follow each other, and the last one is what remains."""
    samples = Samples({"x": np.arange(7)}, "here")
    assert [batch["x"].tolist() for batch in samples.batches(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert samples.batch(9)["x"].tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1]


@pytest.mark.parametrize(("batch", "fixed"), [("batch", None), (1, 1), (4, 4)])
def test_a_fixed_batch_is_known(tmp_path: Path, batch: int | str, fixed: int | None) -> None:
    """A model may take only so many records at a time."""
    assert fixed_batch(Session(linear(tmp_path / "m.onnx", batch=batch)).inputs) == fixed


def test_drawn_records_are_the_same_each_time(session: Session) -> None:
    """Records that are drawn say so, run, and repeat."""
    first, second = synthetic(session, 5), synthetic(session, 5)
    assert first.synthetic
    assert first.source == "drawn at random (seed 0)"
    assert first.inputs["x"].shape == (5, 8)
    np.testing.assert_array_equal(first.inputs["x"], second.inputs["x"])


def test_a_free_axis_gets_a_size_with_which_the_model_runs(tmp_path: Path) -> None:
    """Sizes that the graph does not name are tried until one fits: here 32, which a weight asks for."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, {"w": np.zeros((32, 2), np.float32)})
    model = onnx.load_model(path)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"
    onnx.save_model(model, path)
    assert synthetic(Session(path), 3).inputs["x"].shape == (3, 32)


def test_a_model_that_runs_with_nothing_drawn_asks_for_data(tmp_path: Path) -> None:
    """Where no size fits, the error says to give real records."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, {"w": np.zeros((17, 2), np.float32)})
    model = onnx.load_model(path)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"
    onnx.save_model(model, path)
    with pytest.raises(OpdeployError, match="give real ones with --data"):
        synthetic(Session(path), 3)
