"""Requests that two servers could read in two ways go no further, and nothing of them reaches the server."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from opdeploy.serving.front import heads
from tests.front.fronts import Front, Wire, answering, fronting, ok, written
from tests.serving.servers import head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.front.fronts import Written

CHUNKED = "Transfer-Encoding: chunked"
HIDDEN = b"0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
"""Nothing as chunks, and a request behind it, or a body of 38 bytes."""
SIZE = f"Content-Length: {len(HIDDEN)}"
REFUSED: dict[str, tuple[int, bytes]] = {
    "a length and chunks": (400, head("/", SIZE, CHUNKED) + HIDDEN),
    "chunks and a length": (400, head("/", CHUNKED, SIZE) + HIDDEN),
    "two lengths": (400, head("/", "Content-Length: 5", SIZE) + HIDDEN),
    "a length twice": (400, head("/", SIZE, SIZE) + HIDDEN),
    "a length twice in other letters": (400, head("/", SIZE, SIZE.upper()) + HIDDEN),
    "two lengths in one": (400, head("/", f"{SIZE}, 5") + HIDDEN),
    "a signed length": (400, head("/", "Content-Length: +5") + HIDDEN),
    "a length beyond 64 bits": (400, head("/", "Content-Length: 99999999999999999999") + HIDDEN),
    "no length": (400, head("/", "Content-Length: ") + HIDDEN),
    "a blank before the colon": (400, head("/", "Content-Length : 5") + HIDDEN),
    "a folded header": (400, head("/", "X: a\r\n b", SIZE) + HIDDEN),
    "a folded length": (400, head("/", "Content-Length:\r\n 5") + HIDDEN),
    "a first header with a blank": (400, b"GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
    "chunks twice": (400, head("/", CHUNKED, CHUNKED) + HIDDEN),
    "chunks in another encoding": (400, head("/", "Transfer-Encoding: gzip, chunked") + HIDDEN),
    "another encoding": (400, head("/", "Transfer-Encoding: identity") + HIDDEN),
    "a strange encoding": (400, head("/", "Transfer-Encoding: xchunked") + HIDDEN),
    "chunks in HTTP/1.0": (400, b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + HIDDEN),
    "a line feed alone": (400, head("/", "X: a\nContent-Length: 5") + HIDDEN),
    "a carriage return alone": (400, head("/", "X: a\rContent-Length: 5") + HIDDEN),
    "a zero": (400, head("/", "X: a\0b")),
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two Hosts": (400, head("/", "Host: y", method="GET")),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00"),
    "a method that is none": (400, head("/", method="FOO")),
    "CONNECT": (405, head("elsewhere:443", method="CONNECT")),
    "a host and a port alone": (400, head("elsewhere:443", method="GET")),
    "a target that is no path": (400, head("hidden", method="GET")),
    "a body behind what is refused": (400, head("/", "Host: y", SIZE) + HIDDEN + head("/hidden", method="GET")),
    "chunks behind what is refused": (400, head("/", "Host: y", CHUNKED) + HIDDEN),
    "a head over 32 kB at once": (431, head("/", f"x: {'y' * 33_000}", method="GET")),
    "many small headers": (431, head("/", *["x:"] * 15_000, method="GET")),
    "many headers": (431, head("/", *(f"x{number}: y" for number in range(101)), method="GET")),
    "a long head": (431, head("/", f"x: {'y' * 200_000}", method="GET")),
    "a long target": (431, head("/" + "y" * 200_000, method="GET")),
}
CUT_OFF: dict[str, bytes] = {
    "chunks that are none": head("/", CHUNKED) + b"5\r\nabcde\r\nzz\r\n",
    "a chunk that is too short": head("/", CHUNKED) + b"3\r\nabcde\r\n0\r\n\r\n",
    "a negative chunk": head("/", CHUNKED) + b"-5\r\nabcde\r\n0\r\n\r\n",
    "a blank behind a chunk's size": head("/", CHUNKED) + b"5 \r\nabcde\r\n0\r\n\r\n",
    "line feeds alone": head("/", CHUNKED) + b"5\nabcde\n0\n\n",
    "a length as a trailer": head("/", CHUNKED) + b"5\r\nabcde\r\n0\r\nContent-Length: 5\r\n\r\n" + HIDDEN,
    "an encoding as a trailer": head("/", CHUNKED) + b"5\r\nabcde\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" + HIDDEN,
    "endless trailers": head("/", CHUNKED) + b"0\r\n" + b"x: y\r\n" * 50_000,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Written]:
    """Answer every request."""
    with answering(ok()) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: Written) -> Iterator[Front]:
    """Run a front before that server."""
    with fronting(to=server.port) as front:
        yield front


@pytest.fixture(autouse=True)
def _only_what_is_clear_came(proxy: Front, server: Written) -> Iterator[None]:
    """After each test the server has nothing but the request that is sent then."""
    before = len(server.heads)
    yield
    assert proxy.request("GET", "/clear").content == b"fine"
    (line,) = {head.split(b"\r\n")[0] for head in server.heads[before:]}
    assert line == b"GET /clear HTTP/1.1"


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_clear_is_refused(proxy: Front, case: str) -> None:
    """With one answer, after which the connection is closed, whatever follows."""
    status, sent = REFUSED[case]
    came = proxy.exchange(sent)
    assert came.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'{"error":"' in came
    assert came.count(b"HTTP/1.1 ") == 1


def test_what_is_refused_behind_another_ends_the_row(proxy: Front, server: Written) -> None:
    """What came before it is answered, and nothing after it."""
    before = len(server.heads)
    row = head("/clear", method="GET") + head("/", "Host: y", SIZE) + HIDDEN + head("/hidden", method="GET")
    came = proxy.exchange(row)
    assert re.findall(rb"HTTP/1.1 (\d+)", came) == [b"200", b"400"]
    assert len(server.heads) == before + 1


@pytest.mark.parametrize("case", CUT_OFF)
def test_a_body_that_is_not_clear_is_cut_off(front: Callable[..., Front], case: str) -> None:
    """The server does not get a body that looks whole; the client is told once."""
    got: list[bytes] = []

    def serve(wire: Wire) -> None:
        wire.head()
        with suppress(ConnectionResetError):
            while piece := wire.read(1):
                got.append(piece)

    with written(serve) as server:
        came = front(to=server.port).exchange(CUT_OFF[case])
    assert came[:13] in {b"HTTP/1.1 400 ", b"HTTP/1.1 431 "}
    assert came.count(b"HTTP/1.1 ") == 1
    assert b"".join(got) in {b"", b"5\r\nabcde\r\n", b"3\r\nabc\r\n"}


@pytest.mark.parametrize(
    "headers",
    [
        [(b"X", b"a\r\nY: b")], [(b"X", b"a\nb")], [(b"X", b"a\rb")], [(b"X", b"a\0b")], [(b"X\r\nY", b"")],
        [(b"X-Forwarded-For", b"a\r\nb")], [(b"X-Forwarded-Proto", b"a\nb")], [(b"Content-Length", b"1\r\n2")],
        [(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")], [(b"Content-Length", b"1")] * 2,
        [(b"Content-Length", b"-1")], [(b"Content-Length", b"1_0")], [(b"Content-Length", b"\xb2")],
    ],
)  # fmt: skip
def test_line_breaks_are_not_written_even_if_the_parser_lets_them_through(headers: list[tuple[bytes, bytes]]) -> None:
    """A head is written whole or not at all, and has one length."""
    with pytest.raises(heads.HeadError):
        heads.of_request(b"GET", b"/", "1.1", heads.passed([(b"Host", b"x"), *headers]), b"1.2.3.4")


@pytest.mark.parametrize(("reason", "lines"), [(b"OK\r\nX: y", []), (b"OK", [b"X: a\r\nY: b\r\n"]), (b"\0", [])])
def test_nor_in_an_answer(reason: bytes, lines: list[bytes]) -> None:
    """What a server answers is held to the same."""
    with pytest.raises(heads.HeadError):
        heads.of_answer(200, reason, lines, b"", keep=True)
