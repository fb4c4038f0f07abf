"""Processes that serve, started, loaded with wrk and ended: what bench/serving.py measures with."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

LOOP = Path(__file__).with_name("bare_loop.py")
SCRIPT = Path(__file__).with_name("wrk") / "post.lua"
PATIENCE = 120.0
"""Seconds that a server has to give its first answer, or to end."""
JSON = ("content-type:application/json",)


class BenchmarkError(Exception):
    """A server did not start, or did not answer what it was asked: there is nothing to compare."""


@dataclass(frozen=True)
class Server:
    """A command that serves on a port of loopback, and one request to load it with."""

    name: str
    command: tuple[str, ...]
    port: int
    path: str
    body: Path
    headers: tuple[str, ...] = JSON
    environment: dict[str, str] = field(default_factory=dict)
    ready: str | None = None
    """The path that tells when it is ready, which costs a server that starts less than the request."""


@dataclass(frozen=True)
class Load:
    """What a server made under load."""

    rate: float
    """Requests per second."""
    p99: float
    """Seconds."""


def end_on_signals() -> None:
    """Make SIGTERM and SIGHUP leave every block, as Ctrl-C does: servers would outlive this process otherwise."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


@contextmanager
def running(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server from its first right answer on, and end it with all that it started.

    Raises BenchmarkError, with what the server wrote last, where it does not answer.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **server.environment},
        )
        try:
            if not answers(server, process):
                log.seek(0)
                raise BenchmarkError(f"{server.name} does not answer: {log.read()[-500:].decode(errors='replace')}")
            yield process
        finally:
            end(process)


def answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process answers the request, once it does, ends, or has taken too long."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, HTTPException):
            if (server.ready is None or got(server)) and posted(server):
                return True
        time.sleep(0.01)
    return False


def got(server: Server) -> bool:
    """Tell whether a server says that it is ready."""
    return answered(server, "GET", server.ready or "")


def posted(server: Server) -> bool:
    """Tell whether a server answers the request."""
    headers = dict(header.split(":", 1) for header in server.headers)
    return answered(server, "POST", server.path, server.body.read_bytes(), headers)


def answered(server: Server, method: str, path: str, *request: Any) -> bool:  # noqa: ANN401  body and headers
    """Tell whether a request is answered with 200."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    try:
        connection.request(method, path, *request)
        response = connection.getresponse()
        response.read()
        return response.status == HTTPStatus.OK
    finally:
        connection.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and by force what it leaves behind or what takes long."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)


def load(server: Server, connections: int, seconds: float) -> Load:
    """Send the request over and over on so many connections.

    Raises BenchmarkError where an answer was an error, or there was none.
    """
    options = ["--threads=1", f"--connections={connections}", f"--duration={seconds:g}s", f"--timeout={PATIENCE:g}s"]
    url = f"http://127.0.0.1:{server.port}{server.path}"
    command = ["wrk", *options, f"--script={SCRIPT}", url, "--", str(server.body), *server.headers]
    output = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    found = json.loads(output.splitlines()[-1])
    if found["failed"] or not found["requests"]:
        raise BenchmarkError(f"{server.name}: {found['failed']} of {found['requests']} requests failed")
    return Load(found["requests"] / found["seconds"], found["p99"])


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def bare_loop(model: Path, array: Array, seconds: float) -> Load:
    """Run a model in ONNX Runtime over and over, in a process of its own."""
    with bare(model, array, seconds) as process:
        return Load(**json.loads(line(process)))


def start_bare(model: Path, array: Array) -> tuple[float, float]:
    """Return the seconds from the start of Python to the first answer of a model, and the MB in memory then."""
    started = time.perf_counter()
    with bare(model, array, 0) as process:
        return time.perf_counter() - started, megabytes(process.pid)


def start_server(server: Server) -> tuple[float, float]:
    """Return the seconds from the start of a server to its first answer, and the MB in memory then."""
    started = time.perf_counter()
    with running(server) as process:
        return time.perf_counter() - started, megabytes(process.pid)


@contextmanager
def bare(model: Path, array: Array, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Run bench/bare_loop.py, from its first answer on."""
    data = model.with_suffix(".npy")
    np.save(data, array)
    command: list[str | Path] = [sys.executable, LOOP, model, data, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        line(process)
        yield process


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints; raises BenchmarkError where there is none."""
    if process.stdout is None or not (found := process.stdout.readline()):
        raise BenchmarkError("bench/bare_loop.py ended early")
    return found


def megabytes(pid: int) -> float:
    """Return the resident memory of a process in 10⁶ bytes."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6
