"""Servers that are not there, late, wrong or gone, and clients that go: what becomes of their requests."""

from __future__ import annotations

import select
import threading
from contextlib import ExitStack, closing, suppress
from http.client import IncompleteRead, RemoteDisconnected
from typing import TYPE_CHECKING

import pytest

from tests.front.fronts import Wire, answering, length_of, ok, written
from tests.serving.busy import wait_for
from tests.serving.servers import SECONDS, answer_on, free_port, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.front.fronts import Front


def test_without_a_server_requests_may_come_again(front: Callable[..., Front]) -> None:
    """503, and when; with a body too, and the connection is kept where the request was whole."""
    proxy = front()
    with closing(proxy.begin("POST", "/", b"body")) as connection:
        for _ in range(2):
            answer = connection.getresponse()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.read() == b'{"error":"no model is served here yet; send the request again later"}'
            connection.request("GET", "/v2/health/ready")
    assert proxy.request("GET", "/front/health").body == {"upstream": None}


def test_a_server_that_is_not_there(front: Callable[..., Front]) -> None:
    """502 and one sentence; why is in the log."""
    proxy = front(to=free_port())
    answer = proxy.request("POST", "/", b"body")
    assert (answer.status, answer.body) == (502, {"error": "the model's server cannot be reached"})
    line = proxy.log()[-1]
    assert (line["level"], line["status"]) == ("warning", 502)
    assert "Connect call failed" in line["why"]
    assert proxy.show()["under_way"] == 0


def test_a_server_that_is_late(front: Callable[..., Front]) -> None:
    """504 after --timeout, and the server's connection is closed, so that it drops the work."""
    dropped = threading.Event()

    def late(wire: Wire) -> None:
        wire.head()
        with suppress(ConnectionResetError):
            wire.read(1)
        dropped.set()

    with written(late) as server:
        answer = front("--timeout=0.2", to=server.port).request("GET", "/")
        assert (answer.status, answer.body) == (504, {"error": "the model's server did not answer in time"})
        assert dropped.wait(SECONDS)


def test_an_answer_that_has_begun_may_take_longer(front: Callable[..., Front]) -> None:
    """--timeout is for its beginning."""
    with written(slow_answer) as server:
        assert front("--timeout=0.2", to=server.port).request("GET", "/").content == b"12"


def slow_answer(wire: Wire) -> None:
    """Answer a request in two parts, a second apart."""
    wire.head()
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1")
    threading.Event().wait(1)
    wire.send(b"2")


