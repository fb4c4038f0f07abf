"""What an instance carries, by what is known of it, and what the traffic makes of that: cases worked out by hand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from advice import answer_to, workload_of
from facts import market, measured, only, prices, run, with_prices

from opdeploy.advisor import Facts
from opdeploy.advisor.capacity import Model, ability, usable_cores
from opdeploy.advisor.needs import assess
from opdeploy.advisor.offers import Shop, consider
from opdeploy.speed import Limits, Served, Speeds, Variant

if TYPE_CHECKING:
    from opdeploy.advisor.capacity import Ability
    from opdeploy.recommendation import Recommendation, Sizing

TODAY = date(2026, 11, 27)
AVX2 = ("fma", "avx2")
REFERENCE = Variant(name="reference", precision="fp32", sha256="1", speed_up=1.0)
INT8 = Variant(
    name="int8",
    precision="int8",
    sha256="8",
    speed_up=3.0,
    accuracy=0.758,
    reference_accuracy=0.763,
    agreement=0.99,
    records=1000,
)


def able(size: str, speeds: Speeds, records: int = 1, payload_mb: float = 0.0, gflops: float = 8.2) -> Ability:
    """Return what an instance of a size does."""
    model = Model("model.onnx", gflops, records, payload_mb, speeds.images, speeds)
    return ability(model, market().sizes[size], market())


def endpoint(average: float, peak: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401  fields of a file
    """Return an endpoint."""
    return {"pattern": "request-response", "requests_per_second": {"average": average, "peak": peak}, **more}


def answer(
    platform: str, size: str, fields: dict[str, Any], speeds: Speeds | None = None, as_of: date = TODAY
) -> Recommendation:
    """Return the answer for one size of one platform."""
    given = {"region": "westeurope", "model": {"size_mb": 100}, **fields}
    return answer_to(given, only(platform, size), as_of, Facts(market(), speeds or Speeds()))


def sizing(platform: str, size: str, fields: dict[str, Any], speeds: Speeds | None = None) -> Sizing:
    """Return the instances of one size of one platform."""
    found = answer(platform, size, fields, speeds).ranked[0].sizing
    assert found
    return found


def served(
    rate: float,
    *,
    gpu: str | None = None,
    cpus: int = 1,
    carried: str = "tensors",
    size: str | None = None,
    sha256: str = "1",
) -> Served:
    """Return what `opdeploy test-local` found: so many requests a second."""
    seen = run(rate, cores=cpus, gpu=gpu, size=size).machine
    return Served(
        kind="served",
        date="2026-11-20",
        model="model.onnx",
        sha256=sha256,
        runtime="python",
        provider="CUDAExecutionProvider" if gpu else "CPUExecutionProvider",
        limits=Limits(cpus=cpus),
        settings={},
        machine=seen,
        carried=carried,
        records_per_request=1,
        slo_ms=None,
        limit_ms=100,
        requests_per_second=None,
        capacity=rate,
        points=(),
    )


# How good a capacity is.
KNOWN = {
    "measured on that size": ("Standard_D2as_v6", measured(run(25, size="Standard_D2as_v6")), "measured"),
    "measured elsewhere": ("Standard_D2as_v6", measured(run(25, size="Standard_D2s_v5")), "scaled"),
    "measured on no machine of a cloud": ("Standard_D2as_v6", measured(run(25)), "scaled"),
    "served there": ("Standard_D2as_v6", measured(served(25, size="Standard_D2as_v6")), "measured"),
    "not known, on processors": ("Standard_D2as_v6", Speeds(), "estimate"),
    "not known, on a GPU": ("Standard_NC4as_T4_v3", Speeds(), "estimate"),
    "measured on processors says nothing of a GPU": ("Standard_NC4as_T4_v3", measured(run(25)), "estimate"),
    "measured on a GPU says nothing of processors": ("Standard_D2as_v6", measured(run(25, gpu="Tesla T4")), "estimate"),
    "served by a GPU says nothing of processors": (
        "Standard_D2as_v6",
        measured(served(25, gpu="Tesla T4")),
        "estimate",
    ),
    "measured on a T4 elsewhere": ("Standard_NC4as_T4_v3", measured(run(25, gpu="Tesla T4")), "scaled"),
    "measured on a T4 says nothing of an A100": (
        "Standard_NC24ads_A100_v4",
        measured(run(25, gpu="Tesla T4")),
        "estimate",
    ),
    "measured on an A100 says nothing of an A10": (
        "Standard_NV36ads_A10_v5",
        measured(run(25, gpu="NVIDIA A100 80GB PCIe")),
        "estimate",
    ),
}


@pytest.mark.parametrize(("size", "speeds", "grade"), KNOWN.values(), ids=KNOWN)
def test_the_grade_of_a_capacity(size: str, speeds: Speeds, grade: str) -> None:
    """Measured on that size is best, and what is measured on other hardware tells nothing."""
    assert able(size, speeds).basis == grade


@pytest.mark.parametrize(
    ("path", "size", "grade"),
    [
        ("resnet50.onnx", "Standard_NC4as_T4_v3", "vendor"),
        ("resnet152.onnx", "Standard_D2as_v6", "chapter"),
        ("resnet18.onnx", "Standard_D2as_v6", "estimate"),
    ],
)
def test_figures_of_others_count_for_the_model_that_they_name(path: str, size: str, grade: str) -> None:
    """NVIDIA's for ResNet-50 on a T4, the chapter's for ResNet-152 on a core."""
    model = Model(path, 8.2, 1, 0.0, images=False, speeds=Speeds())
    assert ability(model, market().sizes[size], market()).basis == grade


def test_a_measurement_on_that_size_is_taken_as_it_is() -> None:
    """0.04 s and 0.01 s: 20 requests a second; 0.04 s a record in a run."""
    (branch,) = able("Standard_D2as_v6", measured(run(25, size="Standard_D2as_v6"))).branches
    assert branch.request.value == pytest.approx(0.05)
    assert branch.record.value == pytest.approx(0.04)


def test_two_virtual_processors_are_one_core_where_threads_share_it() -> None:
    """D2as_v5 has two threads on one core, a T4's machine four threads on four; a burstable size has a share."""
    sizes = market().sizes
    assert usable_cores(sizes["Standard_D2as_v5"]) == 1
    assert usable_cores(sizes["Standard_NC4as_T4_v3"]) == 4
    assert usable_cores(sizes["Standard_B2s"]) == pytest.approx(2 * 0.2)
    assert usable_cores(sizes["Standard_B2s_v2"]) == pytest.approx(1 * 0.4)
    # D2as_v6 has the one core that was measured; that a second thread may add 30 % only the better end counts.
    (branch,) = able("Standard_D2as_v6", measured(run(25))).branches
    assert branch.request.value == pytest.approx(0.05)
    # A later run may take 0.85 of the time, one in a server 0.95 of one alone; another processor 0.8.
    assert branch.request.low == pytest.approx((0.04 * 0.85 * 0.95 + 0.0068 * 0.85) * 0.8 / 1.3)


