"""Golden answers over HTTP: of the real server, and of servers that answer something else."""

from __future__ import annotations

import json
import math
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from nets import linear

from opdeploy.errors import InputError, OpdeployError, TransientError
from opdeploy.local import answers, inference
from opdeploy.local.answers import _farthest
from opdeploy.local.process import server_process
from opdeploy.local.requests import requests
from opdeploy.local.server import Address, Reply, ask, explained, wait_until_ready
from opdeploy.local.subject import Subject, subject
from opdeploy.runtime.processing.answers import answers as post_processing
from opdeploy.runtime.tensors import BY_ONNX, TensorSpec
from opdeploy.serving.protocol import HEADER_LENGTH
from tests import artefacts
from tests.local.small import Answer, Small, Told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[[Answer], Small]

DATATYPES = {datatype.name: datatype for datatype in BY_ONNX.values()}


@contextmanager
def served(path: Path, name: str = "net") -> Iterator[tuple[Address, Subject]]:
    """Serve a model, and give the server's address and what is tried."""
    with subject(path, name) as tried, server_process(tried.package.folder) as server:
        wait_until_ready(server, 60)
        yield server.address, tried


@pytest.fixture(scope="module")
def penguins(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an artefact of the penguins, whose processing takes rows of a table."""
    return artefacts.penguins(tmp_path_factory.mktemp("penguins"), root)


def test_a_right_server_agrees(plain: Path) -> None:
    """All golden records are asked for at once, as binary tensors, and compared by the tolerance of the variant."""
    with served(plain) as (address, tried):
        told = answers.about(address)
        (asked,) = answers.check(address, told, tried, tried.variant(told.variant))
    assert (told.name, told.variant) == ("net", "fp32")
    assert (asked.route, asked.records, asked.agrees) == ("/v2/models/net/infer", "8 golden records", True)
    assert asked.largest < 1e-5
    assert asked.where.startswith("y: agrees")


def test_records_go_through_the_processing_too(penguins: Path) -> None:
    """Where processing is declared, the golden records are scored as people send them."""
    with served(penguins) as (address, tried):
        told = answers.about(address)
        tensors, scored = answers.check(address, told, tried, tried.variant(told.variant))
    assert tensors.agrees
    assert (scored.route, scored.records, scored.agrees) == ("/score", "8 golden records", True)
    assert scored.where.startswith("agrees; the largest difference is ")


def test_records_that_are_large_are_asked_for_one_by_one(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers bound the JSON that they take."""
    monkeypatch.setattr(answers, "MOST_JSON_MB", 0.0001)
    with served(penguins) as (address, tried):
        told = answers.about(address)
        _tensors, scored = answers.check(address, told, tried, tried.variant(told.variant))
    assert (scored.records, scored.agrees) == ("8 golden records", True)


@pytest.mark.parametrize(
    ("share", "count"), [(1.0, 1), (0.7, 2), (0.01, 8)], ids=["all at once", "a few", "one by one"]
)
def test_tensors_that_are_large_are_asked_for_in_parts(
    plain: Path, monkeypatch: pytest.MonkeyPatch, share: float, count: int
) -> None:
    """Servers bound what they take; what they give is put together again, and compared as a whole."""
    with subject(plain, "net") as tried, server_process(tried.package.folder) as server:
        wait_until_ready(server, 60)
        told = answers.about(server.address)
        size = len(inference.request(tried.golden.inputs, tried.inputs)[1])
        monkeypatch.setattr(answers, "MOST_TENSORS_MB", share * size / 1e6)
        (asked,) = answers.check(server.address, told, tried, tried.variant(told.variant))
        metrics = ask(server.address, "/metrics").body.decode()
    (line,) = re.findall(r'opdeploy_requests_total{code="200",route="infer"} (\S+)', metrics)
    assert float(line) == count
    assert (asked.records, asked.agrees) == ("8 golden records", True)


def test_an_onnx_file_is_packaged_with_records_drawn(tmp_path: Path) -> None:
    """What is said of it is that they were drawn; the file is that which was given, and nothing is left."""
    model = linear(tmp_path / "model.onnx")
    with served(model, "bare") as (address, tried):
        folder = tried.package.folder
        told = answers.about(address)
        (asked,) = answers.check(address, told, tried, tried.variant(told.variant))
    assert (told.name, asked.agrees) == ("bare", True)
    assert tried.records == "8 golden records, drawn at random"
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == [model]


def test_a_fixed_batch_is_one_request(tmp_path: Path) -> None:
    """A model that takes four records at once is asked with four, and load too."""
    model = linear(tmp_path / "model.onnx", batch=4)
    with served(model) as (address, tried):
        told = answers.about(address)
        (asked,) = answers.check(address, told, tried, tried.variant(told.variant))
    assert asked.agrees
    assert tried.rows(None) == tried.rows(4) == [[0, 1, 2, 3]]
    with pytest.raises(InputError, match="net: takes 4 records at a time, and not 3"):
        tried.rows(3)


@pytest.mark.parametrize(("size", "first"), [(None, [0]), (1, [0]), (3, [0, 1, 2]), (10, [*range(8), 0, 1])])
def test_requests_of_the_load_differ(plain: Path, size: int | None, first: list[int]) -> None:
    """Each golden record begins one of them; where there are too few, some stand in a request twice."""
    with subject(plain, "net") as tried:
        rows = tried.rows(size)
        made = requests(tried, "tensors", size)
    assert (rows[0], [row[0] for row in rows]) == (first, list(range(8)))
    assert (made.size, len(made.made), len({body for _, body in made.made})) == (len(first), 8, 8)
    assert 0 < made.megabytes < 0.01
    assert all(raw.startswith(b"POST /v2/models/a/infer HTTP/1.1\r\n") for raw in made.on_the_wire("a"))


def test_requests_may_carry_records(penguins: Path, plain: Path) -> None:
    """They are the golden ones as people send them, which a server scores."""
    with served(penguins) as (address, tried):
        made = requests(tried, "records", 3)
        told = [ask(address, "/score", body, headers) for headers, body in made.made]
    assert (made.size, len(told)) == (3, 8)
    assert {(reply.status, len(json.loads(reply.body)["predictions"])) for reply in told} == {(200, 3)}
    assert all(raw.startswith(b"POST /score HTTP/1.1\r\n") for raw in made.on_the_wire("a"))
    with subject(plain, "net") as tried, pytest.raises(InputError, match="net: declares no processing of records"):
        requests(tried, "records", 1)


def faked(tried: Subject, change: Callable[[Any], Any]) -> Answer:
    """Return the answer of a server that says it is the right one, and answers the golden outputs changed."""
    outputs = {name: change(array) for name, array in tried.golden.outputs.items()}
    headers, body = inference.request(outputs, tried.outputs)
    length = int(headers[HEADER_LENGTH])
    document = json.loads(body[:length])
    head = json.dumps({"model_name": "net", "outputs": document["inputs"]}).encode()
    response = Told(200, head + body[length:], {HEADER_LENGTH: str(len(head))})
    version = {"model_name": "net", "model_version": "1", "model_variant": "fp32", "onnxruntime": "1", "version": "0"}
    about = Told(200, json.dumps(version).encode())
    return lambda path, _number: about if path == "/version" else response


@pytest.mark.parametrize(
    ("change", "agrees", "where"),
    [
        (lambda array: array, True, "y: agrees"),
        (lambda array: array + 0.5, False, "y["),
        (lambda array: array[:4], False, "y: differs: float32 [4, 3], not float32 [8, 3]"),
        (lambda array: np.full_like(array, np.nan), False, "y[0, 0]: differs: nan, not"),
    ],
    ids=["right", "shifted", "too few", "not a number"],
)
def test_other_answers_are_told(
    plain: Path, small: Start, change: Callable[[Any], Any], where: str, *, agrees: bool
) -> None:
    """Numbers, shapes and what is no number: the place that is farthest off is named."""
    with subject(plain, "net") as tried:
        address = Address("127.0.0.1", small(faked(tried, change)).port)
        told = answers.about(address)
        (asked,) = answers.check(address, told, tried, tried.variant(told.variant))
    assert asked.agrees is agrees
    assert asked.where.startswith(where)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Told(500, b'{"error": "internal error"}'), 'the server refuses it: 500 {"error": "internal error"}'),
        (Told(hang_up=True), "got no answer: Remote end closed connection"),
        (Told(200, b"{}"), "is no inference response with binary tensors: KeyError('outputs')"),
        (Told(200, b"no JSON"), "is no inference response with binary tensors: JSONDecodeError"),
        (Told(200, b'{"outputs": []}'), "the answer has no output 'y'; the server runs another model"),
    ],
    ids=["500", "hangs up", "no outputs", "no JSON", "no such output"],
)
def test_a_server_that_does_not_answer_as_it_must_is_told(plain: Path, small: Start, answer: Told, why: str) -> None:
    """In one line, with the request and what came of it."""
    with subject(plain, "net") as tried:
        server = small(lambda _path, _number: answer)
        told = answers.About("net", "1", "fp32", "1", "0", None)
        with pytest.raises(OpdeployError) as caught:
            answers.check(Address("127.0.0.1", server.port), told, tried, tried.variant("fp32"))
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_is_busy_may_be_asked_again(plain: Path, small: Start) -> None:
    """It is no wrong answer, and no other failure: whoever asks may try again."""
    with subject(plain, "net") as tried:
        server = small(lambda _path, _number: Told(503, b'{"error": "busy"}', {"Retry-After": "1"}))
        told = answers.About("net", "1", "fp32", "1", "0", None)
        with pytest.raises(TransientError, match="the server has no room for it: 503"):
            answers.check(Address("127.0.0.1", server.port), told, tried, tried.variant("fp32"))


