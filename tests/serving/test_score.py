"""Every form of a request for scores becomes the same records, and answers have the form of the request."""

from __future__ import annotations

import base64
import json
import struct
import time
import zlib
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opdeploy.runtime.processing.spec import Table
from opdeploy.serving import limits, score
from opdeploy.serving.exchange import RequestError
from opdeploy.serving.limits import MAX_ELEMENTS, MAX_PIXELS, MAX_RECORDS
from tests.runtime.processed import tensor
from tests.serving import scored
from tests.serving.scored import Model, png

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

JSON = "application/json"
ROW = {"age": 30, "fare": 7.5, "port": "Q", "alone": True}
CELLS = [30, 7.5, "Q", True]
VECTOR = [30, 7.5, 0, 1, 1]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """Return a model of each kind."""
    return {
        "image": scored.images(),
        "table": scored.table(),
        "text": scored.texts(tmp_path_factory.mktemp("package")),
        "bare": scored.bare(),
        "pair": scored.pair(),
    }


def b64(data: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(data).decode()


def form(*parts: tuple[str, bytes], boundary: str = "XbX") -> bytes:
    """Return a form of named parts, as RFC 7578 has it."""
    written = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in parts
    ]
    return b"".join(written) + f"--{boundary}--\r\n".encode()


