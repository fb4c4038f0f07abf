"""What a model's file tells: costs against figures computed by hand, and files that are no models."""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor

from opdeploy.artifact.graph import MAX_ONNX_BYTES
from opdeploy.artifact.inspect import ModelFacts, inspect_model
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Save = Callable[[onnx.ModelProto], Path]

Shape = tuple[int | str | None, ...]
FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
SCALES = {"s": np.array(0.1, np.float32), "z": np.array(0, np.uint8)}


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Shape],
    weights: dict[str, Any] | None = None,
    *,
    kind: int = FLOAT,
    **texts: str,
) -> onnx.ModelProto:
    """Make a model whose output is `y`; weights are arrays, or shapes of zeros."""
    tensors = [
        numpy_helper.from_array(np.zeros(value, helper.tensor_dtype_to_np_dtype(kind)), name)
        if isinstance(value, tuple)
        else numpy_helper.from_array(value, name)
        for name, value in (weights or {}).items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_empty_tensor_value_info("y")],
        tensors,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, **texts)


def one(kind: str, inputs: Sequence[str], **attributes: Any) -> list[onnx.NodeProto]:  # noqa: ANN401  any attribute
    """Make the one node of a graph."""
    return [helper.make_node(kind, inputs, ["y"], **attributes)]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return a function that writes a model to a file."""

    def write(proto: onnx.ModelProto) -> Path:
        path = tmp_path / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        return path

    return write


def test_the_digits_model(root: Path) -> None:
    """The count is that of the script which trained it; a record is a picture of 8 by 8 floats."""
    path = root / "examples" / "digits" / "model.onnx"
    assert inspect_model(path) == ModelFacts("pytorch", path.stat().st_size / 1e6, 0.002245, 4 * 64 / 1e6)


COSTS: dict[str, tuple[onnx.ModelProto, int]] = {
    "Conv": (model(one("Conv", ["x", "w"]), {"x": ("n", 3, 8, 8)}, {"w": (16, 3, 3, 3)}), 2 * (16 * 6 * 6) * (3 * 9)),
    "Conv in groups": (
        model(one("Conv", ["x", "w"], group=2, pads=[1] * 4), {"x": ("n", 4, 5, 5)}, {"w": (8, 2, 3, 3)}),
        2 * (8 * 5 * 5) * (2 * 9),
    ),
    "ConvTranspose": (
        model(one("ConvTranspose", ["x", "w"], strides=[2, 2]), {"x": ("n", 3, 4, 4)}, {"w": (3, 5, 2, 2)}),
        2 * (3 * 4 * 4) * (5 * 4),
    ),
    "Gemm": (model(one("Gemm", ["x", "w"]), {"x": ("n", 10)}, {"w": (10, 4)}), 2 * 4 * 10),
    "Gemm, B transposed": (
        model(one("Gemm", ["x", "w"], transB=1), {"x": ("n", 10)}, {"w": (4, 10)}),
        2 * 4 * 10,
    ),
    "Gemm, A transposed": (
        model(one("Gemm", ["w", "x"], transA=1), {"x": ("n", 6)}, {"w": (1, 4)}),
        2 * (4 * 6) * 1,
    ),
    "MatMul": (model(one("MatMul", ["x", "w"]), {"x": ("n", 7, 10)}, {"w": (10, 4)}), 2 * (7 * 4) * 10),
    "MatMul of two inputs": (
        model(one("MatMul", ["x", "v"]), {"x": ("n", 2, 3, 5), "v": ("n", 2, 5, 3)}),
        2 * (2 * 3 * 3) * 5,
    ),
    "QLinearConv": (
        model(
            one("QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z"]),
            {"x": ("n", 3, 8, 8)},
            {"w": (16, 3, 3, 3), **SCALES},
            kind=UINT8,
        ),
        2 * (16 * 6 * 6) * (3 * 9),
    ),
    "ConvInteger": (
        model(one("ConvInteger", ["x", "w"]), {"x": ("n", 3, 8, 8)}, {"w": (16, 3, 3, 3)}, kind=UINT8),
        2 * (16 * 6 * 6) * (3 * 9),
    ),
    "QLinearMatMul": (
        model(
            one("QLinearMatMul", ["x", "s", "z", "w", "s", "z", "s", "z"]),
            {"x": ("n", 7, 10)},
            {"w": (10, 4), **SCALES},
            kind=UINT8,
        ),
        2 * (7 * 4) * 10,
    ),
    "MatMulInteger": (
        model(one("MatMulInteger", ["x", "w"]), {"x": ("n", 7, 10)}, {"w": (10, 4)}, kind=UINT8),
        2 * (7 * 4) * 10,
    ),
    "a batch that is fixed": (model(one("Gemm", ["x", "w"]), {"x": (8, 10)}, {"w": (10, 4)}), 2 * 4 * 10),
    "two layers, with what costs little between": (
        model(
            [
                helper.make_node("MatMul", ["x", "w"], ["a"]),
                helper.make_node("Relu", ["a"], ["b"]),
                helper.make_node("Reshape", ["b", "shape"], ["c"]),
                helper.make_node("MatMul", ["c", "v"], ["y"]),
            ],
            {"x": ("n", 6, 10)},
            {"w": (10, 4), "v": (24, 3), "shape": np.array([0, -1])},
        ),
        2 * (6 * 4 * 10 + 3 * 24),
    ),
    "weights of more than a kilobyte": (
        model(one("MatMul", ["x", "w"]), {"x": ("n", 100)}, {"w": (100, 50)}),
        2 * 100 * 50,
    ),
}


@pytest.mark.parametrize(("proto", "operations"), COSTS.values(), ids=COSTS)
def test_a_counted_operator(save: Save, proto: onnx.ModelProto, operations: int) -> None:
    """Each operator costs two operations for a multiplication with its addition, for a batch of one."""
    assert inspect_model(save(proto)).gflops == pytest.approx(operations / 1e9, rel=1e-3)


def test_a_model_with_functions_of_its_own_is_not_counted(save: Save) -> None:
    """Functions that call each other may unfold to more than any memory holds, so that none is unfolded."""
    proto = model([helper.make_node("Layer", ["x", "w"], ["y"], domain="own")], {"x": ("n", 10)}, {"w": (10, 4)})
    opsets = [helper.make_opsetid("", 21)]
    body = [helper.make_node("MatMul", ["a", "b"], ["c"])]
    proto.functions.append(helper.make_function("own", "Layer", ["a", "b"], ["c"], body, opsets))
    facts = inspect_model(save(proto))
    assert (facts.framework, facts.gflops, facts.record_mb) == ("onnx", None, 40 / 1e6)


def test_functions_that_call_each_other_cost_nothing(save: Save) -> None:
    """Each of 60 calls the next twice: unfolded, that is more than there is memory in the world."""
    proto = model([helper.make_node("F0", ["x"], ["y"], domain="own")], {"x": ("n", 10)}, {})
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    for depth in range(60):
        calls = [helper.make_node(f"F{depth + 1}", [a], [b], domain="own") for a, b in (("a", "b"), ("b", "c"))]
        proto.functions.append(helper.make_function("own", f"F{depth}", ["a"], ["c"], calls, opsets))
    assert inspect_model(save(proto)).gflops is None


def loop() -> list[onnx.NodeProto]:
    """Make a loop that multiplies matrices."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("MatMul", ["v", "w"], ["out"]), helper.make_node("Identity", ["c"], ["again"])],
        "body",
        [value("i", TensorProto.INT64, ()), value("c", TensorProto.BOOL, ()), value("v", FLOAT, (1, 4))],
        [value("again", TensorProto.BOOL, ()), value("out", FLOAT, (1, 4))],
    )
    return one("Loop", ["", "go", "x"], body=body)


