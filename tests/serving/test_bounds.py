"""How long a request may wait to be prepared and take in all, and how many threads work for all requests."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np
import pytest

from opdeploy.runtime.cpus import usable_cpus
from opdeploy.runtime.processing.spec import Processing
from opdeploy.serving.batching import Batcher
from opdeploy.serving.exchange import RequestError
from opdeploy.serving.metrics import Metrics
from opdeploy.serving.preparing import Threads
from opdeploy.serving.settings import read
from tests.serving.apps import INFER, Session, asked, made, request, served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from numpy.typing import NDArray

    from opdeploy.serving.app import App

SECONDS = 20.0
DECLARED = {"input": {"kind": "text", "ids": "x"}, "output": {"kind": "raw"}}
TURNS = max(2, int(usable_cpus()))
"""Requests that the server prepares at a time."""
LATE = (503, "1", {"error": "the answer did not come in time; send it again later"})


class Gate:
    """Lets nobody through until it is opened; counts who came, and the most that stood there at a time."""

    every: ClassVar[list[Gate]] = []

    def __init__(self) -> None:
        self.every.append(self)
        self.most = 0
        self._standing = 0
        self._came = threading.Semaphore(0)
        self._open = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Wait until it is open."""
        with self._lock:
            self._standing += 1
            self.most = max(self.most, self._standing)
        self._came.release()
        self._open.wait(SECONDS)
        with self._lock:
            self._standing -= 1

    def open(self) -> None:
        """Let everybody through from now on."""
        self._open.set()

    async def reached(self, count: int = 1) -> None:
        """Wait until so many more have come."""
        for _ in range(count):
            assert await asyncio.to_thread(self._came.acquire, timeout=SECONDS)


def limited(test: Coroutine[Any, Any, None]) -> None:
    """Run a test, which must end; where it fails, no thread is left at a gate."""

    async def run() -> None:
        Gate.every.clear()
        try:
            await asyncio.wait_for(test, SECONDS)
        except BaseException:
            for gate in Gate.every:
                gate.open()
            await asyncio.sleep(0.1)  # the loop is to see the end of the threads' tasks
            raise

    asyncio.run(run())


def threaded(test: Callable[[Threads], Awaitable[None]], count: int, max_wait: float | None = None) -> None:
    """Run a test with threads."""

    async def run() -> None:
        await test(Threads(count, max_wait))

    limited(run())


async def begun(threads: Threads, gate: Gate, count: int) -> list[asyncio.Task[None]]:
    """Ask for tasks that wait at a gate, and return when each runs, waits for its turn, or is refused."""
    tasks = [asyncio.create_task(threads.do(gate)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def refusal(threads: Threads) -> tuple[int, tuple[tuple[str, str], ...]]:
    """Ask for what would have to wait for too long; return the status of the answer, and its headers."""
    with pytest.raises(RequestError, match="busy") as caught:
        await threads.do(pytest.fail)
    return caught.value.status, caught.value.headers


@pytest.mark.parametrize("count", [1, 2])
def test_who_would_wait_for_too_long_is_refused(count: int) -> None:
    """By the time that tasks took; a task's own is always allowed. Once others are through, or go, there is room."""

    async def test(threads: Threads) -> None:
        await threads.do(partial(time.sleep, 0.001))  # which is measured
        gate = Gate()
        tasks = await begun(threads, gate, count + count + 1)  # the last waits for `count` others: one task's time
        assert await refusal(threads) == (503, (("retry-after", "1"),))
        tasks.pop().cancel()
        tasks += await begun(threads, gate, 1)
        assert await refusal(threads) == (503, (("retry-after", "1"),))
        gate.open()
        await asyncio.gather(*tasks)
        tasks = await begun(threads, again := Gate(), count + count + 1)
        again.open()
        await asyncio.gather(*tasks)

    threaded(test, count, max_wait=0)


def test_who_is_refused_is_told_when_to_come_again() -> None:
    """The wait is expected to be that of all who wait, on all threads."""

    async def test(threads: Threads) -> None:
        threads._seconds = 6.0  # noqa: SLF001 - as if a task had taken so long
        tasks = await begun(threads, gate := Gate(), 2 + 4)
        assert await refusal(threads) == (503, (("retry-after", "12"),))
        gate.open()
        await asyncio.gather(*tasks)

    threaded(test, 2, max_wait=10)


def test_what_is_computed_is_written_however_long_that_takes() -> None:
    """Threads without a bound refuse nothing."""

    async def test(threads: Threads) -> None:
        threads._seconds = 1000.0  # noqa: SLF001 - as if a task had taken so long
        tasks = await begun(threads, gate := Gate(), 50)
        gate.open()
        await asyncio.gather(*tasks)

    threaded(test, 1)


def new_threads(before: set[threading.Thread], name: str) -> int:
    """Return how many threads of a name have started since."""
    return sum(thread.name.startswith(name) for thread in set(threading.enumerate()) - before)


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_tasks_run_at_a_time_than_there_are_threads(count: int) -> None:
    """So many run together, no further thread is there, and the others follow as these end."""

    async def test(threads: Threads) -> None:
        before = set(threading.enumerate())
        gate = Gate()
        tasks = await begun(threads, gate, 4 * count)
        assert new_threads(before, "prepare") == count
        await gate.reached(count)
        gate.open()
        await asyncio.gather(*tasks)
        assert gate.most == count
        assert new_threads(before, "prepare") <= count

    threaded(test, count)


@dataclass(frozen=True)
class Meeting(Session):
    """A session that notes what it is given, and whose runs wait for one another: so many must be under way at once."""

    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))
    seen: list[float] = field(default_factory=list)

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the input."""
        self.seen.extend(inputs["x"].tolist())
        self.barrier.wait(SECONDS)
        return dict.fromkeys(outputs, inputs["x"])


@pytest.mark.parametrize("parallel", [1, 3])
def test_the_model_runs_on_as_many_threads_as_it_says(parallel: int) -> None:
    """That is `Served.parallel`: so many runs are made at once, and there is no thread for one more."""

    async def run() -> None:
        model = replace(served(Meeting(barrier=threading.Barrier(parallel))), parallel=parallel)
        before = set(threading.enumerate())
        batcher = Batcher(model, read(["--model=m.onnx"], {}), Metrics())
        assert new_threads(before, "run-") == parallel
        until = time.monotonic() + SECONDS
        works = [batcher.submit({"x": np.array([number])}, ["y"], until) for number in range(2 * parallel)]
        assert [(await work.answer)["y"].item() for work in works] == list(range(2 * parallel))

    limited(run())


@dataclass
class Texts:
    """Prepares texts, which are numbers, and writes answers: the model's numbers. Some wait at gates."""

    gates: dict[str, Gate] = field(default_factory=lambda: {"prepared": Gate(), "written": Gate()})
    prepared: list[float] = field(default_factory=list)

    def tensors(self, records: Sequence[str]) -> dict[str, Any]:
        """Return the number; 20 waits."""
        number = float(records[0])
        self.prepared.append(number)
        if number == 20:
            self.gates["prepared"]()
        return {"x": np.array([number], np.float32)}

    def answers(self, outputs: dict[str, Any], _arrays: dict[str, Any]) -> list[float]:
        """Return the number; 30 waits."""
        numbers: list[float] = outputs["y"].tolist()
        if numbers == [30]:
            self.gates["written"]()
        return numbers


