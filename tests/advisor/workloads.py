"""Generated workloads, as the fields of a workload file."""

from __future__ import annotations

from typing import Any, get_args

from advice import catalogue
from hypothesis import strategies as st

from opdeploy import workload

IDS = catalogue("2026").all_ids

Fields = dict[str, Any]


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Fields]:
    """Return mappings in which each key may be absent."""
    return st.fixed_dictionaries({}, optional=fields)


def _one_of(literal: object) -> st.SearchStrategy[Any]:
    return st.sampled_from(get_args(literal))


def _amount(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False).map(lambda value: round(value, 3))


WEIGHTS = st.integers(0, 50).map(lambda tenths: tenths / 10)
FRAMEWORKS = st.sampled_from([name for name in get_args(workload.Framework) if name != "llm"])


@st.composite
def _requests(draw: st.DrawFn) -> dict[str, float]:
    average = draw(_amount(0.001, 500))
    return {"average": average, "peak": average * draw(st.integers(1, 20))}


SERVING = st.fixed_dictionaries(
    {"pattern": _one_of(workload.Pattern)},
    optional={
        "requests_per_second": _requests(),
        "traffic": _some(
            shape=_one_of(workload.Shape), bursts_per_day=st.integers(1, 20), burst_minutes=st.integers(1, 60)
        ),
        "records_per_request": st.integers(1, 64),
        "latency_ms": _some(p95=_amount(1, 400_000)),
        "max_payload_mb": _amount(0.001, 300),
        "availability": _amount(90, 99.999),
    },
)
WORKLOADS = st.fixed_dictionaries(
    {"serving": SERVING},
    optional={
        "model": _some(
            framework=FRAMEWORKS,
            size_mb=_amount(0.1, 5000),
            gflops=_amount(0.001, 500),
        ),
        "batch": _some(needs=st.sampled_from(["none", "spark"]), records=st.integers(1, 10**9)),
        "data": _some(
            location=_one_of(workload.Location),
            service=_one_of(workload.Service),
            size_gb=_amount(0.1, 5000),
            sensitivity=_one_of(workload.Sensitivity),
            may_move=st.booleans(),
        ),
        "hardware": _some(gpu=_one_of(workload.Gpu), memory_gb=_amount(0.5, 1000)),
        "stage": _one_of(workload.Stage),
        "lifetime": st.sampled_from(["90s", "2h", "7d", "30d", "365d"]),
        "team": _some(knows=st.lists(_one_of(workload.Skill), unique=True)),
        "region": st.sampled_from(["westeurope", "germanywestcentral"]),
        "constraints": _some(
            private_network=st.booleans(),
            only=st.lists(st.sampled_from(IDS), unique=True, max_size=8),
            never=st.lists(st.sampled_from(IDS), unique=True, max_size=8),
        ),
        "priorities": st.fixed_dictionaries({}, optional=dict.fromkeys(workload.CRITERIA, WEIGHTS)),
    },
)

REGIONS = st.sampled_from(["westeurope", "northeurope", "eastus2", "germanywestcentral"])


@st.composite
def _endpoints(draw: st.DrawFn) -> Fields:
    average = draw(st.sampled_from([0.0001, 0.005, 0.1, 1, 5, 20, 100, 400]))
    p95 = draw(st.sampled_from([None, None, 20, 50, 100, 300, 1000, 3000, 30_000, 60_000, 240_000]))
    payload = draw(st.sampled_from([None, None, 0.01, 0.5, 1, 10, 50]))
    return {
        "pattern": draw(st.sampled_from(["request-response", "request-response", "stream"])),
        "requests_per_second": {"average": average, "peak": average * draw(st.integers(1, 20))},
        "traffic": draw(
            _some(shape=_one_of(workload.Shape), bursts_per_day=st.integers(1, 20), burst_minutes=st.integers(1, 60))
        ),
        "records_per_request": draw(st.sampled_from([1, 1, 1, 4, 64])),
        **({"latency_ms": {"p95": p95}} if p95 else {}),
        **({"max_payload_mb": payload} if payload else {}),
        **draw(_some(availability=st.sampled_from([99.0, 99.5, 99.9, 99.95, 99.99]))),
    }


PLACED = st.fixed_dictionaries(
    {
        "serving": st.one_of(
            _endpoints(), st.fixed_dictionaries({"pattern": st.sampled_from(["scheduled-batch", "triggered-batch"])})
        ),
        "model": st.fixed_dictionaries(
            {"framework": st.sampled_from(["onnx", "sklearn"]), "size_mb": st.sampled_from([1, 20, 100, 1000, 5000])},
            optional={"gflops": st.sampled_from([0.01, 1, 8, 100])},
        ),
    },
    optional={
        "batch": _some(
            records=st.sampled_from([1, 1000, 100_000, 10**7, 10**9]),
            every=st.sampled_from(["15m", "1h", "24h", "7d"]),
            window=st.sampled_from(["10m", "30m", "2h", "24h"]),
            record_mb=st.sampled_from([0.001, 0.1, 2]),
        ),
        "hardware": _some(gpu=_one_of(workload.Gpu), memory_gb=st.sampled_from([0.5, 2, 8, 30, 100, 300])),
        "data": _some(sensitivity=_one_of(workload.Sensitivity)),
        "stage": _one_of(workload.Stage),
        "region": REGIONS,
        "budget": _some(monthly_usd=st.sampled_from([20, 100, 300, 1000, 5000])),
        "constraints": _some(private_network=st.booleans()),
    },
)
"""Workloads of which most can be placed, with what sizes and costs hang on."""
