"""Gives up a request whose client has gone, or whose time is over."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from opdeploy.serving.exchange import GoneError, RequestError, unavailable

if TYPE_CHECKING:
    from opdeploy.serving.batching import Work
    from opdeploy.serving.exchange import Exchange

_PATIENCE = 0.05
"""Seconds after which a request is watched: most have their answer by then, and watching costs as much as they do."""


class Watch:
    """Watches one request, from its head to `end`; to be made in the task that answers it."""

    def __init__(self, exchange: Exchange, deadline: float) -> None:
        self.deadline = deadline
        """By time.monotonic."""
        self.work: Work | None = None
        """What the model is to do for it, once that is known."""
        self.error: Exception | None = None
        """Why its task was cancelled, where it was, before there was work for the model."""
        self._exchange = exchange
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._watching: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(min(_PATIENCE, deadline - time.monotonic()), self._begin)

    def end(self) -> None:
        """Watch no longer."""
        self._timer.cancel()
        self.work = self.error = None
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            async with asyncio.timeout(self.deadline - time.monotonic()):
                await self._exchange.client_disconnect()
        except TimeoutError:
            close = (("connection", "close"),)  # else who sends slowly would keep it
            late = RequestError("the request did not arrive in time", HTTPStatus.REQUEST_TIMEOUT, close)
            self._give_up(unavailable("the answer did not come in time; send it again later") if self.work else late)
        else:
            self._give_up(GoneError())

    def _give_up(self, error: Exception) -> None:
        if self.work is not None:
            self.work.fail(error)
        elif self._task is not None:
            self.error = error
            self._task.cancel()
