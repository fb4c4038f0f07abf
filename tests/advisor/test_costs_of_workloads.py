"""What workloads cost, worked out by hand at prices that stand here: instances, hours and each line, to the cent.

One processor core runs 25 records a second, and a request costs 10 ms beside: 0.04 + 0.01 = 0.05 s, 20 requests a
second, of which 70 %, 14, are given to an instance. One T4 runs 100 a second: 0.02 s, 50 requests, 35 given. A month
has 730 hours, 2,628,000 seconds, or 30.41667 days of runs. An image of 400 MB and a model of 100 MB come at 22 MB/s:
22.727 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from advice import answer_to
from facts import measured, only, prices, run, with_prices

from opdeploy.advisor import Facts

if TYPE_CHECKING:
    from opdeploy.recommendation import CostStatus, Ranked

TODAY = date(2026, 11, 27)
PRICES = prices("""
    aci/memory                    westeurope  0.00511   1
    aci/vcpu                      westeurope  0.0466    1
    acr/basic                     westeurope  0.1666    1
    aks/free                      Global      0         1
    aks/standard                  westeurope  0.1       1
    app-service/P1v3              eastus2     0.155     1
    app-service/P1v3              westeurope  0.178     1
    blob/hot-reads                westeurope  0.0043    10000
    container-apps/memory-active  westeurope  0.000004  1
    container-apps/memory-idle    westeurope  0.000004  1
    container-apps/requests       westeurope  0.56      1000000
    container-apps/vcpu-active    westeurope  0.000034  1
    container-apps/vcpu-idle      westeurope  0.000004  1
    databricks/jobs               eastus2     0.3       1
    disk/E10                      westeurope  9.6       1
    disk/P10                      westeurope  21.68     1
    egress/internet               westeurope  0.087     1
    ip/standard                   westeurope  0.005     1
    load-balancer/data            Global      0.005     1
    load-balancer/first-rules     Global      0.025     1
    vm/Standard_D2as_v5           westeurope  0.104     1
    vm/Standard_D4as_v5           westeurope  0.208     1
    vm/Standard_NC4as_T4_v3       westeurope  0.658     1
    vm-spot/Standard_D2as_v5      westeurope  0.019219  1
