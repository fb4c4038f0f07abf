"""Runs a program that may have to be ended before its time."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

_PATIENCE_S = 15.0
"""Seconds that a program has to clear away what it began."""


def run(command: Sequence[str], environment: Mapping[str, str], seen: Callable[[str], None], timeout_s: float) -> int:
    """Run a program, show the lines that it prints, and return its exit code; it ends when this does.

    Raises TimeoutError where it takes longer.
    """
    process = subprocess.Popen(  # noqa: S603  a list of arguments, and a program of the user's
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lines: SimpleQueue[bytes | None] = SimpleQueue()
    # A thread reads: what the program itself started may keep the pipe open, and nothing is to wait for that.
    Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    until = time.monotonic() + timeout_s
    try:
        while (line := lines.get(timeout=max(0.0, until - time.monotonic()))) is not None:
            seen(line.decode("utf-8", "replace"))
        return process.wait(max(0.0, until - time.monotonic()))
    except (Empty, subprocess.TimeoutExpired):
        raise TimeoutError from None
    finally:
        _end(process)


def _read(pipe: IO[bytes], lines: SimpleQueue[bytes | None]) -> None:
    with pipe:
        for line in pipe:
            lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a program cancel its build in the engine, and kill it where that takes long: it must name no image later."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
