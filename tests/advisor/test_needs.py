"""What a workload demands once its defaults are filled in."""

from __future__ import annotations

from typing import Any

import pytest
from advice import workload_of

from opdeploy.advisor.needs import Needs, assess


def needs_of(fields: dict[str, Any], size_on_disk_mb: float | None = None) -> Needs:
    """Return what a workload demands."""
    return assess(workload_of(fields), size_on_disk_mb)[0]


@pytest.mark.parametrize(
    ("serving", "share"),
    [
        # The figures of docs/scoring.md: 432 random requests a day, and two bursts of ten minutes a day.
        ({"requests_per_second": {"average": 432 / 86400}}, 0.78),
        ({"traffic": {"shape": "bursts", "bursts_per_day": 2, "burst_minutes": 10}}, 0.02),
        ({"requests_per_second": {"average": 10}}, 1.0),
        ({"requests_per_second": {"average": 10}, "traffic": {"shape": "office-hours"}}, 0.30),
        ({"requests_per_second": {"average": 0}}, 0.0),
        ({"requests_per_second": {"peak": 0}}, 0.0),
        ({"traffic": {"shape": "bursts", "bursts_per_day": 144, "burst_minutes": 10}}, 1.0),
    ],
)
def test_the_share_of_time_that_an_instance_is_up(serving: dict[str, Any], share: float) -> None:
    """An instance that sleeps 300 s after the last request is up for the expected share of the time."""
    load = needs_of({"serving": {"pattern": "request-response", **serving}}).load
    assert load.awake(300) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize(
    ("model", "gpu"),
    [
        ({"gflops": 1}, "preferred"),
        ({"gflops": 0.999}, "none"),
        ({"framework": "sklearn", "size_mb": 5000}, "none"),
        ({"framework": "pytorch"}, "preferred"),
        ({"size_mb": 10}, "preferred"),
        ({"size_mb": 9.9}, "none"),
    ],
)
def test_gpu_auto_goes_by_the_cost_of_a_record(model: dict[str, Any], gpu: str) -> None:
    """A GPU is preferred from one GFLOP a record on, which for a neural network is ten MB of weights."""
    assert needs_of({"model": model, "serving": {"pattern": "stream"}}).gpu == gpu


@pytest.mark.parametrize(
    ("pattern", "p95", "place"),
    [
        ("request-response", None, 0.80),
        ("request-response", 100, 0.90),
        ("request-response", 101, 0.80),
        ("request-response", 10_000, 0.65),
        ("scheduled-batch", 100, 0.15),
    ],
)
def test_the_place_on_the_continuum(pattern: str, p95: float | None, place: float) -> None:
    """A pattern has its place, which a tight or loose bound moves where somebody waits."""
    latency = {} if p95 is None else {"p95": p95}
    assert needs_of({"serving": {"pattern": pattern, "latency_ms": latency}}).place == pytest.approx(place)


def test_what_was_assumed_is_listed_once() -> None:
    """A bare workload lists each default a single time, with its reason; a full one lists no field that it gives."""
    _, assumptions, warnings = assess(workload_of({"serving": {"pattern": "request-response"}}), None)
    fields = [assumption.field for assumption in assumptions]
    assert len(fields) == len(set(fields))
    assert {"stage", "lifetime", "team.knows", "hardware.gpu", "hardware.memory_gb", "data.location"} <= set(fields)
    assert {"serving.requests_per_second.peak", "serving.latency_ms.p95", "model.gflops", "region"} <= set(fields)
    assert all(assumption.why for assumption in assumptions)
    assert warnings == ()


def test_what_does_not_count_is_said() -> None:
    """Keys that do not bear on the pattern, and facts that the file contradicts, are warned of."""
    fields = {
        "model": {"size_mb": 240},
        "serving": {"pattern": "request-response"},
        "batch": {"records": 5, "window": "1h", "needs": "none"},
        "data": {"location": "blob", "service": "postgres"},
    }
    needs, _, warnings = assess(workload_of(fields), size_on_disk_mb=0.2)
    assert [warning.split(":")[0] for warning in warnings] == [
        "model.size_mb",
        "batch.records",
        "batch.window",
        "data.service",
    ]
    assert needs.gflops_per_second == pytest.approx(3 * 24)
    assert needs.service is None


def test_the_size_of_the_file_is_a_fact() -> None:
    """Without a declared size the model file's own counts."""
    needs = needs_of({"serving": {"pattern": "stream", "requests_per_second": {"peak": 2}}}, size_on_disk_mb=50)
    assert needs.gflops_per_second == pytest.approx(2 * 5)
