"""Clients that speak HTTP badly, slowly or by halves: each gets what it deserves, and others are served."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.serving import graphs
from tests.serving.busy import wait_for
from tests.serving.servers import answer_on, head, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.serving.servers import Server

    Start = Callable[..., Server]

MANY = 300
"""Connections of one bad client."""
INFER = "/v2/models/double/infer"
BODY = json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}).encode()
SIZE = len(BODY)
PIECE = b"%x\r\n%s\r\n" % (SIZE, BODY)
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def server(double_model: Path) -> Iterator[Server]:
    """Serve with little patience."""
    with serving(double_model, "--deadline=0.5") as server:
        yield server


@pytest.fixture(autouse=True)
def _still_serves(server: Server) -> Iterator[None]:
    """After each test the server answers as before, has nothing under way, and has given its files back."""
    files = server.figure("process_open_fds")
    yield
    assert good(server)
    wait_for(lambda: server.figure("opdeploy_requests_in_flight") == 1)
    wait_for(lambda: server.figure("process_open_fds") <= files)
    assert server.process.poll() is None


def good(server: Server) -> bool:
    """Tell whether the server answers rightly."""
    answer = server.request("POST", INFER, BODY)
    return answer.status == 200 and answer.body["outputs"][0]["data"] == [2, 4]


def statuses(server: Server, sent: bytes, *, half_closed: bool = False) -> list[int]:
    """Send bytes, and return the status of every answer until the server closes the connection, or says no more."""
    came = b""
    with server.connect() as connection, suppress(OSError):
        connection.sendall(sent)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        else:
            connection.settimeout(1)
        while piece := connection.recv(65536):
            came += piece
    return [int(part[:3]) for part in came.split(b"HTTP/1.1 ")[1:]]


LIES: dict[str, tuple[list[str], bytes, list[int]]] = {
    "the truth": ([f"Content-Length: {SIZE}"], BODY, [200]),
    "the truth twice": ([f"Content-Length: {SIZE}", f"Content-Length: {SIZE}"], BODY, [200]),
    "shorter than the body": ([f"Content-Length: {SIZE - 5}"], BODY, [400, 400]),
    "longer than the body": ([f"Content-Length: {SIZE + 5}"], BODY, [408]),
    "none": ([], BODY, [400, 400]),
    "negative": (["Content-Length: -5"], BODY, [400]),
    "signed": ([f"Content-Length: +{SIZE}"], BODY, [400]),
    "no number": (["Content-Length: 0x60"], BODY, [400]),
    "beyond 64 bits": (["Content-Length: 99999999999999999999"], BODY, [400]),
    "two": ([f"Content-Length: {SIZE}", f"Content-Length: {SIZE - 5}"], BODY, [400]),
    "two in one": ([f"Content-Length: {SIZE}, {SIZE}"], BODY, [400]),
    "a blank before the colon": ([f"Content-Length : {SIZE}"], BODY, [400]),
    "chunks": ([CHUNKED], PIECE + b"0\r\n\r\n", [200]),
    "a length and chunks": (["Content-Length: 5", CHUNKED], PIECE + b"0\r\n\r\n", [200]),
    "chunks and a length": ([CHUNKED, "Content-Length: 5"], PIECE + b"0\r\n\r\n", [200]),
    "chunks that are none": ([CHUNKED], b"zz\r\n" + BODY, [400]),
    "a negative chunk": ([CHUNKED], b"-5\r\n" + BODY, [400]),
    "a chunk that is too short": ([CHUNKED], b"3\r\n" + BODY + b"\r\n0\r\n\r\n", [400]),
    "a chunk beyond 64 bits": ([CHUNKED], b"fffffffffffffffff\r\n" + BODY, [400]),
    "a whole and a chunk that is none": ([CHUNKED], PIECE + b"zz\r\n", [400]),
    "no last chunk": ([CHUNKED], PIECE, [408]),
    "another encoding": (["Transfer-Encoding: identity"], BODY, [400]),
    "a strange encoding": (["Transfer-Encoding: xchunked"], PIECE + b"0\r\n\r\n", [400]),
}


@pytest.mark.parametrize("case", LIES)
def test_a_body_that_lies_about_its_length(server: Server, case: str) -> None:
    """What is not clear is refused, and no byte of a body is taken for another request's that would be served."""
    headers, sent, expected = LIES[case]
    assert statuses(server, head(INFER, *headers) + sent) == expected


