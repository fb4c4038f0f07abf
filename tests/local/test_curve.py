"""The reduction of load to a curve: percentiles, what counts as kept, what is tried next, and the knee."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest

from opdeploy.loadtest import curve
from opdeploy.loadtest.curve import Point
from opdeploy.loadtest.generator import Tally, arrivals

BASE = Point(
    loop="open",
    connections=8,
    rate=100.0,
    seconds=2.0,
    requests=200,
    requests_per_second=100.0,
    latency_ms={"p50": 1.0, "p95": 5.0, "p99": 9.0},
    errors=0,
    failures={},
    server_cpus=0.5,
    cpu_ms_per_request=5.0,
    generator_cpus=0.1,
    lag_ms=0.1,
    growth=1.0,
)


def closed(rate: float, errors: int = 0) -> Point:
    """Return a step of the closed loop with this throughput."""
    return replace(BASE, loop="closed", rate=None, requests_per_second=rate, errors=errors)


def opened(rate: float, p95: float, errors: int = 0) -> Point:
    """Return a step of the open loop."""
    return replace(BASE, rate=rate, latency_ms={"p50": 1, "p95": p95, "p99": p95}, errors=errors)


def test_a_step_is_reduced() -> None:
    """Percentiles are of what was answered well, rates of the time that it took; processor time is told by request."""
    tally = Tally(2.0, [second / 1000 for second in range(1, 101)], Counter({"503": 5, "429": 1}), "", 0.5, [0.001])
    found = curve.point(tally, 16, 53.0, 1.0)
    assert (found.loop, found.connections, found.rate, found.requests) == ("open", 16, 53.0, 106)
    assert found.latency_ms == {"p50": 50, "p95": 95, "p99": 99}
    assert (found.requests_per_second, found.errors, found.failures) == (50, 6, {"429": 1, "503": 5})
    assert (found.server_cpus, found.cpu_ms_per_request, found.generator_cpus, found.lag_ms) == (0.5, 10, 0.25, 1)


def test_what_is_never_answered_is_infinitely_late() -> None:
    """A server that drops what is slow has no better percentiles for it."""
    tally = Tally(1.0, [*[0.001] * 94, *[math.inf] * 6], Counter({"no answer in time": 6}))
    found = curve.point(tally, 1, None, 0.0)
    assert found.latency_ms == {"p50": 1, "p95": math.inf, "p99": math.inf}
    assert (found.loop, found.requests, found.requests_per_second, found.lag_ms) == ("closed", 100, 94, None)


def test_a_step_in_which_nothing_is_answered_is_reduced_too() -> None:
    """Errors alone make no division by nothing."""
    found = curve.point(Tally(1.0, [], Counter({"500": 3})), 1, None, 0.5)
    assert (found.p95, found.requests, found.errors, found.cpu_ms_per_request) == (math.inf, 3, 3, 0)


@pytest.mark.parametrize(
    ("p95", "errors", "kept"), [(10, 0, True), (10.1, 0, False), (10, 2, True), (10, 3, False), (math.inf, 0, False)]
)
def test_a_rate_is_kept_within_latency_and_errors(p95: float, errors: int, *, kept: bool) -> None:
    """The bound itself is kept; of 200 requests two may fail."""
    assert curve.keeps(opened(100, p95, errors), 10) is kept


@pytest.mark.parametrize(
    ("times", "growth", "kept"),
    [
        ([0.001] * 100, 1.0, True),
        ([0.001] * 50 + [0.0019] * 50, 1.9, True),
        ([0.001 * at for at in range(1, 101)], 3.0, False),
        ([0.1 - 0.001 * at for at in range(100)], 0.333, True),
        ([0.001] * 95 + [0.05] * 5, 1.0, True),
        ([0.001], 1.0, True),
        ([], 1.0, False),
        ([0.001] * 50 + [math.inf] * 50, math.inf, False),
        ([math.inf] * 100, 1.0, False),
    ],
    ids=["even", "a bit", "a queue that grows", "one that shrinks", "a disturbance", "one", "none", "stops", "nothing"],
)
def test_a_rate_at_which_latency_grows_is_not_kept(times: list[float], growth: float, *, kept: bool) -> None:
    """A queue that grows would break any bound later, however short the step was."""
    found = curve.point(Tally(1.0, times), 8, 100.0, 0.5)
    assert found.growth == pytest.approx(growth, rel=0.01)
    assert curve.keeps(found, 1000) is kept


@pytest.mark.parametrize(
    ("rates", "done"),
    [
        ([], False),
        ([100], False),
        ([100, 101], False),
        ([100, 101, 103], True),
        ([100, 101, 106], False),
        ([100, 200, 190, 205], True),
        ([100, 90, 130], False),
    ],
)
def test_more_clients_are_tried_while_they_bring_something(rates: list[float], *, done: bool) -> None:
    """One step may bring nothing, for batches of two wait; two in a row are the end."""
    assert curve.saturated([closed(rate) for rate in rates]) is done


def test_errors_end_the_closed_loop() -> None:
    """A server that sheds load is past what it can carry."""
    assert curve.saturated([closed(100), closed(200, errors=20)])
    assert curve.capacity([closed(100), closed(200, errors=20)]) == 200


@pytest.mark.parametrize("limit", [5.0, 120.0, 433.0, 700.0, 999.0, 1000.0, 2000.0])
def test_the_search_ends_near_the_highest_rate_that_is_kept(limit: float) -> None:
    """For a server that keeps every rate up to a limit the search ends within a twentieth of the capacity below it."""
    most = 1000.0
    kept: dict[float, bool] = {}
    while (rate := curve.next_rate(kept, most)) is not None:
        assert rate not in kept
        kept[rate] = rate <= limit
    found = max((rate for rate, ok in kept.items() if ok), default=0)
    assert min(limit, most) - found <= curve.GAP * most
    assert len(kept) <= 11


def test_the_knee_is_below_all_that_breaks() -> None:
    """A step that was kept by luck, above one that was not, is none; the closed loop has no part in it."""
    points = [closed(1000), opened(100, 5), opened(300, 8), opened(200, 6), opened(400, 50), opened(500, 9)]
    found = curve.knee(points, 10)
    assert found is not None
    assert found.rate == 300
    assert curve.knee(points, 4) is None
    assert curve.knee([closed(1000)], 10) is None


def test_arrivals_are_those_of_independent_clients() -> None:
    """As many as the rate says, in order, and as irregular as a Poisson process: gaps vary as much as their mean."""
    found = arrivals(1000, 5)
    gaps = [after - before for before, after in zip(found.times, found.times[1:], strict=False)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert (len(found.times), found.seconds) == (5000, 5)
    assert all(gap >= 0 for gap in gaps)
    assert found.times[-1] <= 5
    assert 0.9 < deviation / mean < 1.1
    assert found == arrivals(1000, 5) != arrivals(1000, 5, seed=1)


@pytest.mark.parametrize(("rate", "seconds", "count"), [(0.1, 1, 1), (1e6, 10, 100_000), (0.5, 4, 2)])
def test_arrivals_are_bounded(rate: float, seconds: float, count: int) -> None:
    """At least one, and no more than fit into memory; the rate stays."""
    found = arrivals(rate, seconds)
    assert len(found.times) == count
    assert found.seconds == pytest.approx(count / rate)
