"""What holds for the costs of every workload: more load, other prices, a faster model."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from advice import answer_to, catalogue, workload_of
from facts import AVX512, market, measured, run
from hypothesis import given, settings
from hypothesis import strategies as st
from workloads import PLACED, Fields

from opdeploy.advisor import Facts
from opdeploy.advisor.needs import assess
from opdeploy.advisor.offers import Considered, Shop, consider
from opdeploy.market.prices import PriceList
from opdeploy.speed import Speeds, Variant

if TYPE_CHECKING:
    from opdeploy.market import Market
    from opdeploy.recommendation import Cost, Ranked, Recommendation

TODAY = date(2026, 11, 27)
SIZED = tuple(profile for profile in catalogue("2026").profiles if profile.offer and profile.offer.sizes)
REFERENCE = Variant(name="reference", precision="fp32", sha256="1", speed_up=1.0)
INT8 = Variant(name="int8", precision="int8", sha256="8", speed_up=2.0)
AVX2 = ("fma", "avx2")
KNOWN = {
    "nothing": Speeds(),
    "a core": measured(run(40), variants=(REFERENCE,)),
    "INT8 on eight cores": measured(
        run(90, cores=8), run(300, cores=8, sha256="8", spread=1.3), variants=(INT8, REFERENCE)
    ),
    "a T4": measured(run(300, gpu="Tesla T4"), run(40), variants=(REFERENCE,)),
}
SPEEDS = st.sampled_from(sorted(KNOWN))
FREE_AT_WORK_ONLY = 180_000 * 0.000004 + 360_000 * 0.000004
"""Dollars a month that Container Apps asks for what is idle, and not for as much at work, within what is free."""


def shop(fields: Fields, speeds: Speeds, of: Market | None = None) -> Shop:
    """Return all that decides about the costs of a workload; without a budget."""
    needs = assess(workload_of({key: value for key, value in fields.items() if key != "budget"}), None)[0]
    return Shop(needs, of or market(), speeds, TODAY)


def comparable(one: Considered, other: Considered) -> bool:
    """Tell whether two costs count the same: as much of them is known, and both expect as much."""
    if not (one.best and other.best and one.cost and other.cost):
        return False
    return len(one.cost.missing) == len(other.cost.missing) and one.best.hope == other.best.hope


def usd(found: Considered) -> float:
    """Return what a month costs, as far as it is known."""
    assert found.cost
    return found.cost.monthly_usd


def slack(platform: str) -> float:
    """Return by how much more use may cost less: nothing, but for what is free at work and not when idle."""
    return FREE_AT_WORK_ONLY + 0.02 if platform == "container-apps" else 1e-9


@given(PLACED, SPEEDS, st.sampled_from([1.01, 1.3, 2, 10]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_more_load_never_costs_less(fields: Fields, known: str, factor: float) -> None:
    """On the same platform: average and peak, or records, so many times."""
    before = shop(fields, KNOWN[known])
    for profile in SIZED:
        less, more = consider(before, profile), consider(before.times(factor), profile)
        if comparable(less, more):
            assert usd(more) >= usd(less) - slack(profile.id), profile.id
        if more.best and more.best.hope == "expected":
            assert less.best, f"{profile.id} does more and not less"


@given(PLACED, st.sampled_from([1.0, 1.2, 2, 6]), st.sampled_from([AVX512, AVX2]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_faster_form_of_the_model_never_costs_more(fields: Fields, factor: float, sets: tuple[str, ...]) -> None:
    """INT8 that was measured to be faster, with VNNI or without, on a machine that is none of the cloud's."""
    slow = measured(run(40, cores=4), variants=(REFERENCE,))
    form = run(40 * factor, cores=4, sha256="8", sets=sets)
    fast = measured(*slow.measured, form, variants=(INT8, REFERENCE))
    one, other = shop(fields, slow), shop(fields, fast)
    for profile in SIZED:
        before, after = consider(one, profile), consider(other, profile)
        if before.best:
            assert after.best, profile.id
        if comparable(before, after):
            assert usd(after) <= usd(before) + slack(profile.id), profile.id


