"""Requests reach the server as they are sent, and answers come back so, but for what is of one connection."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.front.fronts import Front, Wire, answering, fronting, length_of, ok, written
from tests.serving.servers import answer_on, head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.front.fronts import Written

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]
TARGETS = [
    "/", "/a%20b%2Fc%2e%ff", "/../x//y/./", "/v2/models/m?q=%20&q=%zz+&&=", "/?", "/~a;b=c,d@e:f!$'()*",
    "http://elsewhere/path?x", "http://elsewhere/front/health", "*", "/a#b",
    "/front", "/front/healthy", "/front/health/",
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Written]:
    """Answer every request."""
    with answering(ok(b"fine", "X-Answer: \xfc", "Set-Cookie: a", "Set-Cookie: b")) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: Written) -> Iterator[Front]:
    """Run a front before that server."""
    with fronting(to=server.port) as front:
        yield front


def sent(proxy: Front, server: Written, request: bytes) -> list[bytes]:
    """Send a request, and return the lines of the head that reached the server."""
    with proxy.connect() as connection:
        connection.sendall(request)
        assert answer_on(connection, "GET").status == 200
    return server.heads[-1].split(b"\r\n")[:-1]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on(proxy: Front, server: Written, method: str) -> None:
    """Whatever the server makes of it."""
    assert sent(proxy, server, head("/x", method=method))[0] == f"{method} /x HTTP/1.1".encode()


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_goes_on_to_the_letter(proxy: Front, server: Written, target: str) -> None:
    """Nothing in it is decoded, encoded, resolved or ordered."""
    assert sent(proxy, server, head(target, method="GET"))[0] == f"GET {target} HTTP/1.1".encode()


def test_headers_go_on_but_those_of_one_connection(proxy: Front, server: Written) -> None:
    """In their order and as they are written, twice where they come twice; the client's address is added."""
    lines = (
        *("X-Request-Id: 7", "accept: a", "Accept: b", "X-Odd: \u00fc \t!", "Authorization: Bearer k", "Expires:"),
        *("Connection: keep-alive, X-Here", "X-Here: 1", "Keep-Alive: 5", "TE: trailers", "Trailer: x", "Upgrade: y"),
        *(
            "Proxy-Authorization: z",
            "Proxy-Connection: close",
            "X-Forwarded-For: 10.0.0.1",
            "X-Forwarded-For: 10.0.0.2",
        ),
    )
    assert sent(proxy, server, head("/", *lines, method="GET")) == [
        *(b"GET / HTTP/1.1", b"Host: x", b"X-Request-Id: 7", b"accept: a", b"Accept: b", b"X-Odd: \xc3\xbc \t!"),
        *(b"Authorization: Bearer k", b"Expires: "),
        *(b"X-Forwarded-For: 10.0.0.1, 10.0.0.2, 127.0.0.1", b"X-Forwarded-Proto: http"),
    ]


def test_who_speaks_tls_before_the_front_is_believed(proxy: Front, server: Written) -> None:
    """What was said of the scheme stays."""
    lines = sent(proxy, server, head("/", "X-Forwarded-Proto: https", method="GET"))
    assert [line for line in lines if b"Proto" in line] == [b"X-Forwarded-Proto: https"]


def test_no_header_can_be_named_away_that_tells_a_length(proxy: Front, server: Written) -> None:
    """`Connection: content-length` would leave a body that looks like a request."""
    lines = ("Connection: content-length, host, x-forwarded-for", "Content-Length: 4")
    assert sent(proxy, server, head("/", *lines) + b"body") == [
        *(b"POST / HTTP/1.1", b"Host: x", b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-Proto: http"),
        b"Content-Length: 4",
    ]


def test_an_answer_comes_back_as_it_is(proxy: Front) -> None:
    """Status, headers that come twice, letters that are not ASCII, and body; and the connection is kept."""
    with closing(proxy.begin("GET", "/")) as connection:
        for _ in range(3):
            answer = connection.getresponse()
            assert (answer.status, answer.reason, answer.read()) == (200, "OK", b"fine")
            assert answer.headers.get_all("Set-Cookie") == ["a", "b"]
            assert answer.headers["X-Answer"] == "\xfc"
            connection.request("GET", "/")


ANSWERS: dict[str, tuple[str, bytes, bytes]] = {
    "another reason": ("GET", b"HTTP/1.1 299 Odd One\r\nContent-Length: 0\r\n\r\n", b""),
    "no reason": ("GET", b"HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\nno", b"no"),
    "chunks": (
        "GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: trailer\r\n\r\n", b"abc",
    ),
    "to the end": ("GET", b"HTTP/1.0 200 OK\r\n\r\nall of it", b"all of it"),
    "none for 204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "none for 304": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: a\r\n\r\n", b""),
    "none for HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b""),
    "a body for HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot asked", b""),
    "chunks for HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b""),
    "a body for 204": ("GET", b"HTTP/1.1 204 No Content\r\n\r\nnot asked", b""),
    "more than its length": ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", b"abc"),
    "none for HEAD in chunks": ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b""),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_where_the_body_of_an_answer_ends(front: Callable[..., Front], case: str) -> None:
    """However the server tells it, the client knows, and gets its next answer over the same connection."""
    method, answer, body = ANSWERS[case]

    def once(wire: Wire) -> None:
        while wire.head():
            wire.send(answer)
            if b"HTTP/1.0" in answer:
                return

    with written(once) as server, front(to=server.port).connect() as connection:
        for _ in range(3):
            connection.sendall(head("/", method=method))
            found = answer_on(connection, method)
            assert (found.status, found.content) == (int(answer.split(b"HTTP/1.")[-1][2:5]), body)
            assert "x" not in found.headers
            if "Content-Length: 9" in str(answer):
                assert found.headers["content-length"] == "9"


