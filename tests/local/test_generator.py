"""The load generator against small servers: counts, latency from when a request was due, and what goes wrong."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from opdeploy.loadtest import generator
from opdeploy.loadtest.connection import Connection
from opdeploy.loadtest.generator import Arrivals, Server, closed, opened
from tests.local.small import REQUEST, Answer, Small, Told

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    Start = Callable[[Answer], Small]

TAKES = 0.02
"""Seconds that a slow server takes for a request."""


def load_of(server: Small) -> Server:
    """Return a small server as the generator sees it."""
    return Server("127.0.0.1", server.port, [REQUEST])


def test_the_closed_loop_keeps_so_many_under_way(small: Start) -> None:
    """Each client sends its next request when it has its answer; all that were sent are counted."""
    server = small(lambda _path, _number: Told())
    tally = closed(load_of(server), 4, 0.3, 5)
    assert len(tally.latencies) == server.count > 8
    assert server.most <= 4
    assert (tally.failures, tally.lags) == ({}, [])
    assert all(0 < latency < 5 for latency in tally.latencies)
    assert tally.seconds >= 0.3
    assert 0 < tally.cpu_s < tally.seconds + 0.5


def test_requests_are_sent_in_turns(small: Start) -> None:
    """Bodies that were made beforehand are used one after the other, so that no cache makes a server look fast."""
    server = small(lambda _path, _number: Told())
    requests = [REQUEST.replace(b"/score", f"/{name}".encode()) for name in "abc"]
    closed(Server("127.0.0.1", server.port, requests), 1, 0.2, 5)
    counts = [server.paths[f"/{name}"] for name in "abc"]
    assert max(counts) - min(counts) <= 1


def test_latency_counts_from_when_a_request_was_due(small: Start) -> None:
    """A server that takes one at a time cannot hide its queue: what waits for a connection is late by all that wait."""
    lock = threading.Lock()

    def one_at_a_time(_path: str, _number: int) -> Told:
        with lock:
            time.sleep(TAKES)
        return Told()

    tally = opened(load_of(small(one_at_a_time)), Arrivals([0.0] * 10, 0.01), 2, 5)
    assert all(latency >= TAKES * (at + 1) for at, latency in enumerate(sorted(tally.latencies)))
    assert len(tally.latencies) == 10


def test_the_open_loop_sends_at_its_times(small: Start) -> None:
    """A fast server gets each request when it is due, and how late the generator was is told of each."""
    came: list[float] = []

    def note(_path: str, _number: int) -> Told:
        came.append(time.monotonic())
        return Told()

    start = time.monotonic()
    due = [0.0, 0.1, 0.3]
    tally = opened(load_of(small(note)), Arrivals(due, 0.3), 8, 5)
    assert all(at - start >= moment for at, moment in zip(came, due, strict=True))
    assert len(tally.lags) == 3
    assert all(lag >= 0 for lag in tally.lags)


ANSWERING = """
import asyncio
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}"
class Answering(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def test_one_core_sends_8000_requests_a_second() -> None:
    """What the generator itself takes for a small request: were it more, it would be measured instead of a server."""
    with subprocess.Popen([sys.executable, "-c", ANSWERING], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            tally = closed(Server("127.0.0.1", port, [REQUEST]), 8, 0.5, 5)
        finally:
            process.kill()
    assert tally.failures == {}
    assert tally.cpu_s / len(tally.latencies) < 1 / 8000


def test_errors_are_counted_by_status_with_what_was_said(small: Start) -> None:
    """Only status 200 has a latency; the first error's body is kept, for a person to read."""
    server = small(lambda _path, number: Told() if number % 2 else Told(503, b'{"error": "too many"}'))
    tally = opened(load_of(server), Arrivals([0.0] * 10, 0.01), 1, 5)
    assert tally.failures == {"503": 5}
    assert len(tally.latencies) == 5
    assert tally.said == '{"error": "too many"}'


@pytest.mark.parametrize(
    "answer",
    [
        Told(hang_up=True),
        Told(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"),
        Told(raw=b"this is no HTTP\r\n\r\n"),
        Told(raw=b"HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n"),
    ],
    ids=["hangs up", "part of an answer", "no HTTP", "no length"],
)
def test_a_lost_connection_is_an_error_and_is_replaced(small: Start, answer: Told) -> None:
    """What was under way there counts as never answered; the load goes on over a new connection."""
    server = small(lambda _path, number: answer if number == 2 else Told())
    tally = opened(load_of(server), Arrivals([0.0] * 5, 0.01), 1, 5)
    assert tally.failures == {"connection lost": 1}
    assert sorted(map(math.isfinite, tally.latencies)) == [False, True, True, True, True]


HANGS_UP = """
import asyncio
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}"
count = 0
class Answering(asyncio.Protocol):
    def connection_made(self, transport):
        global count
        count += 1
        self.transport = transport
        if count <= 3:
            asyncio.get_running_loop().call_later(0.02 * count, transport.close)
    def data_received(self, data): self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def test_a_connection_that_was_idle_and_lost_is_not_sent_on() -> None:
    """A server may close what it has not heard of for a while: no request is lost by that."""
    with subprocess.Popen([sys.executable, "-c", HANGS_UP], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            server = Server("127.0.0.1", int(process.stdout.readline()), [REQUEST])
            due = Arrivals([0.5] * 6 + [0.6] * 6, 0.6)
            tally = opened(server, due, 3, 5)
        finally:
            process.kill()
    assert tally.failures == {}
    assert len(tally.latencies) == 12


class Dying(Connection):
    """A connection that is lost as soon as it is made, for as many as are told."""

    deaths = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close some."""
        super().connection_made(transport)
        if Dying.deaths:
            Dying.deaths -= 1
            self.close()


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_a_connection_that_is_lost_before_the_start_is_replaced(
    small: Start, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent on it, nor on the one in its place before the start; as many clients take part as were told."""
    monkeypatch.setattr(generator, "Connection", Dying)
    monkeypatch.setattr(Dying, "deaths", 2)
    gate = threading.Barrier(3)

    def together(_path: str, number: int) -> Told:
        if number <= 3:
            gate.wait(10)
        return Told()

    server = load_of(small(together))
    tally = closed(server, 3, 0.3, 5) if loop == "closed" else opened(server, Arrivals([0.0] * 6, 0.1), 3, 5)
    assert tally.failures == {}
    assert len(tally.latencies) >= 6


@pytest.mark.parametrize("headers", [{"Connection": "close"}, {"Connection": "keep-alive"}], ids=["close", "keep"])
def test_a_server_may_close_each_connection(small: Start, headers: dict[str, str]) -> None:
    """A connection that the server will not keep is replaced, and that is no error."""
    server = small(lambda _path, _number: Told(headers=headers))
    tally = closed(load_of(server), 2, 0.2, 5)
    assert tally.failures == {}
    assert len(tally.latencies) == server.count > 2


def test_what_is_not_answered_in_time_is_given_up(small: Start) -> None:
    """Patience is bounded; requests under way and those that wait for a connection count as never answered."""
    gate = threading.Event()

    def stuck(_path: str, _number: int) -> Told:
        gate.wait(30)
        return Told()

    server = load_of(small(stuck))
    start = time.monotonic()
    tally = opened(server, Arrivals([0.0] * 7, 0.01), 3, 0.2)
    others = closed(server, 3, 0.1, 0.2)
    waited = time.monotonic() - start
    gate.set()
    assert (tally.failures, tally.latencies) == ({"no answer in time": 7}, [math.inf] * 7)
    assert (others.failures, others.latencies) == ({"no answer in time": 3}, [math.inf] * 3)
    assert waited < 10


def test_a_server_that_has_gone_ends_the_step(small: Start) -> None:
    """When nobody listens any more there is nothing to wait for."""
    server: list[Small] = []

    def go(_path: str, number: int) -> Told:
        if number == 5:
            server[0].stop_listening()
        return Told(hang_up=number >= 5)

    server.append(small(go))
    start = time.monotonic()
    tally = closed(load_of(server[0]), 2, 60, 60)
    assert time.monotonic() - start < 30
    assert tally.seconds < 30
    assert tally.failures.total() >= 1


def test_without_a_server_no_load_begins() -> None:
    """A port that nobody listens on is an OSError at once, for the caller to explain."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        closed(Server("127.0.0.1", port, [REQUEST]), 1, 1, 1)


@pytest.mark.parametrize("loop", ["closed", "open"])
def test_a_signal_ends_the_load_at_once(small: Start, loop: str) -> None:
    """Whatever the generator does when SIGTERM comes, the exit that the command made of it goes through."""

    def kill(_path: str, number: int) -> Told:
        if number == 20:
            os.kill(os.getpid(), signal.SIGTERM)
        return Told()

    server = load_of(small(kill))
    due = Arrivals([at / 100 for at in range(6000)], 60)
    load = {"closed": partial(closed, server, 2, 60, 5), "open": partial(opened, server, due, 2, 5)}[loop]
    with _exiting(), pytest.raises(SystemExit):
        load()


@contextmanager
def _exiting() -> Iterator[None]:
    """Make an exit of SIGTERM, as the command does."""
    before = signal.signal(signal.SIGTERM, lambda number, _: exit_with(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_with(code: int) -> None:
    """Exit."""
    raise SystemExit(code)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_a_callback_of_the_parser_is_none_of_its_errors(kind: type[BaseException]) -> None:
    """The parser wraps whatever is raised while it calls back; a signal's exception comes out as it was."""

    class Interrupted(Connection):
        def on_body(self, _body: bytes) -> None:
            raise kind

    connection = Interrupted(lambda _connection, _answer: None, lambda _connection: None)
    with pytest.raises(kind):
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