def made(model: Model, body: object, content_type: str | None = JSON) -> dict[str, NDArray[Any]]:
    """Return the tensors of a request; what is no bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return score.tensors(score.parse(content_type, data, model), model)


def refused(model: Model, body: object, content_type: str | None = JSON) -> tuple[int, str]:
    """Return status and message of a request that is refused."""
    with pytest.raises(RequestError) as caught:
        made(model, body, content_type)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return int(caught.value.status), str(caught.value)


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "application/octet-stream", "IMAGE/PNG ; q=1"])
def test_the_bytes_of_an_image_are_one_record(models: dict[str, Model], kind: str) -> None:
    """The body is the file, whatever of the image types its header names."""
    assert made(models["image"], png(level=255), kind)["image"].tolist() == np.ones((1, 3, 2, 4)).tolist()


@pytest.mark.parametrize(
    "body",
    [
        {"input": {"a": b64(png(level=0)), "b.png": b64(png(level=255))}},
        {"data": [b64(png(level=0)), b64(png(level=255))]},
        {"records": [{"image": b64(png(level=0))}, b64(png(level=255))]},
        [{"image": b64(png(level=0))}, {"image": b64(png(level=255))}],
    ],
)
def test_images_in_json_are_base64(models: dict[str, Model], body: object) -> None:
    """Named images, a list under data or records, or a list alone: the same batch, in order."""
    batch = made(models["image"], body)["image"]
    assert batch.shape == (2, 3, 2, 4)
    assert (batch[0].max(), batch[1].min()) == (0, 1)


def test_one_image_in_json(models: dict[str, Model]) -> None:
    """An object with the key image is one record."""
    assert made(models["image"], {"image": b64(png())})["image"].shape == (1, 3, 2, 4)


def test_images_in_a_form(models: dict[str, Model]) -> None:
    """Each part is an image, field or file, in the order of the form; its bytes may hold anything."""
    body = form(("a", png(level=0)), ("a", png(level=255)))
    named = body.replace(b'name="a"', b'name="a"; filename="a.png"\r\nContent-Type: image/png', 1)
    for content in (body, named):
        batch = made(models["image"], content, "multipart/form-data; boundary=XbX")["image"]
        assert (batch.shape, batch[0].max(), batch[1].min()) == ((2, 3, 2, 4), 0, 1)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (ROW, [VECTOR]),
        ({**ROW, "more": [[1]]}, [VECTOR]),
        ([ROW], [VECTOR]),
        ({"records": [ROW, ROW]}, [VECTOR, VECTOR]),
        ({"data": [ROW]}, [VECTOR]),
        ({"data": [CELLS, ROW]}, [VECTOR, VECTOR]),
        ([CELLS], [VECTOR]),
        ({"age": "30", "fare": "7.5", "port": "Q", "alone": "true"}, [VECTOR]),
        ([{**ROW, "port": "nowhere"}], [[30, 7.5, 0, 0, 1]]),
    ],
)
def test_rows_of_a_table(models: dict[str, Model], body: object, rows: list[list[float]]) -> None:
    """A row is an object by column, or a list in the order of the declaration; one alone, or a list of them."""
    assert made(models["table"], body)["x"].tolist() == rows


def test_a_row_in_a_form(models: dict[str, Model]) -> None:
    """Each field of a form is a column, as text; an empty one is missing."""
    body = form(("age", b""), ("fare", b"7.5"), ("port", b"Q"), ("alone", b"1"))
    row = made(models["table"], body, "multipart/form-data; boundary=XbX")["x"]
    assert np.isnan(row[0, 0])
    assert row[0, 1:].tolist() == VECTOR[1:]


def test_a_column_may_have_the_name_of_a_form() -> None:
    """A table whose columns are data or records is scored like any other: a cell is never a list."""
    for name in ("data", "records", "input"):
        model = scored.table(columns=[{"name": name, "type": "number"}, *scored.COLUMNS[2:], scored.COLUMNS[1]])
        assert made(model, {**ROW, name: 1})["x"].tolist() == [[1, 0, 1, 1, 7.5]]


@pytest.mark.parametrize(
    "body", [{"text": "the cat"}, ["the cat"], {"data": ["the cat"]}, {"records": [{"text": "the cat"}]}, "the cat"]
)
def test_texts(models: dict[str, Model], body: object) -> None:
    """A text is a string, alone or under the key text."""
    assert made(models["text"], body)["ids"].tolist() == [[2, 3]]


def test_texts_in_a_form(models: dict[str, Model]) -> None:
    """Each field named text is a record."""
    body = form(("text", b"the cat"), ("text", "zwölf".encode()))
    assert made(models["text"], body, "multipart/form-data; boundary=XbX")["ids"].tolist() == [[2, 3], [1, 0]]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("bare", {"data": [[1, 2], [3, 4.5]]}, {"x": [[1, 2], [3, 4.5]]}),
        ("bare", {"data": {"x": [[1, 2]]}}, {"x": [[1, 2]]}),
        ("pair", {"data": {"b": [7], "a": [[1, 2]]}}, {"a": [[1, 2]], "b": [7]}),
    ],
)
def test_tensors_as_nested_lists(models: dict[str, Model], kind: str, body: object, expected: object) -> None:
    """Without processing data holds the one input, or every input by name."""
    assert {name: array.tolist() for name, array in made(models[kind], body).items()} == expected


@pytest.mark.parametrize(
    ("kind", "content_type", "status", "message"),
    [
        ("image", None, 415, "Content-Type is missing; send application/json or multipart/form-data or image/jpeg"),
        ("image", "text/plain", 415, "is 'text/plain'"),
        ("image", "application/x-www-form-urlencoded", 415, "send application/json"),
        ("table", "image/png", 415, "is 'image/png'; send application/json or multipart/form-data"),
        ("bare", "multipart/form-data; boundary=XbX", 415, "send application/json"),
        ("bare", "application/octet-stream", 415, "send application/json"),
        ("image", "x" * 10_000, 415, "Content-Type is "),
        ("image", "multipart/form-data", 400, "Empty boundary"),
        ("image", "multipart/form-data; boundary=other", 400, "is no form"),
        ("image", "multipart/form-data; boundary=\udc80", 400, "is no form"),
    ],
)
def test_a_wrong_content_type_is_refused(
    models: dict[str, Model], kind: str, content_type: str | None, status: int, message: str
) -> None:
    """What the model does not take gets 415 with what it takes."""
    assert refused(models[kind], form(("a", b"")), content_type) == (status, AnyWith(message))


class AnyWith(str):
    """Equal to every text that has this one in it."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and str(self) in other


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("image", b"", "the body is not JSON"),
        ("image", b"{", "the body is not JSON"),
        ("image", b"\xff\xfe{}", "the body is not JSON"),
        ("image", b'{"image": NaN}', "the body is not JSON"),
        ("image", b"[" * 100_000, "the body is not JSON"),
        ("image", b"[" * 1000 + b"]" * 1000, 'record 0: is not {"image": "…"}'),
        ("image", {}, 'record 0: is not {"image": "…"}'),
        ("image", [], "there are no records"),
        ("image", {"input": {}}, "there are no records"),
        ("image", {"input": [b64(png())]}, 'record 0: is not {"image": "…"}'),
        ("image", {"input": {"a": b64(png()), "b": "no base64"}}, "record 1: image is not base64"),
        ("image", {"input": {"a": {"image": 1}}}, 'record 0: is not {"image"'),
        ("image", {"data": [b64(png()), b64(b"no image")]}, "record 1: is no image that can be read"),
        ("image", {"data": [b64(png()[:-24])]}, "record 0: is damaged"),
        ("image", None, 'record 0: is not {"image"'),
        ("table", 7, "record 0: is 7; give an object"),
        ("table", "7", "record 0: is '7'; give an object"),
        ("table", {}, 'record 0: has no column "age"'),
        (
            "table",
            {**{name: ROW[name] for name in ("fare", "port", "alone")}, "Aeg": 30},
            'record 0: has no column "age", but \'Aeg\'; did you mean "age"?',
        ),
        ("table", [ROW, {**ROW, "fare": "x"}], "record 1: column \"fare\" is 'x', which is no number"),
        ("table", [{**ROW, "fare": None}], 'record 0: column "fare" is missing'),
        ("table", [{**ROW, "fare": {"a": []}}], 'record 0: column "fare" is an object'),
        ("table", [{**ROW, "port": [1]}], 'record 0: column "port" is a list'),
        ("table", [{**ROW, "alone": []}], 'record 0: column "alone" is a list'),
        ("table", [ROW, CELLS[:3]], "record 1: has 3 values, where there are 4 columns"),
        ("table", {"data": ROW}, 'record 0: has no column "age"'),
        ("table", {"input": {"a": ROW}}, 'record 0: has no column "age"'),
        ("text", {"text": 1}, 'record 0: is not {"text": "…"}'),
        ("text", {"texts": ["a"]}, 'record 0: is not {"text": "…"}'),
        ("text", ["a", None], 'record 1: is not {"text": "…"}'),
        ("text", ["a" * 100_001], "record 0: has 100001 characters"),
        ("bare", [[1, 2]], "give {\"data\": …} with nested lists under the name of each input: 'x'"),
        ("bare", {"data": 1}, 'give {"data": …}'),
        ("bare", {"data": [1, 2]}, "data is nested as [2], where the model takes [-1, 2]"),
        ("bare", {"data": [[1, 2, 3]]}, "data is nested as [1, 3]"),
        ("bare", {"data": []}, "data is nested as [0]"),
        ("bare", {"data": [[1, 2], [3]]}, "data is not nested as shape [2, 2]"),
        ("bare", {"data": [[[1], [2]]]}, "has a value that is not of datatype FP32"),
        ("bare", {"data": [[1, "2"]]}, "has a value that is not of datatype FP32"),
        ("bare", {"data": [[1, 1e39]]}, "out of range"),
        ("bare", {"data": {"y": [[1, 2]]}}, "data has 'y', where the inputs are 'x'"),
        ("pair", {"data": [[1, 2]]}, "under the name of each input: 'a', 'b'"),
        ("pair", {"data": {"a": [[1, 2]]}}, "data has 'a', where the inputs are 'a', 'b'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(
    models: dict[str, Model], kind: str, body: object, message: str
) -> None:
    """Each gets 400 and says which record, and why."""
    assert refused(models[kind], body) == (400, AnyWith(message))


