"""Measures how fast a model runs on this machine: records per second and latency by batch size and thread count."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal, TypeVar

from opdeploy.artifact.machine import Machine, describe
from opdeploy.errors import OpdeployError
from opdeploy.runtime.cpus import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    from opdeploy.artifact.samples import Samples
    from opdeploy.artifact.timing import Block
    from opdeploy.runtime.settings import Settings

T = TypeVar("T")

KNEE = 0.95
"""The knee is the smallest batch with this share of the best throughput: larger ones add little but latency."""
SLOWEST_RUN_S = 5.0
"""A batch of which one run takes longer is the last: larger ones would hardly be served in real time."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is varied, and how often and how long each point is measured."""

    batches: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    threads: tuple[int, ...] = ()
    """Empty: 1, 2, 4 … and the number of processors."""
    rounds: int = 5
    seconds: float = 0.5
    """Length of one block of runs."""


@dataclass(frozen=True, slots=True)
class Point:
    """One batch size with one thread count."""

    batch: int
    threads: int
    records_per_second: float
    """The median of the repetitions."""
    low: float
    high: float
    """The slowest and the fastest repetition."""
    latency_ms: dict[str, float]
    """Of one run of the whole batch: p50, p95 and p99 over all runs."""
    repetitions: int
    runs: int


@dataclass(frozen=True, slots=True)
class Loading:
    """What it takes to load the model, in a process of its own."""

    threads: int
    load_s: float
    peak_memory_mb: float
    """The most memory that the process held, Python and ONNX Runtime included."""


@dataclass(frozen=True, slots=True)
class Carrying:
    """What a request costs the server beside the run of the model: to receive, parse, answer and write it."""

    records: int
    """In a request."""
    cpus: int
    """That the server had."""
    ms: float
    """From one answer to the next of a server that is kept busy: the median of the repetitions."""
    low: float
    high: float
    """The fastest and the slowest repetition."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, when, and on what; `kind` tells it from what is measured of a server."""

    kind: Literal["model"]
    date: str
    model: str
    """Name of the file or variant."""
    sha256: str
    """Of the ONNX file."""
    data: str
    provider: str
    onnxruntime: str
    machine: Machine
    loading: list[Loading]
    points: list[Point]
    knee: Point
    """The smallest batch that has 95 % of the best throughput, with the thread count that is best for it."""
    carrying: list[Carrying] = field(default_factory=list)
    """Empty where no requests were measured."""


def measure(
    model: Path,
    samples: Samples,
    settings: Settings,
    sweep: Sweep,
    watch: Callable[[str], None] = lambda _: None,
) -> Measurement:
    """Measure a model, each thread count in a fresh process; `watch` is told what is measured next.

    Raises InputError for a model that cannot be loaded, OpdeployError where it fails or the process dies.
    """
    import onnxruntime

    from opdeploy.artifact.samples import fixed_batch
    from opdeploy.runtime.package import sha256
    from opdeploy.runtime.session import Session
    from opdeploy.runtime.settings import Settings

    fixed = fixed_batch(Session(model, settings).inputs)
    sizes = (fixed,) if fixed else sweep.batches
    loading: list[Loading] = []
    points: list[Point] = []
    for count in sweep.threads or _thread_counts(settings):
        watch(f"{count} thread{'s' if count > 1 else ''}")
        threaded = Settings(settings.provider, count, settings.level)
        sized = replace(sweep, batches=tuple(sorted(set(sizes))))
        loaded, blocks = _in_own_process(partial(_probe, model, samples.take(slice(0, max(sizes))), threaded, sized))
        loading.append(loaded)
        points += [_point(size, count, found) for size, found in blocks.items()]
    return Measurement(
        kind="model",
        date=datetime.now(UTC).date().isoformat(),
        model=model.name,
        sha256=sha256(model),
        data=samples.source,
        provider=settings.provider,
        onnxruntime=onnxruntime.__version__,
        machine=describe(),
        loading=loading,
        points=points,
        knee=knee(points),
    )


def knee(points: Sequence[Point]) -> Point:
    """Return the point of the smallest batch that has 95 % of the best throughput."""
    best = max(point.records_per_second for point in points)
    enough = [point for point in points if point.records_per_second >= KNEE * best]
    return min(enough, key=lambda point: (point.batch, -point.records_per_second))


def _thread_counts(settings: Settings) -> list[int]:
    """Return 1, 2, 4 … and the number of processors; only what is set, where something is."""
    if settings.threads:
        return [settings.threads]
    most = max(1, int(usable_cpus()))
    return sorted({*(2**power for power in range(most.bit_length())), most})


def _point(batch: int, threads: int, blocks: Sequence[Block]) -> Point:
    from opdeploy.artifact.timing import percentile

    rates = [block.rate for block in blocks]
    times = [1000 * second for block in blocks for second in block.seconds]
    return Point(
        batch=batch,
        threads=threads,
        records_per_second=_short(median(rates)),
        low=_short(min(rates)),
        high=_short(max(rates)),
        latency_ms={f"p{percent}": _short(percentile(times, percent)) for percent in (50, 95, 99)},
        repetitions=len(blocks),
        runs=len(times),
    )


def _short(value: float) -> float:
    """Return a figure with four digits: no more can be measured."""
    return float(f"{value:.4g}")


def _in_own_process(task: Callable[[], T]) -> T:
    """Run in a fresh process, whose memory is its own, whose death is an error, and which ends with this one."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(task, sender), daemon=True)
    process.start()
    sender.close()
    try:
        answer: T | Exception = receiver.recv()
    except EOFError:
        raise OpdeployError(
            "the process that measured ended by itself, perhaps for lack of memory; try smaller batches"
        ) from None
    finally:
        process.kill()
        process.join()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _answer(task: Callable[[], T], sender: Connection) -> None:
    """Run a task in the process that was made for it, and send what it returns or raises."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both, and the other one ends this
    try:
        answer: T | Exception = task()
    except Exception as error:  # noqa: BLE001  it is raised again on the other side
        answer = error
    sender.send(answer)


def _probe(model: Path, samples: Samples, settings: Settings, sweep: Sweep) -> tuple[Loading, dict[int, list[Block]]]:
    """Load and run the model in this process."""
    from opdeploy.artifact.timing import alternate, block
    from opdeploy.runtime.session import Session

    start = time.perf_counter()
    session = Session(model, settings)
    loaded = time.perf_counter() - start
    tasks: dict[int, Callable[[], Block]] = {}
    for size in sweep.batches:
        batch = samples.batch(size)
        began = time.perf_counter()
        session.run(batch)
        tasks[size] = partial(block, session, batch, sweep.seconds)
        if time.perf_counter() - began > SLOWEST_RUN_S:
            break
    blocks = alternate(tasks, sweep.rounds)
    return Loading(settings.threads, _short(loaded), _short(peak_memory_mb())), blocks


def peak_memory_mb() -> float:
    """Return the most memory that this process has held, in MB (10^6 bytes)."""
    if sys.platform == "linux":
        # Not getrusage, whose figure starts from what the parent held (exec_mmap in Linux's fs/exec.c).
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # in bytes: getrusage(2) of macOS
    import psutil

    return float(psutil.Process().memory_info().peak_wset) / 1e6
