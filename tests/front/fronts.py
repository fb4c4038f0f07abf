"""Fronts in processes of their own, their commands, and servers behind them that do what a test says."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.serving.busy import wait_for
from tests.serving.servers import HOST, SECONDS, Server, environment, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MODULE = [sys.executable, "-m", "opdeploy.serving.front"]


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """What it printed, as JSON."""
        return json.loads(self.out)


def command(*arguments: str) -> Said:
    """Run a command of the front."""
    done = subprocess.run(
        [*MODULE, *arguments], capture_output=True, check=False, env=environment({}), text=True, timeout=SECONDS
    )
    return Said(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Front(Server):
    """A running front."""

    state: Path

    def switch(self, port: int, grace: float = 30) -> Said:
        """Send new requests to a server on loopback."""
        return command("switch", f"--state={self.state}", f"--to={HOST}:{port}", f"--grace={grace:g}")

    def show(self) -> dict[str, Any]:
        """Return what the front tells of itself."""
        said = command("show", f"--state={self.state}")
        assert said.code == 0, said.err
        shown: dict[str, Any] = said.json
        return shown

    @property
    def memory(self) -> int:
        """Bytes that the process has resident."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])

    def exchange(self, sent: bytes) -> bytes:
        """Send bytes over a connection, and return all that comes until the front closes it."""
        came = b""
        with self.connect() as connection, suppress(ConnectionResetError, BrokenPipeError):
            connection.sendall(sent)
            while piece := connection.recv(65536):
                came += piece
        return came


@contextmanager
def fronting(
    *options: str, state: Path | None = None, to: int | None = None, under: Sequence[str] = ()
) -> Iterator[Front]:
    """Start a front, which lives until the block ends.

    `to`: the port of the server that its state names. `under`: a command that starts it.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile() as stderr,
    ):
        state = state or Path(folder)
        if to is not None:
            (state / "upstream").write_text(f"{HOST}:{to}\n", encoding="ascii")
        port = free_port()
        arguments = [*under, *MODULE, f"--state={state}", f"--port={port}", *options]
        with subprocess.Popen(arguments, env=environment({}), stdin=subprocess.DEVNULL, stderr=stderr) as process:
            front = Front(process, port, stderr, state)
            try:
                wait_for(lambda: process.poll() is not None or healthy(front))
                assert process.poll() is None, front.log()
                yield front
            finally:
                process.kill()


def healthy(front: Front) -> bool:
    """Tell whether a front answers for itself."""
    with suppress(OSError):
        return front.request("GET", "/front/health").status == 200
    return False


class Wire:
    """A connection from the front to a server that a test writes."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._file = connection.makefile("rb")

    def head(self) -> bytes:
        """Return the head of a request, or nothing at the connection's end."""
        lines = []
        while (line := self._file.readline()) not in {b"\r\n", b""}:
            lines.append(line)
        return b"".join(lines)

    def line(self) -> bytes:
        """Return what comes up to the end of a line."""
        return self._file.readline()

    def read(self, count: int) -> bytes:
        """Return as many bytes, or fewer at the connection's end."""
        return self._file.read(count)

    def send(self, data: bytes) -> None:
        """Send an answer, or a part of one."""
        self.connection.sendall(data)

    def abort(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self.connection.close()


@dataclass
class Written:
    """A server that a test writes."""

    port: int
    connections: list[Wire] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    """Of the requests that came, in their order."""


@contextmanager
def written(serve: Callable[[Wire], None], *, receive_buffer: int | None = None) -> Iterator[Written]:
    """Run a function for each connection, in a thread, until the block ends."""
    with socket.create_server((HOST, 0)) as listener:
        if receive_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        server = Written(listener.getsockname()[1])
        threads: list[threading.Thread] = []

        def run(wire: Wire) -> None:
            with suppress(OSError, ValueError):  # closed by the test
                serve(wire)
            wire.close()

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(SECONDS)
                server.connections.append(Wire(connection))
                threads.append(threading.Thread(target=run, args=(server.connections[-1],)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join(SECONDS)
            for wire in server.connections:
                with suppress(OSError):
                    wire.connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(SECONDS)


@contextmanager
def answering(answer: bytes | Callable[[bytes], bytes]) -> Iterator[Written]:
    """Run a server that gives every request, whose body it reads where its length is told, the same answer.

    A function makes the answer of the request's head.
    """
    with written(lambda wire: _answer(wire, answer, server)) as server:
        yield server


def _answer(wire: Wire, answer: bytes | Callable[[bytes], bytes], server: Written) -> None:
    while head := wire.head():
        wire.read(length_of(head))
        server.heads.append(head)
        wire.send(answer if isinstance(answer, bytes) else answer(head))


def length_of(head: bytes) -> int:
    """Return the length of the body that a head tells, or 0."""
    return int(head.lower().partition(b"\ncontent-length: ")[2].partition(b"\r\n")[0] or 0)


def ok(body: bytes = b"fine", *headers: str) -> bytes:
    """Return an answer."""
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode("latin-1") + body
