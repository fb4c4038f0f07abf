"""One request on its way to the server, and its answer on the way back."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from opdeploy.serving.front import heads

if TYPE_CHECKING:
    from opdeploy.serving.front.client import Client
    from opdeploy.serving.front.heads import Headers
    from opdeploy.serving.front.request import Request
    from opdeploy.serving.front.upstream import Target, Upstream

_CONNECTING = 5
"""Seconds for a connection to the server, which is near."""

_log = logging.getLogger("opdeploy.serving.front")


class Exchange:
    """Sends a client's request to a server, and the answer to the client."""

    def __init__(self, client: Client, request: Request, target: Target) -> None:
        self.request = request
        self._client = client
        self._target = target
        self._upstream: Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self.begun = False
        """Whether the head of the answer has gone to the client."""
        self._keep = False
        self._chunks = False
        self._until_end = False
        """Whether the answer's end is that of the server's connection."""
        self._out: list[bytes] = []

    def begin(self) -> None:
        """Send what there is of the request, over a connection that is open, else over a new one."""
        upstream = self._target.enter()
        if upstream is None:
            self._connecting = asyncio.create_task(self._connect())
        else:
            self._use(upstream)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(_CONNECTING):
                upstream = await self._target.connect()
        except (OSError, UnicodeError) as error:  # of time, too, and of a name that cannot be one
            self._connecting = None
            self.fail(HTTPStatus.BAD_GATEWAY, "the model's server cannot be reached", str(error) or "no answer")
        else:
            self._connecting = None
            self._use(upstream)

    def _use(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self.request.rewind()
        upstream.use(self, self.request.head + self.request.take())
        upstream.read(more=not self._client.full)
        self.balance()

    def push(self) -> None:
        """Send what has come of the request since."""
        if self._upstream is not None and (data := self.request.take()):
            self._upstream.write(data)

    @property
    def blocked(self) -> bool:
        """Whether no more of the request is wanted for now."""
        return self._upstream.full if self._upstream else not self.request.again

    def balance(self) -> None:
        """Let the client send as fast as the server takes it."""
        self._client.balance()

    def read(self, *, more: bool) -> None:
        """Let the server send as fast as the client takes it."""
        if self._upstream is not None:
            self._upstream.read(more=more)

    def head(self, status: int, reason: bytes, headers: Headers) -> bool:
        """Take the head of the answer; return whether the answer is whole with it, as one to HEAD is."""
        found = heads.passed(headers)
        chunks = self.request.version == "1.1"
        if status < HTTPStatus.OK:
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise heads.HeadError("nobody asked for another protocol")
            if chunks:
                self._out.append(heads.of_answer(status, reason, found.lines, b"", keep=True))
            return False
        head = self.request.method == b"HEAD"
        framing, has_body = heads.framing_of_answer(status, found, head=head, chunks=chunks)
        self._until_end = has_body and found.length is None and not found.chunked
        self._chunks = has_body and found.length is None and chunks
        self._keep = self._client.keeps(self.request)
        self._out.append(heads.of_answer(status, reason, found.lines, framing, keep=self._keep))
        self.begun = True
        self.request.forget()
        return head

    def piece(self, data: bytes) -> None:
        """Take a piece of the answer's body."""
        self._out.append(heads.chunk(data) if self._chunks else data)

    def flush(self) -> None:
        """Pass on what was taken."""
        if self._out:
            self._client.write(b"".join(self._out))
            self._out.clear()
            if self.begun:
                self._client.moved()

    def finish(self, *, reusable: bool) -> None:
        """End with a whole answer; `reusable`: the server's connection takes another request."""
        if self._chunks:
            self._out.append(heads.LAST_CHUNK)
        self.flush()
        # After HEAD its parser would wait for a body.
        keeps = reusable and self.request.whole and self.request.method != b"HEAD"
        self._release(keeps=keeps)
        self._client.answered(keep=self._keep)

    def lost(self, error: Exception | None) -> None:
        """End, or begin anew, as the server's connection has ended."""
        upstream = self._upstream
        assert upstream is not None  # noqa: S101 - for mypy: it is who calls
        if self.begun and self._until_end and error is None:
            self.finish(reusable=False)
        elif upstream.used and not upstream.heard and self.request.again:
            # It had been idle, and the server closed it just then: nothing was answered, so nothing is lost.
            self._release(keeps=False)
            self._target = self._client.proxy.target or self._target
            self._target.under_way += 1
            self._connecting = asyncio.create_task(self._connect())
        else:
            self.break_off("it closed the connection")

    def break_off(self, why: str) -> None:
        """End without a whole answer, for the server is at fault."""
        self.fail(HTTPStatus.BAD_GATEWAY, "the model's server broke off", why)

    def fail(self, status: HTTPStatus, sentence: str, why: str = "") -> None:
        """End with an error, or by closing the client's connection where an answer has begun."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            event = {"upstream": str(self._target.address), "status": int(status), "why": why, "begun": self.begun}
            _log.warning(sentence, extra=event)
        self.cut()
        if self.begun:
            self._client.abort()
        else:
            self._client.answer(status, {"error": sentence})

    def cut(self) -> None:
        """End at once, and let the server know; the client hears no more."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        self._release(keeps=False)

    def _release(self, *, keeps: bool) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None and not keeps:
            upstream.close()
        self._target.leave(upstream if keeps else None)
