"""Rows become numbers and text by the declared rules; what a column does not take is refused with record and column."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opdeploy.errors import InputError
from opdeploy.runtime.processing.spec import Input
from tests.runtime.processed import processor, tensor

NAN = math.nan


def column(kind: str, datatype: str = "FP32", nulls: tuple[str, ...] = ("",), **fields: Any) -> Any:  # noqa: ANN401
    """Return a function that makes the tensor of one column of values."""
    width = len(fields["categories"]) if fields.get("encode") == "one_hot" else 1
    declared = {"kind": "table", "columns": [{"name": "a", "type": kind, **fields}], "nulls": nulls}
    table = processor(declared, [tensor("a", datatype, "n", width)])
    return lambda *values: table.tensors([{"a": value} for value in values])["a"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3.0),
        (-0.0, -0.0),
        (2**53 + 1, 2.0**53),
        ("12", 12.0),
        ("+1.5e-3", 0.0015),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e2", 100.0),
        (None, NAN),
        (NAN, NAN),
        ("", NAN),
        ("NA", NAN),
    ],
)
def test_numbers(value: Any, number: float) -> None:  # noqa: ANN401
    """JSON numbers and numbers that CSV writes out are the same; null, what is no number and empty text are missing."""
    made = column("number", "FP64", ("", "NA"), missing="nan")(value)
    assert made.tobytes() == np.array([[number]]).tobytes()


@pytest.mark.parametrize(
    "value",
    [
        True,
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        math.inf,
        "1e999",
        10**400,
        -(10**4000),
        "1" * 5000,
        "1_000",
        "1,5",
        " 1",
        "1 ",
        "0x10",
        "\u0661",  # an Arabic digit, which float() takes
        "abc",
        "\ud800",
        [1],
        {"a": 1},
        b"1",
    ],
)
@pytest.mark.parametrize("datatype", ["FP32", "INT64"])
def test_what_is_no_finite_number_is_refused(value: Any, datatype: str) -> None:  # noqa: ANN401
    """Python takes some of these for numbers; a column does not."""
    with pytest.raises(InputError, match=r'^record 1: column "a" is .*no ') as caught:
        column("number", datatype)(1, value)
    assert len(str(caught.value)) < 200


def test_numbers_that_a_tensor_cannot_hold() -> None:
    """A number is rounded where digits are lost, and refused where it becomes infinite or is not whole."""
    assert column("number")(0.1, 16777217)[:, 0].tolist() == [float(np.float32(0.1)), 16777216.0]
    for datatype, value, message in [
        ("FP16", 70_000, "is 70000, which is no finite number of 16 bits"),
        ("FP32", 1e39, "is 1e+39, which is no finite number of 32 bits"),
        ("INT64", 1.5, "is 1.5, which is no whole number"),
        ("INT64", "1.5", "is '1.5', which is no whole number"),
        ("INT64", 2**63, "is 9223372036854775808, which is no int64"),
        ("UINT8", -1, "is -1, which is no uint8"),
        ("INT8", 128, "is 128, which is no int8"),
    ]:
        with pytest.raises(InputError) as caught:
            column("number", datatype)(value)
        assert str(caught.value) == f'record 0: column "a" {message}'


def test_whole_numbers_are_exact() -> None:
    """No whole number goes through a double, but a double that is whole is taken: databases give it for integers."""
    made = column("number", "INT64", missing=-1)(2**63 - 1, "9007199254740993", 3.0, "3.0", None, NAN)
    assert made[:, 0].tolist() == [2**63 - 1, 9007199254740993, 3, 3, -1, -1]
    assert column("number", "UINT64")(2**64 - 1)[0, 0] == 2**64 - 1


@pytest.mark.parametrize(
    ("kind", "fields", "value"),
    [
        ("number", {}, None),
        ("number", {}, NAN),
        ("number", {}, ""),
        ("boolean", {}, None),
        ("boolean", {}, ""),
        ("category", {"categories": ["x"]}, None),
        ("category", {"categories": ["x"]}, NAN),
    ],
)
def test_what_is_missing_is_refused_unless_declared(kind: str, fields: dict[str, Any], value: Any) -> None:  # noqa: ANN401
    """Nothing stands for a missing value by default."""
    with pytest.raises(InputError, match=r'^record 0: column "a" is missing; give '):
        column(kind, **fields)(value)


def test_booleans() -> None:
    """JSON's, and what CSV and databases write for them, as 1 and 0 or as booleans."""
    values = (True, "true", "True", "TRUE", 1, 1.0, "1", False, "false", "False", "FALSE", 0, "0", None)
    expected = [1] * 7 + [0] * 7
    for datatype in ("FP32", "INT64", "BOOL"):
        assert column("boolean", datatype, missing=False)(*values)[:, 0].tolist() == expected
    strange: tuple[Any, ...] = ("yes", 2, [True], {}, "tRUE")
    for value in strange:
        with pytest.raises(InputError, match=r'^record 0: column "a" is .*, which is neither true nor false$'):
            column("boolean")(value)


