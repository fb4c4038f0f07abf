"""How the front ends: what it has begun is answered, within the time of grace."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.front.fronts import Wire, answering, ok, written
from tests.serving.busy import wait_for
from tests.serving.servers import SECONDS, answer_on, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.front.fronts import Front


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_front(front: Callable[..., Front], number: signal.Signals) -> None:
    """With exit code 0, and open connections are closed."""
    with answering(ok()) as server:
        proxy = front("--drain=0", to=server.port)
        with proxy.connect() as idle, proxy.connect() as used:
            used.sendall(head("/", method="GET"))
            assert answer_on(used).status == 200
            assert proxy.end(number) == 0
            assert (idle.recv(1), used.recv(1)) == (b"", b"")
        assert {line["level"] for line in proxy.log()} == {"info"}


def test_what_is_under_way_is_answered(front: Callable[..., Front]) -> None:
    """The answer says that the connection closes; new connections are refused meanwhile."""
    arrived, go = threading.Event(), threading.Event()

    def slow(wire: Wire) -> None:
        wire.head()
        arrived.set()
        assert go.wait(SECONDS)
        wire.send(ok())

    with written(slow) as server:
        proxy = front("--drain=0", to=server.port)
        with closing(proxy.begin("GET", "/")) as request:
            assert arrived.wait(SECONDS)
            proxy.process.terminate()
            wait_for(lambda: not accepts(proxy))
            go.set()
            answer = request.getresponse()
            assert (answer.read(), answer.headers["connection"]) == (b"fine", "close")
        assert proxy.process.wait(SECONDS) == 0


def accepts(proxy: Front) -> bool:
    """Tell whether the front takes a connection."""
    try:
        proxy.connect().close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:
        return True
    return True


def test_before_the_end_requests_are_still_taken(front: Callable[..., Front]) -> None:
    """For --drain seconds, over connections old and new, each the last on its connection; a second signal ends it."""
    with answering(ok()) as server:
        proxy = front("--drain=60", "--grace=60", to=server.port)
        with proxy.connect() as connection:
            connection.sendall(head("/", method="GET"))
            assert "connection" not in answer_on(connection).headers
            proxy.process.terminate()
            wait_for(lambda: proxy.request("GET", "/").headers.get("connection") == "close")
            connection.sendall(head("/", method="GET"))
            answer = answer_on(connection)
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert connection.recv(1) == b""
        assert proxy.end() == 0


@pytest.mark.parametrize("sent", [head("/", "Content-Length: 10") + b"half", head("/", method="GET")])
def test_what_does_not_end_is_cut_off(front: Callable[..., Front], sent: bytes) -> None:
    """After the time of grace, with exit code 1, and the front says so."""
    arrived = threading.Event()

    def never(wire: Wire) -> None:
        wire.head()
        arrived.set()
        wire.read(100)

    with written(never) as server:
        proxy = front("--drain=0", "--grace=0.5", to=server.port)
        with proxy.connect() as connection:
            connection.sendall(sent)
            assert arrived.wait(SECONDS)
            assert proxy.end() == 1
        assert proxy.log()[-1]["message"] == "1 requests did not end in time and were cut off"
