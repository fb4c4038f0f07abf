"""What takes long beside the model, parsing, decoding, writing: on threads, a few at a time."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from opdeploy.serving.exchange import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_NEWEST = 0.2
"""Weight of the newest task in the time that one is expected to take."""


class Threads:
    """Does tasks on threads; to be used from one event loop.

    What waits for its turn waits in the loop, so that nothing of it is left when its client goes.
    """

    def __init__(self, count: int, max_wait: float | None = None) -> None:
        """Have so many threads; refuse tasks that are expected to wait for longer than `max_wait` seconds."""
        self._threads = ThreadPoolExecutor(count, "prepare")
        self._turns = asyncio.Semaphore(count)
        self._loop = asyncio.get_running_loop()
        self._count = count
        self._max_wait = max_wait
        self._waiting = 0
        self._seconds = 0.0

    async def do(self, task: Callable[[], T]) -> T:
        """Return what a task returns; raises RequestError (503) where its turn would come too late."""
        wait = self._waiting * self._seconds / self._count
        if self._max_wait is not None and wait > max(self._max_wait, self._seconds):
            raise unavailable("the server is busy; send it again later", wait)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        # The turn ends with the task, which goes on when nobody waits for it any more.
        future = self._threads.submit(self._timed, task)
        future.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._turns.release))
        try:
            return await asyncio.wrap_future(future)
        finally:
            del future  # an error that it holds would hold it in turn, and the body stay until garbage is collected

    def _timed(self, task: Callable[[], T]) -> T:
        started = time.monotonic()
        try:
            return task()
        finally:
            self._seconds += _NEWEST * (time.monotonic() - started - self._seconds)
