"""What `look` tells of a model, against what was written into it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx_models import FLOAT, SOUND, calling, external, looping, model, node, trees, value

from opdeploy.artifact.inspection import Glance, Inspection, Tensor, look
from opdeploy.artifact.windows import windows_ml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Look = Callable[[ModelProto], Inspection]


@pytest.fixture
def seen(tmp_path: Path) -> Look:
    """Return a function that writes a model, and looks at it."""

    def write(proto: ModelProto) -> Inspection:
        path = tmp_path / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        found = look(path)
        assert isinstance(found, Inspection)
        return found

    return write


def two_ways() -> ModelProto:
    """Make a model of two inputs and two outputs, with names for what is open."""
    graph = helper.make_graph(
        [node("MatMul", ["x", "w"], ["a"]), node("Reshape", ["a", "s"], ["y"]), node("Identity", ["t"], ["z"])],
        "graph",
        [value("x", FLOAT, ("batch", None, 4)), value("t", TensorProto.STRING, ()), value("w", FLOAT, (4, 3))],
        [value("y", TensorProto.FLOAT16, None), value("z", TensorProto.STRING, ())],
        [
            numpy_helper.from_array(np.zeros((4, 3), np.float32), "w"),
            numpy_helper.from_array(np.array([0, -1]), "s"),
        ],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    proto = helper.make_model(graph, opset_imports=imports, ir_version=8, producer_name="pytorch")
    proto.producer_version = "2.9"
    return proto


def test_the_facts_of_a_model(seen: Look) -> None:
    """Names, types, open sizes with their names, versions and parameters are those that were written."""
    found = seen(two_ways())
    assert found.inputs == (Tensor("x", "FP32", ("batch", None, 4)), Tensor("t", "BYTES", ()))
    assert found.outputs == (Tensor("y", "FP16", None), Tensor("z", "BYTES", ()))
    assert found.opsets == {"ai.onnx": 17, "ai.onnx.ml": 2}
    assert (found.ir_version, found.producer, found.framework) == (8, "pytorch 2.9", "pytorch")
    assert found.operators == {"Identity": 1, "MatMul": 1, "Reshape": 1}
    assert (found.parameters, found.functions, found.custom_operators) == (12, 0, ())
    assert (found.gflops, found.record_bytes, found.generative) == (None, None, False)


def test_cost_and_bytes_of_a_record(seen: Look) -> None:
    """A multiplication with its addition is two operations; four floats go in."""
    found = seen(SOUND["network"])
    assert (found.gflops, found.record_bytes, found.parameters) == (2 * 4 * 3 / 1e9, 16, 12)


def test_operators_in_bodies_and_functions_count(seen: Look) -> None:
    """A body counts once, however often it runs, and a function once, however often it is called."""
    assert seen(looping()).operators == {"Identity": 1, "Loop": 1, "MatMul": 1}
    found = seen(calling(2))
    assert (found.functions, found.operators["Relu"], found.gflops) == (2, 2, None)
    assert found.custom_operators == ()


def test_trees(seen: Look) -> None:
    """They run on the CPU, and other providers leave them to it."""
    found = seen(trees())
    assert found.operators == {"ai.onnx.ml:TreeEnsembleRegressor": 1}
    assert (found.framework, found.parameters) == ("sklearn", 0)
    runs = {provider.name: provider.runs for provider in found.providers if not provider.installed}
    assert set(runs.values()) <= {"part"}


def test_external_weights_are_listed_and_count(seen: Look, tmp_path: Path) -> None:
    """Their files are named as seen from the model's folder."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "weights").write_bytes(bytes(48))
    found = seen(external("inner/weights"))
    assert found.external_data == ("inner/weights",)
    assert found.size_mb == ((tmp_path / "model.onnx").stat().st_size + 48) / 1e6
    assert found.parameters == 12
    assert found.gflops == 2 * 4 * 3 / 1e9


RUNS = {
    "network": ("all", ""),
    "an operator of ONNX Runtime": ("all", ""),
    "an operator of nobody": ("none", "own:Own"),
}


@pytest.mark.parametrize(("name", "runs", "custom"), [(name, *expected) for name, expected in RUNS.items()])
def test_the_cpu_is_tried(seen: Look, name: str, runs: str, custom: str) -> None:
    """The installed ONNX Runtime loads a model that it has operators for, and says why it does not load another."""
    found = seen(SOUND[name])
    cpu = found.providers[0]
    assert (cpu.name, cpu.installed, cpu.runs) == ("CPUExecutionProvider", True, runs)
    assert ", ".join(found.custom_operators) == custom
    assert custom.partition(":")[2] in cpu.note