@cache
def own_meters(platform: str) -> tuple[str, ...]:
    """Return the meters that no other platform has."""

    def meters(of: str) -> set[str]:
        offer = catalogue("2026").by_id[of].offer
        sizes = [market().sizes[name] for name in offer.sizes] if offer else []
        billed = {name for size in sizes for name in (*size.hourly, *size.idle_hourly, *size.shape.fixed_hourly)}
        return billed | {charge.meter for charge in (offer.charges if offer else ())}

    others = {meter for profile in SIZED if profile.id != platform for meter in meters(profile.id)}
    return tuple(sorted(meters(platform) - others))


OWN = [(profile.id, meter) for profile in SIZED for meter in own_meters(profile.id)]


def at_prices(meter: str, factor: float | None) -> Market:
    """Return the market with the prices of a meter so many times; None: with none of them."""
    told = market().prices.prices
    kept = [price for price in told if price.meter != meter]
    if factor is not None:
        mine = [price for price in told if price.meter == meter]
        kept += [replace(price, usd=price.usd * Decimal(repr(factor))) for price in mine]
    return replace(market(), prices=PriceList(kept))


def place(answer: Recommendation, platform: str) -> float:
    """Return the rank of a platform; infinite where it is excluded."""
    return next((at for at, item in enumerate(answer.ranked) if item.platform == platform), math.inf)


