"""What the loader takes, and what it refuses: each in one line that says what is wrong and what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx_models import FLOAT, SOUND, calling, external, looping, model, node, sparse, value

from opdeploy.artifact import graph, structure, wire
from opdeploy.artifact.size import size_on_disk
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RELU = node("Relu", ["x"], ["y"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where a model is written: alone in a folder, beside which there is another file."""
    (tmp_path / "outside").write_bytes(bytes(48))
    folder = tmp_path / "model"
    folder.mkdir()
    return folder / "model.onnx"


@pytest.mark.parametrize("proto", SOUND.values(), ids=SOUND)
def test_a_sound_model_is_read_as_it_stands(file: Path, proto: ModelProto) -> None:
    """Graphs, bodies, functions, trees and operators of other domains are taken, and nothing is changed."""
    file.write_bytes(proto.SerializeToString())
    assert graph.load(file) == proto
    assert graph.load(file, weights=False) == proto


def test_the_models_that_onnx_brings_are_sound() -> None:
    """Models that others wrote, of old versions too, are taken."""
    from pathlib import Path

    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    found = sorted((data / "simple").rglob("*.onnx")) + sorted((data / "pytorch-operator").rglob("*.onnx"))
    assert len(found) > 20
    for path in found:
        assert graph.load(path).graph.node


@pytest.mark.parametrize("numbers", [{}, {"offset": 0, "length": 48}, {"offset": "16"}], ids=str)
@pytest.mark.parametrize("place", ["weights", "./weights", "inner/weights", "inner/../weights"])
def test_weights_beside_the_model_are_read_into_it(file: Path, place: str, numbers: dict[str, Any]) -> None:
    """They are the model's own afterwards; without `weights` they stay where they are, and count for its size."""
    wanted = np.arange(12, dtype=np.float32).reshape(4, 3)
    file.write_bytes(external(place, **numbers).SerializeToString())
    (file.parent / "inner").mkdir()
    (file.parent / place).write_bytes(bytes(int(numbers.get("offset", 0))) + wanted.tobytes())
    tensor = graph.load(file).graph.initializer[0]
    assert np.array_equal(numpy_helper.to_array(tensor), wanted)
    assert (tensor.data_location, list(tensor.external_data)) == (TensorProto.DEFAULT, [])
    assert graph.load(file, weights=False) == external(place, **numbers)
    assert size_on_disk(file) == file.stat().st_size + 48 + int(numbers.get("offset", 0))


def test_the_name_of_a_file_of_weights_may_be_long(file: Path) -> None:
    """A name of more than 127 bytes counts too."""
    file.write_bytes(external("w" * 200).SerializeToString())
    (file.parent / ("w" * 200)).write_bytes(bytes(48))
    assert size_on_disk(file) == file.stat().st_size + 48


def changed(proto: ModelProto, change: Callable[[ModelProto], object]) -> ModelProto:
    """Return a copy of a model, changed."""
    copy = ModelProto()
    copy.CopyFrom(proto)
    change(copy)
    return copy


def weight(**fields: Any) -> ModelProto:  # noqa: ANN401 - any field
    """Make a model with a weight of these fields."""
    return changed(model([RELU]), lambda proto: proto.graph.initializer.add(name="w", **fields))


def nested(depth: int) -> bytes:
    """Make the bytes of a model whose graphs nest this deep, which no writer of protobuf would write."""
    inner = b""
    for _ in range(depth):
        for tag in (0x32, 0x2A, 0x0A):  # the graph of an attribute, the attribute of a node, the node of a graph
            inner = bytes([tag]) + _length(len(inner)) + inner
    return b"\x08\x0a\x42\x02\x10\x15\x3a" + _length(len(inner)) + inner


def _length(number: int) -> bytes:
    more = []
    while number > 127:
        more.append(number & 127 | 128)
        number >>= 7
    return bytes([*more, number])


def _bomb() -> bytes:
    body = b"\x0a\x00" * (wire.MAX_PARTS + 1)
    return b"\x08\x0a\x42\x02\x10\x15\x3a" + _length(len(body)) + body


NOT_ONNX = "is not ONNX, or only a part of it"
BOTH = "is made after it: the graph has a cycle, or its nodes are out of order; export the model again"
OUTSIDE = "which is not in the model's folder; copy the file beside the model, and name it without a path"
BODY_THAT_READS_NOTHING = helper.make_graph([node("Relu", ["gone"], ["b"])], "body", [], [value("b", FLOAT, None)])
BRANCHES = model(
    [node("If", ["c"], ["y"], then_branch=BODY_THAT_READS_NOTHING, else_branch=BODY_THAT_READS_NOTHING)],
    {"c": np.array(1, np.bool_)},
)

