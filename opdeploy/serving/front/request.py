"""A request as a client sends it: its head, and what has come of its body and did not go on yet."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.serving.front import heads
from opdeploy.serving.front.limits import HELD, MOST_HEAD, MOST_HEADERS

if TYPE_CHECKING:
    from opdeploy.serving.front.heads import Headers


class Refusal(NamedTuple):
    """Why a request does not go on: a status and one sentence."""

    status: HTTPStatus
    why: str


TOO_LARGE = Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head has {MOST_HEAD} bytes at most")


class Request:
    """Filled by a client's parser, emptied by an exchange."""

    __slots__ = (
        *("method", "target", "version", "headers", "head", "keep", "refusal", "whole", "size"),
        *("_body", "_chunked", "_taken", "_ended", "_final"),
    )

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.version = ""
        self.headers: Headers = []
        self.head = b""
        """As it goes on."""
        self.keep = False
        """Whether the client's connection may take another request after it."""
        self.refusal: Refusal | None = None
        self.whole = False
        """Whether all of the body has come."""
        self.size = 0
        """Bytes of the body that have come."""
        self._chunked = False
        self._body = bytearray()
        self._taken = 0
        self._ended = False
        self._final = False

    def settle(self, peer: bytes) -> None:
        """Make the head that goes on, or note why there is none; its parts are known now."""
        headers, self.headers = self.headers, []
        if self.method == b"CONNECT":
            self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this is no proxy for other hosts")
            return
        if len(headers) > MOST_HEADERS:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request has {MOST_HEADERS} headers at most")
            return
        try:
            found = heads.passed(headers)
            self.head = heads.of_request(self.method, self.target, self.version, found, peer)
        except heads.HeadError as error:
            self.refuse(HTTPStatus.BAD_REQUEST, str(error))
        else:
            self._chunked = found.chunked
            if len(self.head) > MOST_HEAD:
                self.refuse(*TOO_LARGE)

    def refuse(self, status: HTTPStatus, why: str) -> None:
        """Note that it does not go on; its connection takes no other request, for what follows is not to be trusted."""
        self.refusal = Refusal(status, why)
        self.keep = False

    def add(self, piece: bytes) -> None:
        """Take a piece of the body that has come."""
        self._body += piece
        self.size += len(piece)

    @property
    def again(self) -> bool:
        """Whether all that was taken can be taken once more."""
        return self.size <= HELD and not self._final

    def rewind(self) -> None:
        """Begin anew, if `again` says so."""
        self._taken = 0
        self._ended = False

    def forget(self) -> None:
        """Hold nothing of what was taken, as its answer has begun."""
        self._final = True
        self.head = b""
        del self._body[: self._taken]
        self._taken = 0

    def take(self) -> bytes:
        """Return what of the body is to go on now, as it is framed."""
        data = bytes(self._body[self._taken :] if self._taken else self._body)
        if self.again:
            self._taken = len(self._body)
        else:
            self._body.clear()
            self._taken = 0
        if not self._chunked:
            return data
        ends = self.whole and not self._ended
        self._ended = self.whole
        return (heads.chunk(data) if data else b"") + (heads.LAST_CHUNK if ends else b"")
