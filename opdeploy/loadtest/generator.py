"""Sends load: closed loop (so many clients, each waits for its answer) and open loop (requests come when they come).

In the open loop the latency of a request counts from the moment when it was due, whether a connection was free then or
not, so that a slow server cannot hide its queue by slowing the load ("coordinated omission", G. Tene).
"""

from __future__ import annotations

import asyncio
import math
import random
import selectors
import ssl
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Self

from opdeploy.loadtest.connection import OK, Answer, Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

MOST_REQUESTS = 100_000
"""Of one step of the open loop."""
RETRY_S = 0.05
POLL_S = 0.005
MOST_POLL_S = 0.1
CONNECT_S = 5.0
LOST = "connection lost"
UNANSWERED = "no answer in time"


@dataclass(frozen=True, slots=True)
class Server:
    """Where requests go, and the requests: whole, with headers, sent in turns."""

    host: str
    port: int
    requests: Sequence[bytes]
    tls: bool = False
    """Whether it is asked over TLS, and has to prove its name."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When requests are due, in seconds from the start, rising; and how long they come."""

    times: Sequence[float]
    seconds: float


@dataclass(slots=True)
class Tally:
    """What came of the requests of one step."""

    seconds: float = 0.0
    """From the start to the last answer, and at least as long as requests were sent."""
    latencies: list[float] = field(default_factory=list)
    """Seconds of each request that got status 200, and infinity for each without an answer."""
    failures: Counter[str] = field(default_factory=Counter)
    """Requests that failed, by status or reason."""
    said: str = ""
    """Start of the first error's body."""
    cpu_s: float = 0.0
    """Processor time that the generator itself took, without opening the connections."""
    lags: list[float] = field(default_factory=list)
    """Open loop: how late the generator itself was with each request, in seconds."""


def closed(server: Server, connections: int, seconds: float, patience: float) -> Tally:
    """Keep so many requests under way for so long, and wait so long for the last answers.

    Raises OSError where the server takes no connection.
    """
    return _run(_closed(server, connections, seconds, patience))


def opened(server: Server, due: Arrivals, connections: int, patience: float) -> Tally:
    """Send a request at each time that it is due, over at most so many connections.

    What is due while all are busy waits for the first that is free. `patience` counts from the end of the arrivals.
    Raises OSError where the server takes no connection.
    """
    return _run(_opened(server, due, connections, patience))


def arrivals(rate: float, seconds: float, seed: int = 0) -> Arrivals:
    """Return when requests of independent clients come: a Poisson process with just this many.

    Given their number, the arrivals of a Poisson process are independent and uniform in time (S. Ross, Stochastic
    Processes, theorem 2.3.1).
    """
    drawn = random.Random(seed)  # noqa: S311 - load, no secret
    count = min(MOST_REQUESTS, max(1, round(rate * seconds)))
    return Arrivals(sorted(drawn.uniform(0, count / rate) for _ in range(count)), count / rate)


def _run(step: Coroutine[None, None, Tally]) -> Tally:
    # select() waits in microseconds, epoll in whole milliseconds: at 500 requests/s half of them were sent 0.65 ms late
    # with epoll, 0.14 with select (CPython 3.11, 2026-11-25).
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        return runner.run(step)