# Which processors serve a size.
def test_dasv5_may_be_milan_or_genoa_and_int8_has_two_branches() -> None:
    """Milan has neither AVX-512 nor VNNI, Genoa has both: INT8 measured with VNNI takes thrice as long on Milan."""
    speeds = measured(run(100, sha256="8"), variants=(INT8, REFERENCE))
    slow, fast = able("Standard_D2as_v5", speeds).branches
    assert (slow.processors, fast.processors) == (("AMD Milan",), ("AMD Genoa",))
    assert slow.request.value == pytest.approx(3 * fast.request.value)
    assert slow.request.low <= slow.request.value <= slow.request.high
    (alone,) = able("Standard_D2as_v6", speeds).branches  # Genoa and nothing else
    assert alone.processors == ()
    assert alone.request.value == pytest.approx(fast.request.value)


def test_int8_that_was_measured_without_vnni_is_faster_with_it() -> None:
    """The other way round: what was measured on Milan holds for Milan, and Genoa takes a third of it."""
    speeds = measured(run(100, sha256="8", sets=AVX2), variants=(INT8, REFERENCE))
    slow, fast = able("Standard_D2as_v5", speeds).branches
    assert slow.request.value == pytest.approx(0.02)
    assert fast.request.value == pytest.approx(0.02 / 3)


