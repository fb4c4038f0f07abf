"""What was to be expected of a server before it was tried. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from opdeploy.advisor import scaling
from opdeploy.advisor.capacity import OTHER_PROCESSOR, SIBLING, UNKNOWN_PROCESSOR
from opdeploy.loadtest.curve import short
from opdeploy.speed import CPU, Estimate, Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opdeploy.artifact.machine import Machine
    from opdeploy.speed import Measured

Predicted = TypedDict("Predicted", {"value": float, "low": float, "high": float, "p95_ms": float, "from": str})
"""Requests a second, between what they are expected, the 95th percentile of a lone request, and what tells so."""


def predicted(
    measured: Iterable[Measured], sha256: str, machine: Machine, cpus: float, records: int
) -> Predicted | None:
    """Return what a server on some processors of a machine carries, by what `opdeploy model measure` tells of a model.

    It is what `recommend` counts with, for such requests. None where the model was not measured on processors.
    """
    runs = [item for item in measured if isinstance(item, Run) and item.sha256 == sha256 and item.provider == CPU]
    cores = cpus / (machine.threads_per_core or 1)
    found = [(run.machine.cpu != machine.cpu, _request(run, machine, records, cores), run) for run in runs]
    _, request, run = min(found, key=lambda item: (item[0], item[1].value), default=(False, None, None))
    if request is None or run is None:
        return None
    alone = scaling.answer_seconds(run, records, cores).value * scaling.latency_ratio(run, records, cores).value
    return {
        "value": short(1 / request.value),
        "low": short(1 / request.high),
        "high": short(1 / request.low),
        "p95_ms": short(1000 * alone),
        "from": f"opdeploy model measure of {run.date}",
    }


def _request(run: Run, machine: Machine, records: int, cores: float) -> Estimate:
    """Return the time of a request; a second thread of a core may add something, which is not counted on."""
    request = scaling.request_seconds(run, records, cores)
    if run.machine.cpu != machine.cpu or not machine.cpu:
        same = set(run.machine.instruction_sets) == set(machine.instruction_sets)
        request = request.times(OTHER_PROCESSOR if same else UNKNOWN_PROCESSOR)
    if (machine.threads_per_core or 1) > 1:
        request = Estimate(request.value, request.low / SIBLING, request.high)
    return request
