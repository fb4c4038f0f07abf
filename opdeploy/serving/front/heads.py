"""The heads of requests and answers as they go on: without what concerns one connection, the body framed once."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    Headers = list[tuple[bytes, bytes]]

_HERE = frozenset(
    (
        *(b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"content-length", b"host", b"x-forwarded-for", b"x-forwarded-proto"),
    )
)
"""Those of one connection (RFC 9110, section 7.6.1), and those that are written anew."""
_COMMON = {b"close", b"keep-alive"}
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


class HeadError(Exception):
    """A head that must not go on, and why."""


class Passed(NamedTuple):
    """The headers of a message."""

    lines: list[bytes]
    """What goes on as it is."""
    here: dict[bytes, list[bytes]]
    """What stays, or is written anew: values by name in small letters."""
    length: int | None
    """Of the body, where it is told."""
    chunked: bool


def passed(headers: Headers) -> Passed:
    """Sort the headers of a message, whose names and values the parser has checked.

    Raises HeadError for a length and chunks at once, two lengths, and an encoding that is not exactly `chunked`.
    """
    kept: list[tuple[bytes, bytes]] = []
    here: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        key = name.lower()
        if key in _HERE or key.startswith(b"proxy-"):
            here.setdefault(key, []).append(value)
        else:
            kept.append((key, b"%s: %s\r\n" % (name, value)))
    if b"connection" in here:
        named = {token.strip().lower() for value in here[b"connection"] for token in value.split(b",")}
        if not named <= _COMMON:
            kept = [(key, line) for key, line in kept if key not in named]
    return Passed([line for _, line in kept], here, *_framing(here))


def _framing(here: dict[bytes, list[bytes]]) -> tuple[int | None, bool]:
    lengths = here.get(b"content-length", [])
    encodings = here.get(b"transfer-encoding", [])
    if len(lengths) + len(encodings) > 1:
        raise HeadError("the length of the body is told twice")
    if encodings and encodings[0].lower() != b"chunked":
        raise HeadError("the body is encoded for transfer in another way than in chunks")
    if lengths and not lengths[0].isdigit():
        raise HeadError("the length of the body is no number")
    return (int(lengths[0]) if lengths else None), bool(encodings)


def of_request(method: bytes, target: bytes, version: str, found: Passed, peer: bytes) -> bytes:
    """Return the head of a request to the server, for a client at the address `peer`.

    Raises HeadError for one without exactly one Host, for chunks in HTTP/1.0, for another version of HTTP, and for
    what would be more lines than it says.
    """
    hosts = found.here.get(b"host", [])
    if version not in {"1.0", "1.1"}:
        raise HeadError("only versions 1.0 and 1.1 of HTTP are spoken here")
    if len(hosts) != 1 and (hosts or version == "1.1"):
        raise HeadError("a request has one header Host")
    if found.chunked and version == "1.0":
        raise HeadError("HTTP/1.0 knows no chunks")
    way = b", ".join((*found.here.get(b"x-forwarded-for", ()), peer))
    scheme = found.here.get(b"x-forwarded-proto", [b"http"])[0]
    lines = [
        b"%s %s HTTP/1.1\r\n" % (method, target),
        b"Host: %s\r\n" % (hosts[0] if hosts else b""),
        *found.lines,
        b"X-Forwarded-For: %s\r\nX-Forwarded-Proto: %s\r\n" % (way, scheme),
        _framed(found.length, chunked=found.chunked),
    ]
    return _whole(lines, len(found.lines) + 4 + bool(lines[-1]))


def of_answer(status: int, reason: bytes, lines: list[bytes], framing: bytes, *, keep: bool) -> bytes:
    """Return the head of an answer to a client; raises HeadError for what would be more lines than it says."""
    close = b"" if keep else b"Connection: close\r\n"
    start = b"HTTP/1.1 %d %s\r\n" % (status, reason)
    return _whole([start, *lines, framing, close], len(lines) + 1 + bool(framing) + (not keep))


def framing_of_answer(status: int, found: Passed, *, head: bool, chunks: bool) -> tuple[bytes, bool]:
    """Return the lines that tell the length of an answer's body, and whether there is a body.

    `head`: the request was HEAD. `chunks`: the client takes chunks; else a body of unknown length ends with the
    connection.
    """
    if head or status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return _framed(None if status == HTTPStatus.NO_CONTENT else found.length, chunked=False), False
    return _framed(found.length, chunked=found.length is None and chunks), True


def own_answer(status: HTTPStatus, body: bytes, headers: Iterable[bytes], *, keep: bool) -> bytes:
    """Return the head of an answer that is the front's own, in JSON."""
    lines = [b"Content-Type: application/json\r\n", *headers]
    return of_answer(status, status.phrase.encode(), lines, _framed(len(body), chunked=False), keep=keep)


def chunk(data: bytes) -> bytes:
    """Return a piece of a body, which is not empty, as a chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def _framed(length: int | None, *, chunked: bool) -> bytes:
    if length is not None:
        return b"Content-Length: %d\r\n" % length
    return _CHUNKED if chunked else b""


def _whole(lines: list[bytes], count: int) -> bytes:
    """Return a head with so many lines; the parser lets nothing else through, and this does not trust it."""
    head = b"".join((*lines, b"\r\n"))
    if head.count(b"\n") != count + 1 or head.count(b"\r") != count + 1 or b"\0" in head:
        raise HeadError("a header has a line break or a zero in it")
    return head