def test_fp32_differs_less_between_them() -> None:
    """AVX-512 halves the time at most."""
    slow, fast = able("Standard_D2as_v5", measured(run(100), variants=(REFERENCE,))).branches
    assert slow.request.value == pytest.approx(1.5 * fast.request.value)


def test_sizes_of_one_kind_have_one_branch() -> None:
    """All generations of Dsv5 have AVX-512 and VNNI."""
    speeds = measured(run(100, sha256="8"), variants=(INT8, REFERENCE))
    assert len(able("Standard_D2s_v5", speeds).branches) == 1


def test_a_machine_that_does_not_tell_its_instruction_sets_makes_a_wide_interval() -> None:
    """From less than half of the time to two and a half times of it."""
    (branch,) = able("Standard_D2as_v5", measured(run(25, sets=()))).branches
    here = (0.04 * 0.85 * 0.95 + 0.0068 * 0.85, 0.04 * 1.2 * 1.3 + 0.0068 * 1.2)
    assert branch.request.high / branch.request.low == pytest.approx(here[1] / here[0] * 2.5 / 0.4 * 1.3)


def test_the_slowest_branch_decides_how_many_there_are() -> None:
    """Both are told, and the capacity is between the low end of the one and the high end of the other."""
    speeds = measured(run(100, sha256="8"), variants=(INT8, REFERENCE))
    fields = {"serving": endpoint(5, 20, latency_ms={"p95": 2000})}
    found = sizing("aks-cpu", "Standard_D2as_v5", fields, speeds)
    milan, genoa = found.capacity.branches
    # 0.02 s on Genoa, 0.06 on Milan; 70 % of 50 and of 16.67 requests a second.
    assert (milan.value, genoa.value) == (11.67, 35.0)
    assert (found.capacity.value, found.capacity.low, found.capacity.high) == (milan.value, milan.low, genoa.high)
    assert found.count == 2


def test_a_form_of_the_model_that_is_slower_there_is_not_taken() -> None:
    """Twice as fast with VNNI, INT8 is slower than FP32 without it: on Milan it takes 3 / 2 of 2 / 3 of the time."""
    speeds = measured(run(25), run(40, sha256="8"), variants=(INT8, REFERENCE))
    without = able("Standard_D2as_v5", measured(run(25), variants=(REFERENCE,)))
    assert able("Standard_D2as_v5", speeds).branches[0].request.value <= without.branches[0].request.value
    assert able("Standard_D2as_v6", speeds).variant == "int8"


# Processors beside a GPU, and decoding on processors.
IMAGES = Speeds(images=True)


def test_four_processors_starve_a_t4_that_waits_for_photographs() -> None:
    """A photograph of 1 MB takes 30 ms of a core to decode, 7.5 ms of four; a T4 takes 2.75 ms for ResNet-50."""
    free, starved = (able("Standard_NC4as_T4_v3", speeds, payload_mb=1.0) for speeds in (Speeds(), IMAGES))
    assert free.branches[0].request.value == pytest.approx(1 / 363)
    assert starved.branches[0].request.value == pytest.approx(0.0075, abs=0.003)
    assert starved.branches[0].request.value >= 0.0075
    assert any("it waits" in why for why in starved.why)
    assert not any("it waits" in why for why in free.why)
    wide = able("Standard_NC16as_T4_v3", IMAGES, payload_mb=1.0)  # 16 cores: 1.9 ms
    assert wide.branches[0].request.value < starved.branches[0].request.value