""")


@dataclass(frozen=True)
class Case:
    """A workload on one size of one platform."""

    platform: str
    size: str
    fields: dict[str, Any]
    count: int
    hours: float
    usd: dict[str, float]
    status: CostStatus = "complete"
    spot: bool = False
    spare: int = 0
    least: int = 0
    run_s: float | None = None
    region: str = "westeurope"


def endpoint(average: float, peak: float, p95_ms: float = 2000, **more: Any) -> dict[str, Any]:  # noqa: ANN401  of a file
    """Return an endpoint, by default without traffic of any shape but a steady one."""
    return {
        "pattern": "request-response",
        "requests_per_second": {"average": average, "peak": peak},
        "latency_ms": {"p95": p95_ms},
        **more,
    }


def job(records: int, every: str, window: str) -> dict[str, Any]:
    """Return a workload of runs, and no endpoint."""
    return {
        "serving": {"pattern": "scheduled-batch"},
        "batch": {"records": records, "every": every, "window": window},
    }


BURSTS = {"shape": "bursts", "bursts_per_day": 2}
CASES = {
    "a trickle keeps Container Apps awake for 78 % of the time": Case(
        "container-apps",
        "Consumption-2",
        # 432 requests a day. A minute is allowed, so that it may sleep: a cold start takes 37 s.
        {"serving": endpoint(0.005, 0.01, 60_000)},
        count=1,
        hours=567.1,  # (1 - exp(-0.005 x 300)) x 730 = 0.77687 x 730
        usd={
            "container-apps/vcpu-active": 132.71,  # 567.11498 h x 7,200 = 4,083,227.9 s; less 180,000; x 0.000034
            "container-apps/memory-active": 31.23,  # 567.11498 h x 14,400 = 8,166,455.8; less 360,000; x 0.000004
            "container-apps/requests": 0.0,  # 13,140, of which 2,000,000 are free
            "acr/basic": 5.0,  # 30 x 0.1666 = 4.998
            "egress/internet": 0.0,  # 0.013 GB, of which 100 are free
        },
    ),
    "two bursts of ten minutes wake it for 2 %, which is free": Case(
        "container-apps",
        "Consumption-2",
        {"serving": endpoint(0.05, 3, 60_000, traffic={**BURSTS, "burst_minutes": 10})},
        count=1,
        hours=15.21,  # 2 x (600 + 300) s of 86,400 s, x 730
        usd={
            "container-apps/vcpu-active": 0.0,  # 15.20833 x 7,200 = 109,500 s, of which 180,000 are free
            "container-apps/memory-active": 0.0,  # 219,000, of which 360,000 are free
            "container-apps/requests": 0.0,
            "acr/basic": 5.0,
            "egress/internet": 0.0,
        },
    ),
    "kept up, Container Apps bills what is idle at another rate": Case(
        "container-apps",
        "Consumption-2",
        {"serving": endpoint(5, 10)},  # two seconds are less than a cold start
        count=1,
        hours=730,
        least=1,
        usd={
            # Busy: 5 x 0.05 = 25 % of 730 h, 182.5 h; idle: 547.5 h.
            "container-apps/vcpu-active": 38.56,  # 182.5 x 7,200 = 1,314,000; less 180,000; x 0.000034 = 38.556
            "container-apps/memory-active": 9.07,  # 182.5 x 14,400 = 2,628,000; less 360,000; x 0.000004 = 9.072
            "container-apps/vcpu-idle": 15.77,  # 547.5 x 7,200 = 3,942,000; x 0.000004 = 15.768
            "container-apps/memory-idle": 31.54,  # 547.5 x 14,400 = 7,884,000; x 0.000004 = 31.536
            "container-apps/requests": 6.24,  # 13,140,000 - 2,000,000 = 11.14 million; x 0.56 = 6.2384
            "acr/basic": 5.0,
            "egress/internet": 0.0,  # 13.14 GB
        },
    ),
    "a cluster in office hours": Case(
        "aks-cpu",
        "Standard_D2as_v5",
        {"serving": endpoint(10, 40, traffic={"shape": "office-hours"})},
        count=3,  # 40 / 14 = 2.86
        hours=1165,  # 3 in 50 of 168 hours, else 1: (150 + 118) / 168 x 730 = 1,164.5238
        least=1,
        usd={
            "vm/Standard_D2as_v5": 197.03,  # with the 730 of the system pool: 1,894.5238 x 0.104
            "disk/P10": 56.26,  # 1 + 1,164.5238 / 730 = 2.595238; x 21.68
            "aks/standard": 73.0,  # 730 x 0.1
            "load-balancer/first-rules": 18.25,  # 730 x 0.025
            "load-balancer/data": 0.13,  # 26.28 million answers are 26.28 GB; x 0.005 = 0.1314
            "ip/standard": 7.3,  # 2 x 730 x 0.005
            "acr/basic": 5.0,
            "egress/internet": 0.0,  # 26.28 GB
        },
    ),
    "a pilot's cluster has the Free tier, and grows in bursts of an hour": Case(
        "aks-cpu",
        "Standard_D2as_v5",
        {"stage": "pilot", "serving": endpoint(1, 40, traffic={**BURSTS, "burst_minutes": 60})},
        count=3,
        hours=851.7,  # 3 for 2 of 24 hours, else 1: (6 + 22) / 24 x 730 = 851.6667
        least=1,
        usd={
            "vm/Standard_D2as_v5": 164.49,  # 1,581.6667 x 0.104 = 164.4933
            "disk/P10": 46.97,  # 1 + 28 / 24 = 2.166667; x 21.68 = 46.9733
            "aks/free": 0.0,
            "load-balancer/first-rules": 18.25,
            "load-balancer/data": 0.01,  # 2.628 x 0.005 = 0.01314
            "ip/standard": 7.3,
            "acr/basic": 5.0,
            "egress/internet": 0.0,
        },
    ),
    "a GPU cluster with one more, for availability": Case(
        "aks-gpu",
        "Standard_NC4as_T4_v3",
        {"hardware": {"gpu": "required"}, "serving": endpoint(20, 60, availability=99.9)},
        count=3,  # 60 / 35 = 1.7, and one stands by
        hours=2190,
        spare=1,
        least=2,
        usd={
            "vm/Standard_NC4as_T4_v3": 1441.02,  # 2,190 x 0.658
            "vm/Standard_D2as_v5": 75.92,  # 730 x 0.104
            "disk/P10": 86.72,  # 4 x 21.68
            "aks/standard": 73.0,
            "load-balancer/first-rules": 18.25,
            "load-balancer/data": 0.26,  # 52.56 GB x 0.005 = 0.2628
            "ip/standard": 7.3,
            "acr/basic": 5.0,
            "egress/internet": 0.0,  # 52.56 GB
        },
    ),
    "a container group": Case(
        "aci",
        "ACI-2",
        {"serving": endpoint(2, 10)},
        count=1,
        hours=730,
        least=1,
        usd={
            "aci/vcpu": 68.04,  # 1,460 x 0.0466 = 68.036
            "aci/memory": 14.92,  # 2,920 x 0.00511 = 14.9212
            "acr/basic": 5.0,
            "egress/internet": 0.0,
        },
    ),
    "a web app whose answers fill more than the first 100 GB": Case(
        "webapp",
        "P1v3",
        {"serving": endpoint(50, 50, availability=99.9)},  # its agreement covers one
        count=4,  # 50 / 14 = 3.57
        hours=2920,
        least=4,
        usd={
            "app-service/P1v3": 519.76,  # 2,920 x 0.178
            "acr/basic": 5.0,
            "egress/internet": 2.73,  # 131.4 - 100 = 31.4 GB; x 0.087 = 2.7318
        },
    ),
    "a machine of a pilot": Case(
        "vm",
        "Standard_D2as_v5",
        {"stage": "pilot", "serving": endpoint(2, 10)},
        count=1,
        hours=730,
        least=1,
        usd={
            "vm/Standard_D2as_v5": 75.92,
            "disk/E10": 9.6,
            "ip/standard": 3.65,
            "egress/internet": 0.0,
        },
    ),
    "Service Fabric takes five nodes at least": Case(
        "service-fabric",
        "Standard_D2as_v5",
        {"serving": endpoint(1, 3)},
        count=5,
        hours=3650,
        least=5,
        usd={
            "vm/Standard_D2as_v5": 379.6,  # 3,650 x 0.104
            "disk/P10": 108.4,  # 5 x 21.68
            "load-balancer/first-rules": 18.25,
            "load-balancer/data": 0.01,
            "ip/standard": 7.3,
            "acr/basic": 5.0,
            "egress/internet": 0.0,
        },
    ),
    "a run that may be repeated takes Spot": Case(
        "azure-batch",
        "Standard_D2as_v5",
        job(100_000, "24h", "12h"),
        count=1,
        hours=38.04,  # 480 + 22.727 + 100,000 x 0.04 = 4,502.727 s, 30.41667 times: 38.04388 h
        run_s=4503,
        usd={
            "vm-spot/Standard_D2as_v5": 0.73,  # 38.04388 x 0.019219 = 0.7312
            "acr/basic": 5.0,
            "blob/hot-reads": 1.31,  # 3,041,667 x 0.0043 / 10,000 = 1.3079
        },
        status="partial",
        spot=True,
    ),
    "one that may not be repeated does not": Case(
        "azure-batch",
        "Standard_D2as_v5",
        job(100_000, "24h", "1h"),
        count=2,  # 4,000 s of work in 3,600 - 502.727 = 3,097.273
        hours=42.29,  # 2 x (502.727 + 2,000) s, 30.41667 times: 42.29146 h
        run_s=2503,
        usd={
            "vm/Standard_D2as_v5": 4.4,  # 42.29146 x 0.104 = 4.3983
            "acr/basic": 5.0,
            "blob/hot-reads": 1.31,
        },
        status="partial",
    ),
    "a weekly run of Azure Machine Learning": Case(
        "aml-batch",
        "Standard_D2as_v5",
        job(1_000_000, "7d", "2h"),
        count=6,  # 40,000 s of work in 7,200 - 322.727 = 6,877.273: 5.8
        hours=50.62,  # 6 x (322.727 + 6,666.667) s, 4.345238 times: 50.61763 h
        run_s=6989,
        usd={
            "vm/Standard_D2as_v5": 5.26,  # 50.61763 x 0.104 = 5.2642
            "acr/basic": 5.0,
            "blob/hot-reads": 1.87,  # 4,345,238 x 0.0043 / 10,000 = 1.8685
        },
        status="partial",
    ),
    "an endpoint of Azure Machine Learning": Case(
        "aml-online",
        "Standard_D4as_v5",
        {"serving": endpoint(5, 20, availability=99.9)},
        count=3,  # 20 / 14 = 1.4, and one stands by
        hours=2190,
        spare=1,
        least=3,
        usd={
            "vm/Standard_D4as_v5": 455.52,  # 2,190 x 0.208
            "acr/basic": 5.0,
            "egress/internet": 0.0,
        },
        status="partial",
    ),
    "a run of Databricks, whose price is borrowed": Case(
        "databricks",
        "Standard_NC4as_T4_v3",
        {**job(1_000_000, "24h", "6h"), "hardware": {"gpu": "required"}},
        count=1,
        hours=87.22,  # 300 + 22.727 + 1,000,000 x 0.01 = 10,322.727 s, 30.41667 times: 87.21749 h
        run_s=10320,
        usd={
            "vm/Standard_NC4as_T4_v3": 57.39,  # 87.21749 x 0.658 = 57.3891
            "databricks/jobs": 26.17,  # 87.21749 x 0.3 = 26.1652
        },
        status="partial",
    ),
    "in northeurope all prices are borrowed": Case(
        "webapp",
        "P1v3",
        {"serving": endpoint(2, 10)},
        count=1,
        hours=730,
        least=1,
        usd={
            "app-service/P1v3": 129.94,  # 730 x 0.178, of westeurope, which is nearer than eastus2
            "acr/basic": 5.0,
            "egress/internet": 0.0,
        },
        status="borrowed",
        region="northeurope",
    ),
}


def answered(case: Case) -> Ranked:
    """Return what comes of a case: its size was measured."""
    speed = run(100, gpu="Tesla T4", size=case.size) if "T4" in case.size else run(
        25, cores=2 if "D4" in case.size else 1, size=case.size
    )  # fmt: skip
    fields = {"model": {"size_mb": 100}, "region": case.region, **case.fields}
    facts = Facts(with_prices(*PRICES), measured(speed))
    answer = answer_to(fields, only(case.platform, case.size), TODAY, facts)
    assert not answer.excluded, answer.excluded
    return answer.ranked[0]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_workload_costs(case: Case) -> None:
    """As many instances, for as long, and each line to the cent; the total is their sum."""
    found = answered(case)
    assert found.sizing
    assert found.cost
    sizing = found.sizing
    assert (sizing.size, sizing.count, sizing.spare, sizing.least) == (case.size, case.count, case.spare, case.least)
    assert (sizing.instance_hours, sizing.spot, sizing.run_s) == (case.hours, case.spot, case.run_s)
    assert {line.meter: line.usd for line in found.cost.lines} == case.usd
    assert found.cost.monthly_usd == pytest.approx(sum(case.usd.values()), abs=1e-9)
    assert found.cost.status == case.status
    assert sizing.capacity.grade == "measured"


def test_what_is_borrowed_names_its_region_and_may_be_dearer_or_cheaper() -> None:
    """Each line names where its price holds, and the ends of the total are a quarter less and 45 % more."""
    found = answered(CASES["in northeurope all prices are borrowed"]).cost
    assert found
    assert {line.region for line in found.lines} == {"westeurope"}
    # 129.94 x 0.25 = 32.485, and 5 x 0.25 = 1.25 less; 129.94 x 0.45 = 58.473, and 2.25 more.
    assert (found.low, found.monthly_usd, found.high) == (101.20, 134.94, 195.66)


def test_what_is_partial_names_what_is_missing_and_is_a_lower_bound() -> None:
    """It has no upper end; what is borrowed beside lowers the lower one."""
    found = answered(CASES["a run of Databricks, whose price is borrowed"]).cost
    assert found
    assert found.missing == ("the driver, and disks of the nodes",)
    assert {line.meter: line.region for line in found.lines} == {
        "vm/Standard_NC4as_T4_v3": "westeurope",
        "databricks/jobs": "eastus2",
    }
    assert (found.low, found.high) == (77.02, None)  # 57.39 + 26.17, less a quarter of 26.17: 6.54
    # 83.56 for 30.41667 million records.
    assert found.per_million_records == 2.7472


def test_what_has_no_sizes_has_a_cost_of_which_nothing_is_known() -> None:
    """A database that is there anyway costs nothing that is known, and says so."""
    fields = {"serving": {"pattern": "in-database"}, "data": {"location": "postgres"}}
    found = answer_to(fields, only("postgres"), TODAY, Facts(with_prices(*PRICES))).ranked[0]
    assert found.sizing is None
    assert found.cost
    assert (found.cost.status, found.cost.missing, found.cost.high) == ("partial", ("the database server",), None)


def test_the_cheapest_of_the_sizes_is_taken() -> None:
    """Three of one core, or one of two cores that is faster than them: as their prices have it."""
    fields = {"region": "westeurope", "model": {"size_mb": 100}, "serving": endpoint(10, 40)}
    sizes = ("Standard_D2as_v5", "Standard_D4as_v5")
    speeds = measured(run(25, size=sizes[0]), run(1000, cores=2, size=sizes[1]))
    for usd, size, count in (("0.4", sizes[0], 3), ("0.15", sizes[1], 1)):
        offered = with_prices(
            *(price for price in PRICES if price.meter != "vm/Standard_D4as_v5"),
            *prices(f"vm/Standard_D4as_v5 westeurope {usd} 1"),
        )
        found = answer_to(fields, only("aks-cpu", *sizes), TODAY, Facts(offered, speeds)).ranked[0].sizing
        assert found
        assert (found.size, found.count) == (size, count)


def test_each_platform_that_has_sizes_is_worked_out_once() -> None:
    """So that none is forgotten that comes later."""
    from advice import catalogue

    sized = {profile.id for profile in catalogue("2026").profiles if profile.offer and profile.offer.sizes}
    assert {case.platform for case in CASES.values()} == sized
