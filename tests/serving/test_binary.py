"""The binary tensor extension: tensors as they lie in memory, behind the JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opdeploy.runtime.tensors import BY_ONNX, TensorSpec
from opdeploy.serving.exchange import RequestError
from opdeploy.serving.protocol import InferRequest, Signature, parse, render
from tests.serving.vectors import ARRAYS, binary, wire

DATATYPES = {datatype.name: datatype for datatype in BY_ONNX.values()}
X, Y = (TensorSpec(name, DATATYPES["FP32"], ("n", 2)) for name in ("x", "y"))
TWO = Signature((X, Y), (X, Y))
ROW = np.array([[1, 2]], np.float32).tobytes()


def signature(datatype: str, *shape: int | str | None) -> Signature:
    """Return the signature of a model that takes and gives one tensor."""
    spec = TensorSpec("x", DATATYPES[datatype], shape or (None,))
    return Signature((spec,), (spec,))


def parsed(signature: Signature, inputs: list[Any], blobs: bytes = b"", **fields: object) -> InferRequest:
    """Parse a request."""
    text = json.dumps({"inputs": inputs, **fields}).encode()
    return parse(text + blobs, signature, str(len(text)))


def same(left: Any, right: Any) -> bool:  # noqa: ANN401 - arrays
    """Tell whether arrays are equal to the bit."""
    return bool(left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes())


@pytest.mark.parametrize("offset", range(8))
@pytest.mark.parametrize("datatype", list(ARRAYS))
def test_each_datatype_is_read_as_it_lies_in_memory(datatype: str, offset: int) -> None:
    """The extremes and what is not finite arrive to the bit, wherever in the body the bytes begin."""
    blob = wire(datatype, ARRAYS[datatype])
    request = parsed(
        signature(datatype), [binary("x", datatype, [len(ARRAYS[datatype])], len(blob))], blob, id=" " * offset
    )
    array = request.inputs["x"]
    assert array.flags.aligned
    if datatype == "BYTES":
        assert array.tolist() == ARRAYS[datatype].tolist()
    else:
        assert same(array, ARRAYS[datatype].astype(np.float32) if datatype == "BF16" else ARRAYS[datatype])


@pytest.mark.parametrize("datatype", list(ARRAYS))
def test_an_empty_tensor_has_no_bytes(datatype: str) -> None:
    """A size of 0 in the shape goes with a binary_data_size of 0."""
    request = parsed(signature(datatype, None, 3), [binary("x", datatype, [0, 3], 0)])
    assert request.inputs["x"].shape == (0, 3)
    assert request.inputs["x"].dtype == DATATYPES[datatype].dtype


def test_json_and_binary_may_be_mixed() -> None:
    """Bytes belong to the inputs that have a binary_data_size, in the order of the request and not of the model."""
    second = np.array([[5, 6]], np.float32).tobytes()
    request = parsed(TWO, [binary("y", "FP32", [1, 2], 8), binary("x", "FP32", [1, 2], 8)], ROW + second)
    assert (request.inputs["x"].tolist(), request.inputs["y"].tolist()) == ([[5, 6]], [[1, 2]])
    in_json = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [7, 8]}
    request = parsed(TWO, [in_json, binary("y", "FP32", [1, 2], 8)], ROW)
    assert (request.inputs["x"].tolist(), request.inputs["y"].tolist()) == ([[7, 8]], [[1, 2]])


FITS = binary("y", "FP32", [1, 2], 8)
WRONG = {
    "too few bytes": ([binary("x", "FP32", [2, 2], 8), FITS], ROW * 2, "has 8 bytes, and shape [2, 2] has 16"),
    "too many bytes": ([binary("x", "FP32", [1, 2], 16), FITS], ROW * 3, "has 16 bytes, and shape [1, 2] has 8"),
    "bytes missing": ([binary("x", "FP32", [1, 2], 8), FITS], ROW, "binary_data_size is 8, and 0 bytes are there"),
    "bytes left over": ([binary("x", "FP32", [1, 2], 8), FITS], ROW * 2 + b"!", "1 bytes follow"),
    "negative": ([binary("x", "FP32", [1, 2], -8), FITS], ROW * 2, "binary_data_size is -8"),
    "fraction": ([binary("x", "FP32", [1, 2], 8.0), FITS], ROW * 2, "binary_data_size is 8.0"),
    "boolean": ([binary("x", "FP32", [1, 2], size=True), FITS], ROW * 2, "binary_data_size is True"),
    "text": ([binary("x", "FP32", [1, 2], "8"), FITS], ROW * 2, "binary_data_size is '8'"),
    "beyond 64 bits": ([binary("x", "FP32", [1, 2], 2**70), FITS], ROW * 2, "binary_data_size is 1.18"),
    "both": ([binary("x", "FP32", [1, 2], 8) | {"data": [1, 2]}, FITS], ROW * 2, "give one of the two"),
    "neither": ([{"name": "x", "datatype": "FP32", "shape": [1, 2]}, FITS], ROW, "data must be an array"),
    "parameters": ([binary("x", "FP32", [1, 2], 8) | {"parameters": [8]}, FITS], ROW * 2, "must be an object"),
    "a size that lies": ([binary("x", "FP32", [2**62, 2], 8), FITS], ROW * 2, "has 8 bytes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_bytes_that_do_not_fit_are_refused(case: str) -> None:
    """Every byte is accounted for, by one input, as many as its shape says."""
    inputs, blobs, why = WRONG[case]
    with pytest.raises(RequestError) as caught:
        parsed(TWO, inputs, blobs)
    assert caught.value.status == 400
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("datatype", "shape", "blob", "why"),
    [
        ("BOOL", [2], b"\1\2", "not of datatype BOOL"),
        ("BYTES", [1], b"\2\0\0\0\xff\xfe", "text, number 0, that is not UTF-8"),
        ("BYTES", [1], b"\5\0\0\0abc", "does not hold 1 texts"),
        ("BYTES", [1], b"\1\0\0", "does not hold 1 texts"),
        ("BYTES", [2], b"\1\0\0\0a", "does not hold 2 texts"),
        ("BYTES", [1], b"\1\0\0\0a\0\0\0\0", "does not hold 1 texts"),
        ("BYTES", [1], b"\xff\xff\xff\xff", "does not hold 1 texts"),
        ("BYTES", [2**60], b"", "does not hold"),
    ],
)
def test_a_value_that_is_none_of_its_datatype_is_refused(
    datatype: str, shape: list[int], blob: bytes, why: str
) -> None:
    """A BOOL is 0 or 1, and a text is as long as it says, and UTF-8."""
    with pytest.raises(RequestError, match=why):
        parsed(signature(datatype), [binary("x", datatype, shape, len(blob))], blob)


@pytest.mark.parametrize(
    "length", ["", "-1", "+1", "1.0", "0x1", "1 ", "٣", "9" * 5000, "1000", "abc", "0\0", "18446744073709551616"]
)
def test_a_header_length_that_lies_is_refused(length: str) -> None:
    """It is a whole number of bytes that are there."""
    with pytest.raises(RequestError, match="body has 4 bytes") as caught:
        parse(b"{}  ", TWO, length)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("length", ["0", "1", "2"])
def test_a_header_length_that_cuts_the_json_is_refused(length: str) -> None:
    """What is before the tensors must be JSON."""
    with pytest.raises(RequestError, match="not JSON"):
        parse(b'{"inputs": []}', TWO, length)


@pytest.mark.parametrize("shape", [[2**33, 0], [0, 2**33], [1025, 0], [2**63, 0]])
@pytest.mark.parametrize("in_json", [True, False])
def test_a_tensor_without_elements_is_small(shape: list[int], *, in_json: bool) -> None:
    """No bytes of a body may ask for thousands of millions of records."""
    tensor = {"name": "x", "datatype": "INT64", "shape": shape}
    data: dict[str, Any] = {"data": []} if in_json else {"parameters": {"binary_data_size": 0}}
    with pytest.raises(RequestError, match="no elements"):
        parsed(signature("INT64", "n", "length"), [tensor | data])


def test_a_number_too_large_for_bf16_is_refused() -> None:
    """What would be rounded to infinity is out of range, though it fits the float32 that carries it."""
    tensor = {"name": "x", "datatype": "BF16", "shape": [1], "data": [3.4e38]}
    with pytest.raises(RequestError, match="out of range"):
        parsed(signature("BF16"), [tensor])


OUTPUTS: list[tuple[Any, Any, set[str]]] = [
    (None, None, set()),
    (None, True, {"x", "y"}),
    (None, False, set()),
    ({"x": True}, None, {"x"}),
    ({"x": True, "y": False}, True, {"x"}),
    ({"y": None}, True, {"y"}),
]


@pytest.mark.parametrize(("each", "default", "expected"), OUTPUTS)
def test_outputs_are_binary_where_that_was_asked(each: Any, default: Any, expected: set[str]) -> None:  # noqa: ANN401
    """`binary_data` of an output goes before `binary_data_output` of the request; without either, it is JSON."""
    fields: dict[str, Any] = {}
    if each is not None:
        fields["outputs"] = [
            {"name": name} | ({} if flag is None else {"parameters": {"binary_data": flag}})
            for name, flag in each.items()
        ]
    if default is not None:
        fields["parameters"] = {"binary_data_output": default}
    inputs = [binary("x", "FP32", [1, 2], 8), FITS]
    assert parsed(TWO, inputs, ROW * 2, **fields).binary == expected


@pytest.mark.parametrize("flag", [1, "true", None, []])
def test_what_is_no_flag_is_refused(flag: object) -> None:
    """True or false, and nothing that is like it."""
    outputs = [{"name": "x", "parameters": {"binary_data": flag}}]
    with pytest.raises(RequestError, match="true or false"):
        parsed(TWO, [binary("x", "FP32", [1, 2], 8), FITS], ROW * 2, outputs=outputs)


@pytest.mark.parametrize("datatype", list(ARRAYS))
def test_each_datatype_is_written_as_it_lies_in_memory(datatype: str) -> None:
    """The response tells how much of it is JSON, and how many bytes each tensor has."""
    spec = signature(datatype).outputs[0]
    array = ARRAYS[datatype].astype(np.float32) if datatype == "BF16" else ARRAYS[datatype]
    body, length = render("m", "1", InferRequest(None, {}, (spec,), frozenset({"x"})), [array])
    (output,) = json.loads(body[:length])["outputs"]
    assert output == binary("x", datatype, [len(array)], len(body) - (length or 0))
    assert body[length:] == wire(datatype, ARRAYS[datatype])


@settings(deadline=None)
@given(
    st.integers(0, 300),
    st.binary(max_size=40),
    st.lists(st.none() | st.integers(-1, 40) | st.booleans(), min_size=2, max_size=2),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
)
def test_any_bytes_are_either_understood_or_refused(cut: int, blobs: bytes, sizes: list[Any], shape: list[int]) -> None:
    """Whatever the sizes, the shape and the header say, there is a request with that shape or a RequestError."""
    text = json.dumps(
        {"inputs": [binary(name, "FP32", shape, size) for name, size in zip("xy", sizes, strict=True)]}
    ).encode()
    for length in (str(len(text)), str(cut)):
        try:
            request = parse(text + blobs, TWO, length)
        except RequestError as error:
            assert len(str(error)) < 300  # noqa: PT017 - what is refused is judged too
        else:
            assert [list(array.shape) for array in request.inputs.values()] == [shape, shape]


@settings(deadline=None)
@given(st.lists(st.text(max_size=5), max_size=5))
def test_texts_come_back(texts: list[str]) -> None:
    """What is written as BYTES is read as the same texts, surrogates aside."""
    texts = [text.encode(errors="replace").decode() for text in texts]
    spec = signature("BYTES").outputs[0]
    array = np.array(texts, np.object_)
    body, length = render("m", "1", InferRequest(None, {}, (spec,), frozenset({"x"})), [array])
    found = json.loads(body[:length])
    request = parse(
        json.dumps({"inputs": found["outputs"]}).encode() + body[length:],
        signature("BYTES"),
        str(len(json.dumps({"inputs": found["outputs"]}))),
    )
    assert request.inputs["x"].tolist() == texts