def test_a_run_over_photographs_decodes_them_on_a_gpu_and_on_processors() -> None:
    """Beside a T4, 7.5 ms of four cores for each; on one core 30 ms more than the 40 of the model."""
    (branch,) = able("Standard_NC4as_T4_v3", IMAGES, payload_mb=1.0).branches
    assert branch.record.value == pytest.approx(0.0075)
    (branch,) = able(
        "Standard_D2as_v6", measured(run(25, size="Standard_D2as_v6"), images=True), payload_mb=1.0
    ).branches
    assert branch.record.value == pytest.approx(0.04 + 0.03)


def test_what_was_served_as_records_was_decoded() -> None:
    """Where tensors were sent, decoding comes on top."""
    for carried, seconds in (("records", 0.04), ("tensors", 0.07)):
        found = served(25, carried=carried, size="Standard_D2as_v6")
        (branch,) = able("Standard_D2as_v6", measured(found, images=True), payload_mb=1.0).branches
        assert branch.request.value == pytest.approx(seconds)


def test_what_was_served_by_a_gpu_is_not_divided_by_processors() -> None:
    """On eight processors with a T4, 100 requests a second are 10 ms each on a T4 elsewhere too."""
    found = served(100, gpu="Tesla T4", cpus=8, size="Standard_NC8as_T4_v3")
    (branch,) = able("Standard_NC8as_T4_v3", measured(found)).branches
    assert branch.request.value == pytest.approx(0.01)


# What the traffic makes of it.
FAST = measured(run(1000, size="Consumption-2", beside_ms=1.0))


@pytest.mark.parametrize(
    ("serving", "share"),
    [
        (endpoint(432 / 86400, 1), 0.7769),  # 432 random requests a day: 1 - exp(-0.005 x 300)
        (endpoint(0.05, 1, traffic={"shape": "bursts", "bursts_per_day": 2, "burst_minutes": 10}), 0.0208),
    ],
)
def test_how_long_it_is_awake(serving: dict[str, Any], share: float) -> None:
    """A cool-down of 300 s keeps a steady trickle awake for 78 % of the time, and two bursts of ten minutes for 2 %."""
    found = sizing("container-apps", "Consumption-2", {"serving": serving}, FAST)
    assert found.count == 1
    assert found.instance_hours / 730 == pytest.approx(share, abs=0.0001)
    assert any(f"up for {share:.0%} of the time" in why for why in found.why)


@pytest.mark.parametrize(("p95_ms", "least"), [(None, 0), (60_000, 0), (36_000, 1), (200, 1)])
def test_it_sleeps_only_where_a_cold_start_is_allowed(p95_ms: float | None, least: int) -> None:
    """A cold start of Container Apps takes 37 s."""
    latency = {} if p95_ms is None else {"latency_ms": {"p95": p95_ms}}
    assert sizing("container-apps", "Consumption-2", {"serving": endpoint(1, 1, **latency)}, FAST).least == least


@pytest.mark.parametrize(
    ("platform", "size", "spare"),
    [
        ("aks-cpu", "Standard_D2as_v6", 1),
        ("container-apps", "Consumption-2", 1),
        ("webapp", "P1v3", 0),  # its agreement covers one instance
        ("aci", "ACI-2", 0),
    ],
)
def test_one_stands_by_where_availability_is_demanded(platform: str, size: str, spare: int) -> None:
    """Beside those that carry the peak, and it stays up; without a demand none does."""
    speeds = measured(run(1000, size=size, beside_ms=1.0))
    demanded = sizing(platform, size, {"serving": endpoint(1, 1, availability=99.9)}, speeds)
    assert (demanded.count, demanded.spare, demanded.least) == (1 + spare, spare, 1 + spare)
    free = sizing(platform, size, {"serving": endpoint(1, 1)}, speeds)
    assert (free.count, free.spare) == (1, 0)


