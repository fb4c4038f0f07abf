"""What steps of load tell of a server: percentiles, the rate it keeps up with, and what to try next. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from opdeploy.artifact.timing import percentile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opdeploy.loadtest.generator import Tally

PERCENTILE = 95
"""Of latency: the one that workload files bound, and that decides whether a rate is kept."""
MOST_ERRORS = 0.01
"""Share of requests that may fail at a rate that counts as kept."""
SLOWER = 5.0
"""Without a bound on latency, one so many times that of a single client counts as kept.

In a queue with one server (M/M/1) latency is that of an idle server divided by the share of time that it is idle, so
this is the latency of one that is busy for four fifths of the time (L. Kleinrock, Queueing Systems 1, section 3.2).
"""
GAIN = 1.05
"""More clients are tried as long as they raise the throughput by this factor, at least in every second step."""
RUNGS = (0.5, 0.8, 0.9, 0.95)
"""Rates that are tried first, as shares of the best throughput of the closed loop: more cannot be kept up for long."""
MOST_GROWTH = 2.0
"""A rate at which the median latency of a step's second half is more times that of its first is not kept.

The queue of a server that gets more than it can carry grows without end, and latency with it, linearly: its median is
three times as large in the second half, however short the step is and whatever latency is wanted.
"""
GAP = 0.05
"""Between the highest rate that is kept and the lowest that is not, as a share of that throughput."""


@dataclass(frozen=True, slots=True)
class Point:
    """One step of load and what came of it."""

    loop: Literal["closed", "open"]
    connections: int
    """Closed loop: clients, each of which waits for its answer. Open loop: the most connections that were used."""
    rate: float | None
    """Open loop: requests a second that were due."""
    seconds: float
    requests: int
    requests_per_second: float
    """Those that were answered with status 200."""
    latency_ms: dict[str, float]
    """p50, p95 and p99 of what was answered with 200, or not at all, which is infinite."""
    errors: int
    failures: dict[str, int]
    """Errors by status or reason."""
    server_cpus: float
    """Processors that the server kept busy, on average."""
    cpu_ms_per_request: float
    """Processor time of the server for each request that was answered with 200."""
    generator_cpus: float
    """Processors that the load generator took itself."""
    lag_ms: float | None
    """Open loop: p99 of how late the generator sent a request that was due while a connection was free."""
    growth: float | None
    """Open loop: median latency of the second half of what was answered, as a multiple of that of the first."""

    @property
    def p95(self) -> float:
        """The latency that decides, in milliseconds."""
        return self.latency_ms[f"p{PERCENTILE}"]


def point(tally: Tally, connections: int, rate: float | None, server_s: float) -> Point:
    """Reduce one step of load; `rate` is that of the open loop, `server_s` the server's processor time."""
    errors = sum(tally.failures.values())
    answered = sum(map(math.isfinite, tally.latencies))
    times = [1000 * second for second in tally.latencies] or [math.inf]
    return Point(
        loop="closed" if rate is None else "open",
        connections=connections,
        rate=rate,
        seconds=round(tally.seconds, 3),
        requests=answered + errors,
        requests_per_second=short(answered / tally.seconds),
        latency_ms={f"p{percent}": short(percentile(times, percent)) for percent in (50, PERCENTILE, 99)},
        errors=errors,
        failures=dict(sorted(tally.failures.items())),
        server_cpus=short(server_s / tally.seconds),
        cpu_ms_per_request=short(1000 * server_s / answered if answered else 0.0),
        generator_cpus=short(tally.cpu_s / tally.seconds),
        lag_ms=short(1000 * percentile(tally.lags, 99)) if tally.lags else None,
        growth=None if rate is None else _growth(times),
    )


def _growth(times: Sequence[float]) -> float:
    """Return the median of the second half as a multiple of that of the first; 1 of a single time."""
    half = len(times) // 2
    if not half or not math.isfinite(before := percentile(times[:half], 50)):
        return 1.0  # what is never answered breaks the step anyway
    return short(percentile(times[half:], 50) / before)


def short(value: float) -> float:
    """Return a figure with four digits: no more can be measured."""
    return float(f"{value:.4g}")


def keeps(found: Point, limit_ms: float) -> bool:
    """Tell whether a step stayed within a latency that did not grow, with hardly an error."""
    return found.p95 <= limit_ms and not fails(found) and not grows(found)


def fails(found: Point) -> bool:
    """Tell whether too many requests of a step failed."""
    return found.errors > MOST_ERRORS * found.requests


def grows(found: Point) -> bool:
    """Tell whether latency grew during a step, as it does where more comes than the server can carry."""
    return found.growth is not None and found.growth > MOST_GROWTH


def saturated(points: Sequence[Point]) -> bool:
    """Tell whether more clients are of no use: two steps brought nothing, or the last one had errors."""
    if not points:
        return False
    if fails(points[-1]):
        return True
    rates = [item.requests_per_second for item in points]
    return len(rates) > 2 and max(rates[-2:]) < GAIN * max(rates[:-2])  # noqa: PLR2004 - the last two, and some before


def capacity(points: Sequence[Point]) -> float:
    """Return the best throughput of the closed loop, in requests a second."""
    return max((item.requests_per_second for item in points), default=0.0)


def next_rate(kept: Mapping[float, bool], most: float) -> float | None:
    """Return the rate to try after those that were or were not kept: up the rungs, then halving what is unknown.

    None when the highest rate that is kept is known well enough.
    """
    good = max((rate for rate, ok in kept.items() if ok), default=0.0)
    bad = min((rate for rate, ok in kept.items() if not ok), default=None)
    if bad is None:
        return next((short(rung * most) for rung in RUNGS if short(rung * most) > good), None)
    middle = short((good + bad) / 2)
    return middle if bad - good > GAP * most and middle not in kept else None


def knee(points: Sequence[Point], limit_ms: float) -> Point | None:
    """Return the open-loop step of the highest rate that is kept below all that are not; None where none is."""
    opened = sorted((item for item in points if item.rate is not None), key=lambda item: item.rate or 0)
    best = None
    for item in opened:
        if not keeps(item, limit_ms):
            break
        best = item
    return best