def test_an_interim_answer_comes_before_the_final_one(front: Callable[..., Front]) -> None:
    """Hints, say; a client of HTTP/1.0, which knows none, is spared them."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    with answering(hints + ok()) as server:
        proxy = front(to=server.port)
        final = ok().replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        assert proxy.exchange(head("/", "Connection: close", method="GET")) == hints + final
        assert proxy.exchange(b"GET / HTTP/1.0\r\n\r\n") == final


def test_a_client_of_http_1_0_gets_an_answer_that_it_understands(front: Callable[..., Front]) -> None:
    """No chunks, and the end of the connection is the end of the body; the server is asked in HTTP/1.1."""
    with answering(ANSWERS["chunks"][1]) as server:
        came = front(to=server.port).exchange(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert came == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"
    assert server.heads[0].startswith(b"GET / HTTP/1.1\r\nHost: \r\n")


def test_a_client_may_wait_to_be_asked_for_its_body(front: Callable[..., Front]) -> None:
    """`Expect: 100-continue` is the server's to answer, and its interim answer comes through."""

    def serve(wire: Wire) -> None:
        asked = wire.head()
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.send(ok(wire.read(length_of(asked))))

    with written(serve) as server, front(to=server.port).connect() as connection:
        connection.sendall(head("/", "Expect: 100-continue", "Content-Length: 4"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        assert answer_on(connection).content == b"body"


def test_requests_in_a_row_are_answered_in_their_order(front: Callable[..., Front]) -> None:
    """Pipelined requests; of very many the last that is answered says that the connection closes."""
    row = b"".join(head(f"/{number}", "Content-Length: 2") + b"ab" for number in range(100))
    with answering(lambda asked: ok(asked.split()[1])) as server:
        came = front(to=server.port).exchange(row)
    answers = came.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(answers) >= 16
    assert [answer.partition(b"\r\n\r\n")[2] for answer in answers] == [b"/%d" % at for at in range(len(answers))]
    assert [b"Connection: close" in answer for answer in answers] == [False] * (len(answers) - 1) + [True]


def test_trailers_do_not_go_on(front: Callable[..., Front]) -> None:
    """Whatever they are named, they become no headers, of that request or of the next."""
    trailers = b"X: 1\r\nHost: y\r\nAuthorization: z\r\nX-Forwarded-For: 10.0.0.1\r\n"

    def serve(wire: Wire) -> None:
        while asked := wire.head():
            body = b"".join(iter(wire.line, b"\r\n")) if b"chunked" in asked else b""
            wire.send(ok(asked + body))

    with written(serve) as server, front(to=server.port).connect() as connection:
        chunks = head("/", "Transfer-Encoding: chunked", "Trailer: X") + b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n"
        connection.sendall(chunks)
        added = b"Host: x\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
        framed = b"Transfer-Encoding: chunked\r\n3\r\nabc\r\n0\r\n"
        assert answer_on(connection).content == b"POST / HTTP/1.1\r\n" + added + framed
        connection.sendall(head("/next", method="GET"))
        assert answer_on(connection).content == b"GET /next HTTP/1.1\r\n" + added


def test_names_with_underscores_mean_nothing_here(proxy: Front, server: Written) -> None:
    """They go on as they are, beside what the front says."""
    lines = sent(proxy, server, head("/", "Content_Length: 5", "X_Forwarded_For: 10.0.0.1", method="GET"))
    assert lines[2:] == [
        *(b"Content_Length: 5", b"X_Forwarded_For: 10.0.0.1"),
        *(b"X-Forwarded-For: 127.0.0.1", b"X-Forwarded-Proto: http"),
    ]


def test_an_upgrade_is_not_made(proxy: Front, server: Written) -> None:
    """The answer is one of HTTP/1.1, and nothing that follows is taken for a request."""
    upgrade = head("/", "Connection: Upgrade", "Upgrade: websocket", method="GET")
    before = len(server.heads)
    assert proxy.exchange(upgrade + head("/other", method="GET")).count(b"HTTP/1.1 ") == 1
    assert len(server.heads) == before + 1


def test_the_front_answers_for_itself(proxy: Front, server: Written) -> None:
    """On one path, which the server has not, and where its health is asked for."""
    before = len(server.heads)
    assert proxy.request("GET", "/front/health").body == {"upstream": f"127.0.0.1:{server.port}"}
    assert proxy.request("HEAD", "/front/health?x").content == b""
    assert len(server.heads) == before