UNKNOWN: dict[str, onnx.ModelProto] = {
    "height and width are open": model(one("Conv", ["x", "w"]), {"x": ("n", 3, "h", "w")}, {"w": (16, 3, 3, 3)}),
    "no shape at all": model(one("MatMul", ["x", "w"]), {"x": ("n", None)}, {"w": (10, 4)}),
    "nothing to count": model(one("Relu", ["x"]), {"x": ("n", 3)}),
    "sizes that do not fit": model(one("MatMul", ["x", "w"]), {"x": ("n", 3)}, {"w": (10, 4)}),
    "no weights under that name": model(one("MatMul", ["x", "gone"]), {"x": ("n", 3)}),
    "too few inputs": model(one("Conv", ["x"]), {"x": ("n", 3, 8, 8)}),
    "an operator that is heavy, and not counted": model(
        [helper.make_node("MatMul", ["x", "w"], ["a"]), *one("FusedMatMul", ["a", "w"], domain="com.microsoft")],
        {"x": ("n", 10)},
        {"w": (10, 10)},
    ),
    "a loop": model(loop(), {"x": ("n", 4)}, {"w": (4, 4), "go": np.array(1, np.bool_)}),
    "more than a workload file takes": model(
        [helper.make_node("Expand", ["x", "huge"], ["a"]), *one("MatMul", ["a", "w"])],
        {"x": ("n", 10)},
        {"w": (10, 4), "huge": np.array([2**40, 2**40, 10])},
    ),
}


