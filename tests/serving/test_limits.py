"""No request takes the server from others: how long, how large and how many they may be."""

from __future__ import annotations

import select
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving import graphs
from tests.serving.busy import FOR_EVER, INFER, begin, body, in_flight, wait_for
from tests.serving.servers import Answer, answer_on, answered, head, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPConnection
    from pathlib import Path

    from tests.serving.servers import Server

    Start = Callable[..., Server]

TRIES = 5
"""Times that what is measured may be measured, since others use this machine too."""


def assert_unavailable(answer: Answer, why: str) -> None:
    """Assert that a request may come again, in a whole number of seconds."""
    assert answer.status == 503
    assert why in answer.body["error"]
    assert int(answer.headers["retry-after"]) >= 1


def longest_wait(server: Server, request: HTTPConnection) -> float:
    """Ask for health until a request is answered, and return the longest that this took, in seconds."""
    waits: list[float] = []
    assert request.sock is not None
    with server.connect() as connection:
        while not select.select([request.sock], [], [], 0)[0]:
            began = time.monotonic()
            connection.sendall(head("/v2/health/ready", method="GET"))
            assert answer_on(connection).status == 200
            waits.append(time.monotonic() - began)
    assert answered(request.getresponse()).status == 200
    return max(waits)


def large_json() -> bytes:
    """Return a request for a vector, with as many numbers as JSON may have, of many digits."""
    count = 499_900
    start = f'{{"inputs": [{{"name": "x", "datatype": "FP32", "shape": [{count}], "data": ['
    return (start + "0.1234567891011," * (count - 1) + "0]}]}").encode()


@pytest.fixture
def numbers(start: Start, models: Path) -> Server:
    """Serve a model that gives back numbers."""
    return start(graphs.saved(graphs.SAME, models / "same.onnx"))


def test_health_is_answered_while_a_request_computes(busy: Server, second: int) -> None:
    """Readiness takes less than 100 ms while the model computes for a second."""
    waits = []
    for _ in range(TRIES):
        with closing(begin(busy, second)) as request:
            waits.append(longest_wait(busy, request))
        if waits[-1] < 0.1:
            return
    raise AssertionError(waits)


def test_health_is_answered_while_large_json_is_read_and_written(numbers: Server) -> None:
    """Readiness takes less than 100 ms while as much JSON as there may be is parsed, and written."""
    waits = []
    for _ in range(TRIES):
        with closing(numbers.begin("POST", "/v2/models/same/infer", large_json())) as request:
            waits.append(longest_wait(numbers, request))
        if waits[-1] < 0.1:
            return
    raise AssertionError(waits)


