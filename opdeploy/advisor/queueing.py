"""How long answers take where requests come at random: an instance as a queue with one server or several."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

PERCENT = 95
"""Of the latency: the one that workload files bound."""
_STEPS = 30
"""Halvings of an interval: one part in a thousand million."""


@dataclass(frozen=True, slots=True)
class Service:
    """What one instance does: the time of an answer that does not wait, in seconds."""

    mean: float
    p95: float
    servers: int = 1
    """Runs at a time."""

    @property
    def variation(self) -> float:
        """The squared coefficient of variation, as that of a normal distribution with this mean and 95th percentile."""
        return (max(0.0, self.p95 / self.mean - 1) / 1.645) ** 2

    @property
    def rate(self) -> float:
        """The most answers in a second."""
        return self.servers / self.mean


def p95(service: Service, rate: float) -> float:
    """Return the 95th percentile of the time to an answer, in seconds, at a rate of requests a second.

    Requests come as a Poisson process. The mean wait of M/G/k is approximated from that of M/M/k (A. O. Allen,
    Probability, Statistics and Queueing Theory, 1990, section 5.3, after Allen and Cunneen), exact for one server
    (Pollaczek and Khinchine); the wait of those that wait is taken to be exponential, which is exact for M/M/k. The
    percentile of the sum is taken to be the sum of that of the wait and that of the service, which is more. It is
    infinite where requests come faster than they are answered.
    """
    busy = rate / service.rate
    if busy >= 1:
        return math.inf
    waits = erlang_c(service.servers, busy)
    if waits <= 1 - PERCENT / 100:
        return service.p95
    mean_of_those = service.mean * (1 + service.variation) / (2 * service.servers * (1 - busy))
    return service.p95 + mean_of_those * math.log(waits / (1 - PERCENT / 100))


def mean(service: Service, rate: float) -> float:
    """Return the mean time to an answer, in seconds, as `p95` has it."""
    busy = rate / service.rate
    if busy >= 1:
        return math.inf
    waits = erlang_c(service.servers, busy)
    return service.mean * (1 + waits * (1 + service.variation) / (2 * service.servers * (1 - busy)))


@lru_cache(maxsize=4096)
def most(service: Service, bound: float, busiest: float = 1.0) -> float:
    """Return the most requests a second of which 95 % are answered within a bound, in seconds; 0 for none.

    An instance is busy for at most a share of the time, `busiest`.
    """
    if service.p95 > bound:
        return 0.0
    low, high = 0.0, busiest * service.rate
    if p95(service, high) <= bound:
        return high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if p95(service, middle) <= bound else (low, middle)
    return low


def erlang_c(servers: int, busy: float) -> float:
    """Return the share of requests that wait in M/M/k, where each server is busy for a share of the time.

    Erlang's second formula, by the recurrence of his first (R. B. Cooper, Introduction to Queueing Theory, 1981).
    """
    offered = servers * busy
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - busy * (1 - blocked))
