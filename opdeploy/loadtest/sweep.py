"""Loads a server step by step until the rate is known that it keeps up with."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError
from opdeploy.loadtest import curve
from opdeploy.loadtest.generator import arrivals, closed, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.loadtest.curve import Point
    from opdeploy.loadtest.generator import Server, Tally

CLIENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WARM_UP_CLIENTS = 4
ENOUGH = 20
"""Requests that a step should have at least; the shares of the time below bound it."""
LONGEST_S = 30.0
"""Of one step, which so stays bounded in requests too."""
ANSWER_S = 30.0
"""The closed loop waits so long for an answer."""
LEAST_PATIENCE_S = 0.5
_STEP, _CONFIRMING = 1 / 12, 1 / 5
"""Shares of the time for a step of the open loop, and for the longer one that confirms the knee."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked of the load."""

    seconds: float
    """How long all of it takes, about; the last answers may take longer."""
    slo_ms: float | None = None
    """The latency wanted at `curve.PERCENTILE`."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The curve of a server under load."""

    points: list[Point]
    """Closed loop by clients, then open loop by rate."""
    capacity: float
    """Best throughput of the closed loop, in requests a second."""
    limit_ms: float
    """Latency up to which a rate counts as kept: the one wanted, else `curve.SLOWER` times that of one client."""
    knee: Point | None
    """Step of the highest rate that was kept; None where none was."""
    finished: bool
    """Whether that rate was found and confirmed, before the time was over."""


def sweep(server: Server, goal: Goal, cpu: Callable[[], float], watch: Callable[[str], None]) -> Sweep:
    """Load a server: more and more clients, then higher and higher rates, until the knee.

    `cpu` returns the processor seconds that the server has taken so far, and raises when it has ended. Raises
    OpdeployError where the server answers no request well, OSError where it takes no connection.
    """
    load = _Steps(server, goal, cpu, watch)
    start = time.monotonic()
    load.warm_up()
    clients = load.clients()
    limit = goal.slo_ms or curve.short(curve.SLOWER * clients[0].p95)
    rates: list[Point] = []
    finished = True
    if curve.keeps(clients[0], limit):
        rates, finished = load.rates(curve.capacity(clients), limit, start + goal.seconds)
    return Sweep([*clients, *rates], curve.capacity(clients), limit, curve.knee(rates, limit), finished)


class _Steps:
    """Steps of load on one server, each as long as its answers need."""

    def __init__(self, server: Server, goal: Goal, cpu: Callable[[], float], watch: Callable[[str], None]) -> None:
        self._server = server
        self._cpu = cpu
        self._watch = watch
        self._all = goal.seconds
        self._wanted = goal.slo_ms or math.inf
        self._step = min(LONGEST_S, goal.seconds / 20)

    def warm_up(self) -> None:
        """Send the first requests, which count for nothing but how long a step takes.

        Raises OpdeployError where none is answered well.
        """
        self._watch("warm-up")
        tally = closed(self._server, WARM_UP_CLIENTS, self._step, ANSWER_S)
        answered = [second for second in tally.latencies if math.isfinite(second)]
        self._cpu()
        if not answered:
            reason = next(iter(tally.failures), "nothing")
            raise OpdeployError(f"the server answers no request of the load well: {reason} {tally.said}".rstrip())
        self._step = min(max(self._step, ENOUGH * fmean(answered) / WARM_UP_CLIENTS), self._all / 8, LONGEST_S)

    def clients(self) -> list[Point]:
        """Load with more and more clients, until they are of no use."""
        points: list[Point] = []
        for count in CLIENTS:
            if curve.saturated(points):
                break
            self._watch(f"{count} client{'s' if count > 1 else ''}")
            step = partial(closed, self._server, count, self._step, ANSWER_S)
            found = self._measured(step, count)
            if not points:  # a limit may hang on it, and a disturbance is not the server's fault
                found = _better(found, self._measured(step, count), self._wanted)
            points.append(found)
        return points

    def rates(self, most: float, limit_ms: float, end: float) -> tuple[list[Point], bool]:
        """Load with higher and higher rates, until the highest is known that is kept and a longer step confirms it.

        Returns the steps, and whether that was known before the time was over, which lasts until one rate is kept.
        """
        found: dict[float, Point] = {}
        confirmed: set[float] = set()
        finished = False
        while not finished:
            kept = {rate: curve.keeps(item, limit_ms) for rate, item in found.items()}
            if time.monotonic() >= end and any(kept.values()):
                break
            rate = curve.next_rate(kept, most)
            if rate is not None:
                found[rate] = self._tried(rate, limit_ms, _STEP)
                continue
            knee = curve.knee(list(found.values()), limit_ms)
            finished = knee is None or knee.rate in confirmed
            if knee and knee.rate and not finished:
                confirmed.add(knee.rate)
                found[knee.rate] = self._tried(knee.rate, limit_ms, _CONFIRMING)
                finished = curve.keeps(found[knee.rate], limit_ms)
        return [found[rate] for rate in sorted(found)], finished

    def _tried(self, rate: float, limit_ms: float, share: float) -> Point:
        found = self._rate(rate, limit_ms, share)
        if curve.keeps(found, limit_ms):
            return found
        return _better(found, self._rate(rate, limit_ms, share), limit_ms)  # a disturbance is not the server's fault

    def _rate(self, rate: float, limit_ms: float, share: float) -> Point:
        self._watch(f"{rate:,.4g} requests/s")
        seconds = min(max(share * self._all, ENOUGH / rate), self._all / 5, LONGEST_S)
        patience = max(LEAST_PATIENCE_S, limit_ms / 1000)
        # More under way than this would mean a latency beyond the limit (Little's law), with a factor of two to spare.
        connections = min(CLIENTS[-1], max(8, math.ceil(2 * rate * limit_ms / 1000)))
        step = partial(opened, self._server, arrivals(rate, seconds), connections, patience)
        return self._measured(step, connections, rate)

    def _measured(self, step: Callable[[], Tally], connections: int, rate: float | None = None) -> Point:
        before = self._cpu()
        tally = step()
        return curve.point(tally, connections, rate, self._cpu() - before)


def _better(one: Point, other: Point, limit_ms: float) -> Point:
    """Return the step that was kept, if only one was; else the faster one."""
    return min(one, other, key=lambda item: (not curve.keeps(item, limit_ms), item.p95))