@pytest.mark.parametrize(
    ("kind", "body", "status", "message"),
    [
        ("text", form(("other", b"a")), 400, "has a field 'other'"),
        ("text", form(("text", b"\xff")), 400, "the form's field 'text' is not UTF-8 text"),
        ("table", form(("age", b"1"), ("age", b"2")), 400, "the form has 'age' twice"),
        ("table", form(("age", b"1")), 400, 'record 0: has no column "alone"'),
        ("image", form(("a", png()))[:-8], 400, "the body is no form: Unexpected end"),
        ("image", b"--XbX\r\n\r\nabc\r\n--XbX--", 400, "Missing Content-Disposition"),
        ("image", b"--XbX--", 400, "there are no records"),
        ("image", b"--XbX\r\n" + b"a" * 5000 + b": b\r\n", 413, "the form is too large"),
        ("image", b"--XbX\r\n" + b"a: b\r\n" * 9, 413, "the form is too large"),
        ("image", form(*[("a", b"")] * (MAX_RECORDS + 1)), 413, "the form is too large"),
    ],
)
def test_a_broken_form_is_refused(models: dict[str, Model], kind: str, body: bytes, status: int, message: str) -> None:
    """Fields that do not fit and forms that break off get 400, those past a limit 413."""
    assert refused(models[kind], body, "multipart/form-data; boundary=XbX") == (status, AnyWith(message))


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of few bytes whose head says that it is so large."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    written = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def test_images_are_bounded_before_one_is_decoded(models: dict[str, Model]) -> None:
    """The pixels of all images of a request count together, and a request of many bombs costs next to nothing."""
    one = b64(bomb(7000, 7000))
    assert refused(models["image"], [one]) == (400, AnyWith("record 0: is damaged"))  # is decoded, as it is allowed
    begin = time.process_time()
    assert refused(models["image"], [one] * MAX_RECORDS) == (413, AnyWith(f"where {MAX_PIXELS} are the most"))
    assert time.process_time() - begin < 2
    assert refused(models["image"], [b64(bomb(9000, 9000))]) == (400, AnyWith("more than 50 million pixels"))