def test_categories_as_numbers_and_as_ones_among_zeros() -> None:
    """A category is its place, or a 1 in it; what is unknown is what is declared, and a missing value counts as one."""
    known = ["x", 3, True, "ä"]
    values = ("x", 3, "3", 3.0, True, "true", "ä")
    assert column("category", categories=known)(*values)[:, 0].tolist() == [0, 1, 1, 1, 2, 2, 3]
    ones = column("category", categories=known, encode="one_hot", unknown="zeros", missing="x")
    assert ones("ä", "?", None).tolist() == [[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]
    index = column("category", "INT64", categories=known, unknown=-1, missing="")
    assert index("y", None, "", "X", "x ", 1e300, 10**5000, 2.5)[:, 0].tolist() == [-1] * 8


@pytest.mark.parametrize("value", ["y", 4, False, "\ud800", 10**4000])
def test_an_unknown_category_is_refused_unless_declared(value: Any) -> None:  # noqa: ANN401
    """The message names the first of those that are known."""
    with pytest.raises(InputError, match=r'^record 0: column "a" is .*, which is none of its categories: x, 3$'):
        column("category", categories=["x", 3])(value)


def test_text_goes_as_it_is() -> None:
    """An empty text is a text; a number is none, and neither is half of a character."""
    made = column("text", "BYTES", missing="none")("", "ä\0", None)
    assert made[:, 0].tolist() == ["", "ä\0", "none"]
    for value, message in [(3, "is 3, where a text"), ("\ud800", "has half of"), ("a" * 100_001, "has 100001")]:
        with pytest.raises(InputError, match=rf'^record 0: column "a" {message}'):
            column("text", "BYTES")(value)


def text_column(nulls: list[str], **fields: Any) -> Any:  # noqa: ANN401
    """Return a function that makes the tensor of one column of text, in a table with other nulls."""
    columns = [{"name": "a", "type": "text", "nulls": nulls, **fields}]
    table = processor({"kind": "table", "columns": columns, "nulls": ["", "NA"]}, [tensor("a", "BYTES", "n", 1)])
    return lambda *values: table.tensors([{"a": value} for value in values])["a"]


def test_a_column_of_text_says_itself_what_is_missing() -> None:
    """Its own nulls are missing, those of the table are texts; without `missing` they are refused."""
    made = text_column(["NULL"], missing="none")("NULL", "NA", "")
    assert made[:, 0].tolist() == ["none", "NA", ""]
    with pytest.raises(InputError, match=r'^record 0: column "a" is missing'):
        text_column(["NULL"])("NULL")


COLUMNS: list[dict[str, Any]] = [
    {"name": "age", "type": "number", "missing": "nan"},
    {"name": "paid", "type": "number", "tensor": "m", "missing": 7},
    {"name": "kind", "type": "category", "categories": ["a", "b"], "encode": "one_hot", "tensor": "m"},
    {"name": "free", "type": "boolean", "tensor": "m"},
    {"name": "size", "type": "number", "tensor": "m"},
    {"name": "note", "type": "text", "tensor": "words"},
]
TABLE: dict[str, Any] = {"kind": "table", "columns": COLUMNS}
INPUTS = [tensor("age", "FP64", "n", 1), tensor("m", "FP32", "n", 5), tensor("words", "BYTES", "n")]
ROW: dict[str, Any] = {"age": 30, "paid": 2.5, "kind": "b", "free": True, "size": 4, "note": "hi", "another": [1]}


def test_columns_stand_side_by_side_in_the_declared_order() -> None:
    """Columns are in their order, a tensor of one axis holds one, and what else a row has is ignored."""
    made = processor(TABLE, INPUTS).tensors([ROW, ROW | {"paid": None, "age": ""}])
    assert made["m"].tolist() == [[2.5, 0, 1, 1, 4], [7, 0, 1, 1, 4]]
    assert made["words"].tolist() == ["hi", "hi"]
    assert np.array_equal(made["age"], np.array([[30], [NAN]]), equal_nan=True)
    assert {name: array.dtype.name for name, array in made.items()} == {
        "age": "float64",
        "m": "float32",
        "words": "object",
    }


def test_a_table_names_the_tensor_of_all_its_columns() -> None:
    """One matrix of numbers needs one name."""
    columns = [{"name": name, "type": "number"} for name in "ab"]
    matrix = processor({"kind": "table", "tensor": "x", "columns": columns}, [tensor("x", "INT32", None, 2)])
    assert matrix.tensors([{"b": 2, "a": 1}])["x"].tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("record", "extra", "message"),
    [
        ({k: v for k, v in ROW.items() if k != "age"}, "ignore", 'record 0: has no column "age"'),
        ({**{k: v for k, v in ROW.items() if k != "size"}, "Size": 1}, "ignore",
         "record 0: has no column \"size\", but 'Size'; did you mean \"size\"?"),
        ({**{k: v for k, v in ROW.items() if k != "size"}, "SIZES": 1}, "refuse",
         "record 0: has no column \"size\", but 'SIZES'; did you mean \"size\"?"),
        (ROW, "refuse", "record 0: has a column 'another', which is not declared"),
        ([1, 2], "ignore", "record 0: is a list, where a row has a value for each column"),
        ("text", "ignore", "record 0: is 'text', where a row has"),
        (b"bytes", "ignore", "record 0: is bytes, where a row has"),
        (ROW | {"size": "wide"}, "ignore", "record 0: column \"size\" is 'wide', which is no number"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit(record: Any, extra: str, message: str) -> None:  # noqa: ANN401
    """A column that is absent is refused even where a missing value is not: it may have another name."""
    with pytest.raises(InputError) as caught:
        processor(TABLE | {"extra": extra}, INPUTS).tensors([record])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("columns", "inputs", "message"),
    [
        (COLUMNS, INPUTS[:2], "processing.input.columns[5]: the model has no tensor 'words' there"),
        (COLUMNS[:5], INPUTS, "processing.input: nothing goes to the model's input 'words'; declare what does"),
        (COLUMNS, [*INPUTS[:2], tensor("words", "FP32", "n")], "processing.input.columns[5]: 'words' is FP32, where"),
        (COLUMNS, [INPUTS[0], tensor("m", "FP32", "n", 6), INPUTS[2]], "processing.input.columns: gives 5, where axis"),
        (COLUMNS, [INPUTS[0], tensor("m", "FP32", "n"), INPUTS[2]], "processing.input.columns: 'm' has 1 axes"),
        ([COLUMNS[0]], [tensor("age", "INT64", "n", 1)], "processing.input: column \"age\" is 'nan', which is no num"),
        ([COLUMNS[0] | {"missing": 1e5}], [tensor("age", "FP16", "n", 1)], 'processing.input: column "age" has a num'),
        ([{"name": "c", "type": "category", "categories": ["a"], "unknown": -1}], [tensor("c", "UINT8", "n", 1)],
         'processing.input: column "c" has categories, or a number for unknown ones, that uint8 cannot hold'),
        ([{"name": "c", "type": "category", "categories": ["a"], "unknown": 100_000}], [tensor("c", "FP16", "n", 1)],
         'processing.input: column "c" has categories, or a number for unknown ones, that float16 cannot hold'),
    ],
)  # fmt: skip
def test_a_declaration_that_does_not_fit_the_model(columns: list[Any], inputs: list[Any], message: str) -> None:
    """The check is made before any record is read."""
    with pytest.raises(InputError) as caught:
        processor({"kind": "table", "columns": columns}, inputs)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([], "columns is empty"),
        ([COLUMNS[0]] * 2, "columns has 'age' twice"),
        ([{"name": "c", "type": "category"}], "missing required field `categories`"),
        ([{"name": "c", "type": "category", "categories": []}], "categories is empty"),
        ([{"name": "c", "type": "category", "categories": ["1", 1]}], "categories has '1' twice"),
        ([{"name": "c", "type": "category", "categories": ["1"], "unknown": "zeros"}], "unknown is a number where"),
        ([{"name": "c", "type": "category", "categories": ["1"], "missing": "2"}], "missing is '2', which is none"),
        ([{"name": "c", "type": "number", "missing": math.inf}], "missing is infinite"),
        ([{"name": "c", "type": "float"}], "Invalid value 'float' - at `$.columns[0].type`"),
    ],
)
def test_a_declaration_that_contradicts_itself(columns: list[Any], message: str) -> None:
    """It is refused as it is read."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"kind": "table", "columns": columns}, Input)
    assert message in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda values: st.lists(values, max_size=2) | st.dictionaries(st.text(max_size=2), values, max_size=2),
    max_leaves=3,
)
ROWS = st.fixed_dictionaries(
    {
        "age": st.none() | st.floats(allow_infinity=False) | st.integers(-(2**70), 2**70) | st.just(""),
        "paid": st.none() | st.floats(allow_infinity=False, width=32) | st.integers(-9, 9).map(str),
        "kind": st.sampled_from("ab"),
        "free": st.booleans() | st.sampled_from([0, 1, "true", "0"]),
        "size": st.integers(-(2**70), 2**70),
        "note": st.text(max_size=5),
    }
)


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5))
def test_a_batch_is_its_records_one_by_one(rows: list[Any]) -> None:
    """No row changes another's numbers, and neither does going through JSON."""
    table = processor(TABLE, INPUTS)
    batch = table.tensors(rows)
    single = [table.tensors([row]) for row in rows]
    # Python's JSON carries NaN, which strict JSON writes as null: both are missing values.
    again = table.tensors(json.loads(json.dumps(rows)))
    for name, array in batch.items():
        joined = np.concatenate([arrays[name] for arrays in single])
        if array.dtype == object:
            assert array.tolist() == joined.tolist() == again[name].tolist()
        else:
            assert array.tobytes() == joined.tobytes() == again[name].tobytes()


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([each["name"] for each in COLUMNS]), JSON)
def test_any_value_is_taken_or_refused_in_one_line(name: str, value: Any) -> None:  # noqa: ANN401
    """Nothing else than InputError comes out of a row, and never a number that is infinite."""
    try:
        made = processor(TABLE, INPUTS).tensors([ROW | {name: value}])
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - it need not be refused
        assert len(str(error)) < 300  # noqa: PT017
    else:
        assert not np.isinf(made["m"]).any()


def test_ten_thousand_columns() -> None:
    """A wide row costs no more than its cells: numbers that stand side by side are read at once."""
    columns = [{"name": f"c{index}", "type": "number", "missing": 0} for index in range(10_000)]
    table = processor({"kind": "table", "tensor": "x", "columns": columns}, [tensor("x", "FP32", "n", 10_000)])
    rows = [{f"c{index}": float(index) for index in range(10_000)}] * 10
    start = time.perf_counter()
    made = table.tensors(rows)["x"]
    assert time.perf_counter() - start < 5
    assert made[9].tolist() == [float(index) for index in range(10_000)]
