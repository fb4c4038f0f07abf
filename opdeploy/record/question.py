"""What was asked, in three lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.markdown import text
from opdeploy.record.figures import given, joined
from opdeploy.workload import BATCH, CRITERIA, ONLINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.recommendation import Assumption
    from opdeploy.workload import Workload

MARK = r"\*"
"""Stands behind what was assumed."""


class _Told:
    """The fields of a workload in words, with a mark where they were assumed; escaped."""

    def __init__(self, workload: Workload, assumptions: Iterable[Assumption]) -> None:
        self._given: dict[str, Any] = workload.model_dump(mode="json")
        self._assumed = {item.field: item.value for item in assumptions}

    def __call__(self, field: str, form: str = "{}", nothing: str = "") -> str:
        """Write a field into a form; `nothing` where it has no value."""
        value: Any = self._given
        for part in field.split("."):
            value = value[part]
        assumed = value is None and field in self._assumed
        value = self._assumed[field] if assumed else value
        said = form.format(text(given(value))) if value is not None else nothing
        return f"{said}{MARK}" if assumed and said else said


def question(workload: Workload, assumptions: Iterable[Assumption]) -> Iterator[str]:
    """Yield what was asked: the load and its bounds, the model and its data, and where it stands."""
    told = _Told(workload, assumptions)
    load, bound = _load(told, workload)
    model = (
        told("model.path"),
        told("model.framework"),
        told("model.size_mb", "{} MB"),
        told("model.gflops", "{} GFLOPs a record"),
        told("hardware.gpu", "GPU: {}"),
        told("hardware.memory_gb", "{} GB of memory"),
    )
    data = (
        told("data.location", "at {}"),
        told("data.service"),
        told("data.size_gb", "{} GB"),
        told("data.sensitivity"),
        "may not move" if workload.data.may_move is False else "",
    )
    private = "private network" if workload.constraints.private_network else ""
    yield joined((f"**Load:** {joined((workload.serving.pattern, *load))}", _part("Bound", bound)), ". ")
    yield joined((_part("Model", model), _part("Data", data)), ". ")
    yield joined(
        (
            _part("Stage", (told("stage"), told("lifetime", "for {}"), private)),
            _part("Region", (told("region", nothing="none given"),)),
            _part("Budget", (told("budget.monthly_usd", "${} a month", "no bound"),)),
            _part("Team knows", workload.team.knows),
            _part("Only", workload.constraints.only),
            _part("Never", workload.constraints.never),
            _part("Weights", _weights(workload)),
        ),
        ". ",
    )


def _weights(workload: Workload) -> Iterator[str]:
    """Yield the weights that are given."""
    for criterion in CRITERIA:
        weight: float | None = getattr(workload.priorities, criterion)
        if weight is not None:
            yield text(f"{criterion} {given(weight)}")


def _part(name: str, words: Iterable[str]) -> str:
    said = joined(words)
    return f"**{name}:** {said}" if said else ""


def _load(told: _Told, workload: Workload) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the load, and the bounds on it, as the pattern has them."""
    pattern = workload.serving.pattern
    spark = told("batch.needs") if workload.batch.needs == "spark" else ""
    if pattern in ONLINE:
        bursts = workload.serving.traffic.shape == "bursts"
        return (
            told("serving.requests_per_second.average", "{} requests/s on average"),
            told("serving.requests_per_second.peak", "{} at the peak"),
            told("serving.traffic.shape"),
            told("serving.traffic.bursts_per_day", "{} a day") if bursts else "",
            told("serving.traffic.burst_minutes", "of {} minutes") if bursts else "",
            told("serving.records_per_request", "records a request: {}"),
            told("serving.max_payload_mb", "at most {} MB"),
            spark,
        ), (
            told("serving.latency_ms.p95", "p95 of {} ms", "none on latency"),
            told("serving.availability", "available {} % of the time", "none on availability"),
        )
    if pattern in BATCH:
        return (
            told("batch.records", "{} records a run"),
            told("batch.record_mb", "{} MB each"),
            told("batch.every", "every {}"),
            spark,
        ), (told("batch.window", "done within {}"), told("serving.availability", "available {} % of the time"))
    return (spark,), ()
