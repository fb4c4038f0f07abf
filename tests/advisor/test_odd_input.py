"""Input that is odd: measurements that nobody made, models of nothing, regions and prices that there are not."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from advice import answer_to
from facts import market, measured, prices, run, with_prices

from opdeploy import speed
from opdeploy.advisor import Facts
from opdeploy.errors import InputError
from opdeploy.market.prices import parse
from opdeploy.speed import MOST_POINTS, Machine, Served, Speeds

if TYPE_CHECKING:
    from collections.abc import Callable

TODAY = date(2026, 11, 27)
ON_A_MACHINE: dict[str, Any] = {"stage": "pilot", "constraints": {"only": ["vm"]}}
RUN = json.loads(run(25).model_dump_json())
ODD: dict[str, tuple[str, Callable[[Any], object]]] = {
    "a batch of 10^400": ("points.0.batch", lambda doc: doc["points"][0].update(batch=10**400)),
    "a rate of next to nothing": (
        "points.0.records_per_second",
        lambda doc: doc["points"][0].update(records_per_second=1e-320),
    ),
    "a rate of 10^308": ("points.0.records_per_second", lambda doc: doc["points"][0].update(records_per_second=1e308)),
    "a latency of 10^308": ("points.0.latency_ms.p95", lambda doc: doc["points"][0]["latency_ms"].update(p95=1e308)),
    "carrying for ages": ("carrying.0.ms", lambda doc: doc["carrying"][0].update(ms=1e300)),
    "less than no cores": ("machine.cores", lambda doc: doc["machine"].update(cores=-3)),
    "no points": ("points", lambda doc: doc.update(points=[])),
    "more points than a sweep has": ("points", lambda doc: doc.update(points=doc["points"] * (MOST_POINTS + 1))),
    "an escape sequence": ("machine.cpu", lambda doc: doc["machine"].update(cpu="AMD\x1b[31m")),
    "two lines": ("machine.cpu", lambda doc: doc["machine"].update(cpu="AMD\n# a heading")),
    "text from right to left": ("model", lambda doc: doc.update(model="a\u202eb")),
    "half a character": ("machine.cpu", lambda doc: doc["machine"].update(cpu="A\ud800B")),
    "a long date": ("date", lambda doc: doc.update(date="2" * 1000)),
}


@pytest.mark.parametrize("case", ODD)
def test_what_was_never_measured_is_refused_by_its_field(case: str) -> None:
    """In one line, before anything is computed of it."""
    field, change = ODD[case]
    told = copy.deepcopy(RUN)
    change(told)
    with pytest.raises(InputError, match=f"^speed.json: is no measurement: {field}: [^\n]*$"):
        speed.read(json.dumps(told), "speed.json")


@pytest.mark.parametrize("model", [{"size_mb": 0.0004}, {"size_mb": 1, "gflops": 1e-320}])
@pytest.mark.parametrize("pattern", ["request-response", "scheduled-batch"])
def test_a_model_of_nothing_has_an_answer(model: dict[str, float], pattern: str) -> None:
    """Calling it costs something at least."""
    found = answer_to({"model": model, "serving": {"pattern": pattern}}, "2026", TODAY, Facts(market(), Speeds()))
    assert all(item.sizing.capacity.value > 0 for item in found.ranked if item.sizing)


def test_a_gpu_is_offered_where_it_is_to_be_had() -> None:
    """Container Apps has A100 in swedencentral, and not in westeurope, where it has T4."""
    fields: dict[str, Any] = {
        "model": {"size_mb": 100, "gflops": 50},
        "serving": {"pattern": "request-response", "latency_ms": {"p95": 100}},
        "hardware": {"gpu": "required"},
        "constraints": {"only": ["container-apps"]},
    }
    (found,) = answer_to(fields | {"region": "swedencentral"}, "2026", TODAY, Facts(market(), Speeds())).ranked
    assert found.sizing
    assert found.sizing.size == "Consumption-GPU-NC24-A100"
    answer = answer_to(fields | {"region": "westeurope"}, "2026", TODAY, Facts(market(), Speeds()))
    assert all(item.sizing and item.sizing.size != "Consumption-GPU-NC24-A100" for item in answer.ranked)


def test_a_region_that_is_not_known_borrows_all_its_prices() -> None:
    """Of the reference region, and says so."""
    fields = {"serving": {"pattern": "request-response"}, "region": "nowhere"} | ON_A_MACHINE
    (found,) = answer_to(fields, "2026", TODAY, Facts(market(), Speeds())).ranked
    assert found.cost
    assert found.cost.status == "borrowed"
    assert {line.region for line in found.cost.lines} <= {"eastus2", "Global"}


@pytest.mark.parametrize(("usd", "per"), [("1e30", "1"), ("1", "1e-300"), ("1e9999999", "1"), ("1e-9999", "1e9999")])
def test_a_price_that_is_none_is_refused_by_its_line(usd: str, per: str) -> None:
    """What no computer should multiply is a slip."""
    row = f"vm/Standard_D2as_v5,westeurope,{usd},{per},2026-10-01,listed,me,"
    with pytest.raises(InputError, match=r"^own.csv:2: '[^']*' is no amount; mend that line$"):
        parse(f"meter,region,usd,per,date,state,source,note\n{row}\n", "own.csv")


def served(provider: str) -> Served:
    """Return what a server with a T4 in its machine carried, by what ran the model."""
    return Served(
        kind="served",
        date="2026-11-20",
        model="m",
        sha256="1",
        runtime="process",
        provider=provider,
        limits=speed.Limits(cpus=1),
        settings={},
        machine=Machine(cores=4, threads_per_core=1, usable_cpus=4, instruction_sets=("avx2",), gpus=("Tesla T4",)),
        carried="tensors",
        records_per_request=1,
        slo_ms=None,
        limit_ms=100,
        requests_per_second=None,
        capacity=100,
        points=(),
    )


@pytest.mark.parametrize(
    ("provider", "grades"),
    [
        ("CPUExecutionProvider", {"Standard_D2as_v6": "scaled", "Standard_NC4as_T4_v3": "estimate"}),
        ("CUDAExecutionProvider", {"Standard_D2as_v6": "estimate", "Standard_NC4as_T4_v3": "scaled"}),
    ],
)
def test_a_server_is_of_what_ran_its_model(provider: str, grades: dict[str, str]) -> None:
    """A GPU that lay idle in the machine says nothing of GPUs."""
    from opdeploy.advisor.capacity import Model, ability

    model = Model(None, 8.0, 1, 0.0, images=False, speeds=measured(served(provider)))
    assert {size: ability(model, market().sizes[size], market()).basis for size in grades} == grades


def test_a_window_that_starting_fills_tells_one_that_would_do() -> None:
    """It holds the start, and not all of the work on one node."""
    fields: dict[str, Any] = {
        "serving": {"pattern": "scheduled-batch"},
        "model": {"size_mb": 100, "gflops": 8},
        "batch": {"records": 1_000_000, "every": "24h", "window": "5m"},
        "constraints": {"only": ["azure-batch"]},
    }
    facts = Facts(market(), measured(run(25)))
    out = next(item for item in answer_to(fields, "2026", TODAY, facts).excluded if item.platform == "azure-batch")
    (reason,) = out.reasons
    assert reason.constraint == "window"
    fields["batch"]["window"] = reason.would_need.removeprefix("batch.window: ").removesuffix(" or more")
    assert [item.platform for item in answer_to(fields, "2026", TODAY, facts).ranked] == ["azure-batch"]


def test_nothing_is_free_for_want_of_prices() -> None:
    """A list without a price of a size leaves it out of the cheap ones."""
    fields = {"serving": {"pattern": "request-response"}} | ON_A_MACHINE
    (found,) = answer_to(fields, "2026", TODAY, Facts(with_prices(*prices("")), Speeds())).ranked
    assert found.cost
    assert found.cost.status == "partial"
    assert found.cost.high is None
