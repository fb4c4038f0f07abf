"""Gives up requests whose client has gone, or whose time is over."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from opdeploy.serving.exchange import GoneError, RequestError, unavailable

if TYPE_CHECKING:
    from opdeploy.serving.batching import Work
    from opdeploy.serving.exchange import Exchange

_PATIENCE = 0.05
"""Seconds after which a request is watched: most have their answer by then, and watching costs as much as they do."""


class Watches:
    """Looks now and then for requests that take long; to be used from one event loop."""

    def __init__(self, seconds: float) -> None:
        """Watch over requests that may take so many seconds each."""
        self._seconds = seconds
        self._patience = min(_PATIENCE, seconds)
        self._loop = asyncio.get_running_loop()
        self._young: deque[Watch] = deque()
        self._looking = False

    def over(self, exchange: Exchange) -> Watch:
        """Watch over a request from now to the watch's end; to be called in the task that answers it."""
        now = time.monotonic()
        watch = Watch(exchange, now, now + self._seconds, asyncio.current_task(self._loop))
        self._young.append(watch)
        if not self._looking:
            self._looking = True
            self._loop.call_later(self._patience, self._look)
        return watch

    def _look(self) -> None:
        now = time.monotonic()
        while self._young and (self._young[0].ended or self._young[0].began + self._patience <= now):
            watch = self._young.popleft()
            if not watch.ended:
                watch.watching = self._loop.create_task(watch.watch())
        self._looking = bool(self._young)
        if self._looking:
            self._loop.call_later(self._patience, self._look)


class Watch:
    """Watches one request."""

    def __init__(self, exchange: Exchange, began: float, deadline: float, task: asyncio.Task[object] | None) -> None:
        self.began = began
        """By time.monotonic, as the deadline."""
        self.deadline = deadline
        self.work: Work | None = None
        """What the model is to do for it, once that is known."""
        self.arrived = False
        """Whether its body is there."""
        self.error: Exception | None = None
        """Why its task was cancelled, where it was."""
        self.ended = False
        self.watching: asyncio.Task[None] | None = None
        self._exchange = exchange
        self._task = task

    def end(self) -> None:
        """Watch no longer."""
        self.ended = True
        self.work = self.error = None
        watching, self.watching = self.watching, None  # whose end holds this watch, and would hold itself
        if watching is not None:
            watching.cancel()

    async def watch(self) -> None:
        """Wait until the client goes or the time is over, and give the request up."""
        try:
            async with asyncio.timeout(self.deadline - time.monotonic()):
                await self._exchange.client_disconnect()
        except TimeoutError:
            close = (("connection", "close"),)  # else who sends slowly would keep it
            late = RequestError("the request did not arrive in time", HTTPStatus.REQUEST_TIMEOUT, close)
            self._give_up(unavailable("the answer did not come in time; send it again later") if self.arrived else late)
        else:
            self._give_up(GoneError())

    def _give_up(self, error: Exception) -> None:
        if self.work is not None and not self.work.answer.done():
            self.work.fail(error)
        elif self._task is not None:
            self.error = error
            self._task.cancel()
