"""The rising load against small servers of known capacity: the curve, its knee, and servers that fail."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from opdeploy.errors import OpdeployError
from opdeploy.loadtest import curve
from opdeploy.loadtest.generator import Server, Tally
from opdeploy.loadtest.sweep import _CONFIRMING, Goal, Sweep, _better, _Steps, sweep
from tests.local.small import REQUEST, Answer, Small, Told

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.loadtest.curve import Point

    Start = Callable[[Answer], Small]

TAKES = 0.01
"""Seconds that the slow server takes for a request, one at a time: it cannot answer more than 100 a second."""


def swept(server: Small, goal: Goal) -> tuple[Sweep, list[str]]:
    """Return the curve of a small server, and what was said meanwhile."""
    steps: list[str] = []
    return sweep(Server("127.0.0.1", server.port, [REQUEST]), goal, time.process_time, steps.append), steps


def one_at_a_time(lock: threading.Lock) -> Answer:
    """Return the answer of a server that computes for a while, one request after the other."""

    def answer(_path: str, _number: int) -> Told:
        with lock:
            time.sleep(TAKES)
        return Told()

    return answer


@pytest.fixture(scope="module")
def slow() -> tuple[Sweep, list[str], float]:
    """Return the curve of a server that answers at most 100 a second, and how long that took."""
    server = Small(one_at_a_time(threading.Lock()))
    try:
        start = time.monotonic()
        found, steps = swept(server, Goal(6.0, 1000))
        return found, steps, time.monotonic() - start
    finally:
        server.close()


def test_more_clients_bring_no_more_than_the_server_can(slow: tuple[Sweep, list[str], float]) -> None:
    """The closed loop begins with one client, doubles, and ends when that is of no use."""
    found = slow[0]
    closed = [item for item in found.points if item.rate is None]
    assert [item.connections for item in closed] == [2**power for power in range(len(closed))]
    assert 3 <= len(closed) < 9
    assert found.capacity == max(item.requests_per_second for item in closed) <= 1 / TAKES + 1
    assert all(item.latency_ms["p50"] >= 1000 * TAKES for item in found.points)


def test_the_knee_is_a_rate_that_was_kept(slow: tuple[Sweep, list[str], float]) -> None:
    """It keeps the latency wanted, and no rate above it was kept, nor is above the capacity."""
    found = slow[0]
    assert found.limit_ms == 1000
    assert found.knee is not None
    assert found.knee in found.points
    assert curve.keeps(found.knee, 1000)
    assert 0.2 * found.capacity < (found.knee.rate or 0) <= found.capacity


class Scripted(_Steps):
    """Steps of a server that keeps so many requests a second in short steps, and so many in the longer ones."""

    def __init__(self, short: float, long: float) -> None:
        super().__init__(Server("", 0, []), Goal(25), float, lambda _: None)
        self.asked: list[tuple[float, bool]] = []
        self.most = {False: short, True: long}

    def _rate(self, rate: float, _limit_ms: float, share: float) -> Point:
        longer = share == _CONFIRMING
        self.asked.append((rate, longer))
        return replace(step(5.0 if rate <= self.most[longer] else 50.0, 0), rate=rate)


@pytest.mark.parametrize(
    ("short", "long", "end", "asked", "knee", "finished"),
    [
        (2000, 2000, math.inf, "500 800 900 950 950+", 950, True),
        (2000, 850, math.inf, "500 800 900 950 950+ 950+ 900+ 900+ 850 850+", 850, True),
        (860, 860, math.inf, "500 800 900 900 850 850+", 850, True),
        (2000, 2000, 0, "500", 500, False),
        (100, 100, 0, "500 500 250 250 125 125 62.5", 62.5, False),
        (0, 0, 0, "500 500 250 250 125 125 62.5 62.5 31.25 31.25", None, True),
    ],
    ids=["all kept", "kept by luck", "in between", "no time", "no time, and none kept yet", "none kept"],
)
def test_the_knee_is_confirmed_by_a_longer_step(
    short: float, long: float, end: float, asked: str, knee: float | None, *, finished: bool
) -> None:
    """What a short step kept by luck is not final, and a search that had no time is not called finished."""
    load = Scripted(short, long)
    points, ended = load.rates(1000.0, 10.0, end)
    found = curve.knee(points, 10.0)
    assert " ".join(f"{rate:g}{'+' * longer}" for rate, longer in load.asked) == asked
    assert (found.rate if found else None, ended) == (knee, finished)


@pytest.mark.parametrize(
    ("one", "other", "better"),
    [
        ({"p95": 50.0, "errors": 0}, {"p95": 5.0, "errors": 1}, 1),
        ({"p95": 5.0, "errors": 11}, {"p95": 9.0, "errors": 10}, 1),
        ({"p95": 5.0, "errors": 3}, {"p95": 9.0, "errors": 0}, 0),
        ({"p95": 50.0, "errors": 0}, {"p95": 90.0, "errors": 0}, 0),
    ],
    ids=["only one within the latency", "only one with few errors", "both kept", "neither kept"],
)
def test_of_two_steps_the_one_that_was_kept_counts(one: dict[str, float], other: dict[str, float], better: int) -> None:
    """A single error in a thousand does not outweigh a latency that was not kept."""
    pair = [step(**one), step(**other)]
    assert _better(pair[0], pair[1], 10.0) is pair[better]


def step(p95: float, errors: float) -> Point:
    """Return a step of a thousand requests."""
    times = [p95 / 1000] * (1000 - int(errors))
    return curve.point(Tally(1.0, times, Counter({"503": int(errors)})), 8, 1000.0, 0.1)


def test_it_ends_about_when_it_was_told(slow: tuple[Sweep, list[str], float]) -> None:
    """Whatever is found out, steps have bounds; each is said before it begins."""
    found, steps, seconds = slow
    assert seconds < 20
    assert steps[:3] == ["warm-up", "1 client", "2 clients"]
    assert any(step.endswith("requests/s") for step in steps)
    assert len(steps) > len(found.points)


def test_without_a_bound_it_is_five_times_that_of_one_client(small: Start) -> None:
    """Where nothing is demanded, what a single client sees decides."""
    found, _ = swept(small(one_at_a_time(threading.Lock())), Goal(2.0))
    assert found.limit_ms == pytest.approx(5 * found.points[0].p95, rel=1e-3)


def test_a_bound_that_one_client_breaks_leaves_no_knee(small: Start) -> None:
    """No rate is tried then; the closed loop still tells the capacity."""
    found, steps = swept(small(one_at_a_time(threading.Lock())), Goal(2.0, 1.0))
    assert found.knee is None
    assert all(item.rate is None for item in found.points)
    assert not any("requests/s" in step for step in steps)
    assert found.capacity > 0


def test_a_server_that_answers_nothing_well_is_told_with_its_words(small: Start) -> None:
    """The first error is what a person needs."""
    server = small(lambda _path, _number: Told(413, b'{"error": "the body is over 3 bytes"}'))
    with pytest.raises(OpdeployError, match=r'answers no request of the load well: 413 {"error": "the body is over 3'):
        swept(server, Goal(1.0))


def test_errors_past_a_number_of_clients_end_the_closed_loop(small: Start) -> None:
    """A server that sheds load is asked for no more; what it shed is in the curve."""
    under_way: list[None] = []

    def sheds(_path: str, _number: int) -> Told:
        under_way.append(None)
        try:
            if len(under_way) > 4:
                return Told(503, b'{"error": "too many"}')
            time.sleep(TAKES)
            return Told()
        finally:
            under_way.pop()

    found, _ = swept(small(sheds), Goal(3.0, 500))
    closed = [item for item in found.points if item.rate is None]
    assert [item.connections for item in closed] == [1, 2, 4, 8]
    assert set(closed[-1].failures) == {"503"}
    assert found.knee is not None


def test_a_server_that_ends_under_load_ends_the_load(small: Start) -> None:
    """What is asked for its processor time tells that it has gone, and that is raised."""
    server = small(lambda _path, _number: Told())
    asked: list[None] = []

    def gone() -> float:
        asked.append(None)
        if len(asked) > 3:
            raise OpdeployError("the server ended under load")
        return 0.0

    with pytest.raises(OpdeployError, match="ended under load"):
        sweep(Server("127.0.0.1", server.port, [REQUEST]), Goal(1.0), gone, lambda _: None)
