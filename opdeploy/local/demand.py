"""What a workload demands of a server that is tried. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.advisor.needs import assess
from opdeploy.errors import NoPlatformError
from opdeploy.workload import ONLINE, Workload

if TYPE_CHECKING:
    from opdeploy.workload import Serving


@dataclass(frozen=True, slots=True)
class Demand:
    """What is demanded; None where nothing is said."""

    p95_ms: float | None
    peak: float | None
    """Requests a second in the busiest minute."""
    records: int | None
    """Records in a request."""
    memory_gb: float
    """Of one instance, as the workload says, or as the advisor assumes."""


def demand(workload: Workload | None, size_mb: float) -> Demand:
    """Return what a workload demands, of a model of this size; raises NoPlatformError for a generative one.

    Where nobody waits for answers, only memory bears on the server.
    """
    if workload is None:
        workload = Workload.model_validate_json('{"name": "model", "serving": {"pattern": "request-response"}}')
    if workload.generative:
        raise NoPlatformError(f"{workload.name}: a generative model is out of scope; opdeploy's server runs none")
    memory = assess(workload, size_mb)[0].memory_gb
    serving: Serving | None = workload.serving if workload.serving.pattern in ONLINE else None
    if serving is None:
        return Demand(None, None, None, memory)
    return Demand(serving.latency_ms.p95, serving.requests_per_second.peak, serving.records_per_request, memory)