@pytest.mark.parametrize(("minutes", "hours"), [(5, 3 * 730), (6, (0.0083333 * 3 + 0.9916667) * 730)])
def test_a_burst_that_is_over_before_another_is_up_keeps_all_up(minutes: int, hours: float) -> None:
    """A node of AKS takes 300 s, and its image 23: for a burst of five minutes it would come too late."""
    burst = {"shape": "bursts", "bursts_per_day": 2, "burst_minutes": minutes}
    speeds = measured(run(25, size="Standard_D2as_v6"))
    fields = {"serving": endpoint(0.1, 40, traffic=burst, latency_ms={"p95": 2000})}
    found = sizing("aks-cpu", "Standard_D2as_v6", fields, speeds)
    assert found.count == 3
    assert found.instance_hours == pytest.approx(hours, rel=1e-3)
    assert found.least == (3 if minutes == 5 else 1)


def test_a_run_takes_the_image_and_the_start_into_its_window() -> None:
    """480 s, and 500 MB at 22 MB/s; in a window that is no longer than that nothing is done."""
    speeds = measured(run(25, size="Standard_D2as_v6"))
    fields: dict[str, Any] = {
        "serving": {"pattern": "scheduled-batch"},
        "batch": {"records": 100, "every": "1h", "window": "500s"},
    }
    (out,) = answer("azure-batch", "Standard_D2as_v6", fields, speeds).excluded
    assert [reason.constraint for reason in out.reasons] == ["window"]
    fields["batch"]["window"] = "510s"
    assert sizing("azure-batch", "Standard_D2as_v6", fields, speeds).run_s == 506.7  # 480 + 22.727 + 100 x 0.04


@pytest.mark.parametrize("window", ["1h", "24h"])
def test_runs_that_come_faster_than_they_end_take_more_nodes(window: str) -> None:
    """144,000 s of work every hour take 47 nodes, 3,600 - 502.7 s each, even where a run may take a day."""
    speeds = measured(run(25, size="Standard_D2as_v6"))
    fields = {
        "serving": {"pattern": "scheduled-batch"},
        "batch": {"records": 3_600_000, "every": "1h", "window": window},
    }
    assert sizing("azure-batch", "Standard_D2as_v6", fields, speeds).count >= 144_000 / 3600


# What is said.
def test_without_a_measurement_all_is_provisional() -> None:
    """And the answer says which commands make it firm; with one it does not."""
    fields = {"serving": endpoint(1, 3)}
    said = " ".join(answer("aks-cpu", "Standard_D2as_v6", fields).notes)
    assert "provisional" in said
    assert "opdeploy model measure" in said
    known = answer("aks-cpu", "Standard_D2as_v6", fields, measured(run(25)))
    assert not any("provisional" in note for note in known.notes)
    assert [item.why for item in known.assumptions if item.field == "measurements"] == []


def test_where_int8_on_processors_does_no_gpu_is_needed() -> None:
    """The note says what that saves against the cheapest GPU, and what it costs in accuracy: 76.3 - 75.8 %."""
    speeds = measured(run(10), run(50, sha256="8"), variants=(INT8, REFERENCE))
    fields = {
        "region": "westeurope",
        "model": {"size_mb": 100, "gflops": 8.2},
        "serving": endpoint(5, 20, latency_ms={"p95": 500}),
        "constraints": {"only": ["aks-cpu", "aks-gpu"]},
    }
    found = answer_to(fields, "2026", TODAY, Facts(market(), speeds))
    (note,) = (note for note in found.notes if "No GPU is needed" in note)
    costs = {item.platform: item.cost.monthly_usd for item in found.ranked if item.cost}
    assert f"{costs['aks-gpu'] - costs['aks-cpu']:,.2f} less" in note
    assert "aks-gpu" in note
    assert "0.5 points of accuracy, on 1000 records" in note


