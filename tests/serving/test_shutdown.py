"""How the server ends: what it has accepted is answered, within the time of grace."""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving.busy import FOR_EVER, INFER, begin, body, in_flight, wait_for
from tests.serving.servers import HOST, SECONDS, answer_on, head, started

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.serving.servers import Server

    Start = Callable[..., Server]

CLIENTS = 48


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_exit_code_0(number: signal.Signals, echo_model: Path, start: Start) -> None:
    """Either ends an idle server, with an open connection too, and all that it says is its log."""
    server = start(echo_model, "--drain=0")
    with server.connect() as connection:
        connection.sendall(head("/v2/health/live", method="GET"))
        assert answer_on(connection).status == 200
        assert server.end(number) == 0
        assert connection.recv(1) == b""
    assert {line["message"] for line in server.log()} <= {"listening", "ready", "request", "shutting down"}
    assert {line["level"] for line in server.log()} == {"info"}
    assert shutting_down(server) == {"signal": number.name, "under_way": 0}


def shutting_down(server: Server) -> dict[str, Any]:
    """Return what the one line says that tells of the beginning of the end."""
    (line,) = [line for line in server.log() if line["message"] == "shutting down"]
    return {key: value for key, value in line.items() if key not in ("time", "level", "message")}


def test_the_end_is_told_before_the_server_is_ready(tmp_path: Path) -> None:
    """A platform that gives up waiting leaves a trace of it."""
    os.mkfifo(tmp_path / "model.zip")  # which nobody writes to, so that the model stays to be loaded
    with started(tmp_path / "model.zip", "--drain=0") as server:
        assert server.end() == 0
        assert shutting_down(server) == {"signal": "SIGTERM", "under_way": 0}


def test_a_request_under_way_is_answered_before_the_end(busy_model: Path, start: Start, second: int) -> None:
    """SIGTERM lets what computes finish; the exit code is 0."""
    server = start(busy_model, "--drain=0")
    with closing(begin(server, second)) as request:
        wait_for(lambda: in_flight(server) == 1)
        server.process.terminate()
        answer = request.getresponse()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
    assert server.process.wait(SECONDS) == 0
    assert shutting_down(server) == {"signal": "SIGTERM", "under_way": 1}


@pytest.mark.parametrize("sent", [head(INFER, "Content-Length: 100") + b"{", b"computes"])
def test_a_request_that_does_not_end_is_cut_off(busy_model: Path, start: Start, sent: bytes) -> None:
    """After the time of grace the server ends with exit code 1 and says why, whether a body is late or an answer."""
    server = start(busy_model, "--drain=0", "--grace=0.6")
    computes = body(FOR_EVER)
    with server.connect() as connection:
        connection.sendall(sent if sent != b"computes" else head(INFER, f"Content-Length: {len(computes)}") + computes)
        wait_for(lambda: in_flight(server) == 1)
        assert server.end() == 1
    assert server.log()[-1]["message"] == "1 requests did not end in time and were cut off"


def test_before_the_end_the_server_is_not_ready_and_serves_still(busy_model: Path, start: Start) -> None:
    """While it drains, a load balancer learns that it goes, and those who come all the same are served once more."""
    server = start(busy_model, "--drain=60", "--grace=60")
    server.process.terminate()
    wait_for(lambda: server.request("GET", "/v2/health/ready").status == 503)
    for path in ("/v2/health/ready", "/v2/models/busy/ready"):
        answer = server.request("GET", path)
        assert (answer.status, answer.body) == (503, {"error": "the server is shutting down"})
        assert answer.headers["connection"] == "close"
    assert server.request("GET", "/v2/health/live").status == 200
    assert server.figure("opdeploy_ready") == 0
    answer = server.request("POST", INFER, body(1))
    assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_ctrl_c_does_not_wait_for_load_balancers(echo_model: Path, start: Start) -> None:
    """SIGINT ends the server at once; a person waits for it."""
    server = start(echo_model, "--drain=60", "--grace=60")
    began = time.monotonic()
    assert server.end(signal.SIGINT) == 0
    assert time.monotonic() - began < 10


def test_the_time_of_grace_holds_the_drain_too(echo_model: Path, start: Start) -> None:
    """A platform kills what takes longer than it was told."""
    server = start(echo_model, "--drain=60", "--grace=0.5")
    began = time.monotonic()
    assert server.end() == 0
    assert time.monotonic() - began < 10


def test_after_the_end_nobody_is_accepted(busy_model: Path, start: Start, second: int) -> None:
    """While the last request is computed, new connections are refused, and not left to wait for nothing."""
    server = start(busy_model, "--drain=0")
    with closing(begin(server, second)) as request:
        wait_for(lambda: in_flight(server) == 1)
        server.process.terminate()
        wait_for(lambda: not accepts(server))
        assert not select.select([request.sock], [], [], 0)[0]
        assert request.getresponse().status == 200


def accepts(server: Server) -> bool:
    """Tell whether the server takes a connection."""
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:  # in the queue of the system when it was closed
        return True
    return True


async def client(port: int, tally: Counter[str]) -> None:
    """Send requests one after the other over connections that are kept alive, until none is accepted any more."""
    content = body(1)
    request = head(INFER, f"Content-Length: {len(content)}") + content
    pauses = random.Random(port)  # noqa: S311 - load, no secret
    while True:
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return
        kept, first = True, True
        while kept:
            writer.write(request)
            came = await answer(reader)
            tally[f"{came}, {'first' if first else 'kept alive'}"] += 1
            kept, first = came == "answered", False
            await asyncio.sleep(pauses.uniform(0, 0.02))
        writer.close()


async def answer(reader: asyncio.StreamReader) -> str:
    """Read an answer and tell what came of the request."""
    begun = b""
    try:
        begun = await reader.readuntil(b"\r\n\r\n")
        length = int(begun.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        whole = await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        return "cut off" if begun or error.partial else "closed"
    except OSError:
        return "cut off" if begun else "reset"
    if not begun.startswith(b"HTTP/1.1 200 ") or b'"data":[1.0]' not in whole:
        return "wrong"
    return "answered, and closed" if b"connection: close" in begun.lower() else "answered"


def test_under_load_no_accepted_request_is_lost(busy_model: Path, start: Start) -> None:
    """With requests on many connections all the time, each gets a whole answer, and the last on each says so.

    Only where the system took a connection that the server had not come to accept may its first request be reset.
    """
    server = start(busy_model, "--drain=0.3")
    tally: Counter[str] = Counter()

    async def load() -> None:
        clients = [asyncio.create_task(client(server.port, tally)) for _ in range(CLIENTS)]
        while tally.total() < 10 * CLIENTS:  # noqa: ASYNC110 - of many, there is no event
            await asyncio.sleep(0.01)
        server.process.terminate()
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*clients)

    asyncio.run(load())
    assert server.process.wait(SECONDS) == 0
    answers = sum(count for came, count in tally.items() if came.startswith("answered"))
    assert answers >= 10 * CLIENTS
    assert tally["answered, and closed, kept alive"] >= CLIENTS
    assert tally.total() - answers - tally["reset, first"] == 0, tally
