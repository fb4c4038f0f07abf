"""The name under which a measurement is kept, and the table that is printed of it."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from opdeploy.artifact.machine import Machine
from opdeploy.loadtest.curve import Point
from opdeploy.local.answers import Asked
from opdeploy.local.served import Image, Limits, Served, name_of
from opdeploy.ui.test_local import show_served

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.local.served import Carried, Runtime

STEP = Point(
    loop="closed",
    connections=1,
    rate=None,
    seconds=1.0,
    requests=1000,
    requests_per_second=1000.0,
    latency_ms={"p50": 1.0, "p95": 2.0, "p99": 3.0},
    errors=0,
    failures={},
    server_cpus=0.5,
    cpu_ms_per_request=0.5,
    generator_cpus=0.1,
    lag_ms=None,
    growth=None,
)
KNEE = replace(STEP, loop="open", connections=8, rate=2500.0, requests_per_second=2499.0, server_cpus=1.25)
BROKEN = replace(
    KNEE, rate=3000.0, latency_ms={"p50": 40.0, "p95": 900.0, "p99": math.inf}, errors=20, failures={"503": 20}
)
SERVED = Served(
    kind="served",
    format=1,
    date="2026-11-25",
    model="fp32",
    sha256="0" * 64,
    runtime="process",
    limits=Limits(2.0, None, None),
    settings={},
    machine=Machine("A processor", 2, 1, 2.0, ("avx2",), 8.0, (), "Linux x86_64"),
    onnxruntime="1.32.0",
    opdeploy="0",
    max_batch=32,
    data="8 golden records",
    carried="tensors",
    records_per_request=1,
    image=None,
    ready_s=0.41,
    golden=[Asked("/v2/models/net/infer", "8 golden records", agrees=True, largest=0.0, where="y: agrees")],
    peak_memory_mb=91.2,
    slo_ms=None,
    limit_ms=10.0,
    requests_per_second=2500.0,
    capacity=4000.0,
    knee=KNEE,
    finished=True,
    points=[STEP, KNEE, BROKEN],
    other_cpus=0.0,
)


def shown(found: Served, peak: float | None = None, width: int = 200) -> list[str]:
    """Return the lines that are printed."""
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        show_served(console, "net", found, peak)
    return [line.rstrip() for line in captured.get().splitlines()]


@pytest.mark.parametrize(
    ("runtime", "limits", "carried", "name"),
    [
        ("process", Limits(2, None, None), "tensors", "served-process-2cpu"),
        ("docker", Limits(0.5, 1.5, None), "tensors", "served-docker-0.5cpu-1.5gb"),
        ("docker", Limits(1, 8, "container-apps"), "tensors", "served-docker-container-apps-1cpu-8gb"),
        ("process", Limits(2, None, None), "records", "served-process-2cpu-records"),
    ],
)
def test_the_name_tells_what_differs(runtime: Runtime, limits: Limits, carried: Carried, name: str) -> None:
    """So that a later run of the same takes the place of the older, and no other does."""
    assert name_of(replace(SERVED, runtime=runtime, limits=limits, carried=carried)) == name


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"records_per_request": 16}, "served-process-2cpu-16each"),
        ({"slo_ms": 200.0}, "served-process-2cpu-slo200ms"),
        ({"slo_ms": 0.5, "carried": "records", "records_per_request": 4}, "served-process-2cpu-records-4each-slo0.5ms"),
        ({"settings": {"OPDEPLOY_MAX_BATCH": "1"}}, "served-process-2cpu-set[0-9a-f]{8}"),
        ({"settings": {"OPDEPLOY_MAX_BATCH": "../../a b"}}, "served-process-2cpu-set[0-9a-f]{8}"),
        ({"date": "2026-11-26", "capacity": 1.0, "knee": None, "limit_ms": 3.0}, "served-process-2cpu"),
    ],
)
def test_what_was_asked_is_in_the_name(change: dict[str, Any], name: str) -> None:
    """Other requests, another latency wanted or other settings are another measurement; what came of it is not."""
    assert re.fullmatch(name, name_of(replace(SERVED, **change)))


def test_other_settings_have_other_names() -> None:
    """In whichever order they are given."""
    one, two = {"OPDEPLOY_THREADS": "1"}, {"OPDEPLOY_MAX_BATCH": "1"}
    found = [name_of(replace(SERVED, settings=item)) for item in (one, two, one | two, two | one)]
    assert len(set(found)) == 3
    assert found[2] == found[3]


def test_every_field_is_documented(root: Path) -> None:
    """docs/test-local.md says what each field of the JSON is."""
    text = (root / "docs" / "test-local.md").read_text(encoding="utf-8")
    assert [field.name for field in fields(Served) if f"`{field.name}`" not in text] == []


def test_each_step_has_a_row() -> None:
    """The knee and what was too slow are marked; what was never answered has no latency."""
    _head, _rule, *rows = shown(SERVED)[:5]
    assert [row.split() for row in rows] == [
        ["1", "client", "1,000", "1", "2", "3", "0", "0.5"],
        ["2,500/s", "2,499", "1", "2", "3", "0", "0.5", "knee"],
        ["3,000/s", "2,499", "40", "900", "none", "2.0%", "0.5", "too", "slow"],
    ]
    assert max(map(len, shown(SERVED, width=80))) <= 80


@pytest.mark.parametrize(
    ("change", "mark"),
    [
        ({"latency_ms": {"p50": 1.0, "p95": 10.1, "p99": 11.0}, "errors": 900}, "too slow"),
        ({"errors": 900}, "errors"),
        ({"errors": 10}, ""),
        ({"growth": 2.1}, "slower and slower"),
        ({"growth": 2.0}, ""),
    ],
)
def test_why_a_rate_was_not_kept_is_told(change: dict[str, Any], mark: str) -> None:
    """A rate that breaks within the latency wanted is not called slow."""
    broken = replace(KNEE, rate=3000.0, **change)
    row = shown(replace(SERVED, points=[STEP, KNEE, broken]))[4]
    assert row.split("0.5")[-1].strip() == mark


DOCKER = {"runtime": "docker", "limits": Limits(1.0, 0.5, "aci"), "image": Image("sha256:0", 330.4, 22.38)}


@pytest.mark.parametrize(
    ("change", "peak", "said"),
    [
        ({}, None, "Knee: 2,500 requests/s (p95 within 10 ms, five times that of one client, errors at most 1%)."),
        ({"slo_ms": 10.0}, None, "Throughput at the SLO: 2,500 requests/s (p95 within 10 ms, errors at most 1%)."),
        ({"records_per_request": 4}, None, "Knee: 2,500 requests/s, 10,000 records/s (p95 within 10 ms, five times"),
        ({}, None, "At that rate the server keeps 1.25 of 2 processors busy."),
        ({"finished": False}, None, "The load ended before the highest rate was found and confirmed: a larger --sec"),
        ({}, 2500.0, "The workload's peak is 2,500 requests/s: one such server carries it."),
        ({}, 2501.0, "The workload's peak is 2,501 requests/s: 2 such servers carry it."),
        ({}, None, "Ready after 0.41 s; memory: 91 MB at most."),
        (DOCKER, None, "Ready after 0.41 s; memory: 91 MB of 0.5 GB at most."),
        (DOCKER, None, "Image: 330 MB, built in 22 s."),
        (DOCKER, None, "The server was a container within the limits of aci: 1 processor, 0.5 GB."),
        ({}, None, "The server was a process: 2 processors, memory not limited."),
        (
            {"carried": "records"},
            None,
            "net, fp32, ONNX Runtime 1.32.0, 2026-11-25; 1 record in a request, as JSON, pre",
        ),
        ({}, None, "/v2/models/net/infer: 8 golden records: y: agrees."),
        ({"points": [replace(STEP, generator_cpus=0.9), KNEE]}, None, "In a step it took nearly a whole one: there it"),
        ({"other_cpus": 0.7}, None, "Other processes took 0.70 processors: without them it is faster."),
        (
            {"points": [replace(STEP, requests=12), KNEE]},
            None,
            "A step had 12 requests: --seconds makes the steps longer",
        ),
        ({**DOCKER, "other_cpus": 0.7}, None, "Other processes, such as the engine's proxy, took 0.70 processors:"),
        (
            {"slo_ms": 1.0, "limit_ms": 1.0, "knee": None, "requests_per_second": None},
            None,
            "No rate was kept with p95 within 1 ms; one client has 2 ms.",
        ),
    ],
)
def test_what_was_found_is_said(change: dict[str, Any], peak: float | None, said: str) -> None:
    """A line for each fact, with its unit and what it means."""
    assert any(line.startswith(said) for line in shown(replace(SERVED, **change), peak))


def test_a_name_steers_no_terminal() -> None:
    """What comes from an artefact or a server is printed without its control characters."""
    wild = replace(
        SERVED,
        model="fp32\x1b[2J",
        golden=[Asked("/v2", "8 [bold]records[/]", agrees=True, largest=0.0, where="y\x07")],
    )
    text = "\n".join(shown(wild))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]" in text