@given(PLACED, SPEEDS, st.sampled_from(OWN), st.sampled_from([0.0, 0.3, 0.9]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_cheaper_price_never_moves_its_platform_down(
    fields: Fields, known: str, own: tuple[str, str], factor: float
) -> None:
    """Nor out of a budget; and no score hangs on it."""
    platform, meter = own
    before, after = (
        answer_to(fields, "2026", TODAY, Facts(of, KNOWN[known])) for of in (market(), at_prices(meter, factor))
    )
    assert place(after, platform) <= place(before, platform)
    assert {item.platform for item in after.excluded} <= {item.platform for item in before.excluded}
    scores = {item.platform: item.score for item in before.ranked}
    assert all(scores.get(item.platform, item.score) == item.score for item in after.ranked)


@given(PLACED, SPEEDS, st.sampled_from(sorted({price.meter for price in market().prices.prices})))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_cheaper_price_never_costs_more(fields: Fields, known: str, meter: str) -> None:
    """On any platform, for any meter."""
    one, other = shop(fields, KNOWN[known]), shop(fields, KNOWN[known], at_prices(meter, 0.5))
    for profile in SIZED:
        before, after = consider(one, profile), consider(other, profile)
        if before.best:
            assert usd(after) <= usd(before)


@given(PLACED, SPEEDS, st.sampled_from(OWN))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_price_that_is_missing_is_not_cheap(fields: Fields, known: str, own: tuple[str, str]) -> None:
    """Without one of its prices a platform never moves up, and stands after those of its tie that are known whole."""
    platform, meter = own
    fields = {key: value for key, value in fields.items() if key != "budget"}
    before, after = (
        answer_to(fields, "2026", TODAY, Facts(of, KNOWN[known])) for of in (market(), at_prices(meter, None))
    )
    assert place(after, platform) >= place(before, platform)
    for answer in (before, after):
        tied = [item for item in answer.ranked if item.platform in answer.ties]
        assert [item.platform for item in tied] == list(answer.ties)
        costs = [_whole(item) for item in tied]
        assert costs == sorted(costs)
        assert set(answer.pareto) <= {item.platform for item in answer.ranked if _whole(item) < math.inf}


def _whole(item: Ranked) -> float:
    """Return what a month costs; infinite where that is not known whole, or rests on hope."""
    hoped = any("better end" in warning for warning in item.warnings)
    return item.cost.monthly_usd if item.cost and item.cost.status != "partial" and not hoped else math.inf


def _latency(item: Ranked) -> float:
    sizing = item.sizing
    return math.inf if sizing is None else sizing.p95_ms or sizing.run_s or math.inf


@given(PLACED, SPEEDS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_none_is_cheaper_and_faster_than_those_of_the_front(fields: Fields, known: str) -> None:
    """And each that is ranked, and known whole, is one of the front or has one that is no worse."""
    answer = answer_to(fields, "2026", TODAY, Facts(market(), KNOWN[known]))
    known_whole = [item for item in answer.ranked if _whole(item) < math.inf and item.sizing]
    front = [item for item in known_whole if item.platform in answer.pareto]
    for item in known_whole:
        better = [
            other
            for other in front
            if _whole(other) <= _whole(item)
            and _latency(other) <= _latency(item)
            and (_whole(other), _latency(other)) != (_whole(item), _latency(item))
        ]
        assert (item.platform in answer.pareto) is not bool(better)


@given(PLACED)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_where_costs_change_places_they_do(fields: Fields) -> None:
    """Just above a break-even the one that is named costs less, and somewhere below the other one does."""
    answer = answer_to(fields, "2026", TODAY, Facts(market()))
    of = shop(fields, Speeds())

    def cost(platform: str, factor: float) -> Cost:
        found = consider(of.times(factor), catalogue("2026").by_id[platform]).cost
        assert found
        return found

    for crossing in answer.break_even:
        above = [cost(platform, 1.006 * crossing.above) for platform in (crossing.cheaper, crossing.than)]
        below = [cost(platform, 0.98 * crossing.above) for platform in (crossing.cheaper, crossing.than)]
        assert above[0].monthly_usd <= above[1].monthly_usd
        assert below[0].monthly_usd >= below[1].monthly_usd
        assert not any(each.missing for each in (*above, *below))


@given(PLACED)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_edition_of_2018_has_neither_sizes_nor_costs(fields: Fields) -> None:
    """Facts change nothing in it."""
    fields = {key: value for key, value in fields.items() if key != "region"}
    plain = answer_to(fields, "2018", TODAY)
    told = answer_to(fields, "2018", TODAY, Facts(market(), KNOWN["a core"]))
    assert all(item.sizing is None and item.cost is None for item in told.ranked)
    assert told.ranked == plain.ranked
    assert (told.excluded, told.ties, told.best) == (plain.excluded, plain.ties, plain.best)


def test_what_rests_on_hope_is_not_cheap() -> None:
    """Past 30 machines that are expected to do, 15 may, if all goes well: that is no reason to prefer them."""
    fields: Fields = {
        "region": "westeurope",
        "model": {"size_mb": 100},
        "serving": {
            "pattern": "request-response",
            "requests_per_second": {"average": 10, "peak": 100},
            "latency_ms": {"p95": 3000},
        },
        "constraints": {"only": ["webapp"]},
    }
    fields["hardware"] = {"gpu": "none"}
    expected = answer_to(fields, "2026", TODAY, Facts(market()))
    assert expected.pareto == ("webapp",)
    fields["serving"]["requests_per_second"] = {"average": 26, "peak": 260}
    hoped = answer_to(fields, "2026", TODAY, Facts(market()))
    costs = [item.cost.monthly_usd for answer in (expected, hoped) for item in answer.ranked if item.cost]
    assert costs[1] < costs[0]
    assert hoped.pareto == ()


def test_there_are_meters_of_one_platform_alone() -> None:
    """So that the properties above hold for more than one."""
    assert {platform for platform, _ in OWN} >= {"webapp", "aci", "container-apps"}


def test_what_is_free_at_work_is_not_free_when_idle() -> None:
    """That is why a little more load may cost less there, by no more than what is free."""
    fields: Fields = {
        "serving": {
            "pattern": "request-response",
            "requests_per_second": {"average": 0.1, "peak": 0.2},
            "latency_ms": {"p95": 1000},
        }
    }
    of = shop(fields, KNOWN["a core"])
    profile = catalogue("2026").by_id["container-apps"]
    less, more = consider(of, profile), consider(of.times(1.5), profile)
    assert usd(less) - slack("container-apps") <= usd(more) < usd(less)
