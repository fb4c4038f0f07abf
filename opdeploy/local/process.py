"""The server as a process of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from opdeploy.local.server import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psutil

HOST = "127.0.0.1"
GRACE_S = 5.0
"""For requests under way when it is stopped; after twice as long it is killed."""
_KEPT = 64_000
"""Bytes of its log."""
_PREFIX = "OPDEPLOY_"


class ServerProcess:
    """A server in a process and a session of its own, so that Ctrl-C reaches this command alone, which then ends it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, grace_s: float) -> None:
        import psutil

        self.started = time.monotonic()
        self.address = Address(HOST, port)
        self._process = process
        self._grace_s = grace_s
        self._tail = _Tail(process.stdout)
        self._usage = psutil.Process(process.pid)
        self._cpu = 0.0
        self._peak = 0.0

    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self._process.poll()

    def why(self) -> str:
        """Return the signal that ended it."""
        code = self._process.poll()
        return f"{signal.Signals(-code).name}" if code is not None and code < 0 else ""

    def log(self) -> list[str]:
        """Return the lines that it wrote, the last ones."""
        if self.exit_code() is not None:
            self._tail.join(1.0)  # for what is still in the pipe
        return self._tail.lines()

    def cpu_seconds(self) -> float:
        """Return the processor time that it has taken."""
        self._look()
        return self._cpu

    def peak_memory_mb(self) -> float:
        """Return the most memory that it held; where the system does not keep that, the most that was seen."""
        self._look()
        return self._peak

    def stop(self) -> None:
        """End it: by itself if it does, else at once."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(2 * self._grace_s)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._tail.join(1.0)

    def _look(self) -> None:
        import psutil

        with suppress(psutil.Error, OSError, IndexError):  # it has ended: what was seen last stands
            times = self._usage.cpu_times()
            self._cpu = max(self._cpu, times.user + times.system)
            self._peak = max(self._peak, _peak_mb(self._usage))


class _Tail(threading.Thread):
    """Reads a log as it is written, and keeps its end."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._kept = b""
        self.start()

    def run(self) -> None:
        """Read until the other side has gone."""
        if self._stream is None:
            return
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65536):
                self._kept = (self._kept + chunk)[-_KEPT:]

    def lines(self) -> list[str]:
        """Return what is kept, in lines."""
        return self._kept.decode(errors="replace").splitlines()


@contextmanager
def server_process(
    model: Path,
    *,
    port: int | None = None,
    cpus: int | None = None,
    settings: Mapping[str, str] | None = None,
    grace_s: float = GRACE_S,
) -> Iterator[ServerProcess]:
    """Run a model's server until the end of the block, on so many processors if told; settings are its variables.

    Variables of the user that begin with `OPDEPLOY_` do not reach it: what is measured is what the command says.
    """
    port = port or free_port()
    command = [sys.executable, "-P", "-m", "opdeploy.serving", f"--model={model}", f"--host={HOST}", f"--port={port}"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
    with _on(cpus):
        process = subprocess.Popen(  # noqa: S603 - our own server, and no shell
            [*command, f"--grace={grace_s}", "--drain=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=kept | dict(settings or {}),
            start_new_session=True,
        )
    server = ServerProcess(process, port, grace_s)
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with closing(socket.create_server((HOST, 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _on(cpus: int | None) -> Iterator[None]:
    """Let processes that are started in the block have only so many processors, the last ones."""
    if cpus is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_of_them)[-cpus:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def _peak_mb(process: psutil.Process) -> float:
    if sys.platform == "linux":
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    memory = process.memory_info()
    return float(getattr(memory, "peak_wset", memory.rss)) / 1e6