def test_what_a_request_becomes_is_bounded(tmp_path: Path) -> None:
    """Small records that become large tensors are refused before those are made."""
    large = {"resize": {"width": 8000, "height": 6000}}
    free = [tensor("image", "FP32", "n", 3, "h", "w")]
    declared = {"input": scored.IMAGE | large, "output": {"kind": "raw"}}
    image = scored.model(free, [tensor("y", "FP32", "n", 1)], declared)
    text = scored.texts(tmp_path, padding="fixed", max_length=100_000)
    wide = {"name": "c", "type": "category", "categories": list(range(100_000)), "encode": "one_hot"}
    table = msgspec.convert({"kind": "table", "columns": [wide]}, Table)
    message = AnyWith(f"numbers, where {MAX_ELEMENTS} are the most; send it in several")
    assert refused(image, [b64(png())]) == (413, message)
    assert refused(text, ["a"] * 400) == (413, message)
    with pytest.raises(RequestError, match="would become 70000000 numbers"):
        limits.check(table, [{"c": 1}] * 700)


def test_images_without_a_size_of_their_own_are_bounded() -> None:
    """Where nothing is resized, the image itself tells how large its tensor is."""
    free = [tensor("image", "FP32", "n", 3, "h", "w")]
    declared = {"input": {"kind": "image", "tensor": "image"}, "output": {"kind": "raw"}}
    model = scored.model(free, [tensor("y", "FP32", "n", 1)], declared)
    assert made(model, [b64(png(5, 3))])["image"].shape == (1, 3, 3, 5)
    assert refused(model, [b64(bomb(7000, 7000))]) == (413, AnyWith("would become 147000000 numbers"))


@pytest.mark.parametrize("kind", ["image", "table", "text"])
def test_records_are_bounded(models: dict[str, Model], kind: str) -> None:
    """More records than the most get 413, however small they are."""
    for body in ([1] * (MAX_RECORDS + 1), {"data": [1] * (MAX_RECORDS + 1)}):
        assert refused(models[kind], body) == (413, AnyWith("has more than 1000 records"))
    named = {"input": {str(number): "" for number in range(MAX_RECORDS + 1)}}
    assert refused(models["image"], named) == (413, AnyWith("has more than 1000 records"))


