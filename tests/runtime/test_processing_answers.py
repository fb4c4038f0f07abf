"""Outputs become answers: scores as SciPy has them, means and norms by hand, and refusals of what is none."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.processing.records import document_of, record_of
from opdeploy.runtime.processing.spec import Image, Input, Processing, Table, Text
from tests.runtime.processed import processor, tensor

ROWS = {"kind": "table", "columns": [{"name": "x", "type": "number"}]}
CLASSES = {"kind": "classification", "tensor": "y", "labels": ["a", "b", "c"]}


def answers(output: dict[str, Any], values: Any, files: Path = Path(), **inputs: Any) -> Any:  # noqa: ANN401
    """Return the answers to outputs of any shape."""
    array = np.asarray(values)
    given_inputs = {"x": np.zeros((len(array), 1)), **inputs}
    datatype = {"float16": "FP16", "float32": "FP32", "float64": "FP64", "int64": "INT64"}[array.dtype.name]
    specs = [tensor("y", datatype, "n", *[None] * (array.ndim - 1))]
    return processor(ROWS, [tensor("x", "FP32", "n", 1)], output, specs, files).answers({"y": array}, given_inputs)


def test_labels_scores_and_the_best() -> None:
    """The best label stands first; of equal scores the first in the order of labels is the better."""
    values = np.array([[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
    assert answers(CLASSES, values) == [{"label": "b", "score": 0.5}, {"label": "c", "score": 1.0}]
    top = answers(CLASSES | {"top_k": 2}, values)[0]
    assert top == {"label": "b", "score": 0.5, "top": [{"label": "b", "score": 0.5}, {"label": "a", "score": 0.25}]}
    assert answers({"kind": "classification", "tensor": "y"}, values)[0] == {"label": 1, "score": 0.5}


FINITE = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(2, 6)), elements=st.floats(-1e4, 1e4, width=32)
)


@settings(deadline=None)
@given(FINITE)
def test_softmax_and_sigmoid_are_scipys(values: np.ndarray[Any, Any]) -> None:
    """Scores are those of SciPy in double precision, rounded to single; and each batch is its records one by one."""
    count = values.shape[1]
    for activation, reference in (("softmax", special.softmax(values.astype(np.float64), axis=1)),
                                  ("sigmoid", special.expit(values.astype(np.float64)))):  # fmt: skip
        output = {"kind": "classification", "tensor": "y", "activation": activation, "top_k": count}
        made = answers(output, values)
        assert made == [answers(output, row[None])[0] for row in values]
        for row, answer in enumerate(made):
            scores = {each["label"]: each["score"] for each in answer["top"]}
            found = np.array([scores[place] for place in range(count)])
            np.testing.assert_allclose(found, reference[row], rtol=2**-23, atol=1e-45)


def test_extreme_scores_are_stable() -> None:
    """Neither large numbers overflow, nor does minus infinity, which masks a class, spoil the others."""
    softmax = CLASSES | {"activation": "softmax", "top_k": 3}
    values = np.array([[1e38, 1e38, -1e38], [-np.inf, 0, 0]], np.float32)
    assert [[each["score"] for each in answer["top"]] for answer in answers(softmax, values)] == [[0.5, 0.5, 0.0]] * 2
    sigmoid = CLASSES | {"activation": "sigmoid", "top_k": 3}
    assert [each["score"] for each in answers(sigmoid, np.array([[1e38, 0, -1e38]]))[0]["top"]] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_one_score_is_that_of_the_second_of_two_classes(shape: tuple[int, ...]) -> None:
    """A network with one output and a sigmoid tells two classes apart."""
    two = {"kind": "classification", "tensor": "y", "labels": ["no", "yes"]}
    assert answers(two, np.array([0.75, 0.25]).reshape(shape)) == [
        {"label": "yes", "score": 0.75},
        {"label": "no", "score": 0.75},
    ]
    made = answers(two | {"activation": "sigmoid"}, np.array([0.0, 2.0]).reshape(shape))
    assert made[0] == {"label": "no", "score": 0.5}
    assert made[1] == {"label": "yes", "score": float(np.float32(special.expit(2.0)))}


def test_axes_of_one_element_behind_the_classes_are_no_matter() -> None:
    """Some networks give their classes as an image of one pixel."""
    assert answers(CLASSES, np.array([0.2, 0.7, 0.1]).reshape(1, 3, 1, 1)) == [{"label": "b", "score": 0.7}]


def test_labels_of_a_file(tmp_path: Path) -> None:
    """One label in each line, whatever ends it; the last line need not end."""
    for text in ("ä b\nc\nd", "ä b\r\nc\r\nd\r\n"):
        (tmp_path / "labels.txt").write_bytes(text.encode())
        output = CLASSES | {"labels": "labels.txt"}
        assert answers(output, np.eye(3), tmp_path)[0] == {"label": "ä b", "score": 1.0}
    declared = msgspec.convert({"input": {"kind": "text", "ids": "x"}, "output": output}, Processing)
    assert declared.files == ("tokenizer.json", "labels.txt")
    for name, text in (("empty", ""), ("gap", "a\n\nb")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=r"^processing.output.labels: a line of the file is empty; write one"):
            answers(CLASSES | {"labels": name}, np.eye(3), tmp_path)


def test_a_number_with_its_unit() -> None:
    """A regression answers with one number, under a name of its own if it has one."""
    assert answers({"kind": "regression", "tensor": "y"}, [[1.5], [2]]) == [{"value": 1.5}, {"value": 2.0}]
    price = {"kind": "regression", "tensor": "y", "name": "price", "unit": "EUR"}
    assert answers(price, [3, 4]) == [{"price": 3, "unit": "EUR"}, {"price": 4, "unit": "EUR"}]


def test_vectors_are_pooled_over_tokens_and_not_over_padding() -> None:
    """The mean counts tokens only; a text without tokens has the vector 0; a norm is 1 where there is one."""
    tokens = np.array([[[3, 0], [5, 8], [99, 99]], [[1, 1], [1, 1], [1, 1]]], np.float32)
    mask = np.array([[1, 1, 0], [0, 0, 0]])
    mean = {"kind": "embedding", "tensor": "y", "pool": "mean", "mask": "x"}
    assert [each["embedding"] for each in answers(mean, tokens, x=mask)] == [[4, 4], [0, 0]]
    unit = [each["embedding"] for each in answers(mean | {"normalize": "l2"}, tokens, x=mask)]
    assert unit == [[float(np.float32(0.5**0.5))] * 2, [0, 0]]
    first = {"kind": "embedding", "tensor": "y", "pool": "cls"}
    assert [each["embedding"] for each in answers(first, tokens)] == [[3, 0], [1, 1]]
    own = {"kind": "embedding", "tensor": "y", "normalize": "l2"}
    assert answers(own, np.array([[3, 4]], np.float32)) == [
        {"embedding": [float(np.float32(0.6)), float(np.float32(0.8))]}
    ]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 9))
def test_padding_changes_no_digit_of_a_mean(length: int, width: int, padding: int) -> None:
    """A text has the same vector alone and in a batch of longer ones, to the bit."""
    tokens = np.random.default_rng(length).normal(size=(1, length, width)).astype(np.float32)
    mean = {"kind": "embedding", "tensor": "y", "pool": "mean", "mask": "x", "normalize": "l2"}
    longer = np.concatenate([tokens, np.ones((1, padding, width), np.float32)], axis=1)
    alone = answers(mean, tokens, x=np.ones((1, length)))
    assert alone == answers(mean, longer, x=np.r_[np.ones(length), np.zeros(padding)][None])


def test_raw_outputs_by_name() -> None:
    """Every output as lists, text too."""
    specs = [tensor("y", "FP32", "n", 2), tensor("s", "BYTES", "n")]
    raw = processor(ROWS, [tensor("x", "FP32", "n", 1)], {"kind": "raw"}, specs)
    outputs = {"y": np.array([[1, 2], [3, 4]], np.float32), "s": np.array(["a", "ä"], object)}
    made = raw.answers(outputs, {"x": np.zeros((2, 1))})
    assert made == [{"y": [1.0, 2.0], "s": "a"}, {"y": [3.0, 4.0], "s": "ä"}]
    assert json.loads(json.dumps(made, allow_nan=False)) == made


@pytest.mark.parametrize(
    ("output", "values", "message"),
    [
        (CLASSES, [[0, 0, 1], [0, np.nan, 1.0]], "record 1: the model's answer 'y' is not finite"),
        (CLASSES | {"activation": "softmax"}, [[0, np.inf, 1]], "record 0: the model's answer 'y' is not finite"),
        (CLASSES | {"activation": "softmax"}, [[-np.inf] * 3], "record 0: the model's answer 'y' is not finite"),
        ({"kind": "regression", "tensor": "y"}, [1, -np.inf], "record 1: the model's answer 'y' is not finite"),
        ({"kind": "regression", "tensor": "y"}, [[1, 2.0]], "'y' has 2 numbers for a record, where one is wanted"),
        ({"kind": "raw"}, [[1], [np.nan]], "record 1: the model's answer 'y' is not finite"),
        (CLASSES, [[0.5, 0.5]], "'y' tells 2 classes apart, where 3 have labels"),
        (CLASSES, [[[0.5, 0.5], [0, 0]]], "'y' has the shape [1, 2, 2], where one row for each record is wanted"),
    ],
)
def test_outputs_that_hold_no_answer(output: dict[str, Any], values: Any, message: str) -> None:  # noqa: ANN401
    """The model failed, and no made-up answer hides it."""
    with pytest.raises(OpdeployError) as caught:
        answers(output, values)
    assert str(caught.value).startswith(message)
    assert not isinstance(caught.value, InputError)


def test_outputs_have_a_row_for_each_record() -> None:
    """An output that was averaged over the batch is no answer to its records."""
    with pytest.raises(OpdeployError, match=r"^'y' has the shape \[2, 3\] for 4 records; its first axis is theirs$"):
        answers(CLASSES, np.ones((2, 3)), x=np.ones(4))


@pytest.mark.parametrize(
    ("output", "spec", "message"),
    [
        (CLASSES | {"tensor": "Y"}, ("FP32", "n", 3), "processing.output.tensor: the model has no tensor 'Y' there"),
        (CLASSES, ("INT64", "n", 3), "processing.output.tensor: 'y' is INT64, where this takes FP16, FP32, FP64"),
        (CLASSES, ("FP32", "n", 4), "processing.output.labels: are 3, where 'y' tells 4 apart"),
        (CLASSES | {"top_k": 4}, ("FP32", "n", 3), "processing.output.top_k: is 4, where 'y' tells 3 apart"),
        (CLASSES | {"activation": "softmax"}, ("FP32", "n", 1), "processing.output.activation: 'y' has one score"),
        (CLASSES | {"labels": "../l"}, ("FP32", "n", 3), "processing.output.labels: '../l' is outside the package"),
        ({"kind": "regression", "tensor": "y"}, ("FP32", "n", 2), "processing.output.tensor: gives 1, where axis 1"),
        ({"kind": "regression", "tensor": "y", "name": "unit"}, ("FP32", "n"), "processing.output.name: is unit"),
        ({"kind": "embedding", "tensor": "y"}, ("FP32", "n", "l", 3), "processing.output.pool: 'y' has 3 axes, where"),
        ({"kind": "embedding", "tensor": "y", "pool": "cls"}, ("FP32", "n", 3), "processing.output.pool: 'y' has 2 ax"),
        ({"kind": "embedding", "tensor": "y", "pool": "mean"}, ("FP32", "n", "l", 3), "processing.output.mask: the"),
    ],
)  # fmt: skip
def test_a_declaration_that_does_not_fit_the_model(output: dict[str, Any], spec: tuple[Any, ...], message: str) -> None:
    """The check is made before any record is scored."""
    with pytest.raises(InputError) as caught:
        processor(ROWS, [tensor("x", "FP32", "n", 1)], output, [tensor("y", *spec)])
    assert str(caught.value).startswith(message)


IMAGE, TEXT = Image(tensor="x"), Text(ids="x")
TABLE = msgspec.convert(ROWS, Table)


@pytest.mark.parametrize(
    ("declared", "record"), [(IMAGE, b"\x00\xff"), (IMAGE, b""), (TEXT, "ä\n"), (TABLE, {"x": None, "y": [1]})]
)
def test_records_go_through_json_and_back(declared: Input, record: Any) -> None:  # noqa: ANN401 - any record
    """A document holds all of a record."""
    assert record_of(declared, json.loads(json.dumps(document_of(record)))) == record


@pytest.mark.parametrize(
    ("declared", "document", "message"),
    [
        (IMAGE, {"image": "a"}, "image is not base64; encode the bytes"),
        (IMAGE, {"image": "YWJj\n"}, "image is not base64"),
        (IMAGE, {"image": "ä"}, "image is not base64"),
        (IMAGE, {"image": 3}, 'is not {"image": "…"}; give its bytes in base64 under this one name'),
        (IMAGE, {"image": "", "text": ""}, 'is not {"image": "…"}'),
        (IMAGE, "YWJj", 'is not {"image": "…"}'),
        (TEXT, {"image": ""}, 'is not {"text": "…"}; give the text under this one name'),
        (TEXT, None, 'is not {"text": "…"}'),
        (TABLE, [1], "is a list; give an object with a value for each column"),
        (TABLE, None, "is null; give an object with a value for each column"),
    ],
)
def test_documents_of_another_kind_are_refused(declared: Input, document: Any, message: str) -> None:  # noqa: ANN401
    """The message says which form the declared records have."""
    with pytest.raises(InputError) as caught:
        record_of(declared, document)
    assert str(caught.value).startswith(message)


def test_what_the_documentation_declares(root: Path) -> None:
    """Each declaration in docs/processing.md is one, whole or as an input."""
    text = (root / "docs" / "processing.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    inputs = [msgspec.convert(block.get("processing", block), Processing).input for block in blocks]
    assert [type(declared) for declared in inputs] == [Image, Table, Text]


@pytest.mark.parametrize(
    ("package", "declared", "extra"),
    [
        ("PIL", {"kind": "image", "tensor": "x"}, "images need Pillow; install opdeploy[image]"),
        ("tokenizers", {"kind": "text", "ids": "x"}, "texts need tokenizers; install opdeploy[text]"),
    ],
)
def test_a_package_that_is_missing_is_asked_for(
    package: str, declared: dict[str, Any], extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extra that brings it is named, and a table needs neither."""
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "tokenizer.json").write_text("{}")
    spec = tensor("x", "UINT8", "n", 3, 4, 4) if package == "PIL" else tensor("x", "INT64", "n", "l")
    with pytest.raises(InputError) as caught:
        processor(declared, [spec], files=tmp_path)
    assert str(caught.value) == extra
    assert processor(ROWS, [tensor("x", "FP32", "n", 1)]).tensors([{"x": 1}])["x"].tolist() == [[1.0]]