REFUSED: dict[str, tuple[ModelProto | bytes, str]] = {
    "text": (b"a model, honestly\n" * 40, NOT_ONNX),
    "zeros": (bytes(1000), NOT_ONNX),
    "half of it": (SOUND["network"].SerializeToString()[:60], NOT_ONNX),
    "empty": (b"", "is empty; write the model again"),
    "more parts than memory": (_bomb(), NOT_ONNX),
    "graphs in graphs without end": (nested(5000), NOT_ONNX),
    "a group, which ONNX has none of": (SOUND["network"].SerializeToString() + b"\x0b\x0c", NOT_ONNX),
    "a number without end": (SOUND["network"].SerializeToString() + b"\x08" + b"\xff" * 11, NOT_ONNX),
    "a cycle": (model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["a"], ["y"])]), BOTH),
    "a node that reads itself": (model([node("Add", ["x", "y"], ["y"])]), BOTH),
    "out of order": (model([node("Relu", ["a"], ["y"]), node("Relu", ["x"], ["a"])]), BOTH),
    "a missing tensor": (
        model([node("Add", ["x", "gone"], ["y"], name="sum")]),
        'node "sum" (Add) reads "gone", which no node makes; export the model again',
    ),
    "a missing tensor in a branch": (BRANCHES, 'a Relu reads "gone", which no node makes'),
    "a tensor from a branch": (
        changed(looping(), lambda proto: proto.graph.node.append(node("Relu", ["out"], ["z"]))),
        'a Relu reads "out", which no node makes',
    ),
    "a missing output": (
        changed(model([RELU]), lambda proto: proto.graph.output.append(value("z", FLOAT, None))),
        'has the output "z", which no node makes',
    ),
    "an output made twice": (model([RELU, node("Exp", ["x"], ["y"])]), 'makes the tensor "y" twice, at a Exp'),
    "an output over a weight": (model([RELU], {"y": np.zeros(1)}), 'makes the tensor "y" twice'),
    "two inputs of one name": (
        changed(model([RELU]), lambda proto: proto.graph.input.append(value("x", FLOAT, None))),
        'has two tensors of the name "x"',
    ),
    "an opset of tomorrow": (
        model([RELU], opset=99),
        f"the newest that the installed onnx and onnxruntime know is {structure.known_versions()['']}; install",
    ),
    "an opset of trees of tomorrow": (model([RELU], others=[("ai.onnx.ml", 99)]), 'is of opset 99 of "ai.onnx.ml"'),
    "an opset of tomorrow in a function": (
        changed(calling(), lambda proto: setattr(proto.functions[0].opset_import[1], "version", 99)),
        'is of opset 99 of "ai.onnx"',
    ),
    "an opset below 1": (model([RELU], opset=-1), 'names opset -1 of "ai.onnx", which there is not'),
    "a format of tomorrow": (
        model([RELU], ir_version=99),
        f"is of IR version 99, and the newest that the installed onnx and onnxruntime know is {structure.known_ir()};",
    ),
    "a domain without a version": (
        model([node("Scaler", ["x"], ["y"], domain="ai.onnx.ml")]),
        'a Scaler is of the domain "ai.onnx.ml", whose opset the file does not name',
    ),
    "an unknown operator": (
        model([node("Rleu", ["x"], ["y"])]),
        'a Rleu: opset 21 of "ai.onnx" has no such operator; export the model again',
    ),
    "an operator of a newer opset": (model([node("Gelu", ["x"], ["y"])], opset=13), "has no such operator"),
    "an operator that has gone": (model([node("Upsample", ["x", "x"], ["y"])]), "has no such operator"),
    "too few inputs": (model([node("MatMul", ["x"], ["y"])]), "a MatMul has too few or too many inputs or outputs"),
    "a missing attribute": (model([node("Concat", ["x", "x"], ["y"])]), 'a Concat lacks the attribute "axis"'),
    "an attribute of a wrong type": (
        model([node("Concat", ["x", "x"], ["y"], axis="0")]),
        'a Concat has the attribute "axis" of a wrong type',
    ),
    "functions that call each other": (calling(3, last="F0"), "has functions that call themselves, in a cycle"),
    "functions that unfold without end": (calling(60), "has functions that unfold to more than 1,000,000 nodes"),
    "a weight without data": (
        weight(data_type=FLOAT, dims=[2**60]),
        'the tensor "w" does not hold the data of its shape; export or copy the model again',
    ),
    "a weight of less data than its shape": (
        weight(data_type=FLOAT, dims=[2], raw_data=bytes(7)),
        "does not hold the data of its shape",
    ),
    "a weight of more numbers than its shape": (
        weight(data_type=FLOAT, dims=[2], float_data=[1, 2, 3]),
        "does not hold the data of its shape",
    ),
    "a weight of a negative size": (weight(data_type=FLOAT, dims=[-1]), 'the tensor "w" has a negative size'),
    "a weight of no type": (weight(data_type=99, dims=[1]), 'the tensor "w" is of no type that there is'),
    "a sparse weight that fills memory": (sparse(2**40, 2**40), "has a sparse tensor that unfolds to more than 2 GB"),
    "weights above the folder": (external("../outside"), f'keeps "w" in "../outside", {OUTSIDE}'),
    "weights by a path from the root": (external("{outside}"), f", {OUTSIDE}"),
    "weights by a link": (external("link"), f'keeps "w" in "link", {OUTSIDE}'),
    "weights by a link to a folder": (external("up/outside"), OUTSIDE),
    "weights in the model's folder itself": (external("."), OUTSIDE),
    "weights nowhere": (external(""), OUTSIDE),
    "weights with a name that cannot be": (external("a\0b"), OUTSIDE),
    "weights at an address in memory": (external("*/_ORT_MEM_ADDR_/*", offset=4096, length=48), OUTSIDE),
    "weights that are not there": (
        external("gone"),
        'keeps "w" in "gone", and there is no such file; copy it beside the model',
    ),
    "weights with a name too long": (external("x" * 300), "there is no such file"),
    "weights in a folder": (external("folder"), "there is no such file"),
    "weights that are too few": (
        external("inside", offset=1),
        'keeps "w" in "inside", which is too short for it; copy the whole file',
    ),
    "weights of another length": (external("inside", length=47), 'asks for data of "w" that its shape contradicts'),
    "weights at a negative offset": (external("inside", offset=-1), "that its shape contradicts"),
    "weights at no number": (external("inside", offset="1e3"), "that its shape contradicts"),
    "weights far beyond the end": (external("inside", offset=2**63), "which is too short for it"),
    "weights of an attribute above the folder": (
        changed(
            model([node("Constant", [], ["c"], value=external("../outside").graph.initializer[0]), RELU]),
            lambda _: None,
        ),
        OUTSIDE,
    ),
    "a name of several lines": (
        model([node("Relu", ["a\nb\x1b[31m"], ["y"])]),
        r'a Relu reads "a\nb\u001b[31m", which no node makes',
    ),
}