@pytest.mark.parametrize("proto", UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_counted_has_no_cost(save: Save, proto: onnx.ModelProto) -> None:
    """A cost that would be a guess is left out, and the rest is told all the same."""
    facts = inspect_model(save(proto))
    assert facts.gflops is None
    assert facts.framework == "onnx"
    assert facts.size_mb > 0


RECORDS: dict[str, tuple[dict[str, Shape], int, float | None]] = {
    "floats": ({"x": ("n", 3, 8, 8)}, FLOAT, 4 * 192 / 1e6),
    "bytes": ({"x": ("n", 3, 8, 8)}, UINT8, 192 / 1e6),
    "several inputs": ({"x": ("n", 10), "v": (8, 5)}, FLOAT, 4 * 15 / 1e6),
    "a number for each record": ({"x": ("n",)}, FLOAT, 4 / 1e6),
    "open": ({"x": ("n", 3, "h", "w")}, FLOAT, None),
    "text": ({"x": ("n", 3)}, TensorProto.STRING, None),
    "nothing": ({"x": ("n", 0)}, FLOAT, None),
    "no limit": ({"x": ("n", *[2**62] * 40)}, FLOAT, None),
}


@pytest.mark.parametrize(("inputs", "kind", "expected"), RECORDS.values(), ids=RECORDS)
def test_the_size_of_a_record(save: Save, inputs: dict[str, Shape], kind: int, expected: float | None) -> None:
    """It follows from the shapes and types of the inputs, for a batch of one."""
    proto = model(one("Identity", ["x"]), inputs, kind=kind)
    assert inspect_model(save(proto)).record_mb == (expected and pytest.approx(expected))


def test_weights_that_are_listed_as_inputs_are_no_part_of_a_record(save: Save) -> None:
    """Old files list their weights among the inputs."""
    proto = model(one("MatMul", ["x", "w"]), {"x": ("n", 10), "w": (10, 4)}, {"w": (10, 4)})
    facts = inspect_model(save(proto))
    assert facts.gflops == pytest.approx(80 / 1e9)
    assert facts.record_mb == pytest.approx(40 / 1e6)


TREES = one("TreeEnsembleRegressor", ["x"], domain="ai.onnx.ml")
LGBM = one("TreeEnsembleRegressor", ["x"], domain="ai.onnx.ml", name="LgbmRegressor")
XGB = one("TreeEnsembleRegressor", ["x"], domain="ai.onnx.ml", name="XGBRegressor")
PRODUCERS = [
    ("pytorch", "Relu", "pytorch"),
    ("tf2onnx", "Relu", "tensorflow"),
    ("keras2onnx", "Relu", "keras"),
    ("skl2onnx", "Relu", "sklearn"),
    ("OnnxMLTools", "Relu", "onnx"),
    ("OnnxMLTools", LGBM, "lightgbm"),
    ("OnnxMLTools", XGB, "xgboost"),
    ("OnnxMLTools", TREES, "sklearn"),
    ("", TREES, "sklearn"),
    ("", LGBM, "sklearn"),
    ("own", "Relu", "onnx"),
    ("", "Relu", "onnx"),
]


@pytest.mark.parametrize(("producer", "nodes", "framework"), PRODUCERS)
def test_the_producer_tells_the_framework(
    save: Save, producer: str, nodes: str | list[onnx.NodeProto], framework: str
) -> None:
    """What a converter leaves behind names the framework; trees of unknown origin are no network."""
    graph = one(nodes, ["x"]) if isinstance(nodes, str) else nodes
    assert inspect_model(save(model(graph, {"x": ("n", 3)}, producer_name=producer))).framework == framework


CACHES = [
    ("past_key_values.0.key", "logits", True),
    ("ids", "present.0.key", True),
    ("ids", "present_0", True),
    ("ids", "present_key_values.0.value", True),
    ("ids", "present_value", False),
    ("presentation", "y", False),
]


@pytest.mark.parametrize(("given", "returned", "generative"), CACHES)
def test_a_cache_makes_a_model_generative(save: Save, given: str, returned: str, *, generative: bool) -> None:
    """A model that hands its keys and values on writes one token after another."""
    proto = model([helper.make_node("Relu", [given], [returned])], {given: ("n", 3)})
    proto.graph.output[0].name = returned
    facts = inspect_model(save(proto))
    assert (facts.generative, facts.framework == "llm") == (generative, generative)


X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
LEARNT = {
    "linear": (LogisticRegression(), None),
    "forest": (RandomForestClassifier(n_estimators=3, random_state=0), None),
    "network": (MLPRegressor(hidden_layer_sizes=(5,), max_iter=2000, random_state=0), 2 * (4 * 5 + 5 * 1)),
}


@pytest.mark.parametrize(("estimator", "operations"), LEARNT.values(), ids=LEARNT)
def test_models_of_scikit_learn(save: Save, estimator: Any, operations: int | None) -> None:  # noqa: ANN401  untyped
    """They are told by their producer; those of operators for trees and the like have no count."""
    from skl2onnx import to_onnx

    facts = inspect_model(save(to_onnx(estimator.fit(X, Y), X)))
    assert facts.framework == "sklearn"
    assert facts.record_mb == pytest.approx(4 * 4 / 1e6)
    assert facts.gflops == (operations and pytest.approx(operations / 1e9))


def with_weights_at(place: str) -> onnx.ModelProto:
    """Make a model whose weights are in another file."""
    proto = model(one("MatMul", ["x", "w"]), {"x": ("n", 10)}, {"w": (10, 4)})
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    return proto


@pytest.mark.parametrize("place", ["model.data", "weights/model.data", "./model.data"])
def test_weights_in_a_file_beside_the_model_count(save: Save, place: str) -> None:
    """Files of weights within the model's folder belong to its size."""
    path = save(with_weights_at(place))
    data = path.parent / place
    data.parent.mkdir(exist_ok=True)
    data.write_bytes(bytes(160))
    facts = inspect_model(path)
    assert facts.size_mb == pytest.approx((path.stat().st_size + 160) / 1e6)
    assert facts.gflops == pytest.approx(80 / 1e9)


@pytest.mark.parametrize("place", ["../outside", "{folder}/outside", "link", "gone", "a\0b", ".", ""])
def test_weights_anywhere_else_are_left_alone(tmp_path: Path, place: str) -> None:
    """A path that leads out of the model's folder, or to nothing, is not followed."""
    (tmp_path / "outside").write_bytes(bytes(160))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    path = folder / "model.onnx"
    path.write_bytes(with_weights_at(place.format(folder=tmp_path)).SerializeToString())
    assert inspect_model(path).size_mb == path.stat().st_size / 1e6


SUFFIXES = {
    "a.pt": "pytorch",
    "a.pt2": "pytorch",
    "A.PTH": "pytorch",
    "a.h5": "keras",
    "a.keras": "keras",
    "a.tflite": "tensorflow",
    "a.pkl": "sklearn",
    "a.joblib": "sklearn",
    "a.ubj": "xgboost",
    "a.gguf": "llm",
    "a.bin": None,
    "onnx": None,
}


@pytest.mark.parametrize(("name", "framework"), SUFFIXES.items())
def test_of_other_files_only_name_and_size_count(tmp_path: Path, name: str, framework: str | None) -> None:
    """The suffix tells the framework, and one that is unknown tells none."""
    (tmp_path / name).write_bytes(bytes(2500))
    facts = inspect_model(tmp_path / name)
    assert (facts.framework, facts.size_mb, facts.gflops, facts.record_mb) == (framework, 0.0025, None, None)


def test_a_saved_model_is_a_folder(tmp_path: Path) -> None:
    """All files of a SavedModel make up its size."""
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(bytes(1000))
    (tmp_path / "variables" / "data").write_bytes(bytes(500))
    assert inspect_model(tmp_path) == ModelFacts("tensorflow", 0.0015)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.write_text, (self.mark, "sprung")


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    """A pickle runs what its author wrote, so that nothing in it is read."""
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "mark")))
    assert inspect_model(path).framework == "sklearn"
    assert not (tmp_path / "mark").exists()


