"""The load on an endpoint, and the runs of batch work."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opdeploy.workload import Shape

OFFICE_HOURS_SHARE = 50 / 168
"""Five days of ten hours, in a week."""
HOURS = 730
"""In a month, as Azure's pricing pages and calculator count them."""
MONTH_S = HOURS * 3600


@dataclass(frozen=True, slots=True)
class Job:
    """A run over many records that comes again and again; times in seconds."""

    records: float
    record_mb: float
    every_s: float
    window_s: float

    @property
    def runs(self) -> float:
        """Runs in a month."""
        return MONTH_S / self.every_s

    def times(self, factor: float) -> Job:
        """Return the run with so many times the records."""
        return replace(self, records=self.records * factor)


@dataclass(frozen=True, slots=True)
class Load:
    """The load on an endpoint; rates in requests per second."""

    average: float
    peak: float
    records_per_request: int
    payload_mb: float | None
    shape: Shape
    bursts_per_day: float
    burst_s: float
    p95_s: float | None
    """The declared bound, in seconds; None when none is declared."""

    @property
    def monthly(self) -> float:
        """Requests in a month."""
        return self.average * MONTH_S

    def times(self, factor: float) -> Load:
        """Return the load with so many times the requests."""
        return replace(self, average=self.average * factor, peak=self.peak * factor)

    def awake(self, cool_down_s: float) -> float:
        """Return the share of time during which an instance is up that sleeps after `cool_down_s` without a request.

        Requests are taken as Poisson arrivals at the average rate: the share of time with at least one of them in the
        last `cool_down_s` is 1 - exp(-rate x cool_down_s).
        """
        if self.shape == "bursts":
            return min(1.0, self.bursts_per_day * (self.burst_s + cool_down_s) / 86400)
        share = OFFICE_HOURS_SHARE if self.shape == "office-hours" else 1.0
        return share * (1 - math.exp(-self.average / share * cool_down_s))
