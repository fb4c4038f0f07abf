"""What is expected of a server from measurements of its model alone, and how it is held against what is observed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from nets import linear, records

from opdeploy import speed
from opdeploy.advisor import scaling
from opdeploy.artifact.machine import Machine
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.local.predicted import predicted
from opdeploy.runtime.package import opened, sha256
from opdeploy.ui.test_local import gap

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.local.predicted import Predicted
    from tests.conftest import Opdeploy

HERE = Machine("A processor", 4, 1, 4.0, ("avx2", "avx512f"), 8.0, (), "Linux x86_64")
DIGEST = "0" * 64


def document(**more: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what `opdeploy model measure` writes: on one thread a record takes 10 ms, on two 6."""
    points = [
        {"batch": 1, "threads": threads, "records_per_second": rate, "low": 0.9 * rate, "high": 1.1 * rate,
         "latency_ms": {"p50": 1000 / rate, "p95": 2000 / rate}}
        for threads, rate in ((1, 100.0), (2, 160.0))
    ]  # fmt: skip
    machine = {
        "cpu": HERE.cpu,
        "cores": 4,
        "threads_per_core": 1,
        "usable_cpus": 4,
        "instruction_sets": ["avx2", "avx512f"],
    }
    told = {"date": "2026-11-01", "model": "fp32", "sha256": DIGEST, "provider": "CPUExecutionProvider"}
    return {**told, "machine": machine, "points": points, **more}


def run(**more: Any) -> speed.Run:  # noqa: ANN401
    """Return it as a value."""
    return speed.Run.model_validate(document(**more))


def expected(measured: list[speed.Measured], cpus: float = 1, machine: Machine = HERE) -> Predicted:
    """Return what is expected."""
    found = predicted(measured, DIGEST, machine, cpus, 1)
    assert found is not None
    return found


def test_it_is_what_is_recommended_with() -> None:
    """As many requests as fit into a second, one after the other; more processors carry more."""
    one, two = expected([run()]), expected([run()], 2)
    time = scaling.request_seconds(run(), 1, 1)
    assert one["value"] == pytest.approx(1 / time.value, rel=0.001)
    assert one["low"] == pytest.approx(1 / time.high, rel=0.001)
    assert one["high"] == pytest.approx(1 / time.low, rel=0.001)
    assert one["p95_ms"] == pytest.approx(2000 * scaling.answer_seconds(run(), 1, 1).value, rel=0.001)
    assert one["from"] == "opdeploy model measure of 2026-11-01"
    assert two["value"] > one["value"]


def test_threads_that_share_a_core_count_once() -> None:
    """So many processors are half as many cores there; that the other threads add something is possible."""
    shared = replace(HERE, threads_per_core=2)
    found, whole = expected([run()], 2, shared), expected([run()], 1)
    assert (found["value"], found["low"]) == (whole["value"], whole["low"])
    assert found["high"] > whole["high"]


def test_a_machine_like_this_goes_before_another() -> None:
    """Elsewhere less is certain, and still less where it has other instructions."""
    other = {**document()["machine"], "cpu": "Another"}
    faster = [dict(point, records_per_second=1000, low=1000, high=1000) for point in document()["points"]]
    elsewhere = run(machine=other, points=faster)
    assert expected([elsewhere, run()]) == expected([run()])
    widths = []
    for item in (run(), run(machine=other), run(machine={**other, "instruction_sets": ["avx2"]})):
        found = expected([item])
        widths.append(found["high"] / found["low"])
    assert sorted(widths) == widths
    assert len(set(widths)) == 3


def test_nothing_is_expected_of_what_was_not_measured() -> None:
    """Nor from a GPU, from another form of the model, or from a server that was tried before."""
    others = (run(sha256="1" * 64), run(provider="CUDAExecutionProvider"))
    for measured in ((), *((item,) for item in others)):
        assert predicted(measured, DIGEST, HERE, 1, 1) is None


@pytest.mark.parametrize(
    ("observed", "said"),
    [
        (165.0, "observed 165, 1% less: within the interval."),
        (166.2, "observed 166, as expected: within the interval."),
        (195.0, "observed 195, 17% more: outside the interval."),
        (83.0, "observed 83, 50% less: outside the interval."),
    ],
)
def test_the_gap_is_a_line(observed: float, said: str) -> None:
    """What was predicted from what, what was observed, and whether that was to be expected."""
    known: Predicted = {"value": 166, "low": 140, "high": 190, "p95_ms": 6.1, "from": "opdeploy model measure of today"}
    line = gap(known, observed, 7.04)
    assert line.startswith("Predicted 166 requests/s (140 to 190) from opdeploy model measure of today; ")
    assert said in line
    assert line.endswith(" p95 of one client: predicted 6.1, observed 7.04 ms.")


def test_a_trial_is_held_against_what_was_expected_and_counts_from_then_on(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """The document keeps it, the next recommendation says that it is of a server, and that has it where it is read."""
    model = linear(tmp_path / "model.onnx")
    told = {"here": json.dumps(document(sha256=sha256(model)))}
    build(Contents("net", model, Samples({"x": records(12)}, "records"), measurements=told), tmp_path / "net")
    serving = {"pattern": "request-response", "requests_per_second": {"peak": 1}}
    asked = {"name": "demo", "stage": "demo", "model": {"path": "net"}, "serving": serving}
    (tmp_path / "workload.yaml").write_text(json.dumps({**asked, "constraints": {"only": ["aci"]}}))

    def why() -> str:
        ran = opdeploy("recommend", "-o", "json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        return str(ran.json["ranked"][0]["sizing"]["why"][0])

    assert why().startswith("fp32: opdeploy model measure, 2026-11-01")
    ran = opdeploy("test-local", "net", "--runtime", "process", "--seconds", "1", "--cpus", "1", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert " from opdeploy model measure of 2026-11-01; observed " in " ".join(ran.out.split())
    with opened(tmp_path / "net") as package:
        texts = [package.path(name).read_text() for name in package.manifest.measurements]
    (kept,) = (json.loads(text) for text in texts if "served" in text)
    assert kept["predicted"]["from"] == "opdeploy model measure of 2026-11-01"
    assert kept["predicted"]["low"] <= kept["predicted"]["value"] <= kept["predicted"]["high"]
    value = speed.read(json.dumps(kept), "served.json")
    assert isinstance(value, speed.Served)
    assert value.predicted is not None
    assert value.predicted.source == kept["predicted"]["from"]
    assert why().startswith(f"fp32: {kept['capacity']:g} requests/s with 1 processors, test-local, ")