def test_a_server_of_another_kind_is_told(plain: Path, small: Start) -> None:
    """One that does not say what it is, or runs a variant that the artefact has not."""
    server = small(lambda _path, _number: Told(200, b'{"name": "other"}'))
    with pytest.raises(OpdeployError, match=r'does not say what it is: GET /version: 200 {"name": "other"}; is it'):
        answers.about(Address("127.0.0.1", server.port))
    with subject(plain, "net") as tried, pytest.raises(OpdeployError, match="runs the variant 'int8', which the art"):
        tried.variant("int8")


def scored(tried: Subject, change: Callable[[Any], Any]) -> Answer:
    """Return the answer of a server whose tensors are right, and whose predictions are changed."""
    right = faked(tried, lambda array: array)
    after = post_processing(
        tried.package.manifest.processing,  # type: ignore[arg-type]  # declared, in this artefact
        tried.inputs,
        tried.outputs,
        tried.package.folder,
    )
    predictions = change(after(tried.golden.outputs, tried.golden.inputs))
    body = Told(200, json.dumps({"predictions": predictions}).encode())
    return lambda path, number: body if path == "/score" else right(path, number)


@pytest.mark.parametrize(
    ("given", "wanted", "distance", "where"),
    [
        (1.0, 1.0, 0.0, ""),
        (1, 1.0, 0.0, ""),
        (math.nan, 0.5, math.inf, "x: differs: nan, not 0.5"),
        (0.5, math.nan, math.inf, "x: differs: 0.5, not nan"),
        (math.inf, 0.5, math.inf, "x: differs: inf, not 0.5"),
        (math.inf, math.inf, 0.0, ""),
        (True, 1.0, math.inf, "x: differs: true, not 1.0"),
        (1, True, math.inf, "x: differs: 1, not true"),
        (True, True, 0.0, ""),
        (True, False, math.inf, "x: differs: true, not false"),
        (None, 0.5, math.inf, "x: differs: null, not 0.5"),
        ("a", "a", 0.0, ""),
    ],
)
def test_parts_of_predictions_are_compared(given: object, wanted: object, distance: float, where: str) -> None:
    """What is no number agrees with none, and a yes is no 1."""
    assert _farthest(given, wanted, answers.PREPARED, "x") == (distance, where)


