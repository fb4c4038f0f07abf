"""Measurements: their structure, the knee, and the process of its own that each thread count has."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from nets import linear, records

from opdeploy.artifact import measure as measuring
from opdeploy.artifact.machine import INSTRUCTION_SETS, describe
from opdeploy.artifact.measure import Measurement, Point, Sweep, knee, measure, peak_memory_mb
from opdeploy.artifact.report import finite
from opdeploy.artifact.samples import Samples
from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.package import sha256
from opdeploy.runtime.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

QUICK = Sweep(batches=(1, 4), threads=(1, 2), rounds=2, seconds=0.01)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a linear classifier."""
    return linear(tmp_path_factory.mktemp("model") / "linear.onnx")


@pytest.fixture(scope="module")
def found(model: Path) -> Measurement:
    """Return what is measured of it."""
    return measure(model, Samples({"x": records(6)}, "records"), Settings(), QUICK)


def test_each_batch_is_measured_with_each_thread_count(found: Measurement) -> None:
    """Rates, spread and latencies are those of the repetitions."""
    assert [(point.threads, point.batch) for point in found.points] == [(1, 1), (1, 4), (2, 1), (2, 4)]
    for point in found.points:
        assert 0 < point.low <= point.records_per_second <= point.high
        assert 0 < point.latency_ms["p50"] <= point.latency_ms["p95"] <= point.latency_ms["p99"]
        assert (point.repetitions, point.runs >= 4) == (2, True)
    assert found.knee in found.points


def test_loading_takes_time_and_memory(found: Measurement) -> None:
    """A process with Python and ONNX Runtime takes some tens of megabytes, and loading a small model is no matter."""
    assert [loading.threads for loading in found.loading] == [1, 2]
    for loading in found.loading:
        assert 0 < loading.load_s < 30
        assert 20 < loading.peak_memory_mb < 2000


def test_a_measurement_says_what_was_measured_on_what(found: Measurement, model: Path) -> None:
    """The advisor needs the model's hash, the day, and the machine; all of it is JSON."""
    told = json.loads(json.dumps(finite(found)))
    assert (told["model"], told["sha256"], told["data"]) == ("linear.onnx", sha256(model), "records")
    assert told["provider"] == "CPUExecutionProvider"
    assert told["date"] >= "2026"
    assert told["machine"]["usable_cpus"] > 0
    assert told["knee"] in told["points"]
    assert set(told["points"][0]["latency_ms"]) == {"p50", "p95", "p99"}


def test_a_fixed_batch_is_the_only_one(tmp_path: Path) -> None:
    """Other sizes than the graph's own are not tried; what is measured next is told."""
    told: list[str] = []
    model = linear(tmp_path / "m.onnx", batch=3)
    sweep = Sweep(batches=(1, 8), threads=(1,), rounds=1, seconds=0.01)
    found = measure(model, Samples({"x": records(2)}, "records"), Settings(), sweep, told.append)
    assert ([point.batch for point in found.points], told) == ([3], ["1 thread"])


def test_settings_with_a_thread_count_are_measured_with_that(tmp_path: Path) -> None:
    """A variant of an artefact that has its own number of threads is served with no other."""
    sweep = Sweep(batches=(1,), rounds=1, seconds=0.01)
    samples = Samples({"x": records(2)}, "records")
    found = measure(linear(tmp_path / "m.onnx"), samples, Settings(threads=1), sweep)
    assert [point.threads for point in found.points] == [1]


def test_a_model_that_fails_on_the_samples_is_one_error(model: Path) -> None:
    """What is raised in the other process is raised here."""
    samples = Samples({"x": np.zeros((2, 3), np.float32)}, "records")
    with pytest.raises(OpdeployError, match=r"^the model fails on these inputs: .*$"):
        measure(model, samples, Settings(), QUICK)


def test_a_provider_that_is_not_there_is_one_error(model: Path) -> None:
    """Nothing is measured on another provider than the one that was asked for."""
    with pytest.raises(InputError, match="CUDAExecutionProvider"):
        measure(model, Samples({"x": records(2)}, "records"), Settings(provider="CUDAExecutionProvider"), QUICK)


def die() -> None:
    """End the process as the system does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_is_one_line() -> None:
    """Its death is an error of the model, not of opdeploy."""
    with pytest.raises(OpdeployError, match=r"^the process that measured ended by itself, .*; try smaller batches$"):
        measuring._in_own_process(die)  # noqa: SLF001  nothing public dies on request


def interrupt(parent: int) -> None:
    """Interrupt the process that waits for this one, and never answer."""
    os.kill(parent, signal.SIGINT)
    signal.pause()


def test_an_interrupt_ends_the_process_that_measures() -> None:
    """Nothing runs on after the command was interrupted."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            measuring._in_own_process(partial(interrupt, os.getpid()))  # noqa: SLF001  nothing public waits for ever
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert not [child for child in psutil.Process().children() if "--multiprocessing-fork" in child.cmdline()]


def point(batch: int, rate: float, threads: int = 1) -> Point:
    """Return a point of the curve."""
    return Point(batch, threads, rate, rate, rate, {}, 1, 1)


CURVES: dict[str, tuple[list[Point], tuple[int, int]]] = {
    "a plateau": ([point(1, 10), point(2, 96), point(4, 100), point(8, 99)], (2, 1)),
    "a rise": ([point(1, 10), point(2, 20), point(4, 40)], (4, 1)),
    "flat": ([point(1, 96), point(2, 100)], (1, 1)),
    "just below 95 %": ([point(1, 94.9), point(2, 100)], (2, 1)),
    "two thread counts": ([point(1, 50), point(2, 96), point(1, 80, 2), point(2, 100, 2)], (2, 2)),
    "one point": ([point(16, 5)], (16, 1)),
}


@pytest.mark.parametrize(("points", "expected"), CURVES.values(), ids=list(CURVES))
def test_the_knee_is_the_smallest_batch_near_the_best(points: list[Point], expected: tuple[int, int]) -> None:
    """It has 95 % of the best throughput, with the thread count that is best for it."""
    found = knee(points)
    assert (found.batch, found.threads) == expected


def test_the_peak_is_that_of_the_memory_held_so_far() -> None:
    """It never falls, and holds what is held now."""
    before = peak_memory_mb()
    assert psutil.Process().memory_info().rss / 1e6 <= before * 1.5
    held = np.ones(20_000_000)
    assert peak_memory_mb() >= before
    assert held.nbytes / 1e6 <= peak_memory_mb()


def test_this_machine_is_described() -> None:
    """What a machine does not tell is left empty, not guessed."""
    machine = describe()
    assert machine.memory_gb > 0
    assert 0 < machine.usable_cpus <= (os.cpu_count() or 1)
    assert set(machine.instruction_sets) <= set(INSTRUCTION_SETS)
    assert machine.system.split()[0] in {"Linux", "Darwin", "Windows"}
