"""A client's connection: its requests are parsed, and answered in their order."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools
import orjson

from opdeploy.serving.front import heads
from opdeploy.serving.front.limits import AHEAD, BUFFER, MOST_HEAD, MOST_HEADERS, WRITE_BUFFER
from opdeploy.serving.front.request import TOO_LARGE, Request

if TYPE_CHECKING:
    from opdeploy.serving.front.exchange import Exchange
    from opdeploy.serving.front.proxy import Proxy

_HEAD_SECONDS = 75
"""For the head of a request, and so for an idle connection: as the server."""
_LINGER = 2
"""Seconds in which a client may read an answer that came before its request was whole: to close at once would reset
the connection, and might take the answer from it."""


class Client(asyncio.BufferedProtocol):
    """Reads requests and has the front begin each when those before it are answered."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._due = time.monotonic() + _HEAD_SECONDS
        """When it is given up, by time.monotonic."""
        self.full = False
        """Whether it takes no more for now."""
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        """The one that is being parsed, or was last."""
        self._queue: deque[Request] = deque()
        """Those whose heads have come; the first is under way."""
        self._exchange: Exchange | None = None
        self._deaf = False
        """Whether what it sends is let go."""
        self._ended = False
        """Whether it sends no more, and may be gone."""
        self._given = self._sent = 0
        """Bytes that were to be sent, and that had been when it was last looked at."""
        self._quiet = 0

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self._queue)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy; asyncio gives a stream's protocol one
        self._transport = transport
        transport.set_write_buffer_limits(WRITE_BUFFER)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]).encode() if peer else b"unknown"  # one that has gone already
        self.proxy.clients.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Give up what is under way."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.cut()
        self._queue.clear()
        self.proxy.gone(self)

    def eof_received(self) -> bool:
        """Answer what was asked, where all of it has come.

        A client that has gone looks like one that only sends no more. An interim answer, which everybody who speaks
        HTTP/1.1 skips, tells them apart: who has gone resets the connection.
        """
        if self._queue and not (self._request.whole or self._request.refusal):
            self._transport.abort()
        self._ended = bool(self._queue)
        if self._exchange is not None and not self._exchange.begun and self._queue[0].version == "1.1":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._ended

    def get_buffer(self, _hint: int) -> memoryview:
        """Return where the next bytes go."""
        return BUFFER

    def buffer_updated(self, count: int) -> None:
        """Parse what came, and let it go on."""
        if self._deaf:
            return
        self._quiet += count
        try:
            self._parser.feed_data(BUFFER[:count])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._deaf = True
            if self._request.keep or not self._request.whole:  # else it is what follows the last request
                self._refuse(HTTPStatus.BAD_REQUEST, "the request is not well-formed")
        if self._quiet > MOST_HEAD:
            self._deaf = True
            self._refuse(*TOO_LARGE)
        self._advance()

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        """Refuse the request that is being parsed, when it is its turn."""
        if self._request.whole:
            self._request = Request()
        request = self._request
        request.refuse(status, why)
        if self._exchange is not None and self._exchange.request is request:
            self._exchange.fail(status, why)
        elif request not in self._queue:
            self._queue.append(request)

    def _advance(self) -> None:
        """Begin the next request where none is under way, and send on what has come of the one that is."""
        if self._exchange is not None:
            self._exchange.push()
        elif self._queue and not self.full and not self._transport.is_closing():
            self._wait(self.proxy.timeout)
            exchange = self.proxy.exchange(self, self._queue[0])
            if exchange is not None:
                self._exchange = exchange
                exchange.begin()
        self.balance()

    def balance(self) -> None:
        """Read, unless what would come had to be held."""
        if self._ended:
            return
        alone = len(self._queue) == 1 and self._exchange is not None and not self._exchange.blocked
        if self._deaf or not self._queue or alone:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def keeps(self, request: Request) -> bool:
        """Tell whether the connection may stay open after the answer to a request, as it begins now."""
        last = self._ended and len(self._queue) == 1
        return request.keep and request.whole and not self.proxy.draining and not last

    def write(self, data: bytes) -> None:
        """Send a part of an answer."""
        self._given += len(data)
        self._transport.write(data)

    def answer(self, status: HTTPStatus, document: dict[str, Any], *headers: bytes) -> None:
        """Answer the request under way without the server."""
        request, body = self._queue[0], orjson.dumps(document)
        keep = self.keeps(request)
        head = heads.own_answer(status, body, headers, keep=keep)
        self.write(head if request.method == b"HEAD" else head + body)
        self.answered(keep=keep)

    def answered(self, *, keep: bool) -> None:
        """Go on to the next request, or end."""
        request = self._queue.popleft()
        self._exchange = None
        if keep and (self._queue or not self._ended):
            self._wait(_HEAD_SECONDS)
            self._advance()
            return
        self._deaf = True
        self._queue.clear()
        if request.whole or self._ended or self._transport.is_closing():
            self._close()
        else:
            self._transport.write_eof()
            self._wait(_LINGER)
            self.balance()

    def _close(self) -> None:
        """Close when all is sent."""
        self.moved()
        self._transport.close()

    def moved(self) -> None:
        """Note that an answer moves on."""
        self._wait(self.proxy.stall)

    def _wait(self, seconds: float) -> None:
        self._due = time.monotonic() + seconds

    def look(self, now: float) -> None:
        """Give up, at a time by time.monotonic, if it is due or the client has gone."""
        left = self._transport.get_write_buffer_size()
        before, self._sent = self._sent, self._given - left
        if left and self._sent > before and (self._exchange is None or self._exchange.begun):
            self._due = max(self._due, now + self.proxy.stall)
        if self._due <= now:
            self._expire()
        elif self._ended and self._transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._transport.abort()

    def _expire(self) -> None:
        if self._exchange is None:
            self._transport.abort()
        elif not self._exchange.begun:
            sentence = "the model's server did not answer in time"
            self._exchange.fail(HTTPStatus.GATEWAY_TIMEOUT, sentence, f"{self.proxy.timeout:g} s")
        elif self._transport.get_write_buffer_size():
            self._exchange.fail(HTTPStatus.REQUEST_TIMEOUT, "the client takes nothing of its answer")
        else:
            sentence = "the model's server stopped in the middle of its answer"
            self._exchange.fail(HTTPStatus.GATEWAY_TIMEOUT, sentence, f"{self.proxy.stall:g} s")

    def stop(self) -> None:
        """Close, unless a request is under way, which will be the last."""
        if not self._queue:
            self._close()

    def abort(self) -> None:
        """Close at once, so that an answer that broke off does not look whole."""
        self._exchange = None
        self._queue.clear()
        self._transport.abort()

    def pause_writing(self) -> None:
        """Take no more for now."""
        self.full = True
        if self._exchange is not None:
            self._exchange.read(more=False)

    def resume_writing(self) -> None:
        """Take more."""
        self.full = False
        if self._exchange is not None:
            if self._exchange.begun:
                self.moved()
            self._exchange.read(more=True)
        else:
            self._advance()

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Begin a request."""
        if len(self._queue) >= AHEAD:
            self._request.keep = False
            raise ValueError("too many requests ahead")
        self._request = Request()

    def on_url(self, target: bytes) -> None:
        """Take a part of the target."""
        self._request.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, of too many one too many; what follows chunks concerns this connection only."""
        if len(self._request.headers) <= MOST_HEADERS:
            self._request.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Let the request wait for its turn."""
        request, parser = self._request, self._parser
        request.method, request.version = parser.get_method(), parser.get_http_version()
        request.keep = request.version == "1.1" and parser.should_keep_alive() and not parser.should_upgrade()
        request.settle(self._peer)
        self._queue.append(request)
        self._quiet = 0

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        self._request.add(piece)
        self._quiet = 0

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._request.whole = True
        self._quiet = 0