@pytest.fixture
def waiting(start: Start, busy_model: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server whose model computes for ever, while more requests wait."""
    with ExitStack() as connections:

        def run(*options: str, others: int = 0, first: int = 0) -> Server:
            server = start(busy_model, *options)
            if first:
                assert server.request("POST", INFER, body(first)).status == 200
            for number in range(1 + others):
                connections.enter_context(closing(begin(server, FOR_EVER)))
                wait_for(lambda: in_flight(server) == number + 1)  # noqa: B023 - used in this turn
            return server

        yield run


def test_past_the_queue_requests_are_refused_at_once(waiting: Callable[..., Server]) -> None:
    """As many as may be are under way: the next gets 503 and when to come again; health is answered."""
    server = waiting("--max-queue=3", others=2)
    began = time.monotonic()
    assert_unavailable(server.request("POST", INFER, body(1)), "busy")
    assert time.monotonic() - began < 5  # of seconds, not of the 30 that a request may take
    assert server.request("GET", "/v2/health/ready").status == 200
    assert server.figure("opdeploy_queue_depth") == 2
    assert server.figure("opdeploy_requests_total", route="infer", code="503") == 1


def test_who_would_wait_for_too_long_is_refused_at_once(waiting: Callable[..., Server], second: int) -> None:
    """By the time that a run took, three that wait take longer than two runs and than --max-wait."""
    server = waiting("--max-wait=0.1", others=3, first=second // 2)
    assert_unavailable(server.request("POST", INFER, body(1)), "busy")
    assert server.request("GET", "/v2/health/ready").status == 200


def test_an_answer_that_comes_too_late_is_not_waited_for(waiting: Callable[..., Server]) -> None:
    """A request whose deadline passes gets 503, whether the model runs it or it waits."""
    server = waiting("--deadline=0.5", "--max-wait=100")
    assert_unavailable(server.request("POST", INFER, body(1)), "did not come in time")
    assert_unavailable(server.request("POST", INFER, body(FOR_EVER)), "did not come in time")


def test_a_body_that_comes_too_slowly_is_not_waited_for(start: Start, busy_model: Path) -> None:
    """A body that is not whole at its deadline gets 408, with a declared length and without; no more of it is read."""
    server = start(busy_model, "--deadline=0.3")
    for header, piece in (("Content-Length: 100", b"{"), ("Transfer-Encoding: chunked", b"1\r\n{\r\n")):
        with server.connect() as connection:
            connection.sendall(head(INFER, header) + piece)
            answer = answer_on(connection)
            assert (answer.status, answer.body) == (408, {"error": "the request did not arrive in time"})
            assert answer.headers["connection"] == "close"
            connection.sendall(b"x")
            assert connection.recv(1) == b""
    assert server.request("POST", INFER, body(1)).status == 200
    wait_for(lambda: in_flight(server) == 0)


def test_work_whose_client_has_gone_is_dropped(start: Start, busy_model: Path, second: int) -> None:
    """It is counted as 499, takes no time of the model, and who waits behind it is served."""
    server = start(busy_model)
    with closing(begin(server, 2 * second)) as first:
        wait_for(lambda: in_flight(server) == 1)
        with closing(begin(server, FOR_EVER)):
            wait_for(lambda: server.figure("opdeploy_queue_depth") == 1)
        wait_for(lambda: server.figure("opdeploy_requests_total", route="infer", code="499") == 1)
        assert server.request("POST", INFER, body(1)).status == 200
        assert first.getresponse().status == 200
    assert server.figure("opdeploy_batch_records_count") == 2


@pytest.fixture(scope="module")
def small(busy_model: Path) -> Iterator[Server]:
    """Serve with small limits."""
    with serving(busy_model, "--max-body-mb=1", "--max-json-mb=0.5") as server:
        yield server


SIZES: list[tuple[list[str], bytes, int, str]] = [
    (["Content-Length: 1000001"], b"", 413, "the body is over 1000000 bytes"),
    (["Content-Length: 18446744073709551000"], b"", 413, "the body is over 1000000 bytes"),
    (["Transfer-Encoding: chunked"], b"F4241\r\n" + b" " * 1_000_001, 413, "the body is over 1000000 bytes"),
    (
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        b"F4241\r\n" + b" " * 1_000_001,
        413,
        "is over 1000000 bytes",
    ),
    (["Content-Length: 500001"], b" " * 500_001, 413, "the JSON has over 500000 bytes"),
    (["Transfer-Encoding: chunked"], b"7A121\r\n" + b" " * 500_001 + b"\r\n0\r\n\r\n", 413, "the JSON has over"),
    (["Content-Length: 500000"], b"[" * 500_000, 413, "lists and objects"),
    (["Content-Length: 200000"], b"[" * 200_000, 400, "not JSON"),
    (["Content-Length: 9", "Content-Encoding: gzip"], b"\x1f\x8b" + b"\0" * 7, 415, "compressed"),
    (["Content-Length: 9", "Content-Encoding: br"], b"\0" * 9, 415, "compressed"),
]


@pytest.mark.parametrize(("headers", "sent", "status", "why"), SIZES)
def test_what_is_too_large_is_refused(small: Server, headers: list[str], sent: bytes, status: int, why: str) -> None:
    """By what is declared before it is sent, or as soon as it is too much; compressed bodies are not unpacked."""
    with small.connect() as connection:
        connection.sendall(head(INFER, *headers) + sent)
        answer = answer_on(connection)
        assert (answer.status, list(answer.body)) == (status, ["error"])
        assert why in answer.body["error"]
    assert small.request("POST", INFER, body(1)).status == 200


def test_bodies_at_their_limit_are_taken(small: Server) -> None:
    """Blanks around the JSON count, to the byte."""
    assert small.request("POST", INFER, body(1).ljust(500_000)).status == 200
    assert small.request("POST", INFER, body(1).ljust(500_000), {"Content-Encoding": "identity"}).status == 200


def test_only_so_many_large_bodies_are_held(small: Server) -> None:
    """Room is kept for four of the largest; one more is told to come again, and small ones are answered."""
    with ExitStack() as connections:
        for number in range(4):
            connection = connections.enter_context(small.connect())
            connection.sendall(head(INFER, "Content-Length: 1000000"))
            wait_for(lambda: in_flight(small) == number + 1)  # noqa: B023 - used in this turn
        assert_unavailable(small.request("POST", INFER, body(1) + b" " * 100_000), "too many large bodies")
        assert small.request("POST", INFER, body(1)).status == 200
    wait_for(lambda: in_flight(small) == 0)
    assert small.request("POST", INFER, body(1)).status == 200


@pytest.mark.parametrize("shape", [[2**62], [2**64 - 1], [10**6], [1] * 1000, [-1], [2**63]])
def test_a_shape_that_lies_takes_no_memory(busy: Server, shape: list[int]) -> None:
    """Nothing is made of a shape before the elements are there."""
    tensor: dict[str, Any] = {"name": "count", "shape": shape, "datatype": "INT64", "data": [1]}
    before = busy.figure("process_virtual_memory_bytes")
    assert busy.infer("busy", {"inputs": [tensor]}).status == 400
    assert busy.figure("process_virtual_memory_bytes") < before + 2**28
