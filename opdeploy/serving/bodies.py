"""Bodies of requests: read within limits of size and number, so that no client takes the memory of all."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from granian._granian import RSGIProtocolClosed as ProtocolClosed
from granian._granian import RSGIProtocolError as ProtocolError

from opdeploy.serving.exchange import GoneError, RequestError, unavailable

if TYPE_CHECKING:
    from opdeploy.serving.exchange import Exchange, Headers
    from opdeploy.serving.settings import Settings

_HELD = 4
"""So many of the largest bodies may be held at a time."""
_FREE = 1 << 16
"""Bytes of a body that always has room: all connections together cannot make much of them."""
_RESERVED = 1 << 20
"""Bytes of a body whose room is kept from its head on; of a larger one, as it arrives."""


class Bodies:
    """Counts the requests that have a body and are under way, and what they hold; to be used from one event loop."""

    def __init__(self, settings: Settings) -> None:
        self.most = settings.max_body
        self.requests = 0
        self.held = 0
        self._most_requests = settings.max_queue

    def admit(self) -> Place:
        """Return a place for one more request; raises RequestError (503) where there are too many."""
        if self.requests >= self._most_requests:
            raise unavailable(f"the server is busy with {self.requests} requests; send it again later")
        return Place(self)


class Place:
    """One request's share of what may be held, until it leaves."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._held = 0
        self._counts = False

    def leave(self) -> None:
        """Make room for others."""
        self._bodies.requests -= self._counts
        self._bodies.held -= self._held

    async def read(self, headers: Headers, exchange: Exchange) -> bytes | bytearray:
        """Return the body; the request counts from now on, and not while its client is slow to send it.

        Raises RequestError for one that is too large (413), compressed (415), has no room now (503), or breaks off
        among its chunks (400); GoneError where the client goes.
        """
        if (headers.get("content-encoding") or "identity").lower() != "identity":
            raise RequestError("the body is compressed; send it as it is", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        declared = headers.get("content-length")
        size = int(declared) if declared else 0
        self._check(size)
        is_whole = declared is not None and size <= _RESERVED
        if is_whole:
            self._hold(size)
        try:
            body = await (exchange() if is_whole else self._pieces(exchange, None if declared is None else size))
        except (ProtocolError, ProtocolClosed):
            raise GoneError from None
        self._counts = True
        self._bodies.requests += 1
        return body

    async def _pieces(self, exchange: Exchange, size: int | None) -> bytearray:
        """Return a body that is large, or in chunks, which do not tell their length beforehand."""
        body = bytearray()
        is_over = False
        async for piece in exchange:
            # granian gives an empty piece at the end, and one before that for what it could not read.
            if is_over:
                raise RequestError("the body broke off, or is not in chunks")
            is_over = not piece
            self._check(len(body) + len(piece))
            self._hold(len(piece))
            body += piece
        if size is not None and len(body) < size:
            raise GoneError
        return body

    def _check(self, size: int) -> None:
        if size > self._bodies.most:
            raise RequestError(f"the body is over {self._bodies.most} bytes", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def _hold(self, size: int) -> None:
        bodies = self._bodies
        if self._held + size > _FREE and bodies.held + size > _HELD * bodies.most:
            raise unavailable("the server holds too many large bodies; send it again later")
        self._held += size
        bodies.held += size
