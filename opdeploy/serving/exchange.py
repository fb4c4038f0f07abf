"""The server's side of one request, as RSGI gives it, and what answers it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    body: bytes
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    status: int = HTTPStatus.OK


class RequestError(Exception):
    """A request that cannot be answered: an HTTP status and one sentence for the client."""

    def __init__(
        self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class GoneError(Exception):
    """The client has gone, and no answer can reach it."""


def unavailable(message: str, retry_seconds: float = 1) -> RequestError:
    """Return the error of a request that may be sent again, after so many seconds at the earliest."""
    after = str(max(1, round(retry_seconds)))
    return RequestError(message, HTTPStatus.SERVICE_UNAVAILABLE, (("retry-after", after),))


class Headers(Protocol):
    """The headers of a request, by name in small letters."""

    def get(self, key: str, default: str | None = None, /) -> str | None:
        """Return the first value of a header."""


class Scope(Protocol):
    """What is known of a request before its body."""

    method: str
    path: str

    @property
    def headers(self) -> Headers:
        """The headers."""


class Exchange(Protocol):
    """Await it for the whole body, or iterate for pieces; then respond once."""

    async def __call__(self) -> bytes:
        """Return the body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces."""

    async def client_disconnect(self) -> None:
        """Return when the client's connection has ended."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the response."""
