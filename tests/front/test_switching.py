"""From one server to the next: no request fails, each goes to the server that is current as it begins."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.front.fronts import Wire, answering, ok, written
from tests.serving.busy import wait_for
from tests.serving.servers import HOST, SECONDS, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.front.fronts import Front, Written

SWITCHES = 20
CLIENTS = 8


class Slow:
    """A server whose answers wait until they may go."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, wire: Wire) -> None:
        """Answer each request when it may."""
        while wire.head():
            self.arrived.release()
            assert self.go.wait(SECONDS)
            wire.send(ok(b"slow"))


def test_a_switch_tells_what_it_did(front: Callable[..., Front]) -> None:
    """The first and the next one, and one to where requests go already; all new requests go to the new server."""
    with answering(ok(b"1")) as one, answering(ok(b"2")) as two:
        proxy = front()
        first, second = f"{HOST}:{one.port}", f"{HOST}:{two.port}"
        assert proxy.switch(one.port).json == {"upstream": first, "before": None, "left": 0}
        assert proxy.request("GET", "/").content == b"1"
        assert proxy.switch(two.port).json == {"upstream": second, "before": first, "left": 0}
        assert proxy.request("GET", "/").content == b"2"
        assert proxy.switch(two.port).json == {"upstream": second, "before": second, "left": 0}
        assert proxy.show() == {"upstream": second, "under_way": 0}
        assert (proxy.state / "upstream").read_text() == f"{second}\n"


def test_connections_to_the_server_before_are_closed(front: Callable[..., Front]) -> None:
    """The old one has none left when the switch is answered, and may end."""
    ended = threading.Event()

    def serve(wire: Wire) -> None:
        while wire.head():
            wire.send(ok())
        ended.set()

    with written(serve) as old, answering(ok()) as new:
        proxy = front(to=old.port)
        assert proxy.request("GET", "/").status == 200
        assert not ended.is_set()
        proxy.switch(new.port)
        assert ended.wait(SECONDS)


def test_a_switch_waits_for_what_is_under_way(front: Callable[..., Front]) -> None:
    """A slow request on the old server is answered by it, and new ones go to the new one meanwhile."""
    slow = Slow()
    with written(slow) as old, answering(ok(b"new")) as new, ThreadPoolExecutor() as pool:
        proxy = front(to=old.port)
        with closing(proxy.begin("GET", "/")) as request:
            assert slow.arrived.acquire(timeout=SECONDS)
            switched = pool.submit(proxy.switch, new.port)
            wait_for(lambda: proxy.show()["upstream"] == f"{HOST}:{new.port}")
            assert proxy.request("GET", "/").content == b"new"
            assert not switched.done()
            assert proxy.show()["under_way"] == 1
            slow.go.set()
            assert switched.result(SECONDS).json["left"] == 0
            assert request.getresponse().read() == b"slow"


def test_a_switch_does_not_wait_longer_than_its_grace(front: Callable[..., Front]) -> None:
    """It tells how many requests are left on the old server, and they go on."""
    slow = Slow()
    with written(slow) as old, answering(ok()) as new:
        proxy = front(to=old.port)
        with closing(proxy.begin("GET", "/")) as one, closing(proxy.begin("GET", "/")) as two:
            for _ in range(2):
                assert slow.arrived.acquire(timeout=SECONDS)
            assert proxy.switch(new.port, grace=0.1).json["left"] == 2
            slow.go.set()
            assert [one.getresponse().read(), two.getresponse().read()] == [b"slow", b"slow"]


def test_two_switches_are_taken_one_after_the_other(front: Callable[..., Front]) -> None:
    """The second begins when the first is answered, and the last one counts."""
    slow = Slow()
    with (
        written(slow) as old, answering(ok(b"1")) as one, answering(ok(b"2")) as two, ThreadPoolExecutor() as pool,
    ):  # fmt: skip
        proxy = front(to=old.port)
        with closing(proxy.begin("GET", "/")) as request:
            assert slow.arrived.acquire(timeout=SECONDS)
            first = pool.submit(proxy.switch, one.port)
            wait_for(lambda: proxy.show()["upstream"] == f"{HOST}:{one.port}")
            second = pool.submit(proxy.switch, two.port, 0)
            assert not second.done()
            slow.go.set()
            assert first.result(SECONDS).json["left"] == 0
            assert second.result(SECONDS).json["before"] == f"{HOST}:{one.port}"
            assert request.getresponse().read() == b"slow"
        assert proxy.request("GET", "/").content == b"2"