def answered(model: Model, body: object, **outputs: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return the response to a request, where the model gives these outputs in 64.5432 ms."""
    request = score.parse(JSON, json.dumps(body).encode(), model)
    arrays = score.tensors(request, model)
    given = {name: np.asarray(value) for name, value in outputs.items()}
    return json.loads(score.render(request, model, arrays, given, 64.5432))


LOGITS = np.array([[0.25, 0.5, 0.125], [1, 0, 0]], np.float32)
TOP = [["dog", 0.5], ["cat", 0.25]]


def test_labels_are_predictions(models: dict[str, Model]) -> None:
    """Each record has its best label, and the best few."""
    best = {"label": "dog", "score": 0.5, "top": [{"label": label, "score": score} for label, score in TOP]}
    assert answered(models["image"], [b64(png())], logits=LOGITS[:1]) == {"predictions": [best]}


def test_named_images_are_answered_in_their_own_form(models: dict[str, Model]) -> None:
    """The labels with their scores under each image's name, and the time."""
    body = {"input": {"a.jpg": b64(png()), "": b64(png())}}
    second = [["cat", 1.0], ["dog", 0.0]]
    expected = {"result": [{"a.jpg": TOP, "": second}, "Computed in 64.54 ms"]}
    assert answered(models["image"], body, logits=LOGITS) == expected


def test_named_images_with_one_label() -> None:
    """Where one label is declared, it stands alone in the list; without labels it is a number."""
    model = scored.images({"kind": "classification", "tensor": "logits"})
    body = {"input": {"a": b64(png())}}
    assert answered(model, body, logits=LOGITS[:1])["result"][0] == {"a": [[1, 0.5]]}


def test_named_images_without_labels() -> None:
    """Other answers than labels stand under the name as they are; outputs that are called label are no labels."""
    model = scored.images({"kind": "raw"})
    answer = answered(model, {"input": {"a": b64(png())}}, logits=LOGITS[:1])
    assert answer["result"][0] == {"a": {"logits": [0.25, 0.5, 0.125]}}


def test_numbers_and_vectors(models: dict[str, Model]) -> None:
    """A regression has its name and unit, an embedding its vector, for each record."""
    numbers = answered(models["table"], [ROW, CELLS], y=np.array([[1.5], [2]], np.float32))
    assert numbers == {"predictions": [{"price": 1.5, "unit": "EUR"}, {"price": 2, "unit": "EUR"}]}
    vectors = answered(models["text"], {"text": "cat"}, v=np.array([[1, 2]], np.float32))
    assert vectors == {"predictions": [{"embedding": [1, 2]}]}


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[1, 2], [3, 4]], np.float32).T, [[1, 3], [2, 4]]),
        (np.array([np.nan, np.inf, -np.inf, 1], np.float16), [None, None, None, 1]),
        (np.array(np.nan, np.float32), None),
        (np.array(7, np.int64), 7),
        (np.array([[True]]), [[True]]),
        (np.array(["a", "</script>"], object), ["a", "</script>"]),
        (np.zeros((0, 3), np.float64), []),
        (np.array([2**64 - 1], np.uint64), [2**64 - 1]),
    ],
)
def test_outputs_without_processing_are_nested_lists(
    models: dict[str, Model], array: NDArray[Any], expected: object
) -> None:
    """Every output under its name, whatever its datatype; what is not finite is null."""
    assert answered(models["bare"], {"data": [[1, 2]]}, y=array) == {"outputs": {"y": expected}}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_is_refused(models: dict[str, Model], value: float) -> None:
    """It is no score; the message says for which record."""
    with pytest.raises(RequestError, match="record 0: the model's answer 'y' is not finite") as caught:
        answered(models["table"], ROW, y=np.array([[value]], np.float32))
    assert caught.value.status == 400


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["input", "data", "records", "image", "text", "age", "x"]), inner, max_size=4)
    ),
)


@settings(max_examples=300, deadline=None)
@given(body=JSON_VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200), data=st.data())
def test_whatever_is_sent_is_scored_or_refused(models: dict[str, Model], body: bytes, data: st.DataObject) -> None:
    """No body of any content type ends in another error than RequestError."""
    model = models[data.draw(st.sampled_from(sorted(models)))]
    content_type = data.draw(st.sampled_from([*score.IMAGES, JSON, "multipart/form-data; boundary=XbX", "", None]))
    if content_type and content_type.startswith("multipart") and data.draw(st.booleans()):
        body = form(("a", body), ("text", body))
    status, arrays = 200, {}
    try:
        arrays = score.tensors(score.parse(content_type, body, model), model)
    except RequestError as error:
        status = int(error.status)
    assert status in {400, 413, 415} or set(arrays) == {spec.name for spec in model.inputs}
