"""What the server tells in its log: events as JSON, requests by their ids, and nothing of what was sent."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.serving import logs
from tests.serving.busy import wait_for
from tests.serving.servers import answer_on, serving, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving.servers import Server

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "s3cret-of-a-client"  # noqa: S105 - none of anyone


@pytest.fixture(scope="module")
def server(double_model: Path) -> Iterator[Server]:
    """Serve with a log line for each request."""
    with serving(double_model, "--access-log=true", "--name=m") as server:
        yield server


def request_lines(server: Server, request_id: str) -> list[dict[str, Any]]:
    """Return the lines of one request."""
    return [line for line in server.log() if line.get("request_id") == request_id]


def line_of(server: Server, request_id: str) -> dict[str, Any]:
    """Return the line of one request, which is written after its answer is sent."""
    wait_for(lambda: bool(request_lines(server, request_id)))
    (line,) = request_lines(server, request_id)
    return line


def test_start_and_readiness_are_told(server: Server) -> None:
    """The first lines say where the server listens and what it serves; each has a time, a level and a message."""
    log = server.log()
    assert (log[0]["message"], log[0]["host"], log[0]["port"]) == ("listening", "127.0.0.1", server.port)
    (ready,) = [line for line in log if line["message"] == "ready"]
    assert {key: ready[key] for key in ready if key.startswith("model_")} == {
        "model_name": "m",
        "model_version": "1",
        "model_provider": "CPUExecutionProvider",
        "model_max_batch": 32,
        "model_parallel": 1,
    }
    for line in log:
        assert datetime.now(UTC) - datetime.fromisoformat(line["time"]) < timedelta(minutes=10)
        assert (line["level"], bool(line["message"])) == ("info", True)


def test_each_request_is_a_line_where_that_was_asked(server: Server) -> None:
    """It has method, path, status, seconds and id; a query may hold anything, and is left out."""
    server.request("GET", f"/v2/models/m?key={SECRET}", None, {"x-request-id": "one"})
    line = line_of(server, "one")
    assert (line["message"], line["method"], line["path"], line["status"]) == ("request", "GET", "/v2/models/m", 200)
    assert 0 < line["seconds"] < 60
    assert line.keys() == {"time", "level", "message", "method", "path", "status", "seconds", "request_id"}


def test_a_request_is_no_line_otherwise(echo: Server) -> None:
    """Without --access-log, what went well or was the client's fault is counted, and not logged."""
    for path in ("/v2", "/none", "/v2/models/echo/infer"):
        echo.request("GET", path, None, {"x-request-id": "quiet"})
    assert echo.request("GET", "/v2").status == 200
    assert request_lines(echo, "quiet") == []


def test_a_refusal_for_now_is_always_a_line(tmp_path: Path) -> None:
    """An answer of 500 or above is the server's, and its operator's to know of; but probes are no news."""
    os.mkfifo(tmp_path / "model.zip")  # which nobody writes to, so that the model stays to be loaded
    with started(tmp_path / "model.zip") as server:
        assert server.request("GET", "/v2/health/ready", None, {"x-request-id": "probe"}).status == 503
        assert server.request("POST", "/v2/models/model/infer", b"{}", {"x-request-id": "late"}).status == 503
        wait_for(lambda: any(line["status"] == 503 for line in request_lines(server, "late")))
        assert not request_lines(server, "probe")
        server.process.kill()


@pytest.mark.parametrize("request_id", ["a", "0af7-6519", "!~" * 64, '{"a":"\\"}'])
def test_a_clients_request_id_is_kept(server: Server, request_id: str) -> None:
    """It comes back with the answer, and is in the log, so that both sides speak of the same request."""
    answer = server.request("GET", "/version", None, {"X-Request-Id": request_id})
    assert answer.headers["x-request-id"] == request_id
    assert line_of(server, request_id)["path"] == "/version"


@pytest.mark.parametrize("request_id", [None, "", "a" * 129, "a b", "a\tb", "\xe4"])
def test_another_id_is_made_up(server: Server, request_id: str | None) -> None:
    """Where there is none, or one that is long or strange, the server gives one, which no other request has."""
    header = b"" if request_id is None else f"X-Request-Id: {request_id}\r\n".encode("latin-1")
    ids = []
    with server.connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n")
            answer = answer_on(connection)
            ids.append(answer.headers["x-request-id"])
    assert all(len(made) == 20 and int(made, 16) >= 0 for made in ids)
    assert ids[0] != ids[1]
    assert line_of(server, ids[0])["path"] == "/version"


