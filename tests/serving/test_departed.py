"""Clients that leave while their requests are prepared: their work is dropped, and what it held is for others.

Run as a program, this module serves a model whose texts are prepared for as long as the tests like.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np
import pytest

from opdeploy.runtime.cpus import usable_cpus
from opdeploy.runtime.processing.spec import Processing
from opdeploy.serving import settings
from opdeploy.serving.loading import Loading
from opdeploy.serving.preparing import Threads
from tests.serving import servers
from tests.serving.apps import served
from tests.serving.busy import in_flight, wait_for
from tests.serving.servers import JSON, Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

SECONDS = 20.0
TEXTS = {"input": {"kind": "text", "ids": "x"}, "output": {"kind": "raw"}}
TURNS = max(2, int(usable_cpus()))
"""Requests that the server prepares at a time."""
LARGE = 90_000
"""Bytes of a body that needs room: of five such, but not of four, where a body has 100,000 at most."""


class Task:
    """Takes as long as the test likes, and returns its number."""

    every: ClassVar[weakref.WeakSet[Task]] = weakref.WeakSet()

    def __init__(self, number: int = 0) -> None:
        self.every.add(self)
        self.number = number
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> int:
        """Wait for `go`."""
        self.began.set()
        self.go.wait(SECONDS)
        return self.number

    async def begun(self) -> None:
        """Wait until it runs."""
        assert await asyncio.to_thread(self.began.wait, SECONDS)


def threaded(test: Callable[[Threads], Awaitable[None]], count: int = 1) -> None:
    """Run a test with threads; where it fails, none is left waiting."""

    async def run() -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await test(Threads(count))
        except BaseException:
            for task in Task.every:
                task.go.set()
            await asyncio.sleep(0.1)  # the loop is to see the end of the tasks
            raise

    asyncio.run(run())


async def waiting(threads: Threads, task: Task) -> asyncio.Task[int]:
    """Ask for a task, and return when it runs or waits for its turn."""
    asked = asyncio.create_task(threads.do(task))
    await asyncio.sleep(0)
    return asked


async def left(asked: asyncio.Task[int]) -> None:
    """Cancel what was asked for, as `Watch` does where a client leaves, and wait until nobody waits for it."""
    asked.cancel()
    await asyncio.wait([asked])
    assert asked.cancelled()


async def leave_before_the_turn(threads: Threads) -> weakref.ref[Task]:
    """Ask for a task while others have all turns, and leave; return what is left of it."""
    task = Task()
    await left(await waiting(threads, task))
    assert not task.began.is_set()
    return weakref.ref(task)


@pytest.mark.parametrize("count", [1, 3])
def test_who_leaves_before_the_turn_leaves_nothing(count: int) -> None:
    """The task and what it holds are gone at once, while all threads are busy; it takes no turn of others."""

    async def test(threads: Threads) -> None:
        busy = [Task(number) for number in range(count)]
        asked = [await waiting(threads, task) for task in busy]
        for _ in range(2 * count):
            assert (await leave_before_the_turn(threads))() is None
        after = Task(9)
        asked.append(await waiting(threads, after))
        for task in (*busy, after):
            task.go.set()
        assert await asyncio.gather(*asked) == [*range(count), 9]

    threaded(test, count)


def test_who_leaves_between_others_changes_nothing_for_them() -> None:
    """Those before and behind get their turns, in their order."""

    async def test(threads: Threads) -> None:
        first, second, leaving, third = tasks = [Task(number) for number in range(4)]
        asked = {task: await waiting(threads, task) for task in tasks}
        await left(asked.pop(leaving))
        for task in (second, first):
            task.go.set()
        assert await asked[first] == 0
        assert await asked[second] == 1
        await third.begun()
        third.go.set()
        assert await asked[third] == 3
        assert not leaving.began.is_set()

    threaded(test)


def test_the_turn_of_who_leaves_ends_with_the_task() -> None:
    """Nobody waits for a task whose client left; its thread is busy until it ends, and then has the next."""

    async def test(threads: Threads) -> None:
        running, after = Task(), Task(1)
        asked = await waiting(threads, running)
        await running.begun()
        await left(asked)
        assert (await leave_before_the_turn(threads))() is None  # so the turn is not free, and waiting is for the loop
        asked = await waiting(threads, after)
        running.go.set()
        await after.begun()
        after.go.set()
        assert await asked == 1

    threaded(test)


class Reading:
    """Prepares a text by reading the number in the file that it names; for a pipe that takes until it is closed."""

    def tensors(self, records: Sequence[str]) -> dict[str, Any]:
        """Return the numbers."""
        return {"x": np.array([float(Path(record).read_text()) for record in records], np.float32)}

    def answers(self, outputs: dict[str, Any], _arrays: dict[str, Any]) -> Any:  # noqa: ANN401 - a list
        """Return the numbers."""
        return outputs["y"].tolist()


class Loaded(Loading):
    """Has a model at once."""

    def run(self) -> None:
        """Make it."""
        processor: Any = Reading()
        self.model = replace(served(), processing=msgspec.convert(TEXTS, Processing), processor=processor)


def serve() -> int:
    """Serve it, by the options of the command line, until the process is killed."""
    from opdeploy.serving import server

    told = settings.read()
    loading = Loaded(told)
    loading.start()
    return server.run(told, loading)


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """Serve the model in a process of its own."""
    port = servers.free_port()
    command = [sys.executable, "-m", "tests.serving.test_departed", "--model=m.onnx", f"--port={port}", *options]
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            command, env=servers.environment({}), cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL, stderr=stderr
        ) as process,
    ):
        server = Server(process, port, stderr)
        try:
            wait_for(lambda: is_ready(server))
            yield server
        finally:
            process.kill()


def is_ready(server: Server) -> bool:
    """Tell whether the server serves its model."""
    assert server.process.poll() is None, server.log()
    with suppress(OSError):
        return server.request("GET", "/v2/health/ready").status == 200
    return False


class Pipe:
    """A text whose preparation waits for the test."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = folder / f"pipe-{number}"
        self.number = number
        os.mkfifo(self.path)

    def is_read(self) -> bool:
        """Tell whether the text is being prepared, and open the pipe's end to write where it is."""
        try:
            self._end = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:  # that nobody reads
                raise
            return False
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait until the text is being prepared, which goes on behind the block."""
        wait_for(self.is_read)
        with open(self._end, "w") as end:  # noqa: PTH123 - a descriptor
            yield
            end.write(str(self.number))


def body(path: Path) -> bytes:
    """Return a large request for the text that names a file."""
    return json.dumps({"text": str(path)}).encode().ljust(LARGE)


def is_served(server: Server, folder: Path) -> bool:
    """Tell whether a request is answered whose text is prepared at once."""
    (folder / "plain").write_text("7")
    answer = server.request("POST", "/score", body(folder / "plain"), JSON)
    return answer.status == 200 and answer.body == {"predictions": [7]}


def departed(server: Server) -> int:
    """Return how many clients left before their answer."""
    return int(server.figure("opdeploy_requests_total", route="score", code="499"))


def test_a_client_that_leaves_while_its_request_is_prepared(tmp_path: Path) -> None:
    """It has no place any more while a thread still prepares it, nor its body room; it never reaches the model."""
    with serving("--max-queue=1", "--max-body-mb=0.1") as server:
        for number in range(5):
            pipe = Pipe(tmp_path, number)
            with closing(server.begin("POST", "/score", body(pipe.path), JSON)) as client, pipe.held():
                client.close()
                wait_for(lambda: departed(server) == number + 1)  # noqa: B023 - used in this turn
                assert in_flight(server) == 0
                assert is_served(server, tmp_path)
            assert is_served(server, tmp_path)
        assert server.figure("opdeploy_batch_records_count") == 10


def test_a_client_that_leaves_before_its_request_is_prepared(tmp_path: Path) -> None:
    """Behind as many as are prepared at a time, it takes no turn; these and others are answered."""
    with serving(f"--max-queue={TURNS + 1}") as server, ExitStack() as open_:
        pipes = [Pipe(tmp_path, number) for number in range(TURNS + 1)]
        late = pipes.pop()
        with ExitStack() as turns:
            begin = [closing(server.begin("POST", "/score", body(pipe.path), JSON)) for pipe in pipes]
            clients = [open_.enter_context(client) for client in begin]
            for pipe in pipes:
                turns.enter_context(pipe.held())
            with closing(server.begin("POST", "/score", body(late.path), JSON)):
                wait_for(lambda: in_flight(server) == TURNS + 1)
            wait_for(lambda: departed(server) == 1)
            assert in_flight(server) == TURNS
        assert [servers.answered(client.getresponse()).body["predictions"] for client in clients] == [
            [number] for number in range(TURNS)
        ]
        assert is_served(server, tmp_path)
        assert not late.is_read()


if __name__ == "__main__":
    sys.exit(serve())
