"""How long a model would run on another number of cores, and how long a server takes for a request to it.

The law is that of G. M. Amdahl (Validity of the single processor approach, 1967): of the time on one core a share stays
whatever the cores are, and the rest is divided by them. A run on several cores takes some more to wake the threads, and
a request costs the server its carrying beside the run: to receive, parse, answer and write it. All of it is for cores
like those that were measured; which clouds have those is another question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.speed import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opdeploy.speed import Carrying, Point, Run

MOST_TOGETHER = 32
"""Records that the server puts into one run at most, unless it is told otherwise."""
TOGETHER, FEW_TOGETHER = 16, 4
"""How many are in a run of a server that is kept busy: half as many as clients, of which 8 to 32 keep it so."""

# What follows was measured on 2026-11-27 on two cores of an AMD EPYC (family 26) with ONNX Runtime 1.32, in batches of
# 1 to 32: ResNet-50 and one of 14 layers, MobileNetV2, three transformers, two LSTMs, and networks of dense layers and
# of convolutions.
SERIAL = Estimate(0.1, 0.0, 0.3)
"""Share of a run that more cores do not shorten, where one number of threads was measured.

Runs of 1 ms and more had 0.0 to 0.2, most near 0.1; dense layers that wait for memory 0.4 to 0.5 in small batches.
"""
FITTED = 0.1
"""How far that share may lie from what two numbers of threads tell: a tenth of a run's time is noise."""
WAKING = Estimate(15e-6, 0.0, 40e-6)
"""Seconds that a run on several cores takes more: 0.01 to 0.02 ms for those of 0.02 to 0.4 ms on one core."""
AGAIN = Estimate(1.0, 0.85, 1.2)
"""What is measured later, as a multiple: on a shared machine medians differed so much within the hour."""
BESIDE = Estimate(1.08, 0.95, 1.3)
"""A run in a server that is kept busy, as a multiple of one alone: other threads take caches and turns.

It was 1.00 to 1.09 on one core, and 1.10 to 1.23 on two, which the load was made on as well.
"""
PER_REQUEST, PER_RECORD = Estimate(150e-6, 60e-6, 1e-3), Estimate(30e-6, 0.0, 400e-6)
"""Seconds of carrying where none was measured, of a request, and of each record in it but the first.

Records of 0.3 to 16 kB took 0.07 to 0.11 ms, images of 600 kB 0.3 to 1 ms, and 0.3 ms for each more.
"""
ALONE = Estimate(500e-6, 200e-6, 1e-3)
"""Seconds more for a client that finds the server idle, whose threads have to be woken: 0.2 to 0.9 ms."""


def run_seconds(run: Run, records: int, cores: float) -> Estimate:
    """Return the time of one run of so many records on physical cores like those measured; below one, on a share of it.

    Between batches that were measured it is interpolated; larger ones take as long per record as the largest. Of the
    numbers of cores that were measured the next below counts, and more cores never take longer than fewer.
    """
    curves = _curves(run)
    serial = _serial(curves, records)
    found = [
        _carried(_seconds(points, records), count, cores, serial)
        for count, points in curves.items()
        if count <= max(cores, min(curves))
    ]
    value, nearest = min(item.value for item in found), found[-1]
    return Estimate(value, min(value, nearest.low), max(value, nearest.high)).times(AGAIN)


def request_seconds(run: Run, records: int, cores: float, together: int = MOST_TOGETHER) -> Estimate:
    """Return the time from one answer to the next of a server that is kept busy, for requests of so many records.

    That is the inverse of its throughput. Requests share a run where that is faster, with `together` records in it at
    most; 1 is for a model that takes each request alone.
    """
    runs = {
        count: run_seconds(run, count * records, cores).times(_exactly(1 / count)) for count in _counts(run, records)
    }

    def best(most: int) -> Estimate:
        shared = [item for count, item in runs.items() if count == 1 or count * records <= min(most, together)]
        return min(shared, key=lambda item: item.value)

    few, usual, most = best(FEW_TOGETHER), best(TOGETHER), best(MOST_TOGETHER)
    spent = Estimate(usual.value, min(usual.low, most.low), max(usual.high, few.high)).times(BESIDE)
    return _sum(spent, carrying_seconds(run.carrying, records, cores))


def answer_seconds(run: Run, records: int, cores: float) -> Estimate:
    """Return how long a client waits for an answer of a server that does nothing else, on the same machine."""
    parts = run_seconds(run, records, cores), carrying_seconds(run.carrying, records, cores)
    return _sum(_sum(*parts), ALONE)


def record_seconds(run: Run, cores: float) -> Estimate:
    """Return the time of a record in runs of the batch that is best, without a server."""
    each = [
        run_seconds(run, batch, cores).times(_exactly(1 / batch)) for batch in {point.batch for point in run.points}
    ]
    return min(each, key=lambda item: item.value)


def seconds_on(seconds: Estimate, measured: float, cores: float) -> Estimate:
    """Carry a time over from some cores to others, where nothing else is known of what it is spent on."""
    return _carried(seconds, measured, cores, SERIAL)


def latency_ratio(run: Run, records: int, cores: float) -> Estimate:
    """Return the 95th percentile of the time of a run as a multiple of its mean, of the runs nearest to what is asked.

    It is at least 1, and at most what it was in any of the runs measured.
    """
    nearest = min(run.points, key=lambda point: (abs(point.threads - cores), abs(point.batch - records)))
    return Estimate(_ratio(nearest), 1.0, max(map(_ratio, run.points)))


