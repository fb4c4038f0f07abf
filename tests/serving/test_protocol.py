"""The protocol's documents: which requests are understood, which are refused, and what the responses say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from opdeploy.runtime.tensors import BY_ONNX, TensorSpec
from opdeploy.serving.exchange import RequestError
from opdeploy.serving.protocol import InferRequest, Signature, parse, render, render_error
from opdeploy.serving.tensors import to_array

DATATYPES = {datatype.name: datatype for datatype in BY_ONNX.values()}
IMAGE = TensorSpec("image", DATATYPES["FP32"], ("batch", 2))
WEIGHT = TensorSpec("weight", DATATYPES["INT64"], ("batch",))
SCORE = TensorSpec("score", DATATYPES["FP32"], ("batch",))
CLASS = TensorSpec("class", DATATYPES["BYTES"], ("batch", None))
SIGNATURE = Signature((IMAGE, WEIGHT), (SCORE, CLASS))

IMAGE_TENSOR = {"name": "image", "shape": [2, 2], "datatype": "FP32", "data": [1, 2.5, 3, 4]}
WEIGHT_TENSOR = {"name": "weight", "shape": [2], "datatype": "INT64", "data": [5, 6]}


def request_with(**changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a valid request with some of its fields replaced."""
    return json.dumps({"inputs": [IMAGE_TENSOR, WEIGHT_TENSOR], **changes}).encode()


