"""Model servers in processes of their own, on loopback, and requests to them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HOST = "127.0.0.1"
SECONDS = 60.0
"""How long anything may take before its test fails."""
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """A response: its status, its headers with names in small letters, and its body."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:  # noqa: ANN401 - any JSON value
        """The body as JSON."""
        return json.loads(self.content)


@dataclass(frozen=True)
class Server:
    """A running model server."""

    process: subprocess.Popen[bytes]
    port: int
    stderr: IO[bytes]

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request over a connection of its own."""
        with closing(self.begin(method, path, body, headers)) as connection:
            return answered(connection.getresponse())

    def begin(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPConnection:
        """Send one request, and return the connection to read its answer from."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=SECONDS)
        connection.request(method, path, body, dict(headers or {}))
        return connection

    def infer(self, model: str, document: Any) -> Answer:  # noqa: ANN401 - any JSON value
        """Send one inference request."""
        return self.request("POST", f"/v2/models/{model}/infer", json.dumps(document).encode())

    def connect(self) -> socket.socket:
        """Open a connection for a request written by hand."""
        return socket.create_connection((HOST, self.port), timeout=SECONDS)

    def figure(self, name: str, **labels: str) -> float:
        """Return the value of one series of the metrics; 0 where it is not there."""
        return self.figures().get((name, frozenset(labels.items())), 0)

    def figures(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Return all metrics, by name and labels."""
        text = self.request("GET", "/metrics").content.decode()
        families = text_string_to_metric_families(text)
        return {(each.name, frozenset(each.labels.items())): each.value for one in families for each in one.samples}

    def log(self) -> list[dict[str, Any]]:
        """Return the log so far, of which every line must be a JSON object."""
        return log_of(self.stderr, growing=self.process.poll() is None)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def answered(response: http.client.HTTPResponse) -> Answer:
    """Read a response."""
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def answer_on(connection: socket.socket, method: str = "POST") -> Answer:
    """Read the response to a request that was written by hand."""
    response = http.client.HTTPResponse(connection, method=method)
    response.begin()
    return answered(response)


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    """Return the head of a request, to be written by hand."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", *headers, "", "")).encode()


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with closing(socket.create_server((HOST, 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this environment, with no other setting of a server than those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPDEPLOY_")}
    return kept | dict(variables)


@contextmanager
def started(model: Path, *options: str, **variables: str) -> Iterator[Server]:
    """Start a server, which lives until the block ends, and wait until it listens."""
    port = free_port()
    command = [sys.executable, "-m", "opdeploy.serving", f"--model={model}", f"--port={port}", *options]
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(command, env=environment(variables), stdin=subprocess.DEVNULL, stderr=stderr) as process,
    ):
        server = Server(process, port, stderr)
        try:
            _wait_until(server, "/v2/health/live")
            yield server
        finally:
            process.kill()


@contextmanager
def serving(model: Path, *options: str, **variables: str) -> Iterator[Server]:
    """Start a server and wait until it is ready."""
    with started(model, *options, **variables) as server:
        _wait_until(server, "/v2/health/ready")
        yield server


def _wait_until(server: Server, path: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"the server ended with {server.process.returncode}: {server.log()}")
        try:
            if server.request("GET", path).status == http.HTTPStatus.OK:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"no answer of {path}")


@dataclass(frozen=True)
class Ended:
    """How a server ended that did not start, and what it said."""

    code: int
    out: str
    log: list[dict[str, Any]]

    @property
    def why(self) -> str:
        """The one line of its log."""
        (line,) = self.log
        return str(line["message"])


def ended(*arguments: str, **variables: str) -> Ended:
    """Run a server that ends by itself."""
    command = [sys.executable, "-m", "opdeploy.serving", *arguments]
    with tempfile.TemporaryFile() as stderr:
        done = subprocess.run(
            command,
            check=False,
            env=environment(variables),
            stderr=stderr,
            stdout=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
        )
        return Ended(done.returncode, done.stdout, log_of(stderr))


def log_of(stderr: IO[bytes], *, growing: bool = False) -> list[dict[str, Any]]:
    """Return the lines of a log, each a JSON object; reading does not move the place where the server writes.

    The last line of a log that is growing may have been written in part only, and is left out until it is whole.
    """
    written = os.pread(stderr.fileno(), os.fstat(stderr.fileno()).st_size, 0)
    if growing:
        written = written[: written.rfind(b"\n") + 1]
    text = written.decode()
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError:
        raise AssertionError(f"the log is not JSON: {text}") from None
