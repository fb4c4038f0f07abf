"""What every server's process is made of: its signals, its pauses, and how many connections it has files for."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Any

_SPARE_FILES = 128
"""Files that are open beside connections."""


async def first(*futures: asyncio.Future[Any]) -> None:
    """Return when one of several is done."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def pause(again: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until an event is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(again.wait(), seconds)


def signals() -> tuple[asyncio.Future[int], asyncio.Event]:
    """Return a future of the signal that asks the process to end, and an event that is set by one more."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[int] = loop.create_future()
    again = asyncio.Event()

    def note(number: int) -> None:
        if stop.done():
            again.set()
        else:
            stop.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: loop.call_soon_threadsafe(note, number))
    return stop, again


def places(most: int, *, files: int = 1) -> int:
    """Return how many connections may be open, `most` at most, after asking the system for as many files of each."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows, which has no such limit
        return most
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most * files + _SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(most, (soft - _SPARE_FILES) // files))