@pytest.mark.parametrize("case", ["longer than the body", "no last chunk"])
def test_a_body_that_the_client_breaks_off(server: Server, case: str) -> None:
    """A client that closes its side in the middle of its body gets 400 at most, and never an answer of the model."""
    headers, sent, _ = LIES[case]
    assert statuses(server, head(INFER, *headers) + sent, half_closed=True) in ([400], [])


@pytest.mark.parametrize(
    "sent",
    [
        b"", b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100_000,
        head("/v2", *(f"x{number}: y" for number in range(500)), method="GET"),
        head("/v2", f"x: {'y' * 1_000_000}", method="GET"), head("/" + "y" * 100_000, method="GET"),
        b"GET /v2 HTTP/9.9\r\n\r\n", b"GET /v2\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"G\xc3\xa4T /v2 HTTP/1.1\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request(server: Server, sent: bytes) -> None:
    """It gets a status that blames the client, or nothing, and its connection is closed."""
    assert all(400 <= status < 500 for status in statuses(server, sent, half_closed=True))


def test_requests_in_a_row_are_answered_in_their_order(server: Server) -> None:
    """Pipelined requests (RFC 9112, section 9.3.2), good and bad ones, of models and of health."""
    good_one = head(INFER, f"Content-Length: {SIZE}") + BODY
    bad_one = head(INFER, "Content-Length: 2") + b"[]"
    row = [good_one, head("/v2/health/live", method="GET"), bad_one, head("/none", method="GET"), good_one]
    with server.connect() as connection:
        connection.sendall(b"".join(row) * 20)
        for _ in range(20):
            # One by one, and no more than an answer of each: what follows may be in the same packet.
            assert [status_on(connection) for _ in row] == [200, 200, 400, 404, 200]


def status_on(connection: socket.socket) -> int:
    """Read just one answer, to its last byte, and return its status."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        text += connection.recv(1)
    length = int(text.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while length:
        length -= len(connection.recv(length))
    return int(text.split()[1])


def test_slow_clients_hold_up_nobody(server: Server) -> None:
    """Hundreds of connections on which a head comes byte by byte, or never, cost a file each and no time of others."""
    start = head("/v2/health/live", "x: " + "y" * 100, method="GET")
    with ExitStack() as open_:
        connections = [open_.enter_context(server.connect()) for _ in range(MANY)]
        for at in range(20):
            for connection in connections[::2]:
                connection.sendall(start[at : at + 1])
            assert good(server)
        assert server.figure("process_open_fds") > MANY


def test_slow_bodies_hold_up_nobody(server: Server) -> None:
    """Hundreds of bodies that come byte by byte end with 408, or 503 for those past the queue."""
    with ExitStack() as open_:
        connections = [open_.enter_context(server.connect()) for _ in range(MANY)]
        for connection in connections:
            connection.sendall(head(INFER, "Content-Length: 100") + b"{")
        found = {answer_on(connection).status for connection in connections}
        assert found <= {408, 503}
        assert 408 in found


def test_clients_that_go_at_once(server: Server) -> None:
    """Hundreds of whole requests whose clients do not wait for the answer, and reset the connection."""
    for _ in range(MANY):
        with server.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(head(INFER, f"Content-Length: {SIZE}") + BODY)


def test_half_closed_clients(server: Server) -> None:
    """Hundreds of clients that close their side after a request, whether they get an answer or not."""
    for _ in range(MANY):
        assert statuses(server, head(INFER, f"Content-Length: {SIZE}") + BODY, half_closed=True) in ([200], [400], [])


def test_clients_that_never_read(start: Start, models: Path) -> None:
    """Answers of megabytes that nobody reads hold up nobody, and their memory is given back when the client goes."""
    server = start(graphs.saved(graphs.SAME, models / "same.onnx"))
    count = 2_000_000
    tensor = {"name": "x", "shape": [count], "datatype": "FP32", "parameters": {"binary_data_size": 4 * count}}
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    length = f"Inference-Header-Content-Length: {len(text)}"
    request = head("/v2/models/same/infer", f"Content-Length: {len(text) + 4 * count}", length) + text
    before = server.figure("process_open_fds")
    with ExitStack() as open_:
        for _ in range(12):
            connection = open_.enter_context(server.connect())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(request + bytes(4 * count))
        wait_for(lambda: server.figure("opdeploy_requests_total", route="infer", code="200") == 12)
        assert server.figure("opdeploy_requests_in_flight") == 1
        assert server.request("GET", "/v2/health/ready").status == 200
    wait_for(lambda: server.figure("process_open_fds") <= before)