class Load:
    """Clients that send one request after the other, and note what they get."""

    def __init__(self, proxy: Front) -> None:
        self.proxy = proxy
        self.at = 0
        """How many switches are answered."""
        self.begun = 0
        """How many have begun."""
        self.answers: list[tuple[int, int, int]] = []
        """For each answer: switches answered before its request, switches begun before it came, the server's number."""
        self.ended = False

    async def client(self, *, keeps: bool) -> None:
        """Send requests over one connection, or each over its own; an answer that is not whole raises."""
        reader = writer = None
        while not self.ended:
            if reader is None or writer is None or not keeps:
                if writer is not None:
                    writer.close()
                    await writer.wait_closed()
                reader, writer = await asyncio.open_connection(HOST, self.proxy.port)
            before = self.at
            writer.write(head("/", "Content-Length: 4") + b"body")
            text = await reader.readuntil(b"\r\n\r\n")
            assert text.startswith(b"HTTP/1.1 200 OK\r\n"), text
            number = int(await reader.readexactly(2))
            self.answers.append((before, self.begun, number))
        if writer is not None:
            writer.close()
            await writer.wait_closed()

    async def switch(self, servers: list[Written]) -> None:
        """Switch many times while the clients run, each time after more answers."""
        for number in range(1, SWITCHES + 1):
            count = len(self.answers)
            while len(self.answers) < count + 2 * CLIENTS:  # noqa: ASYNC110 - of many, there is no event
                await asyncio.sleep(0.001)
            self.begun = number
            said = await asyncio.to_thread(self.proxy.switch, servers[number % 2].port)
            assert (said.code, said.json["left"]) == (0, 0), said
            self.at = number
        self.ended = True


def test_under_load_no_request_fails(front: Callable[..., Front]) -> None:
    """20 switches there and back; each answer is of a server that was current while its request was under way."""
    with answering(ok(b"00")) as even, answering(ok(b"01")) as odd:
        load = Load(front(to=even.port))

        async def run() -> None:
            async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
                for number in range(CLIENTS):
                    group.create_task(load.client(keeps=number % 2 == 0))
                group.create_task(load.switch([even, odd]))

        asyncio.run(run())
        assert load.proxy.log()[-1]["message"] == "switched"
    assert len(load.answers) >= SWITCHES * CLIENTS
    assert {number for _, _, number in load.answers} == {0, 1}
    for before, begun, number in load.answers:
        assert number in {switch % 2 for switch in range(before, begun + 1)}


def test_a_restart_keeps_where_requests_go(front: Callable[..., Front]) -> None:
    """Whether the front is asked to end or is killed, and what it left of its socket does not matter."""
    with answering(ok(b"1")) as one, answering(ok(b"2")) as two:
        proxy = front(to=one.port)
        proxy.switch(two.port)
        proxy.process.kill()
        proxy.process.wait(SECONDS)
        assert (proxy.state / "control").exists()
        again = front("--drain=0", state=proxy.state)
        assert again.request("GET", "/").content == b"2"
        assert again.end() == 0
        assert not (proxy.state / "control").exists()
        assert front(state=proxy.state).request("GET", "/").content == b"2"


@pytest.mark.parametrize(
    "damaged", [b"", b"\0" * 20, b"\xff\xfe", b"host", b"host:0", b"host:99999", b"a b:80", b"h:80\nx:81"]
)
def test_a_state_that_is_damaged_is_none(front: Callable[..., Front], damaged: bytes) -> None:
    """The front says so, answers 503, and can be switched."""
    with answering(ok()) as server:
        proxy = front("--drain=0")
        (proxy.state / "upstream").write_bytes(damaged)
        assert proxy.end() == 0
        again = front(state=proxy.state)
        assert again.request("GET", "/").status == 503
        line = again.log()[0]
        assert line["level"] == "error"
        assert line["message"].startswith("the upstream that is written down cannot be read: ")
        assert again.switch(server.port).code == 0
        assert again.request("GET", "/").status == 200