class Ran:
    """A server that was started, and how it stands."""

    started = 0.0
    address = Address("", 0)

    def __init__(self, code: int | None) -> None:
        self._code = code

    def exit_code(self) -> int | None:
        """Return how it ended."""
        return self._code

    def why(self) -> str:
        """Know nothing more."""
        return ""

    def log(self) -> list[str]:
        """Return its log."""
        return ["GET /v2/health/ready", "its last words"]

    def cpu_seconds(self) -> float:
        """Take nothing."""
        return 0.0

    peak_memory_mb = cpu_seconds


@pytest.mark.parametrize(
    ("code", "said"),
    [(None, "POST /score: got no answer"), (137, "the server ended while asked (exit code 137): its last words")],
    ids=["it runs", "it has ended"],
)
def test_a_refusal_comes_with_the_log(code: int | None, said: str) -> None:
    """Whoever is told to see the log sees it, and a server that has ended is called so."""
    with pytest.raises(OpdeployError) as caught, explained(Ran(code), "asked"):
        raise OpdeployError("POST /score: got no answer")
    assert str(caught.value) == said
    assert caught.value.__notes__ == ["its log ends with:", "  its last words"]


def _first(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda predictions: [answer(predictions[0]), *predictions[1:]]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (_first(lambda item: {**item, "label": "Penguin"}), 'predictions[0][\'label\']: differs: "Penguin", not "'),
        (_first(lambda item: {**item, "score": item["score"] - 0.1}), "predictions[0]['score']: differs: 0."),
        (_first(lambda item: {"label": item["label"]}), "predictions[0]: differs: {"),
        (lambda predictions: predictions[1:], "predictions: differs: ["),
        (_first(lambda item: {**item, "score": item["score"] - 5e-5}), ""),
    ],
    ids=["label", "score", "key", "too few", "last digits"],
)
def test_other_predictions_are_told(penguins: Path, small: Start, change: Callable[[Any], Any], where: str) -> None:
    """The first place that differs is named; the last digits may."""
    with subject(penguins, "penguins") as tried:
        address = Address("127.0.0.1", small(scored(tried, change)).port)
        told = answers.About("penguins", "1", tried.package.manifest.variants[0].name, "1", "0", None)
        tensors, found = answers.check(address, told, tried, tried.variant(told.variant))
    assert tensors.agrees
    assert found.agrees is (not where)
    assert found.where.startswith(where or "agrees")


