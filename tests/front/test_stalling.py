"""Who takes nothing of an answer, or stops in its middle, is given up; who only ends its own side is answered."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import ExitStack, closing, suppress
from http.client import IncompleteRead
from typing import TYPE_CHECKING

import pytest

from tests.front.fronts import Wire, answering, ok, written
from tests.serving.busy import wait_for
from tests.serving.servers import HOST, SECONDS, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.front.fronts import Front

ONE_PLACE = ["sh", "-c", 'ulimit -n 130; exec "$@"', "sh"]
"""Files for one client and its connection to the server."""
LARGE = 20_000_000
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def deaf(proxy: Front, holds: int = 4096) -> socket.socket:
    """Connect as a client for which the system holds few bytes."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, holds)
    client.settimeout(SECONDS)
    client.connect((HOST, proxy.port))
    return client


def test_who_reads_nothing_is_cut_off(front: Callable[..., Front]) -> None:
    """After --stall its place and the server's connection are given back."""
    dropped = threading.Event()

    def gives(wire: Wire) -> None:
        if wire.head().startswith(b"GET /large "):
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
            try:
                wire.send(bytes(LARGE))
            except ConnectionError:
                dropped.set()
        else:
            wire.send(ok())

    with written(gives) as server:
        proxy = front("--stall=0.3", to=server.port, under=ONE_PLACE)
        with deaf(proxy) as client:
            client.sendall(head("/large", method="GET"))
            assert dropped.wait(SECONDS)
            assert proxy.request("GET", "/").content == b"fine"
        assert {line["level"] for line in proxy.log()} == {"info"}  # it is no fault of the server


def test_who_reads_not_all_is_cut_off(front: Callable[..., Front]) -> None:
    """Wherever an answer is stuck: on its way through, or whole in a connection that is to close."""
    with answering(lambda asked: ok(bytes(int(asked.split()[1][1:])))) as server, ExitStack() as stuck:
        proxy = front("--stall=0.3", to=server.port, under=ONE_PLACE)
        for size in range(60_000, 360_000, 20_000):
            client = stuck.enter_context(deaf(proxy))
            client.sendall(head(f"/{size}", "Connection: close", method="GET"))
        assert proxy.request("GET", "/4").content == bytes(4)


def test_who_reads_slowly_is_not(front: Callable[..., Front]) -> None:
    """Every piece that goes to the client begins the time anew, and every one from the server."""
    pieces, piece = 40, bytes(50_000)

    def slow(wire: Wire) -> None:
        wire.head()
        wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _ in range(pieces):
            wire.send(piece)
        for _ in range(6):
            threading.Event().wait(0.5)
            wire.send(b"x")

    with written(slow) as server, deaf(front("--stall=2", to=server.port), 65_536) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        came = b""
        while got := client.recv(50_000):
            came += got
            threading.Event().wait(len(got) / 700_000)
    assert came.partition(b"\r\n\r\n")[2] == pieces * piece + b"xxxxxx"


def test_a_server_that_stops_in_the_middle(front: Callable[..., Front]) -> None:
    """Its connection is closed, and the client's breaks off; the log tells."""
    dropped = threading.Event()

    def stops(wire: Wire) -> None:
        wire.head()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1")
        with suppress(ConnectionResetError):
            wire.read(1)
        dropped.set()

    with written(stops) as server:
        proxy = front("--stall=0.3", to=server.port)
        with closing(proxy.begin("GET", "/")) as connection:
            answer = connection.getresponse()
            assert answer.read(1) == b"1"
            with pytest.raises((IncompleteRead, ConnectionResetError)):
                answer.read()
        assert dropped.wait(SECONDS)
        line = proxy.log()[-1]
        assert (line["message"], line["status"], line["begun"]) == (
            "the model's server stopped in the middle of its answer", 504, True,
        )  # fmt: skip
        assert proxy.show()["under_way"] == 0


class Held:
    """A server that answers when it may."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[bytes] = []

    def __call__(self, wire: Wire) -> None:
        """Answer each request with its target."""
        while asked := wire.head():
            self.asked.append(asked.split()[1])
            assert self.go.wait(SECONDS)
            wire.send(ok(asked.split()[1]))


def test_a_client_that_only_sends_no_more_is_answered(front: Callable[..., Front]) -> None:
    """The answer closes; until it comes, an interim one tells whether the client is still there."""
    held = Held()
    with written(held) as server, front(to=server.port).connect() as client:
        client.sendall(head("/1", method="GET"))
        client.shutdown(socket.SHUT_WR)
        assert client.recv(len(CONTINUE), socket.MSG_WAITALL) == CONTINUE
        held.go.set()
        assert client.makefile("rb").read() == ok(b"/1", "Connection: close")


def test_so_are_several_of_its_requests(front: Callable[..., Front]) -> None:
    """All that it sent before, in their order."""
    with answering(lambda asked: ok(asked.split()[1])) as server, front(to=server.port).connect() as client:
        client.sendall(b"".join(head(f"/{number}", method="GET") for number in range(3)))
        client.shutdown(socket.SHUT_WR)
        assert re.findall(rb"\r\n\r\n(/\d)", client.makefile("rb").read()) == [b"/0", b"/1", b"/2"]


def test_one_of_http_1_0_too(front: Callable[..., Front]) -> None:
    """It knows no interim answers, so it gets none."""
    held = Held()
    with written(held) as server, front(to=server.port).connect() as client:
        client.sendall(b"GET /1 HTTP/1.0\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        wait_for(lambda: bool(held.asked))
        held.go.set()
        assert client.makefile("rb").read() == ok(b"/1", "Connection: close")


def test_one_that_reads_late_too(front: Callable[..., Front]) -> None:
    """An answer that is under way when it sends no more is not mixed with another."""
    with answering(ok(bytes(LARGE))) as server, front(to=server.port).connect() as client:
        client.sendall(head("/", method="GET"))
        assert client.recv(1) == b"H"
        client.shutdown(socket.SHUT_WR)
        came = client.makefile("rb").read()
        assert came.partition(b"\r\n\r\n")[2] == bytes(LARGE)
