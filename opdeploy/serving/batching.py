"""Runs the model on threads of its own: requests that wait together share a run, and none waits for long."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.errors import OpdeployError
from opdeploy.serving.exchange import RequestError, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from opdeploy.runtime.session import Arrays
    from opdeploy.serving.metrics import Metrics
    from opdeploy.serving.model import Served
    from opdeploy.serving.settings import Settings

_NEWEST = 0.2
"""Weight of the newest run in the time that a record is expected to take."""
QUICK = 0.0002
"""Seconds that a request may be expected to take for its run to be done in the event loop."""
_NOT_QUICK = 0.02
"""Seconds after which a run in the event loop was the last there."""
_RUNS = 3
"""So many runs, the one under way included, may come before a request however long one takes."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Work:
    """A request for one answer of the model."""

    inputs: Arrays
    outputs: tuple[str, ...]
    entered: float
    """By time.monotonic, as all times here."""
    answer: asyncio.Future[Arrays]
    records: int = field(init=False)
    left: int = field(init=False)
    """Records that have yet to be run, at least 1."""
    kind: tuple[object, ...] = field(init=False)
    """What requests must have in common to share a run."""

    def __post_init__(self) -> None:
        arrays = self.inputs.values()
        counts = {len(array) if array.ndim else 0 for array in arrays}
        self.records = counts.pop() if len(counts) == 1 else 0
        self.left = max(self.records, 1)
        self.kind = (*(array.shape[1:] for array in arrays), *self.outputs)

    def fail(self, error: Exception) -> None:
        """Give an error as the answer, unless there is an answer already."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Batcher:
    """A queue before a model, and the threads that run it; to be used from one event loop."""

    def __init__(self, model: Served, settings: Settings, metrics: Metrics) -> None:
        self._run = model.session.run
        self._most = model.max_batch
        self._delay = settings.max_delay
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Work] = deque()
        self._records = 0
        """Of those that wait."""
        self._running = 0
        """Records that threads run, or have yet to run."""
        self._changed = threading.Condition()
        self._max_wait = settings.max_wait
        self._record_seconds = self._run_seconds = 0.0
        self._quick = model.steady and not self._delay
        self._soon: list[Work] = []
        self._threads = [
            threading.Thread(target=self._work, name=f"run-{number}", daemon=True) for number in range(model.parallel)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, inputs: Arrays, outputs: Sequence[str], deadline: float) -> Work:
        """Put a request into the queue; its answer is a future.

        Raises RequestError (503) where its turn would come too late.
        """
        now = time.monotonic()
        wait = self.expected_wait()
        if wait > min(max(self._max_wait, _RUNS * self._run_seconds), deadline - now):
            raise unavailable("the server is busy; send it again later", wait)
        work = Work(inputs, tuple(outputs), now, self._loop.create_future())
        if self._quick and work.records <= self._most and 0 < self._record_seconds * work.left <= QUICK:
            if not self._soon:
                self._loop.call_soon(self._run_soon)
            self._soon.append(work)
            return work
        with self._changed:
            self._waiting.append(work)
            self._records += work.left
            self._changed.notify()
        return work

    def expected_wait(self) -> float:
        """Return the seconds that those who came before are expected to take from now on."""
        return (self._records + self._running) * self._record_seconds / len(self._threads)

    def drop(self, work: Work) -> None:
        """Wait no longer for a request that nobody waits for; it may be running, or answered."""
        if work.answer.cancelled() or work.answer.exception() is not None:
            with self._changed, suppress(ValueError):
                self._waiting.remove(work)
                self._records -= work.left

    def depth(self) -> int:
        """Return how many requests wait."""
        return len(self._waiting)

    def _run_soon(self) -> None:
        """Run what came in this turn of the loop: for models that take less time than a thread does to wake."""
        soon, self._soon = self._soon, []
        while soon:
            batch, soon = _together(soon, self._most)
            began = time.monotonic()
            _deliver(batch, self._answers(batch))
            seconds = time.monotonic() - began
            if seconds > _NOT_QUICK:
                self._quick = False
                _log.warning("a run took %.3f s; from now on the model runs on threads of its own", seconds)

    def _work(self) -> None:
        while True:
            batch = self._next()
            answers = self._answers(batch)
            with self._changed:
                self._running -= sum(work.left for work in batch)
            self._loop.call_soon_threadsafe(_deliver, batch, answers)
            del batch, answers  # which would stay until the next

    def _next(self) -> list[Work]:
        """Wait for requests, and take those that share the next run."""
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                if self._delay and self._most > 1:
                    self._gather()
                batch, rest = _together(self._waiting, self._most)
                self._waiting = deque(rest)
                self._records = sum(work.left for work in rest)
                self._running += sum(work.left for work in batch)
            if batch:
                return batch

    def _gather(self) -> None:
        """Wait until a run is full, or its first request has waited for as long as it may."""
        until = self._waiting[0].entered + self._delay
        while self._records < self._most:
            if not self._changed.wait(until - time.monotonic()):
                return

    def _answers(self, batch: list[Work]) -> list[Arrays | Exception]:
        """Run the model for all together; where it fails, for each alone, so that none suffers for another."""
        now = time.monotonic()
        for work in batch:
            self._metrics.queue_seconds.observe(now - work.entered)
        return self._run_all(batch)

    def _run_all(self, batch: list[Work]) -> list[Arrays | Exception]:
        try:
            if len(batch) == 1:
                return [self._alone(batch[0])]
            inputs = {name: np.concatenate([work.inputs[name] for work in batch]) for name in batch[0].inputs}
            records = sum(work.records for work in batch)
            outputs = self._timed(inputs, batch[0].outputs, records)
            return list(_shares(batch, outputs, records))
        except Exception as error:  # noqa: BLE001 - whatever it is, these requests get an answer and others are served
            if len(batch) > 1:
                return [self._run_all([work])[0] for work in batch]
            if not isinstance(error, OpdeployError):
                _log.exception("a run failed")
                return [error.with_traceback(None)]  # whose frames hold the request that will hold it
            # The runtime's message names its own source files: for the log, not for the client.
            _log.warning("%s", error)
            return [RequestError("the model fails on these inputs")]

    def _alone(self, work: Work) -> Arrays:
        """Run one request, in several runs where it has more records than one may have."""
        if self._most == 1 or work.records <= self._most:
            return self._timed(work.inputs, work.outputs, max(work.records, 1))
        answers = []
        for at in range(0, work.records, self._most):
            if work.answer.done():  # given up, and nobody waits for the rest
                return {}
            piece = {name: array[at : at + self._most] for name, array in work.inputs.items()}
            size = min(self._most, work.records - at)
            answers.append(self._timed(piece, work.outputs, size))
            with self._changed:
                work.left -= size
                self._running -= size
        return {name: np.concatenate([answer[name] for answer in answers]) for name in work.outputs}

    def _timed(self, inputs: Arrays, outputs: Sequence[str], records: int) -> Arrays:
        started = time.monotonic()
        answer = self._run(inputs, outputs)
        seconds = time.monotonic() - started
        self._metrics.batch_records.observe(records)
        self._metrics.inference_seconds.observe(seconds)
        self._run_seconds = seconds
        before = self._record_seconds or seconds / records
        self._record_seconds = before + _NEWEST * (seconds / records - before)
        return answer


def _together(waiting: Iterable[Work], most: int) -> tuple[list[Work], list[Work]]:
    """Return the first request with those behind it that fit into its run, and the rest; those given up are dropped."""
    batch: list[Work] = []
    rest: list[Work] = []
    records = 0
    for work in waiting:
        if work.answer.done():
            continue
        if not batch or (work.kind == batch[0].kind and work.records and records + work.records <= most):
            batch.append(work)
            records += work.records or most
        else:
            rest.append(work)
    return batch, rest


def _shares(batch: list[Work], outputs: Arrays, records: int) -> Iterator[Arrays]:
    """Give each request its rows; raises OpdeployError where there is not one for each record."""
    if any(not array.ndim or len(array) != records for array in outputs.values()):
        raise OpdeployError("the outputs of a run have another number of rows than it had records")
    start = 0
    for work in batch:
        end = start + work.records
        yield {name: array[start:end] for name, array in outputs.items()}
        start = end


def _deliver(batch: list[Work], answers: list[Any]) -> None:
    for work, answer in zip(batch, answers, strict=True):
        if isinstance(answer, Exception):
            work.fail(answer)
        elif not work.answer.done():
            work.answer.set_result(answer)
