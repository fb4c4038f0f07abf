"""The load on an endpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opdeploy.workload import Shape

OFFICE_HOURS_SHARE = 50 / 168
"""Five days of ten hours, in a week."""


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

    def awake(self, cool_down_s: float) -> float:
        """Return the share of time during which an instance is up that sleeps after `cool_down_s` without a request.

        Requests are taken as Poisson arrivals at the average rate: the share of time with at least one of them in the
        last `cool_down_s` is 1 - exp(-rate x cool_down_s).
        """
        if self.shape == "bursts":
            return min(1.0, self.bursts_per_day * (self.burst_s + cool_down_s) / 86400)
        share = OFFICE_HOURS_SHARE if self.shape == "office-hours" else 1.0
        return share * (1 - math.exp(-self.average / share * cool_down_s))