def test_a_model_that_contradicts_itself_runs_nowhere(seen: Look) -> None:
    """What the loader does not see, ONNX Runtime says."""
    found = seen(model([node("MatMul", ["x", "w"], ["y"])], {"w": np.zeros((5, 3), np.float32)}))
    assert found.providers[0].runs == "none"
    assert "Incompatible dimensions" in found.providers[0].note


def test_a_cache_makes_a_model_generative(seen: Look) -> None:
    """A model that takes past keys and values writes one token after another."""
    proto = model([node("Relu", ["x"], ["y"])])
    proto.graph.input.append(value("past_key_values.0.key", FLOAT, (1, 2)))
    found = seen(proto)
    assert (found.generative, found.framework) == (True, "llm")


WINDOWS: list[tuple[int, dict[str, int], str | None, int | None]] = [
    (3, {"": 7}, "Windows 10, version 1809 (build 17763)", 7),
    (3, {"": 8, "ai.onnx.ml": 1}, "Windows 10, version 1903 (build 18362)", 8),
    (4, {"": 8}, "Windows 10, version 2004 (build 19041)", 9),
    (4, {"": 9}, "Windows 10, version 2004 (build 19041)", 9),
    (7, {"": 12, "ai.onnx.ml": 2}, "Windows 11", 12),
    (7, {"ai.onnx.ml": 2}, "Windows 11", 12),
    (8, {"": 12}, "Windows ML 2.0.300", 25),
    (7, {"": 13}, "Windows ML 2.0.300", 25),
    (7, {"": 12, "ai.onnx.ml": 3}, "Windows ML 2.0.300", 25),
    (13, {"": 25, "ai.onnx.ml": 5}, "Windows ML 2.0.300", 25),
    (13, {"": 26}, None, None),
    (14, {"": 25}, None, None),
    (3, {"": 6}, None, None),
]


@pytest.mark.parametrize(("ir", "versions", "where", "opset"), WINDOWS, ids=str)
def test_the_oldest_windows_ml(ir: int, versions: dict[str, int], where: str | None, opset: int | None) -> None:
    """It is the first that takes the opset, the opset of ai.onnx.ml, and the format."""
    found = windows_ml(ir, versions, contrib=False, custom=False)
    assert (found.runs_from or "none").startswith(where or "none")
    assert found.highest_opset == opset
    assert found.inbox == (where is not None and "2.0.300" not in where)


def test_windows_itself_has_no_operators_of_onnx_runtime() -> None:
    """They are in the Windows App SDK; operators of nobody are in neither."""
    assert not windows_ml(3, {"": 7}, contrib=True, custom=False).inbox
    assert windows_ml(3, {"": 7}, contrib=False, custom=True).runs_from is None


FILES: dict[str, tuple[bytes, str | None, bool]] = {
    "a.h5": (b"\x89HDF\r\n\x1a\n", "keras", True),
    "a b.joblib": (b"", "sklearn", True),
    "a.txt": (b"tree\nversion=v4\n", "lightgbm", True),
    "a.json": (b'{"learner":{}}', "xgboost", True),
    "a.pth": (b"", "pytorch", False),
    "a.tflite": (b"", "tensorflow", False),
    "a.gguf": (b"", "llm", False),
    "a.bin": (b"", None, False),
}


@pytest.mark.parametrize(("name", "head", "framework", "converts"), [(name, *told) for name, told in FILES.items()])
def test_other_files_are_told_by_their_name(
    tmp_path: Path, name: str, head: bytes, framework: str | None, *, converts: bool
) -> None:
    """Little is known of them but how to make ONNX of them, where that can be done."""
    path = tmp_path / name
    path.write_bytes(head.ljust(2500, b"\0"))
    command = f"opdeploy model convert {shlex.quote(str(path))} -o model.onnx" if converts else None
    assert look(path) == Glance(str(path), framework, 0.0025, command)


def test_the_record_is_json(seen: Look) -> None:
    """Every field is there, whatever the model, under one name."""
    records: list[dict[str, Any]] = [
        json.loads(json.dumps(seen(SOUND[name]).record())) for name in ("network", "trees", "loop")
    ]
    fields = list(Inspection.__dataclass_fields__)
    assert all(list(record) == fields for record in records)
    assert records[0]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["n", 4]}]
    assert list(records[0]["providers"][0]) == ["name", "device", "installed", "runs", "note"]
    assert list(records[0]["windows_ml"]) == ["runs_from", "highest_opset", "inbox"]