def texts(*options: str) -> tuple[App, Texts, list[float]]:
    """Return an application with a model of texts, what prepares them, and the numbers that the model gets."""
    app, session = made(*options), Meeting()
    processor: Any = Texts()
    app.serve(replace(served(session), processing=msgspec.convert(DECLARED, Processing), processor=processor))
    return app, processor, session.seen


async def score(app: App, number: int) -> tuple[int, str | None, Any]:
    """Ask for the score of one text."""
    status, headers, body = await asked(app, "POST", "/score", b'{"text": "%d"}' % number)
    return status, headers.get("retry-after"), body


def begin(app: App, number: int, count: int) -> list[asyncio.Task[Any]]:
    """Ask for the same score as several clients."""
    return [asyncio.create_task(score(app, number)) for _ in range(count)]


def test_preparing_has_its_bound_in_the_server() -> None:
    """Who comes when too many wait to be prepared gets 503 and when to come again; the others are answered."""

    async def run() -> None:
        app, processor, _ = texts("--max-wait=1")
        preparing = app._inference._preparing  # type: ignore[union-attr]  # noqa: SLF001
        preparing._seconds = 10.0  # noqa: SLF001 - as if a text had taken so long
        tasks = begin(app, 20, 2 * TURNS + 1)
        await processor.gates["prepared"].reached(TURNS)
        after = str(round(10 * (TURNS + 1) / TURNS))
        assert await score(app, 1) == (503, after, {"error": "the server is busy; send it again later"})
        processor.gates["prepared"].open()
        assert await asyncio.gather(*tasks) == [(200, None, {"predictions": [20]})] * len(tasks)
        assert await score(app, 1) == (200, None, {"predictions": [1]})
        assert processor.gates["prepared"].most == TURNS

    limited(run())


@pytest.mark.parametrize(("stage", "number"), [("prepared", 20), ("written", 30)])
def test_whose_time_ends_is_told_and_has_no_place_any_more(stage: str, number: int) -> None:
    """While it is prepared it does not reach the model; a thread goes on with it, and others are served."""

    async def run() -> None:
        app, processor, seen = texts("--deadline=1", "--max-queue=1")
        (late,) = begin(app, number, 1)
        await processor.gates[stage].reached()
        assert await late == LATE
        assert (await asked(app, "POST", INFER, request(1)))[0] == 200
        processor.gates[stage].open()
        assert await score(app, 2) == (200, None, {"predictions": [2]})
        assert seen == ([1, 2] if stage == "prepared" else [30, 1, 2])

    limited(run())


def test_whose_time_ends_before_its_turn_is_not_prepared() -> None:
    """It gets the same answer as those that are prepared meanwhile, and has no place any more, as they."""

    async def run() -> None:
        app, processor, seen = texts("--deadline=1", f"--max-queue={TURNS + 1}")
        tasks = begin(app, 20, TURNS) + begin(app, 3, 1)
        assert await asyncio.gather(*tasks) == [LATE] * (TURNS + 1)
        processor.gates["prepared"].open()
        assert await score(app, 2) == (200, None, {"predictions": [2]})
        assert 3 not in processor.prepared
        assert seen == [2]

    limited(run())
