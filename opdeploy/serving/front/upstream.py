"""Connections to a server: kept alive between requests, one request at a time on each."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

import httptools

from opdeploy.serving.front import limits
from opdeploy.serving.front.limits import BUFFER, IDLE, MOST_HEAD

if TYPE_CHECKING:
    from opdeploy.serving.front.exchange import Exchange
    from opdeploy.serving.front.heads import Headers
    from opdeploy.serving.front.state import Address

_IDLE_SECONDS = 30
"""The server keeps them for 75, so that it is hardly ever the one to close them."""
_FINAL = 200
"""The first status that is no interim answer."""


class Upstream(asyncio.BufferedProtocol):
    """A connection; it tells the exchange that uses it what of the answer comes."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.heard = False
        """Whether anything of the answer has come."""
        self.used = False
        """Whether it has carried a request before."""
        self.full = False
        """Whether it takes no more for now."""
        self.since = 0.0
        """When it was left idle, by time.monotonic."""
        self._parser = httptools.HttpResponseParser(self)
        self._reason = b""
        self._headers: Headers = []
        self._quiet = 0
        self._done = self._kept = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to; asyncio has switched Nagle's algorithm off."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy; asyncio gives a stream's protocol one
        self._transport = transport
        transport.set_write_buffer_limits(limits.WRITE_BUFFER)
        limits.bound(transport.get_extra_info("socket"))

    @property
    def closing(self) -> bool:
        """Whether it has ended or is about to."""
        return self._transport.is_closing()

    def use(self, exchange: Exchange, data: bytes) -> None:
        """Carry a request, of which this is the start."""
        self.exchange = exchange
        self.heard = self._done = self._kept = False
        self._quiet = 0
        self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Send more of the request."""
        self._transport.write(data)

    def leave(self) -> None:
        """Carry the request no longer."""
        self.exchange = None
        self.used = True
        self.since = time.monotonic()
        self._transport.resume_reading()

    def close(self) -> None:
        """Close at once; whoever used it hears no more of it."""
        self.exchange = None
        self._transport.abort()

    def read(self, *, more: bool) -> None:
        """Read on, or wait, for the client takes no more."""
        if more:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def get_buffer(self, _hint: int) -> memoryview:
        """Return where the next bytes go."""
        return BUFFER

    def buffer_updated(self, count: int) -> None:
        """Parse a part of an answer, and let the exchange pass it on."""
        exchange = self.exchange
        if exchange is None:  # nobody asked
            self.close()
            return
        self.heard = True
        self._quiet += count
        try:
            self._parser.feed_data(BUFFER[:count])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._done:
                exchange.break_off("its answer is not HTTP")
                return
            exchange.finish(reusable=False)  # something follows the answer
            return
        if self._done:
            exchange.finish(reusable=self._kept)
        elif self._quiet > MOST_HEAD:
            exchange.break_off("its answer has too large a head")
        else:
            exchange.flush()

    def pause_writing(self) -> None:
        """Take no more for now."""
        self.full = True
        if self.exchange is not None:
            self.exchange.balance()

    def resume_writing(self) -> None:
        """Take more."""
        self.full = False
        if self.exchange is not None:
            self.exchange.balance()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the exchange that no more will come."""
        if error is not None and self.exchange is not None:
            self._read_rest()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.lost(error)

    def _read_rest(self) -> None:
        """Read what had come when the connection was found reset: who refuses a body answers, and does not read it.

        asyncio reads no more after a write that fails; the socket is closed behind `connection_lost`.
        """
        descriptor = self._transport.get_extra_info("socket").fileno()
        with suppress(OSError):
            while self.exchange is not None and (count := os.readv(descriptor, [BUFFER])):
                self.buffer_updated(count)

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Begin an answer, or an interim one."""
        if self._done:
            raise ValueError("nobody asked for a second answer")
        self._reason = b""
        self._headers = []

    def on_status(self, reason: bytes) -> None:
        """Take the reason behind the status."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what follows chunks concerns this connection only."""
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Pass the head on."""
        if self.exchange is not None:
            status = self._parser.get_status_code()
            self._done = self.exchange.head(status, self._reason, self._headers)

    def on_body(self, piece: bytes) -> None:
        """Pass a piece on."""
        self._quiet = 0
        if self.exchange is not None and not self._done:
            self.exchange.piece(piece)

    def on_message_complete(self) -> None:
        """Note that the answer is whole."""
        self._done = self._done or self._parser.get_status_code() >= _FINAL
        self._kept = self._parser.should_keep_alive()  # known only now


class Target:
    """A server that requests are sent to, the connections to it, and how many requests it has under way."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.under_way = 0
        self._retired = False
        self._none_left = asyncio.Event()
        self._idle: deque[Upstream] = deque()

    def enter(self) -> Upstream | None:
        """Count one more request; return a connection that is open, where there is one."""
        self.under_way += 1
        while self._idle:
            upstream = self._idle.pop()
            if not upstream.closing:
                return upstream
        return None

    async def connect(self) -> Upstream:
        """Open a connection; raises OSError."""
        host, port = self.address
        _, upstream = await asyncio.get_running_loop().create_connection(Upstream, host, port)
        return upstream

    def leave(self, upstream: Upstream | None) -> None:
        """Count one request less, and keep its connection for the next where one is given."""
        self.under_way -= 1
        if upstream is not None:
            upstream.leave()
            if self._retired or len(self._idle) >= IDLE:
                upstream.close()
            else:
                self._idle.append(upstream)
        if self._retired and not self.under_way:
            self._none_left.set()

    def drop_idle(self, now: float) -> None:
        """Close connections that were idle for long."""
        while self._idle and (self._idle[0].closing or self._idle[0].since + _IDLE_SECONDS <= now):
            self._idle.popleft().close()

    async def retire(self, grace: float) -> int:
        """Take no more; return how many requests are under way when all have ended, or after `grace` seconds."""
        self._retired = True
        while self._idle:
            self._idle.pop().close()
        if self.under_way:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), grace)
        return self.under_way