WRONG = {
    "nothing": b"",
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "another protocol": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nabc",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000,
    "endless interim answers": b"HTTP/1.1 102 Processing\r\n\r\n" * 10_000,
    "a folded header": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("case", WRONG)
def test_a_server_that_answers_wrongly(front: Callable[..., Front], case: str) -> None:
    """502, whatever it said; the request is not sent again, for it was a new connection."""
    tries = []

    def wrong(wire: Wire) -> None:
        tries.append(wire.head())
        wire.send(WRONG[case])

    with written(wrong) as server:
        answer = front(to=server.port).request("GET", "/")
    assert (answer.status, answer.body) == (502, {"error": "the model's server broke off"})
    assert len(tries) == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
def test_an_answer_that_breaks_off_does_not_look_whole(front: Callable[..., Front], framing: bytes) -> None:
    """The client's connection breaks off too."""

    def breaks(wire: Wire) -> None:
        wire.head()
        wire.send(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n5\r\nabcde\r\n" % framing)

    with (
        written(breaks) as server,
        closing(front(to=server.port).begin("GET", "/")) as connection,
        pytest.raises((IncompleteRead, ConnectionResetError, RemoteDisconnected)),
    ):
        connection.getresponse().read()


def test_what_follows_an_answer_is_not_taken_for_the_next(front: Callable[..., Front]) -> None:
    """A second answer that nobody asked for ends the server's connection."""
    with answering(lambda asked: ok(asked.split()[1]) + ok(b"false")) as server:
        proxy = front(to=server.port)
        with closing(proxy.begin("GET", "/0")) as connection:
            for number in range(1, 5):
                assert connection.getresponse().read() == b"/%d" % (number - 1)
                connection.request("GET", f"/{number}")


def test_a_connection_is_used_again(front: Callable[..., Front]) -> None:
    """Requests of many clients one after the other go over one."""
    with answering(ok()) as server:
        proxy = front(to=server.port)
        for _ in range(10):
            assert proxy.request("POST", "/", b"body").status == 200
        assert len(server.connections) == 1


def test_what_comes_late_ends_the_connection(front: Callable[..., Front]) -> None:
    """More than the length of an answer, when the connection is idle already."""
    go, ended = threading.Event(), threading.Event()

    def more(wire: Wire) -> None:
        wire.head()
        wire.send(ok())
        assert go.wait(SECONDS)
        wire.send(ok(b"false"))
        with suppress(ConnectionResetError):
            assert wire.head() == b""
        ended.set()

    with written(more) as server:
        assert front(to=server.port).request("GET", "/").content == b"fine"
        go.set()
        assert ended.wait(SECONDS)


@pytest.mark.parametrize("size", [0, 10, 60_000])
def test_a_connection_that_the_server_closes_meanwhile(front: Callable[..., Front], size: int) -> None:
    """Whenever it closes an idle one, the request that goes over it just then goes once more over another."""
    body = bytes(size)
    came: list[bytes] = []

    def closes(wire: Wire) -> None:
        first = wire.head()
        wire.read(length_of(first))
        wire.send(ok())
        if second := wire.head():  # the connection was kept, and closes without an answer
            wire.read(length_of(second))
            wire.abort()
        came.append(second)

    with written(closes) as server:
        proxy = front(to=server.port)
        for _ in range(5):
            assert proxy.request("POST", "/", body).content == b"fine"
        assert all(came[:4])
        assert proxy.log()[-1]["message"] == "listening"


def test_what_cannot_be_sent_again_is_not(front: Callable[..., Front]) -> None:
    """A body that was too large to hold: 502, rather than a part of it."""
    size = 1_000_000

    def closes(wire: Wire) -> None:
        while asked := wire.head():
            wire.read(length_of(asked))
            if length_of(asked) == size:
                wire.abort()
                return
            wire.send(ok())

    with written(closes) as server:
        proxy = front(to=server.port)
        assert proxy.request("GET", "/").status == 200
        assert proxy.request("POST", "/", bytes(size)).status == 502
        assert len(server.connections) == 1


@pytest.mark.parametrize("sent", [b"", b"half of it"])
def test_when_a_client_goes_the_server_hears_of_it(front: Callable[..., Front], sent: bytes) -> None:
    """Its connection is closed, whether a request waits for its answer or for its body."""
    arrived, dropped = threading.Event(), threading.Event()

    def waits(wire: Wire) -> None:
        wire.head()
        arrived.set()
        with suppress(ConnectionResetError):
            assert wire.read(100) == sent
        dropped.set()

    with written(waits) as server:
        proxy = front(to=server.port)
        with proxy.connect() as connection:
            connection.sendall(head("/", f"Content-Length: {10 * len(sent)}") + sent)
            assert arrived.wait(SECONDS)
            assert proxy.show()["under_way"] == 1
        assert dropped.wait(SECONDS)
        wait_for(lambda: proxy.show()["under_way"] == 0)


def test_clients_that_go_at_once_leave_nothing(front: Callable[..., Front]) -> None:
    """Hundreds of requests whose clients do not wait: the front serves on, with no more files than before."""
    with answering(ok()) as server:
        proxy = front(to=server.port)
        for _ in range(300):
            with proxy.connect() as connection:
                connection.sendall(head("/", "Content-Length: 2") + b"ab")
        with proxy.connect() as connection:
            connection.sendall(head("/", method="GET"))
            assert answer_on(connection).status == 200
        wait_for(lambda: proxy.show()["under_way"] == 0)
        assert {line["level"] for line in proxy.log()} == {"info"}


def test_connections_are_bounded(front: Callable[..., Front]) -> None:
    """With files for six clients and as many connections to the server, a seventh waits until one goes."""
    with answering(ok()) as server, ExitStack() as open_:
        proxy = front(to=server.port, under=["sh", "-c", 'ulimit -n 140; exec "$@"', "sh"])
        clients = [open_.enter_context(proxy.connect()) for _ in range(6)]
        for client in clients:
            client.sendall(head("/", method="GET"))
            assert answer_on(client).status == 200
        with proxy.connect() as seventh:
            seventh.sendall(head("/", method="GET"))
            clients[1].sendall(head("/", method="GET"))
            assert answer_on(clients[1]).status == 200
            assert not select.select([seventh], [], [], 0)[0]
            clients[0].close()
            assert answer_on(seventh).status == 200
