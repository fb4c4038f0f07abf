"""Carries what was measured on some cores to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.speed import Estimate

if TYPE_CHECKING:
    from opdeploy.speed import Run

SERIAL = Estimate(0.1, 0.0, 0.3)
CARRYING_S = Estimate(0.0005, 0.0001, 0.002)


def seconds_on(seconds: Estimate, measured_on: float, cores: float) -> Estimate:
    """Carry the time of a run from some cores to others: G. M. Amdahl 1967."""
    if cores < 1 or measured_on < 1:
        ratio = _one(cores, SERIAL.value) / _one(measured_on, SERIAL.value)
        return Estimate(seconds.value * ratio, seconds.low * ratio, seconds.high * ratio)
    ratios = [_one(cores, serial) / _one(measured_on, serial) for serial in (SERIAL.low, SERIAL.high)]
    value = _one(cores, SERIAL.value) / _one(measured_on, SERIAL.value)
    return Estimate(seconds.value * value, seconds.low * min(ratios), seconds.high * max(ratios))


def _one(cores: float, serial: float) -> float:
    return 1 / cores if cores < 1 else serial + (1 - serial) / cores


def run_seconds(run: Run, records: int, cores: float) -> Estimate:
    """Return the time of one run of so many records on so many cores of a machine like the one measured."""
    most = max(1, run.machine.cores or 1)
    points = [point for point in run.points if point.threads <= most] or list(run.points)
    near = min(points, key=lambda point: (abs(min(point.threads, most) - cores), abs(point.batch - records)))
    mine = [point for point in points if point.threads == near.threads]
    point = min(mine, key=lambda each: abs(each.batch - records))
    seconds = Estimate(records / point.records_per_second, records / point.high, records / point.low)
    return seconds_on(seconds, min(point.threads, most), cores)


def request_seconds(run: Run, records: int, cores: float) -> Estimate:
    """Return how long a server is busy with one request, when many wait."""
    model = run_seconds(run, records, cores)
    fitting = min(run.carrying, key=lambda item: (abs(item.records - records), abs(item.cpus - cores)), default=None)
    carrying = Estimate(fitting.ms / 1000, fitting.low / 1000, fitting.high / 1000) if fitting else CARRYING_S
    return Estimate(model.value + carrying.value, model.low + carrying.low, model.high + carrying.high)


def record_seconds(run: Run, cores: float) -> Estimate:
    """Return the time of a record in runs of the best batch."""
    best = max(run.points, key=lambda point: point.records_per_second)
    whole = run_seconds(run, best.batch, cores)
    return Estimate(whole.value / best.batch, whole.low / best.batch, whole.high / best.batch)


def spread(run: Run) -> float:
    """Return the 95th percentile of a run's time, as a multiple of its median."""
    point = min(run.points, key=lambda each: (each.batch, each.threads))
    p50, p95 = point.latency_ms.get("p50"), point.latency_ms.get("p95")
    return max(1.0, p95 / p50) if p50 and p95 else 1.3
