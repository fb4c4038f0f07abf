"""How a measurement is carried over to other cores and to requests: cases worked by hand, and what holds of all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opdeploy.advisor.scaling import answer_seconds, latency_ratio, request_seconds, run_seconds
from opdeploy.speed import Carrying, Estimate, Machine, Point, Run

TOLERANCE = 1e-12


def point(batch: int, threads: int, ms: float, p95: float | None = None) -> Point:
    """Return a point whose run takes so long, in each repetition."""
    rate = 1000 * batch / ms
    return Point(
        batch=batch, threads=threads, records_per_second=rate, low=rate, high=rate, latency_ms={"p95": p95 or ms}
    )


def carried(records: int, cpus: float, ms: float) -> Carrying:
    """Return what a request costs, in each repetition."""
    return Carrying(records=records, cpus=cpus, ms=ms, low=ms, high=ms)


def run(*points: Point, cores: int | None = 8, carrying: tuple[Carrying, ...] = ()) -> Run:
    """Return a measurement."""
    machine = Machine(cores=cores, usable_cpus=16)
    return Run(date="", model="", sha256="", provider="", machine=machine, points=points, carrying=carrying)


TEN = run(point(1, 1, 10.0))
BOTH = run(point(1, 1, 10.0), point(1, 2, 7.015))
"""Without waking 7 ms are left: two fifths stay, 4 + 6 / 2."""


@pytest.mark.parametrize(
    ("measured", "cores", "ms"),
    [
        (TEN, 1, 10.0),
        (TEN, 2, 1.0 + 9.0 / 2 + 0.015),
        (TEN, 4, 1.0 + 9.0 / 4 + 0.015),
        (TEN, 0.5, 20.0),
        (BOTH, 1, 10.0),
        (BOTH, 2, 7.015),
        (BOTH, 4, 4.0 + 6.0 / 4 + 0.015),
        (run(point(1, 2, 5.515)), 1, 10.0),
        (run(point(1, 2, 5.515)), 4, 1.0 + 9.0 / 4 + 0.015),
        (run(point(1, 2, 5.515)), 0.25, 40.0),
    ],
)
def test_a_run_is_carried_over_by_amdahls_law(measured: Run, cores: float, ms: float) -> None:
    """A share of a tenth stays where nothing else is known, and waking takes 0.015 ms."""
    assert 1000 * run_seconds(measured, 1, cores).value == pytest.approx(ms)


@pytest.mark.parametrize(
    ("records", "ms"),
    [(4, 20.0), (6, 25.0), (8, 30.0), (16, 60.0), (2, 10.0)],
    ids=["measured", "between", "the largest", "beyond", "below"],
)
def test_other_batches_are_read_off_the_curve(records: int, ms: float) -> None:
    """Straight between two, and by the record outside."""
    measured = run(point(8, 1, 30.0), point(4, 1, 20.0))
    assert 1000 * run_seconds(measured, records, 1).value == pytest.approx(ms)


def test_fewer_records_than_measured_take_as_long_at_most() -> None:
    """A model that waits for its weights takes as long for one as for four."""
    assert 1000 * run_seconds(run(point(4, 1, 20.0)), 1, 1).high >= 20.0


def test_what_was_measured_twice_has_a_narrower_interval() -> None:
    """The share that stays is known then."""
    guessed, known = (run_seconds(item, 1, 8) for item in (TEN, run(point(1, 1, 10.0), point(1, 2, 5.515))))
    assert guessed.value == pytest.approx(known.value)
    assert guessed.low < known.low < known.high < guessed.high


def test_threads_that_share_a_core_count_as_one() -> None:
    """The faster of them counts."""
    measured = run(point(1, 1, 10.0), point(1, 2, 8.0), cores=1)
    assert 1000 * run_seconds(measured, 1, 1).value == pytest.approx(8.0)
    assert 1000 * run_seconds(measured, 1, 2).value == pytest.approx(0.8 + 7.2 / 2 + 0.015)


def test_the_shortest_runs_gain_nothing() -> None:
    """To wake a thread takes as long as they do."""
    assert run_seconds(run(point(1, 1, 0.01)), 1, 4).value == pytest.approx(1e-5)
    assert run_seconds(run(point(1, 2, 0.01)), 1, 1).value == pytest.approx(1e-5)


CARRYING = (carried(1, 1, 2.0), carried(8, 1, 9.0), carried(1, 2, 1.0), carried(8, 2, 4.5))


@pytest.mark.parametrize(
    ("records", "cores", "ms"),
    [
        (1, 1, 2.0),
        (2, 1, 3.0),
        (8, 1, 9.0),
        (10, 1, 11.0),
        (1, 2, 1.0),
        (1, 1.5, 2.0),
        (1, 8, 1.0),
        (1, 0.5, 4.0),
    ],
)
def test_carrying_is_added_to_the_run(records: int, cores: float, ms: float) -> None:
    """That with as many processors, or the next fewer, and straight between numbers of records."""
    measured = run(point(1, 1, 10.0), carrying=CARRYING)
    with_it = request_seconds(measured, records, cores, together=1).value
    beside = 1.08 * run_seconds(measured, records, cores).value
    assert 1000 * (with_it - beside) == pytest.approx(ms)


def test_requests_share_runs_where_that_is_faster() -> None:
    """But no more than may, and 16 records at most as a rule: eight take little longer than one here."""
    curve = ((1, 10.0), (8, 12.0), (16, 24.0), (32, 32.0))
    measured = run(*(point(batch, 1, ms) for batch, ms in curve), carrying=CARRYING)
    found = {most: request_seconds(measured, 1, 1, together=most) for most in (1, 4, 8, 32)}
    assert 1000 * found[1].value == pytest.approx(1.08 * 10 + 2)
    assert found[1] == found[4]
    assert 1000 * found[8].value == pytest.approx(1.08 * 1.5 + 2)
    assert found[8].value == found[32].value
    assert 1000 * found[32].low == pytest.approx(0.85 * (0.95 * 1.0 + 2))
    assert found[32].high == found[1].high
    assert 1000 * request_seconds(measured, 2, 1).value == pytest.approx(1.08 * 3 + 3)


def test_where_no_carrying_was_measured_the_interval_is_wide() -> None:
    """It holds what was seen with requests of a few bytes and with large ones."""
    with_it, without = (
        request_seconds(run(point(1, 1, 1.0), carrying=carrying), 1, 1) for carrying in (CARRYING[:1], ())
    )
    assert 1000 * without.value == pytest.approx(1.08 + 0.15)
    assert without.high - without.value > 0.0008
    assert with_it.value > without.value


def test_a_lone_client_waits_for_threads_that_wake() -> None:
    """Half a millisecond on top of run and carrying."""
    assert 1000 * answer_seconds(run(point(1, 1, 10.0), carrying=CARRYING), 1, 1).value == pytest.approx(12.5)


def test_the_latency_ratio_is_that_of_the_nearest_runs() -> None:
    """Never below 1, and 1 where no percentile was kept."""
    measured = run(point(1, 1, 10.0, p95=12.0), point(8, 1, 50.0, p95=55.0), point(8, 2, 30.0, p95=60.0))
    nearest = latency_ratio(measured, 1, 1)
    assert (nearest.value, nearest.low, nearest.high) == pytest.approx((1.2, 1.0, 2.0))
    assert latency_ratio(measured, 7, 1).value == pytest.approx(1.1)
    assert latency_ratio(measured, 7, 4).value == pytest.approx(2.0)
    assert latency_ratio(run(point(1, 1, 10.0, p95=9.0)), 1, 1) == Estimate(1.0, 1.0, 1.0)


POINTS = st.builds(
    lambda batch, threads, ms, spread: Point(
        batch=batch,
        threads=threads,
        records_per_second=1000 * batch / ms,
        low=1000 * batch / ms / spread,
        high=1000 * batch / ms * spread,
        latency_ms={"p95": ms * spread},
    ),
    st.sampled_from([1, 2, 4, 8, 32]),
    st.sampled_from([1, 2, 4, 8]),
    st.floats(0.005, 5000),
    st.floats(1, 2),
)
CARRIED = st.builds(carried, st.sampled_from([1, 8]), st.sampled_from([1, 2, 4]), st.floats(0.05, 20))
RUNS = st.builds(
    lambda points, cores, carrying: run(*points, cores=cores, carrying=tuple(carrying)),
    st.lists(POINTS, min_size=1, max_size=8),
    st.sampled_from([None, 1, 2, 8]),
    st.lists(CARRIED, max_size=4),
)
RECORDS = st.integers(1, 100)
CORES = st.floats(0.1, 64)


@given(RUNS, RECORDS, CORES)
def test_every_interval_contains_its_value(measured: Run, records: int, cores: float) -> None:
    """And nothing takes no time."""
    for what in (run_seconds, request_seconds, answer_seconds, latency_ratio):
        found = what(measured, records, cores)
        assert 0 < found.low <= found.value * (1 + TOLERANCE)
        assert found.value <= found.high * (1 + TOLERANCE)


@given(RUNS, RECORDS, CORES, CORES)
def test_more_cores_are_never_slower(measured: Run, records: int, one: float, other: float) -> None:
    """Whatever was measured."""
    fewer, more = sorted((one, other))
    slow, fast = (run_seconds(measured, records, cores).value for cores in (fewer, more))
    assert fast <= slow * (1 + TOLERANCE)


@given(RUNS, RECORDS, CORES)
def test_no_core_is_worth_more_than_itself(measured: Run, records: int, cores: float) -> None:
    """Twice as many cores take half as long at best, once there is more than a share of one."""
    one, two = (run_seconds(measured, records, count).value for count in (cores, 2 * cores))
    counts = {min(item.threads, measured.machine.cores or item.threads) for item in measured.points}
    if len(counts) == 1:
        assert two >= one / 2 * (1 - TOLERANCE)