def request_with_image(**changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a valid request with some fields of its image replaced."""
    return request_with(inputs=[{**IMAGE_TENSOR, **changes}, WEIGHT_TENSOR])


def test_a_valid_request_becomes_arrays_of_the_models_types() -> None:
    """Each input becomes an array of its shape and datatype, and every output is returned by default."""
    request = parse(request_with(), SIGNATURE)
    assert request.id is None
    assert request.outputs == (SCORE, CLASS)
    assert request.inputs["image"].dtype == np.float32
    assert request.inputs["image"].tolist() == [[1, 2.5], [3, 4]]
    assert request.inputs["weight"].dtype == np.int64


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (None, (SCORE, CLASS)),
        ([], (SCORE, CLASS)),
        ([{"name": "class"}], (CLASS,)),
        ([{"name": "class"}, {"name": "score", "parameters": {}}], (CLASS, SCORE)),
    ],
)
def test_a_request_may_choose_its_outputs(outputs: object, expected: tuple[TensorSpec, ...]) -> None:
    """The chosen outputs come in the order of the request; none chosen means all."""
    assert parse(request_with(outputs=outputs), SIGNATURE).outputs == expected


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("BOOL", [True, False]),
        ("UINT8", [0, 255]),
        ("UINT16", [0, 65535]),
        ("UINT32", [0, 2**32 - 1]),
        ("UINT64", [0, 2**64 - 1]),
        ("INT8", [-128, 127]),
        ("INT16", [-(2**15), 2**15 - 1]),
        ("INT32", [-(2**31), 2**31 - 1]),
        ("INT64", [-(2**63), 2**63 - 1]),
        ("FP16", [0.5, -65504]),
        ("FP32", [0.5, 3]),
        ("BF16", [0.5, -3]),
        ("FP64", [1e300, -0.1]),
        ("BYTES", ["", "zwölf"]),
    ],
)
def test_each_datatype_takes_its_whole_range(datatype: str, data: list[object]) -> None:
    """The smallest and the largest value of a datatype arrive unchanged."""
    array = to_array(data, [2], DATATYPES[datatype])
    assert array.dtype == DATATYPES[datatype].dtype
    assert array.tolist() == data


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("BOOL", 1),
        ("BOOL", "true"),
        ("UINT8", 256),
        ("UINT8", -1),
        ("INT8", 128),
        ("INT32", 2**31),
        ("UINT64", -1),
        ("INT64", 2**63),
        ("INT64", 1.0),
        ("INT64", True),
        ("INT64", None),
        ("FP16", 70000),
        ("FP32", 1e39),
        ("FP32", True),
        ("FP32", None),
        ("FP32", "1"),
        ("FP32", [1]),
        ("FP32", {}),
        ("BYTES", 1),
        ("BYTES", None),
    ],
)
def test_a_value_outside_the_datatype_is_refused(datatype: str, value: object) -> None:
    """No value is rounded, wrapped or converted to fit."""
    good: dict[str, object] = {"BOOL": True, "BYTES": "a"}
    with pytest.raises(ValueError, match="data"):
        to_array([good.get(datatype, 1), value], [2], DATATYPES[datatype])


@settings(deadline=None)
@given(arrays.arrays(np.int64, arrays.array_shapes(min_dims=1, max_dims=4, max_side=4)))
def test_nested_and_flat_data_mean_the_same(array: np.ndarray[Any, Any]) -> None:
    """Data nested as its shape says equals the same data flat in row-major order."""
    nested = to_array(array.tolist(), array.shape, DATATYPES["INT64"])
    flat = to_array(array.ravel().tolist(), array.shape, DATATYPES["INT64"])
    np.testing.assert_array_equal(nested, array)
    np.testing.assert_array_equal(flat, array)


@pytest.mark.parametrize(
    ("shape", "data"),
    [([], [7]), ([1], [7]), ([0, 2], []), ([2, 0], [[], []]), ([1, 1], [[7]]), ([1, 1], [7])],
)
def test_small_shapes_are_taken_as_they_are(shape: list[int], data: list[object]) -> None:
    """A scalar, an empty tensor and sizes of one keep their shape."""
    assert list(to_array(data, shape, DATATYPES["INT64"]).shape) == shape


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"\xff\xfe", "not JSON", id="binary"),
        pytest.param(b'{"inputs": [NaN]}', "not JSON", id="nan"),
        pytest.param(b'{"inputs": [Infinity]}', "not JSON", id="infinity"),
        pytest.param(b'{"inputs": [1e999]}', "not JSON", id="infinite number"),
        pytest.param(b"[" * 100_000, "not JSON", id="very deep"),
        pytest.param(b"[]", "JSON object", id="not an object"),
        pytest.param(b"{}", "inputs must be an array", id="no inputs"),
        pytest.param(request_with(id=7), "id must be a string", id="id of a wrong type"),
        pytest.param(request_with(inputs={}), "inputs must be an array", id="inputs of a wrong type"),
        pytest.param(request_with(inputs=[7]), "object with a name", id="input of a wrong type"),
        pytest.param(request_with(inputs=[{"name": 7}]), "object with a name", id="name of a wrong type"),
        pytest.param(request_with(inputs=[IMAGE_TENSOR]), "'weight' is missing", id="input missing"),
        pytest.param(request_with(inputs=[IMAGE_TENSOR] * 2), "twice", id="input twice"),
        pytest.param(request_with_image(name="picture"), "unknown input 'picture'", id="input unknown"),
        pytest.param(request_with(outputs=[{"name": "x"}]), "unknown output 'x'", id="output unknown"),
        pytest.param(request_with(outputs=[{"name": "score"}] * 2), "twice", id="output twice"),
        pytest.param(request_with(outputs={"name": "score"}), "outputs must be an array", id="outputs of a wrong type"),
        pytest.param(request_with_image(datatype="FP64"), "datatype must be FP32", id="another datatype"),
        pytest.param(request_with_image(datatype="float"), "datatype must be FP32", id="no datatype at all"),
        pytest.param(request_with_image(datatype=None), "datatype must be FP32", id="datatype missing"),
        pytest.param(request_with_image(shape=None), "shape must be an array", id="shape missing"),
        pytest.param(request_with_image(shape=[2, -2]), "whole numbers", id="shape negative"),
        pytest.param(request_with_image(shape=[2, 2.0]), "whole numbers", id="shape fractional"),
        pytest.param(request_with_image(shape=[True, 2]), "whole numbers", id="shape boolean"),
        pytest.param(request_with_image(shape=[2, 3]), "shape must be", id="fixed size differs"),
        pytest.param(request_with_image(shape=[4]), "shape must be", id="too few dimensions"),
        pytest.param(request_with_image(shape=[3, 2], data=[1] * 6), "'batch'", id="shared size differs"),
        pytest.param(request_with_image(shape=[2**60, 2]), "elements", id="shape far too large"),
        pytest.param(request_with_image(data=None), "data must be an array", id="data missing"),
        pytest.param(request_with_image(data="1234"), "data must be an array", id="data of a wrong type"),
        pytest.param(request_with_image(data=[1, 2, 3]), "3 elements", id="too few elements"),
        pytest.param(request_with_image(data=[1, 2, 3, 4, 5]), "5 elements", id="too many elements"),
        pytest.param(request_with_image(data=[[1, 2], [3]]), "not nested", id="ragged"),
        pytest.param(request_with_image(data=[[1, 2, 3, 4]]), "not nested", id="nested another way"),
        pytest.param(request_with_image(data=[[1, 2], 3]), "not nested", id="half nested"),
        pytest.param(request_with_image(data=[[[1], [2]], [[3], [4]]]), "not of datatype", id="nested too deep"),
        pytest.param(request_with_image(data=[1, 2, 3, 1e39]), "out of range", id="number too large"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(body: bytes, message: str) -> None:
    """What is wrong with a request is said in one short sentence, with status 400."""
    with pytest.raises(RequestError, match=message) as caught:
        parse(body, SIGNATURE)
    assert caught.value.status == 400
    assert len(str(caught.value)) < 200


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(deadline=None)
@given(st.binary() | st.builds(json.dumps, JSON_VALUES).map(str.encode))
def test_any_body_is_either_understood_or_refused(body: bytes) -> None:
    """No body, however strange, causes anything but a RequestError."""
    with pytest.raises(RequestError):
        parse(body, SIGNATURE)


@settings(deadline=None)
@given(st.sampled_from(["shape", "datatype", "data", "parameters"]), JSON_VALUES)
def test_any_tensor_is_either_understood_or_refused(field: str, value: object) -> None:
    """No field of a tensor, however strange, causes anything but a RequestError."""
    try:
        request = parse(request_with_image(**{field: value}), SIGNATURE)
    except RequestError:
        return
    assert request.inputs["image"].shape == (2, 2)


def test_a_response_carries_its_outputs_flat_with_their_shape() -> None:
    """Outputs are in row-major order, numbers as the shortest text that reads back the same, strings as strings."""
    request = InferRequest("42", {}, (SCORE, CLASS))
    texts = np.array([["a"], ["ü"]], dtype=np.object_)
    document = json.loads(render("m", "1", request, [np.array([0.1, 2], dtype=np.float32), texts])[0])
    assert document == {
        "model_name": "m",
        "model_version": "1",
        "id": "42",
        "outputs": [
            {"name": "score", "datatype": "FP32", "shape": [2], "data": [0.1, 2.0]},
            {"name": "class", "datatype": "BYTES", "shape": [2, 1], "data": ["a", "ü"]},
        ],
    }


def test_a_response_without_a_request_id_has_none() -> None:
    """The id is echoed, never made up."""
    document = json.loads(render("m", "1", InferRequest(None, {}, (SCORE,)), [np.zeros(1, dtype=np.float32)])[0])
    assert "id" not in document


def test_a_transposed_output_is_written_in_row_major_order() -> None:
    """The order of the elements does not depend on how the array lies in memory."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    document = json.loads(render("m", "1", InferRequest(None, {}, (SCORE,)), [array])[0])
    assert document["outputs"][0]["shape"] == [3, 2]
    assert document["outputs"][0]["data"] == [0, 3, 1, 4, 2, 5]


def test_a_number_that_is_not_finite_becomes_null() -> None:
    """JSON has neither NaN nor infinity."""
    array = np.array([np.nan, np.inf, 1], dtype=np.float32)
    document = json.loads(render("m", "1", InferRequest(None, {}, (SCORE,)), [array])[0])
    assert document["outputs"][0]["data"] == [None, None, 1]


def test_an_error_is_a_json_object_with_one_sentence() -> None:
    """Clients find the reason under `error`."""
    assert json.loads(render_error("no")) == {"error": "no"}


@pytest.mark.parametrize("many", ["[" * 300_000, "[" + "[]," * 300_000, "[" + '{"":{}},' * 150_000])
def test_a_bomb_of_nested_json_is_refused_unparsed(many: str) -> None:
    """So many lists and objects would hold up everything else, whether they are closed or not."""
    with pytest.raises(RequestError, match="lists and objects") as caught:
        parse(many.encode(), SIGNATURE)
    assert caught.value.status == 413


def test_json_over_its_limit_is_refused_unparsed() -> None:
    """Binary tensors behind it do not count, and blanks do."""
    body = request_with()
    assert parse(body, SIGNATURE, max_json=len(body)).inputs["weight"].tolist() == [5, 6]
    for text in (body, body + b" "):
        with pytest.raises(RequestError, match="over 100 bytes") as caught:
            parse(text, SIGNATURE, max_json=100)
        assert caught.value.status == 413


def test_long_data_is_converted_in_slices_as_a_whole() -> None:
    """Tensors of more elements than are converted at a time come and go as small ones do, and are checked as well."""
    data = [float(number) for number in range(300_000)]
    array = to_array(data, [300_000], DATATYPES["FP32"])
    assert array.tolist() == data
    array[-1] = np.nan
    document = json.loads(render("m", "1", InferRequest(None, {}, (SCORE,)), [array])[0])
    assert document["outputs"][0]["data"] == [*data[:-1], None]
    for wrong in (True, 1e39):
        with pytest.raises(ValueError, match="value"):
            to_array([*data[:-1], wrong], [300_000], DATATYPES["FP32"])