class _Load:
    """Connections, and a tally of what they carry; what a free connection does next is told by `free`."""

    def __init__(self, server: Server, free: Callable[[Connection], None]) -> None:
        self.tally = Tally()
        self.under_way = 0
        self._server = server
        self._tls = ssl.create_default_context() if server.tls else None
        self._requests = cycle(server.requests)
        self._free = free
        self._loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        """Those that were not lost."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False
        self._gone = False
        self._last = 0.0

    async def connect(self) -> Connection:
        """Open a connection."""
        opening = self._loop.create_connection(
            lambda: Connection(self._answered, self._lost),
            self._server.host,
            self._server.port,
            ssl=self._tls,
        )
        _, connection = await asyncio.wait_for(opening, CONNECT_S)
        self.connections.add(connection)
        return connection

    def send(self, connection: Connection, due: float) -> None:
        """Send the next request."""
        self.under_way += 1
        connection.send(next(self._requests), due)

    def begin(self) -> float:
        """Return the time of the start."""
        self.tally.cpu_s = -time.process_time()
        return self._loop.time()

    async def ended(self, done: Callable[[], bool], start: float, end: float, patience: float) -> Tally:
        """Wait until the end and until all is done, but not longer than `patience` after it.

        It ends at once where nobody listens any more. Requests under way by then count as unanswered.
        """

        def over(now: float) -> bool:
            return self._gone or now >= end + patience or (now >= end and done())

        while not over(now := self._loop.time()):  # noqa: ASYNC110 - an event would cost something with each request
            await asyncio.sleep(min(MOST_POLL_S, end - now) if now < end else POLL_S)
        self.tally.cpu_s += time.process_time()
        self.tally.seconds = (now if self._gone else max(end, self._last if done() else now)) - start
        self.fail(UNANSWERED, self.under_way)
        return self.tally

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        self._over = True
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in tuple(self.connections):
            connection.close()
        await asyncio.sleep(0)  # the transports close in the next turn of the loop

    def fail(self, reason: str, count: int = 1) -> None:
        """Count requests without an answer."""
        if count:
            self.tally.failures[reason] += count
            self.tally.latencies += [math.inf] * count

    def _answered(self, connection: Connection, answer: Answer) -> None:
        due, connection.due = connection.due, None
        if due is None:  # an answer to nothing
            connection.close()
            return
        self.under_way -= 1
        self._last = self._loop.time()
        if answer.status == OK:
            self.tally.latencies.append(self._last - due)
        else:
            self.tally.failures[str(answer.status)] += 1
            self.tally.said = self.tally.said or answer.said.decode(errors="replace")
        if answer.kept:
            self._free(connection)
        else:
            connection.close()

    def _lost(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if self._over:
            return
        if connection.due is not None:
            self.under_way -= 1
            self.fail(LOST)
        task = self._loop.create_task(self._replace())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace(self) -> None:
        while True:
            try:
                connection = await self.connect()
            except ConnectionRefusedError:  # nobody listens any more, and this step tells nothing more
                self._gone = True
                return
            except OSError:
                await asyncio.sleep(RETRY_S)
            else:
                self._free(connection)
                return


async def _closed(server: Server, connections: int, seconds: float, patience: float) -> Tally:
    loop = asyncio.get_running_loop()
    end = -math.inf  # until the start nothing is sent

    def free(connection: Connection) -> None:
        now = loop.time()
        if now < end and not connection.closing:
            load.send(connection, now)

    async with _Load(server, free) as load:
        for _ in range(connections):
            await load.connect()
        start = load.begin()
        end = start + seconds
        for client in tuple(load.connections):  # one that was lost meanwhile begins when it is replaced
            free(client)
        return await load.ended(lambda: not load.under_way, start, end, patience)


async def _opened(server: Server, due: Arrivals, connections: int, patience: float) -> Tally:
    loop = asyncio.get_running_loop()
    idle: list[Connection] = []
    waiting: deque[float] = deque()
    coming = deque(due.times)

    def free(connection: Connection) -> None:
        if waiting:
            load.send(connection, waiting.popleft())
        else:
            idle.append(connection)

    def send_due() -> None:
        while coming and (at := start + coming[0]) <= loop.time():
            coming.popleft()
            load.tally.lags.append(loop.time() - at)
            while idle and idle[-1].closing:  # another one takes its place
                idle.pop()
            if idle:
                load.send(idle.pop(), at)
            else:
                waiting.append(at)
        if coming:
            loop.call_at(start + coming[0], send_due)

    async with _Load(server, free) as load:
        idle += [await load.connect() for _ in range(connections)]
        start = load.begin()
        send_due()
        tally = await load.ended(
            lambda: not (coming or waiting or load.under_way), start, start + due.seconds, patience
        )
        load.fail(UNANSWERED, len(waiting) + len(coming))
        return tally
