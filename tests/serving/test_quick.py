"""Small networks are run in the event loop itself, which others must not notice."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from opdeploy.serving import model
from opdeploy.serving.batching import Batcher
from opdeploy.serving.metrics import Metrics
from opdeploy.serving.settings import read
from tests.serving import graphs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from opdeploy.serving.batching import Work

SECONDS = 20.0


@dataclass
class Timed:
    """A session that tells on which threads it ran, with how many records, and takes as long as it is told."""

    seconds: float = 0.0
    threads: list[threading.Thread] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]], outputs: Sequence[str]) -> dict[str, Any]:
        """Return the inputs."""
        self.threads.append(threading.current_thread())
        self.sizes.append(len(inputs["x"]))
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            pass
        return dict.fromkeys(outputs, inputs["x"])


@dataclass(frozen=True)
class Model:
    """What a batcher needs of a model."""

    session: Timed
    max_batch: int = 4
    parallel: int = 1
    steady: bool = True


def used(session: Timed, puts: Sequence[Sequence[int]], *options: str, quick: bool = True) -> list[list[float]]:
    """Put the requests of each turn together, wait for their answers, and return all answers."""

    async def run() -> list[list[float]]:
        told = read(["--model=m.onnx", *options], {})
        batcher = Batcher(Model(session, steady=quick), told, Metrics())  # type: ignore[arg-type]  # all that it uses
        answers = []
        async with asyncio.timeout(SECONDS):
            for turn in puts:
                works: list[Work] = [
                    batcher.submit({"x": np.array([number])}, ["y"], time.monotonic() + SECONDS) for number in turn
                ]
                answers += [(await work.answer)["y"].tolist() for work in works]
        return answers

    return asyncio.run(run())


def test_a_quick_model_runs_in_the_loop_and_in_batches() -> None:
    """Once it is known to be quick, requests of one turn of the loop share runs there, in their order."""
    session = Timed()
    assert used(session, [[0], [1, 2, 3, 4, 5, 6]]) == [[number] for number in range(7)]
    assert [thread is threading.main_thread() for thread in session.threads] == [False, True, True]
    assert session.sizes == [1, 4, 2]


@pytest.mark.parametrize(("quick", "option"), [(False, "--max-delay-ms=0"), (True, "--max-delay-ms=1")])
def test_other_models_run_on_threads(quick: bool, option: str) -> None:  # noqa: FBT001 - a parameter of the test
    """So do those whose time may depend on more than the number of records, and all where requests wait for others."""
    session = Timed()
    used(session, [[0], [1], [2]], option, quick=quick)
    assert threading.main_thread() not in session.threads


def test_a_model_that_takes_long_runs_on_threads() -> None:
    """What took a millisecond is expected to take it again, and is not run in the loop."""
    session = Timed(seconds=0.001)
    used(session, [[0], [1]])
    assert threading.main_thread() not in session.threads


def test_a_model_that_was_quick_once_does_not_hold_up_the_loop_again() -> None:
    """After a run that took long in the loop, all are on threads."""
    session = Timed()
    used(session, [[0], [1]])
    session.seconds, session.threads = 0.03, []

    async def run() -> None:
        told = read(["--model=m.onnx"], {})
        batcher = Batcher(Model(session), told, Metrics())  # type: ignore[arg-type]  # all that it uses
        for seconds in (0.0, 0.03, 0.0, 0.0):
            session.seconds = seconds
            await batcher.submit({"x": np.array([1])}, ["y"], time.monotonic() + SECONDS).answer

    asyncio.run(run())
    assert [thread is threading.main_thread() for thread in session.threads] == [False, True, False, False]


@pytest.mark.parametrize(
    ("graph", "steady"),
    [
        pytest.param(graphs.DOUBLE, True, id="records"),
        pytest.param("one (float[1, 2] x) => (float[1, 2] y) { y = Add(x, x) }", True, id="one record"),
        pytest.param("long (float[n, m] x) => (float[n, m] y) { y = Add(x, x) }", False, id="long records"),
        pytest.param("line (float[m] x) => (float[1] y) { y = ReduceSum(x) }", False, id="no records"),
        pytest.param("whole (int64[n, 2] x) => (int64[n, 2] y) { y = Add(x, x) }", False, id="whole numbers"),
        pytest.param(graphs.BUSY, False, id="a count"),
        pytest.param(
            "grown (float[1] x) => (float[n] y) { s = Cast<to = 7>(x) y = ConstantOfShape(s) }", False, id="a size"
        ),
    ],
)
def test_sizes_and_operators_decide(graph: str, steady: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    """A graph is steady that has measures of fixed sizes as inputs, but for the records, and no loop or the like."""
    path = graphs.saved(graph, tmp_path / "m.onnx")
    assert model.load(read([f"--model={path}"], {})).steady is steady
