"""The hash of all that an answer hangs on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from advice import answer_to, catalogue, workload_of
from hypothesis import given
from workloads import WORKLOADS, Fields

from opdeploy.advisor import Facts, recommend
from opdeploy.advisor.inputs import fingerprint
from opdeploy.catalogue import Catalogue, load_market
from opdeploy.market.prices import Price, PriceList
from opdeploy.speed import Speeds, Variant, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.market import Market

DAY = date(2026, 11, 2)
BARE = {"serving": {"pattern": "request-response"}}
MARKET = load_market()
RUN = {
    "date": "2026-11-25", "model": "model.onnx", "sha256": "ab" * 32, "provider": "CPUExecutionProvider",
    "machine": {"usable_cpus": 4},
    "points": [{"batch": 1, "threads": 1, "records_per_second": 90, "low": 80, "high": 99, "latency_ms": {"p50": 11}}],
}  # fmt: skip


def of(
    fields: dict[str, Any] = BARE,
    day: date = DAY,
    size: float | None = 1.5,
    market: Market | None = MARKET,
    speeds: Speeds | None = None,
    profiles: Catalogue | None = None,
) -> str:
    """Return the hash of a case, of which some part differs from the usual one."""
    facts = Facts(market, speeds or Speeds()) if market else None
    return fingerprint(workload_of(fields), profiles or catalogue("2026"), day, size, facts)


def market_with(change: Callable[[Price], Price], *more: Price) -> Market:
    """Return the market in which the first price that is relied on is another, and with more prices."""
    first = next(price for price in MARKET.prices.counting(DAY) if price.state == "listed" and price.usd)
    prices = [change(price) if price == first else price for price in MARKET.prices.prices]
    return replace(MARKET, prices=PriceList([*prices, *more]))


def test_it_is_a_sha256_with_its_name() -> None:
    """It says what it is, and is the same whenever it is computed."""
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", of())
    assert of() == of(dict(BARE), market=load_market())


def test_it_is_the_same_in_another_process() -> None:
    """Nothing in it hangs on the order of a hash table."""
    code = "from test_inputs import of; import opdeploy; print(of(), of(market=None), sep='\\n')"  # as in this one
    here = [of(), of(market=None)]
    for seed in ("0", "2018"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            encoding="utf-8",
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        assert ran.stdout.split() == here


OTHERS: dict[str, Callable[[], str]] = {
    "a field of the workload": lambda: of({**BARE, "stage": "pilot"}),
    "a figure of the workload": lambda: of({"serving": {**BARE["serving"], "records_per_request": 2}}),
    "the day": lambda: of(day=date(2026, 11, 3)),
    "the size of the model's file": lambda: of(size=1.6),
    "no file of the model": lambda: of(size=None),
    "the edition": lambda: of(profiles=catalogue("2018")),
    "no prices": lambda: of(market=None),
    "a profile's figure": lambda: of(profiles=_with_another_title()),
    "a price": lambda: of(market=market_with(lambda price: replace(price, usd=price.usd + Decimal("0.000001")))),
    "the date of a price": lambda: of(market=market_with(lambda price: replace(price, date="2026-10-31"))),
    "the source of a price": lambda: of(market=market_with(lambda price: replace(price, source="another"))),
    "a price that is not relied on": lambda: of(market=market_with(lambda price: replace(price, state="superseded"))),
    "a meter": lambda: of(market=replace(MARKET, meters={**MARKET.meters, "new": MARKET.meters["acr/basic"]})),
    "a size": lambda: of(market=replace(MARKET, sizes=dict(list(MARKET.sizes.items())[12:]))),
    "a speed of others": lambda: of(market=replace(MARKET, speeds=MARKET.speeds[1:])),
    "a measurement": lambda: of(speeds=Speeds((read(json.dumps(RUN), "run"),))),
    "another measurement": lambda: of(speeds=Speeds((read(json.dumps({**RUN, "date": "2026-11-26"}), "run"),))),
    "a variant": lambda: of(speeds=Speeds(variants=(Variant(name="int8", precision="int8", sha256="ab" * 32),))),
    "images": lambda: of(speeds=Speeds(images=True)),
}
"""Cases in which one thing differs."""


def _with_another_title() -> Catalogue:
    known = catalogue("2026")
    first, *others = known.profiles
    return Catalogue("2026", (first.model_copy(update={"best_for": "nothing at all"}), *others), known.all_ids)


def test_whatever_differs_gives_another_hash() -> None:
    """Each of the cases has a hash that no other one has."""
    found = {name: other() for name, other in OTHERS.items()} | {"as it is": of()}
    assert len(set(found.values())) == len(found), found


SAME: dict[str, Callable[[], str]] = {
    "the same amount written otherwise": lambda: of(
        market=market_with(lambda price: replace(price, usd=price.usd * 10, per=price.per * 10))
    ),
    "a note": lambda: of(market=market_with(lambda price: replace(price, note="seen twice"))),
    "a newer price": lambda: of(market=market_with(lambda price: price, _later("2026-11-03"))),
    "an older price": lambda: of(market=market_with(lambda price: price, _later("2019-01"))),
}
"""Cases in which what differs does not count on that day."""


def _later(day: str) -> Price:
    """Return another price of what has one of the region already, of another day."""
    known = [price for price in MARKET.prices.counting(DAY) if price.state == "listed" and price.day]
    return replace(known[0], usd=known[0].usd + 1, date=day)


@pytest.mark.parametrize("case", SAME)
def test_what_does_not_count_leaves_it_as_it_is(case: str) -> None:
    """An answer of an earlier day can be replayed after prices were refreshed."""
    assert SAME[case]() == of()


@given(WORKLOADS)
def test_two_workloads_have_one_hash_only_if_they_are_the_same(fields: Fields) -> None:
    """A workload that is read from its own values has its hash; with another name it has another."""
    again = workload_of(fields).model_dump(mode="json", exclude_none=True)
    assert of(fields, market=None) == of(again, market=None)
    assert of(fields, market=None) != of({**fields, "name": "other"}, market=None)


@pytest.mark.parametrize("edition", ["2018", "2026"])
@pytest.mark.parametrize("model", [{}, {"framework": "llm"}], ids=["usual", "out of scope"])
def test_every_answer_has_it(edition: str, model: dict[str, Any]) -> None:
    """It stands in the answer, whatever that is."""
    fields = {**BARE, "model": model}
    expected = of(fields, size=None, market=None, profiles=catalogue(edition))
    assert answer_to(fields, edition, DAY).inputs == expected
    facts = Facts(MARKET)
    assert recommend(workload_of(fields), catalogue("2026"), DAY, 1.5, facts)[0].inputs == of(fields)