@pytest.mark.parametrize("name", sorted(DATATYPES))
def test_tensors_of_every_datatype_come_back_as_they_were_sent(name: str) -> None:
    """A request is read as a response would be: both have their tensors in binary, one after the other."""
    datatype = DATATYPES[name]
    values = np.array([[0, 1], [1, 0]]) if name != "BYTES" else np.array([["a", "ä"], ["", "b" * 300]], dtype=object)
    specs = [TensorSpec("a", datatype, (None, 2)), TensorSpec("b", datatype, (None, 2))]
    arrays = {"a": values.astype(datatype.dtype), "b": values[::-1].astype(datatype.dtype)}
    headers, body = inference.request(arrays, specs)
    length = int(headers[HEADER_LENGTH])
    head = json.dumps({"outputs": json.loads(body[:length])["inputs"]}).encode()
    reply = Reply(200, {HEADER_LENGTH: str(len(head))}, head + body[length:])
    found = inference.outputs(reply, specs)
    assert all(np.array_equal(found[key], arrays[key]) for key in arrays)
    assert {found[key].dtype for key in arrays} == {datatype.dtype}


def test_a_request_on_the_wire_is_whole() -> None:
    """Head and body are those that a client would send."""
    raw = inference.on_the_wire("/v2/models/a/infer", {"Content-Type": "x/y"}, b"body")
    assert raw == (
        b"POST /v2/models/a/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Type: x/y\r\n\r\nbody"
    )
