"""Requests that wait together share a run of the model, and get the answers that they would have got alone."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from opdeploy.errors import OpdeployError
from opdeploy.serving.batching import Batcher, Work
from opdeploy.serving.exchange import GoneError, RequestError
from opdeploy.serving.metrics import Metrics
from opdeploy.serving.settings import read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from numpy.typing import NDArray

SECONDS = 20.0
LONG = "--max-delay-ms=100000"
"""Longer than any test: what waits for company waits until there is enough."""


@dataclass
class Doubling:
    """A session that doubles `x`, notes what it was given, fails on 13, and waits where it is told to."""

    runs: list[NDArray[Any]] = field(default_factory=list)
    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go: threading.Event = field(default_factory=threading.Event)

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the wanted outputs."""
        self.runs.append(inputs["x"])
        self.began.release()
        assert self.go.wait(SECONDS)
        if (inputs["x"] == 13).any():
            raise OpdeployError("the model fails on these inputs: 13")
        if (inputs["x"] == 14).any():
            raise MemoryError
        return dict.fromkeys(outputs, inputs["x"] * 2)

    @property
    def sizes(self) -> list[int]:
        """The records of each run."""
        return [len(array) for array in self.runs]


@dataclass(frozen=True)
class Model:
    """What a batcher needs of a model."""

    session: Doubling
    max_batch: int
    parallel: int = 1
    steady: bool = False


@dataclass
class Queue:
    """A batcher with its session, and its metrics."""

    session: Doubling
    batcher: Batcher
    metrics: Metrics

    def put(self, *records: object, outputs: Sequence[str] = ("y",), seconds: float = SECONDS) -> Work:
        """Ask for records."""
        x = np.array(records, np.float32)
        return self.batcher.submit({"x": x}, outputs, time.monotonic() + seconds)

    async def begin(self) -> Work:
        """Ask for one record and wait until it is being computed, so that what comes now has to wait."""
        work = self.put(0)
        assert await asyncio.to_thread(self.session.began.acquire, timeout=SECONDS)
        return work


def queued(test: Callable[[Queue], Awaitable[None]], *options: str, most: int = 8, parallel: int = 1) -> None:
    """Run a test with a queue; the session waits for `go`."""

    async def run() -> None:
        session = Doubling()
        metrics = Metrics()
        told = read(["--model=m.onnx", *options], {})
        batcher = Batcher(Model(session, most, parallel), told, metrics)  # type: ignore[arg-type]  # all that it uses
        try:
            async with asyncio.timeout(SECONDS):
                await test(Queue(session, batcher, metrics))
        finally:
            session.go.set()

    asyncio.run(run())


async def answers(*works: Work) -> list[list[float]]:
    """Return the answers."""
    return [(await work.answer)["y"].tolist() for work in works]


def test_what_waits_together_shares_a_run() -> None:
    """While one run computes the next gathers; each request gets its own share, in its order."""

    async def test(queue: Queue) -> None:
        works = [await queue.begin(), queue.put(1, 2), queue.put(3), queue.put(4, 5, 6)]
        assert queue.batcher.depth() == 3
        queue.session.go.set()
        assert await answers(*works) == [[0], [2, 4], [6], [8, 10, 12]]
        assert queue.session.sizes == [1, 6]
        assert queue.batcher.depth() == 0

    queued(test)


def test_a_run_has_no_more_records_than_it_may() -> None:
    """What does not fit into a run waits for the next, and what fits behind it goes first."""

    async def test(queue: Queue) -> None:
        works = [await queue.begin(), queue.put(1, 2, 3), queue.put(4, 5), queue.put(6), queue.put(7)]
        queue.session.go.set()
        assert await answers(*works) == [[0], [2, 4, 6], [8, 10], [12], [14]]
        assert queue.session.sizes == [1, 4, 3]

    queued(test, most=4)


def test_a_larger_request_is_run_in_pieces() -> None:
    """None of its runs has more records than it may, and the pieces are one answer."""

    async def test(queue: Queue) -> None:
        queue.session.go.set()
        assert await answers(queue.put(*range(10))) == [[2 * number for number in range(10)]]
        assert queue.session.sizes == [4, 4, 2]

    queued(test, most=4)


def test_pieces_of_what_was_given_up_are_not_run() -> None:
    """When a client goes or its time is over, the model turns to others after the piece at hand."""

    async def test(queue: Queue) -> None:
        work = queue.put(*range(10))
        assert await asyncio.to_thread(queue.session.began.acquire, timeout=SECONDS)
        work.fail(GoneError())
        other = queue.put(1)
        queue.session.go.set()
        assert await answers(other) == [[2]]
        assert queue.session.sizes == [4, 1]

    queued(test, most=4)


def test_a_model_that_does_not_batch_runs_each_alone() -> None:
    """With a largest batch of 1, requests are given to the model as they came, of any size."""

    async def test(queue: Queue) -> None:
        works = [await queue.begin(), queue.put(1, 2), queue.put(3)]
        queue.session.go.set()
        assert await answers(*works) == [[0], [2, 4], [6]]
        assert queue.session.sizes == [1, 2, 1]

    queued(test, LONG, most=1)