def test_where_int8_is_too_slow_nothing_of_the_kind_is_said() -> None:
    """Nor where no GPU was wanted."""
    speeds = measured(run(10), run(50, sha256="8"), variants=(INT8, REFERENCE))
    fields = {
        "model": {"size_mb": 100, "gflops": 8.2},
        "serving": endpoint(5, 20, latency_ms={"p95": 3}),
        "constraints": {"only": ["aks-cpu", "aks-gpu"]},
    }
    slow = answer_to(fields, "2026", TODAY, Facts(market(), speeds))
    assert not any("No GPU is needed" in note for note in slow.notes)
    fields["serving"]["latency_ms"]["p95"] = 500
    fields["hardware"] = {"gpu": "none"}
    unwanted = answer_to(fields, "2026", TODAY, Facts(market(), speeds))
    assert not any("No GPU is needed" in note for note in unwanted.notes)


@pytest.mark.parametrize(("day", "old"), [("2027-01-15", False), ("2027-12-01", True)])
def test_prices_older_than_half_a_year_are_warned_of(day: str, old: bool) -> None:  # noqa: FBT001  of a table
    """At the day of the question: the newest of the list are of August 2026 and later."""
    found = answer("aks-cpu", "Standard_D2as_v6", {"serving": endpoint(1, 3)}, as_of=date.fromisoformat(day))
    assert any("over 180 days old" in warning for warning in found.ranked[0].warnings) is old


def test_what_holds_only_if_all_goes_well_is_warned_of() -> None:
    """A size that keeps the bound at the better end of what is expected stays, with a warning; else it is out."""
    speeds = measured(run(25))  # 50 ms, and 23 to 94 on another machine
    fields: dict[str, Any] = {"serving": endpoint(1, 1, latency_ms={"p95": 45})}
    (found,) = answer("aks-cpu", "Standard_D2as_v6", fields, speeds).ranked
    assert any("better end" in warning for warning in found.warnings)
    fields["serving"]["latency_ms"]["p95"] = 23
    (out,) = answer("aks-cpu", "Standard_D2as_v6", fields, speeds).excluded
    assert [reason.constraint for reason in out.reasons] == ["latency"]


def test_the_budget_excludes_what_costs_more_for_certain() -> None:
    """A container group costs 87.96; a lower bound excludes only where it is more itself."""
    speeds = measured(run(1000, size="ACI-2", beside_ms=1.0))
    fields: dict[str, Any] = {"serving": endpoint(1, 1), "budget": {"monthly_usd": 87.95}}
    (out,) = answer("aci", "ACI-2", fields, speeds).excluded
    assert [reason.constraint for reason in out.reasons] == ["budget"]
    fields["budget"]["monthly_usd"] = 87.96
    assert answer("aci", "ACI-2", fields, speeds).ranked
    # Borrowed, it costs from three quarters of that on.
    fields |= {"region": "northeurope", "budget": {"monthly_usd": 65.98}}
    assert answer("aci", "ACI-2", fields, speeds).ranked
    fields["budget"]["monthly_usd"] = 65.96
    assert answer("aci", "ACI-2", fields, speeds).excluded


def test_a_platform_is_not_over_the_budget_for_one_of_its_sizes() -> None:
    """A size whose prices are not all known may be within it, where the one that is cheapest for certain is not."""
    named = ("vm/Standard_D2as_v5", "vm/Standard_D2as_v6")
    known = [price for price in market().prices.prices if price.meter not in named]
    offered = with_prices(*known, *prices("vm/Standard_D2as_v6 westeurope 1 1"))
    fields = {
        "region": "westeurope",
        "serving": endpoint(1, 1),
        "stage": "pilot",
        "budget": {"monthly_usd": 500},
    }
    speeds = measured(run(1000, beside_ms=1.0))
    shop = Shop(assess(workload_of(fields), None)[0], offered, speeds, TODAY)
    found = consider(shop, only("vm", "Standard_D2as_v5", "Standard_D2as_v6").profiles[0])
    assert found.best
    assert (found.best.size.id, found.best.cost.status, found.reasons) == ("Standard_D2as_v5", "partial", ())
