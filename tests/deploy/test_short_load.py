"""The short load of an endpoint: what fails a version, and what others who load it as well do."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.deploy.checks import Server, _loaded
from opdeploy.errors import OpdeployError
from opdeploy.local.subject import subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opdeploy.local.subject import Subject

    Answers = Callable[[int], int]

WROTE = "wrote a line"


class Servers:
    """A front, and the server behind it, which has written a line."""

    tls = False

    def __init__(self, port: int) -> None:
        self._port = port

    def address(self, name: str) -> tuple[str, int]:
        """Return where it is."""
        assert name == "front"
        return "127.0.0.1", self._port

    def exit_code(self, name: str) -> int | None:
        """Say that it runs."""
        return None if name else 1

    def out_of_memory(self, name: str) -> bool:
        """Say that it was not."""
        return not name

    def logs(self, name: str, tail: int) -> list[str]:
        """Return the line of the server, which alone is asked for it."""
        assert name == "server"
        return [WROTE][:tail]

    def artefact(self, name: str, folder: Path) -> None:
        """Refuse: it is at hand."""
        raise AssertionError(name, folder)


@contextmanager
def answering(answers: Answers) -> Iterator[tuple[Server, Server]]:
    """Give a front, which answers each request with the status that its number has."""
    numbers = count()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status = answers(next(numbers))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            if status == 503:
                self.send_header("Retry-After", "1")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as made:
        made.daemon_threads = True
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            there = Servers(made.server_port)
            yield Server(there, "front", None), Server(there, "server", None)
        finally:
            made.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """Give an artefact, whose golden records are sent."""
    folder = tmp_path_factory.mktemp("load")
    model = linear(folder / "model.onnx", seed=0)
    build(Contents("net", model, Samples({"x": records(8)}, "records")), folder / "net")
    with subject(folder / "net", "net") as found:
        yield found


@pytest.mark.parametrize(
    "answers",
    [lambda _: 200, lambda number: 503 if number < 20 else 200, lambda number: 503 if number % 3 == 0 else 200],
    ids=["none", "the first ones", "every third"],
)
def test_a_server_that_is_busy_now_and_then_is_none_that_fails(tried: Subject, answers: Answers) -> None:
    """Others may load it: the load comes once more, and half of the requests have to be answered."""
    with answering(answers) as (front, server):
        load = _loaded(front, server, tried, "net")
    assert load.requests_per_second > 0
    assert 0 <= load.busy <= load.requests / 2


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (lambda _: 503, "503: "),
        (lambda number: 503 if number % 3 else 200, "503: "),
        (lambda number: 500 if number == 5 else 200, "500: 1"),
        (lambda number: 503 if number % 3 == 0 else 500 if number == 5 else 200, "500: 1"),
    ],
    ids=["always busy", "mostly busy", "one failure", "one failure of a busy one"],
)
def test_a_server_that_fails_is_told(tried: Subject, answers: Answers, why: str) -> None:
    """With how many requests, and why; the log is that of the server, whatever the front says."""
    with (
        answering(answers) as (front, server),
        pytest.raises(OpdeployError, match="requests of a short load") as caught,
    ):
        _loaded(front, server, tried, "net")
    assert why in str(caught.value)
    assert caught.value.__notes__ == ["its log ends with:", f"  {WROTE}"]