@pytest.mark.parametrize(
    ("records", "outputs"), [(([1.0], [2.0]), ("y",)), ((5,), ("y", "z")), ((5,), ()), ((5, 6), ("z",))]
)
def test_only_like_requests_share_a_run(records: tuple[Any, ...], outputs: tuple[str, ...]) -> None:
    """Requests of other sizes behind the first axis, or for other outputs, have runs of their own."""

    async def test(queue: Queue) -> None:
        first = await queue.begin()
        other = queue.put(*records, outputs=outputs)
        works = [first, queue.put(1), queue.put(2)]
        queue.session.go.set()
        assert await answers(*works) == [[0], [2], [4]]
        await other.answer
        assert sorted(queue.session.sizes) == sorted([1, other.records, 2])

    queued(test)


@pytest.mark.parametrize("bad", [13, 14])
def test_a_bad_request_fails_alone(bad: int) -> None:
    """Where a shared run fails, each request is run by itself, and the others have their answers."""

    async def test(queue: Queue) -> None:
        works = [await queue.begin(), queue.put(1), queue.put(bad), queue.put(2)]
        queue.session.go.set()
        assert await answers(works[0], works[1], works[3]) == [[0], [2], [4]]
        with pytest.raises(RequestError if bad == 13 else MemoryError):
            await works[2].answer
        assert queue.session.sizes == [1, 3, 1, 1, 1]
        assert await answers(queue.put(5)) == [[10]]

    queued(test)


def test_what_was_given_up_is_not_run() -> None:
    """A request that has its answer, because its client went, takes no place in a run and no time of others."""

    async def test(queue: Queue) -> None:
        works = [await queue.begin(), queue.put(1), queue.put(2)]
        works[1].fail(GoneError())
        queue.session.go.set()
        assert await answers(works[0], works[2]) == [[0], [4]]
        assert [array.tolist() for array in queue.session.runs] == [[0], [2]]
        with pytest.raises(GoneError):
            await works[1].answer

    queued(test)


def test_a_run_waits_for_company_until_it_is_full() -> None:
    """With a delay, requests that come one after the other share a run, which begins when it is full."""

    async def test(queue: Queue) -> None:
        queue.session.go.set()
        works = []
        for number in range(4):
            works.append(queue.put(number))
            await asyncio.sleep(0)
        assert await answers(*works) == [[0], [2], [4], [6]]
        assert queue.session.sizes == [4]

    queued(test, LONG, most=4)


def test_a_run_waits_for_company_no_longer_than_it_may() -> None:
    """A lone request is run when its delay is over."""

    async def test(queue: Queue) -> None:
        queue.session.go.set()
        began = time.monotonic()
        assert await answers(queue.put(1)) == [[2]]
        assert time.monotonic() - began >= 0.05

    queued(test, "--max-delay-ms=50")


def test_several_runs_go_on_at_once_where_each_has_few_threads() -> None:
    """Runs that use a part of the processors are made in parallel."""

    async def test(queue: Queue) -> None:
        works = [await queue.begin(), await queue.begin()]  # the second begins before the first has ended
        queue.session.go.set()
        assert await answers(*works) == [[0], [0]]

    queued(test, parallel=2)


def test_a_wait_that_would_be_too_long_is_refused() -> None:
    """When those who wait will take longer than allowed, a request gets 503 at once, and is told when to come again."""

    async def test(queue: Queue) -> None:
        queue.session.go.set()
        await answers(queue.put(1))
        queue.batcher._record_seconds = 2.0  # noqa: SLF001 - as if a record had taken so long
        queue.session.go.clear()
        works = [await queue.begin(), *(queue.put(number) for number in range(2))]
        assert queue.batcher.expected_wait() == 6  # of the one that runs, too
        with pytest.raises(RequestError, match="busy") as caught:
            queue.put(9)
        assert (caught.value.status, caught.value.headers) == (503, (("retry-after", "6"),))
        queue.session.go.set()
        assert await answers(*works) == [[0], [0], [2]]

    queued(test, "--max-wait=5", LONG, most=1)


def test_who_could_not_be_answered_in_time_is_refused() -> None:
    """A request whose deadline would pass while it waits gets 503 at once."""

    async def test(queue: Queue) -> None:
        queue.session.go.set()
        await answers(queue.put(1))
        queue.batcher._record_seconds = 2.0  # noqa: SLF001 - as if a record had taken so long
        queue.session.go.clear()
        works = [await queue.begin(), queue.put(1)]
        with pytest.raises(RequestError, match="busy"):
            queue.put(2, seconds=1)
        works.append(queue.put(3, seconds=10))
        queue.session.go.set()
        assert await answers(*works) == [[0], [2], [6]]

    queued(test, "--max-wait=5", most=1)