def test_an_error_has_its_id_too(server: Server) -> None:
    """Whatever the answer is."""
    for method, path in (("GET", "/none"), ("DELETE", "/v2"), ("POST", "/v2/models/m/infer")):
        answer = server.request(method, path, None, {"x-request-id": f"{method}-wrong"})
        assert answer.status >= 400
        assert answer.headers["x-request-id"] == f"{method}-wrong"


TRACES = [
    (f"00-{TRACE}-{PARENT}-01", True),
    (f"00-{TRACE}-{PARENT}-00", True),
    (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-bring", True),
    (f"cc-{TRACE}-{PARENT}-01", True),
    (f"00-{TRACE}-{PARENT}-01-more", False),
    (f"cc-{TRACE}-{PARENT}-01more", False),
    (f"ff-{TRACE}-{PARENT}-01", False),
    (f"00-{TRACE.upper()}-{PARENT}-01", False),
    (f"00-{'0' * 32}-{PARENT}-01", False),
    (f"00-{TRACE}-{'0' * 16}-01", False),
    (f"00-{TRACE[1:]}-{PARENT}-01", False),
    (f"00-{TRACE}-{PARENT}-0", False),
    (f"00-{TRACE}-{PARENT}", False),
    (f"0-{TRACE}-{PARENT}-01", False),
    (f"{TRACE}", False),
    ("", False),
]
"""https://www.w3.org/TR/trace-context/#traceparent-header, read 2026-11-25, and whether one is valid."""


@pytest.mark.parametrize(("traceparent", "valid"), TRACES)
def test_a_request_is_found_by_its_trace(traceparent: str, *, valid: bool) -> None:
    """The ids of a valid traceparent are told, and of one that is not, nothing."""
    expected = {"trace_id": TRACE, "parent_id": PARENT} if valid else {}
    headers = {"traceparent": traceparent}
    assert logs.trace(headers) == expected  # type: ignore[arg-type]  # a mapping is enough


def test_the_trace_is_in_the_line(server: Server) -> None:
    """A good one, and no trace of a wrong one."""
    server.request("GET", "/v2", None, {"x-request-id": "traced", "traceparent": TRACES[0][0]})
    assert (line_of(server, "traced")["trace_id"], line_of(server, "traced")["parent_id"]) == (TRACE, PARENT)
    server.request("GET", "/v2", None, {"x-request-id": "untraced", "traceparent": f"00-{TRACE}-{'0' * 16}-01"})
    assert "trace_id" not in line_of(server, "untraced")


def test_nothing_that_was_sent_gets_into_the_log(server: Server) -> None:
    """Not of a body, right or wrong, not of a key or another header, and not of a query."""
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [73.25, 1]}
    bodies = [{"inputs": [tensor], "id": SECRET}, {"inputs": [tensor | {"name": SECRET}]}, {"data": [[SECRET, 73.25]]}]
    headers = {"Authorization": f"Bearer {SECRET}", "Cookie": SECRET, "User-Agent": SECRET, "tracestate": SECRET}
    for path in ("/v2/models/m/infer", "/score"):
        for body in (*map(json.dumps, bodies), SECRET):
            sent = headers | {"Content-Type": "application/json", "x-request-id": "last"}
            server.request("POST", f"{path}?{SECRET}", body.encode(), sent)
            server.request("POST", path, body.encode(), sent | {"Content-Type": SECRET})
    server.request("GET", "/", None, {"x-request-id": "after"})
    line_of(server, "after")
    text = json.dumps(server.log())
    assert "last" in text
    assert SECRET not in text
    assert "73.25" not in text


@pytest.mark.parametrize("path", ["/%0a%7b%22level%22:%22error%22%7d", "/" + "a" * 5000, "/%22,%22", "/%ff", "/%00"])
def test_a_path_cannot_forge_a_line(server: Server, path: str) -> None:
    """It is one JSON string in one line, and cut where it is long."""
    answer = server.request("GET", path)
    assert answer.status == 404
    line = line_of(server, answer.headers["x-request-id"])
    assert len(line["path"]) <= 200
    assert line["level"] == "info"