def too_large(path: Path) -> None:
    """Make a file of more than 2 GB that takes no room."""
    with path.open("wb") as file:
        file.truncate(MAX_ONNX_BYTES + 1)


def truncated(path: Path) -> None:
    """Write the first part of a model."""
    whole = COSTS["weights of more than a kilobyte"][0].SerializeToString()
    path.write_bytes(whole[: len(whole) // 2])


def with_input_type(kind: int) -> bytes:
    """Make a model whose input is of some type, by number."""
    proto = COSTS["Conv"][0].__deepcopy__()
    proto.graph.input[0].type.tensor_type.elem_type = kind
    return bytes(proto.SerializeToString())


def with_name(name: bytes) -> bytes:
    """Make a model that has some bytes for the name of its input."""
    proto = model([helper.make_node("Relu", ["INPUT"], ["y"])], {"INPUT": ("n", 10)}, {})
    return bytes(proto.SerializeToString().replace(b"INPUT", name))


NOT_ONNX = "is not ONNX, or only a part of it; export or copy it again, or convert it: opdeploy model convert"
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("a model, honestly\n" * 40), NOT_ONNX),
    "zeros": (lambda path: path.write_bytes(bytes(1000)), NOT_ONNX),
    "half of it": (truncated, NOT_ONNX),
    "another message": (
        lambda path: path.write_bytes(helper.make_opsetid("own", 1).SerializeToString()),
        NOT_ONNX,
    ),
    "a model without a graph": (
        lambda path: path.write_bytes(onnx.ModelProto(ir_version=10).SerializeToString()),
        NOT_ONNX,
    ),
    "a type that there is not": (lambda path: path.write_bytes(with_input_type(99)), NOT_ONNX),
    "a name that is not text": (lambda path: path.write_bytes(with_name(b"\xff\xfe\xff\xfe\xff")), NOT_ONNX),
    "empty": (Path.touch, "is empty; write the model again"),
    "missing": (lambda _: None, "no such file; name a model that exists"),
    "a folder": (Path.mkdir, "is a directory, and no SavedModel of TensorFlow; name the model's file in it"),
    "a pipe": (os.mkfifo, "is not a file, but a pipe or a device; name a model's file"),
    "too large": (too_large, "is larger than 2 GB, which no ONNX file can be; write its weights to a file beside it"),
    "a link to itself": (
        lambda path: path.symlink_to(path),
        "no such file; name a model that exists",
    ),
}


@pytest.mark.parametrize(("make", "problem"), BAD.values(), ids=BAD)
def test_what_is_no_model_is_refused(tmp_path: Path, make: Callable[[Path], object], problem: str) -> None:
    """One line says which file, what is wrong with it, and what to do."""
    path = tmp_path / "model.onnx"
    make(path)
    with pytest.raises(InputError) as raised:
        inspect_model(path)
    assert str(raised.value) == f"{path}: {problem}"


def test_every_part_of_a_model_is_refused(save: Save, tmp_path: Path) -> None:
    """Wherever a copy broke off before the list of operator sets, it is noticed."""
    whole = save(COSTS["Conv"][0]).read_bytes()
    part = tmp_path / "part.onnx"
    for length in range(1, whole.index(b"own") - 20, math.ceil(len(whole) / 200)):
        part.write_bytes(whole[:length])
        with pytest.raises(InputError, match="is not ONNX"):
            inspect_model(part)


def test_the_path_of_a_name_that_is_too_long_is_bad_input(tmp_path: Path) -> None:
    """What the file system refuses is told as what it is."""
    with pytest.raises(InputError, match="cannot be read: File name too long; check the path"):
        inspect_model(tmp_path / ("x" * 300))