@pytest.mark.parametrize("weights", [True, False], ids=["whole", "without weights"])
@pytest.mark.parametrize(("content", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_sound_is_refused(file: Path, content: ModelProto | bytes, problem: str, *, weights: bool) -> None:
    """One line says which file, what is wrong with it, and what to do; nothing is written."""
    folder = file.parent
    (folder / "inside").write_bytes(bytes(48))
    (folder / "folder").mkdir()
    (folder / "link").symlink_to(folder.parent / "outside")
    (folder / "up").symlink_to(folder.parent)
    data = content if isinstance(content, bytes) else content.SerializeToString()
    if b"{outside}" in data:
        data = external(str(folder.parent / "outside")).SerializeToString()
    file.write_bytes(data)
    there = set(folder.parent.rglob("*"))
    with pytest.raises(InputError) as raised:
        graph.load(file, weights=weights)
    said = str(raised.value)
    assert said.startswith(f"{file}: ")
    assert problem in said
    assert said.isprintable()
    assert set(folder.parent.rglob("*")) == there


NO_FILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "no such file; name a model that exists"),
    "a folder": (lambda path: path.mkdir(), "is a directory; name the model's file in it"),
    "a pipe": (os.mkfifo, "is not a file, but a pipe or a device; name a model's file"),
    "a link to itself": (lambda path: path.symlink_to(path), "no such file; name a model that exists"),
    "more than 2 GB": (
        lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), graph.MAX_ONNX_BYTES + 1),
        "is larger than 2 GB, which no ONNX file can be; write its weights to a file beside it",
    ),
}


@pytest.mark.parametrize(("make", "problem"), NO_FILE.values(), ids=NO_FILE)
def test_what_is_no_file_of_at_most_2_gb_is_refused(file: Path, make: Callable[[Path], object], problem: str) -> None:
    """Folders, pipes and files that cannot be ONNX are not read."""
    make(file)
    with pytest.raises(InputError) as raised:
        graph.load(file)
    assert str(raised.value) == f"{file}: {problem}"


def test_weights_of_more_than_2_gb_stay_where_they_are(file: Path) -> None:
    """They do not fit into the message; without them the model is read."""
    proto = external("weights", length=4 * 2**30)
    proto.graph.initializer[0].dims[:] = [2**15, 2**15]
    file.write_bytes(proto.SerializeToString())
    with (file.parent / "weights").open("wb") as stream:
        stream.truncate(4 * 2**30)
    assert graph.load(file, weights=False) == proto
    with pytest.raises(InputError, match="holds more than 2 GB with its weights"):
        graph.load(file)


def test_every_part_of_a_model_is_refused(file: Path) -> None:
    """Wherever a copy broke off before the list of operator sets, it is noticed."""
    whole = SOUND["an operator of nobody"].SerializeToString()
    for length in range(1, len(whole) - 10):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError):
            graph.load(file)


def test_bodies_nest_deep_enough() -> None:
    """What protobuf reads at all is walked over without an error of recursion."""
    proto = looping()
    for _ in range(20):
        outer = looping()
        outer.graph.node[0].attribute[0].g.CopyFrom(proto.graph)
        proto = outer
    assert sum(1 for _ in structure.graphs(proto.graph)) == 22
