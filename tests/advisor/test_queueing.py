"""The time to an answer where requests come at random, held against a simulation and against known formulas."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opdeploy.advisor.queueing import Service, erlang_c, most, p95

SERVICES = st.builds(
    lambda mean, spread, servers: Service(mean, mean * spread, servers),
    st.floats(1e-4, 10),
    st.floats(1, 3),
    st.integers(1, 16),
)


def simulated(service: Service, rate: float, count: int = 60_000) -> float:
    """Return the 95th percentile of the time to an answer, first come first served."""
    drawn = random.Random(0)  # noqa: S311  no secret
    free = [0.0] * service.servers
    now = 0.0
    times = []
    for _ in range(count):
        now += drawn.expovariate(rate)
        takes = max(1e-9, drawn.gauss(service.mean, service.mean * math.sqrt(service.variation)))
        first = min(range(service.servers), key=free.__getitem__)
        free[first] = max(now, free[first]) + takes
        times.append(free[first] - now)
    return sorted(times)[int(0.95 * count)]


@pytest.mark.parametrize("servers", [1, 2, 4])
@pytest.mark.parametrize("busy", [0.3, 0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("spread", [1.0, 1.1, 1.5])
def test_the_formula_agrees_with_a_simulation(servers: int, busy: float, spread: float) -> None:
    """Within a quarter above and a tenth below: where it errs, it promises too little."""
    service = Service(0.01, 0.01 * spread, servers)
    found, true = p95(service, busy * service.rate), simulated(service, busy * service.rate)
    assert 0.9 * true <= found <= 1.25 * true


def test_one_server_waits_as_often_as_it_is_busy() -> None:
    """And with many the known values of Erlang's second formula (A = 8, 10 servers: 0.4092)."""
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert erlang_c(10, 0.8) == pytest.approx(0.4092, abs=1e-4)


def test_what_hardly_waits_takes_as_long_as_the_service() -> None:
    """And what comes faster than it is answered takes for ever."""
    service = Service(0.1, 0.12)
    assert p95(service, 0.01) == pytest.approx(0.12)
    assert p95(service, 10.0) == math.inf


@given(SERVICES, st.floats(0.01, 0.98), st.floats(0.01, 0.98))
def test_more_load_never_takes_less_time(service: Service, one: float, other: float) -> None:
    """Nor does more time allow less load."""
    less, more = sorted((one, other))
    assert p95(service, less * service.rate) <= p95(service, more * service.rate)
    bounds = sorted((service.p95 * (1 + one), service.p95 * (1 + other)))
    assert most(service, bounds[0]) <= most(service, bounds[1])


@given(SERVICES, st.floats(1.0, 100))
def test_the_most_is_within_the_bound_and_no_more_is(service: Service, factor: float) -> None:
    """To a thousandth of the rate."""
    bound = service.p95 * factor
    found = most(service, bound)
    assert found > 0
    assert p95(service, found) <= bound
    assert p95(service, 1.001 * found) >= bound or found >= 0.999 * service.rate


def test_a_bound_below_the_service_allows_nothing() -> None:
    """No rate is low enough."""
    assert most(Service(0.1, 0.2), 0.15) == 0