def _ratio(point: Point) -> float:
    p95 = point.latency_ms.get("p95")
    return 1.0 if p95 is None else max(1.0, p95 / (1000 * point.batch / point.records_per_second))


@dataclass(frozen=True, slots=True)
class _Law:
    """A share that stays, and the seconds to wake threads."""

    serial: float
    waking: float

    def part(self, cores: float) -> float:
        """Return the time on so many cores, as a part of that on one, without waking."""
        return self.serial + (1 - self.serial) / cores if cores > 1 else 1 / cores

    def carry(self, seconds: float, measured: float, cores: float) -> float:
        """Return the time on so many cores, given that on another number."""
        if cores == measured:
            return seconds
        alone = seconds if measured == 1 else (seconds - min(self.waking, _MOST_WAKING * seconds)) / self.part(measured)
        return alone * self.part(cores) + (self.waking if cores > 1 else 0.0)


_MOST_WAKING = 0.75
"""Of a run, that is taken for it: the rest of the shortest ones would be nothing."""


def _carried(seconds: Estimate, measured: float, cores: float, serial: Estimate) -> Estimate:
    """Carry a time over to another number of cores; more never take longer, nor fewer less, but for the interval."""
    value = _Law(serial.value, WAKING.value).carry(seconds.value, measured, cores)
    value = min(value, seconds.value) if cores > measured else max(value, seconds.value)
    laws = _Law(serial.low, WAKING.low), _Law(serial.high, WAKING.high)
    ends = [law.carry(end, measured, cores) for law in laws for end in (seconds.low, seconds.high)]
    return Estimate(value, min(value, *ends), max(value, *ends))


def _serial(curves: Mapping[int, Sequence[Point]], records: int) -> Estimate:
    """Return the share that stays, from the fewest and the most cores that were measured."""
    least, most = min(curves), max(curves)
    if least != 1 or most == 1:
        return SERIAL
    one, many = (_seconds(curves[count], records).value for count in (least, most))
    part = (many - min(WAKING.value, _MOST_WAKING * many)) / one
    value = min(1.0, max(0.0, (part - 1 / most) / (1 - 1 / most)))
    return Estimate(value, max(0.0, value - FITTED), min(1.0, value + FITTED))


def _curves(run: Run) -> dict[int, list[Point]]:
    """Return the points by cores, fewest first, in the order of batches: threads that share a core count as one."""
    best: dict[tuple[int, int], Point] = {}
    for point in run.points:
        key = (min(point.threads, run.machine.cores or point.threads), point.batch)
        if key not in best or best[key].records_per_second < point.records_per_second:
            best[key] = point
    curves: dict[int, list[Point]] = {}
    for cores, batch in sorted(best):
        curves.setdefault(cores, []).append(best[cores, batch])
    return curves


def _seconds(points: Sequence[Point], records: int) -> Estimate:
    """Return the time of a run of so many records, from runs of some batches on as many cores."""
    above = next((point for point in points if point.batch >= records), None)
    below = next((point for point in reversed(points) if point.batch <= records), None)
    if below is None:  # fewer than the smallest batch take as long at most
        smallest = _time(points[0])
        return Estimate(
            smallest.value * records / points[0].batch, smallest.low * records / points[0].batch, smallest.high
        )
    if above is None:
        return _time(below).times(_exactly(records / below.batch))
    if above is below:
        return _time(above)
    return _between((below.batch, _time(below)), (above.batch, _time(above)), records)


def _time(point: Point) -> Estimate:
    low, high = sorted((point.low, point.high))
    return Estimate(*(point.batch / rate for rate in (point.records_per_second, high, low)))


def _between(below: tuple[int, Estimate], above: tuple[int, Estimate], at: float) -> Estimate:
    """Return what lies on a straight line."""
    weight = (at - below[0]) / (above[0] - below[0])
    return _sum(below[1].times(_exactly(1 - weight)), above[1].times(_exactly(weight)))


def carrying_seconds(measured: Sequence[Carrying], records: int, cores: float) -> Estimate:
    """Return what a request costs beside the run, in seconds, with so many processors, or with a share of one."""
    slower = _exactly(1 / min(cores, 1.0))
    if not measured:
        return _sum(PER_REQUEST, PER_RECORD.times(_exactly(records - 1))).times(slower)
    cpus = max({item.cpus for item in measured if item.cpus <= cores}, default=min(item.cpus for item in measured))
    costs = {
        item.records: Estimate(*(value / 1000 for value in (item.ms, item.low, item.high)))
        for item in measured
        if item.cpus == cpus
    }
    least, most = min(costs), max(costs)
    if records <= least or least == most:
        found = costs[least]
    elif records >= most:  # as much for each more as between the two
        each = max(0.0, costs[most].value - costs[least].value) / (most - least)
        found = _sum(costs[most], _exactly(each * (records - most)))
    else:
        found = _between((least, costs[least]), (most, costs[most]), records)
    return found.times(AGAIN).times(slower)


def _counts(run: Run, records: int) -> list[int]:
    """Return how many requests may share a run, such that a batch of about their records was measured."""
    return sorted({max(1, point.batch // records) for point in run.points} | {1})


def _exactly(part: float) -> Estimate:
    return Estimate(part, part, part)


def _sum(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(one.value + other.value, one.low + other.low, one.high + other.high)
