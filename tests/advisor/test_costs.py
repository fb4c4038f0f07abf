"""Costs of a month, worked out by hand from the list of prices, to the cent."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opdeploy.advisor.costs import Usage, cost
from opdeploy.catalogue import load_market

if TYPE_CHECKING:
    from opdeploy.recommendation import Cost, CostStatus

TODAY = date(2026, 11, 26)
MARKET = load_market()


def of(region: str, *usage: tuple[str, float], missing: tuple[str, ...] = (), as_of: date = TODAY) -> Cost:
    """Return the cost of units of meters."""
    return cost([Usage(*item) for item in usage], missing, MARKET, region, as_of)


HOURS = 730
# Each line: units, less what is free, times the newest listed price of the region.
BY_HAND: dict[str, tuple[str, list[tuple[str, float]], list[float], CostStatus]] = {
    "a machine in westeurope: 730 x 0.115": ("westeurope", [("vm/Standard_D2s_v5", HOURS)], [83.95], "complete"),
    "the same in eastus2: 730 x 0.096": ("eastus2", [("vm/Standard_D2s_v5", HOURS)], [70.08], "complete"),
    "its Spot price: 730 x 0.021252": ("westeurope", [("vm-spot/Standard_D2s_v5", HOURS)], [15.51], "complete"),
    "a T4 in westeurope, 730 x 0.658, and Spot, 730 x 0.457113": (
        "westeurope",
        [("vm/Standard_NC4as_T4_v3", HOURS), ("vm-spot/Standard_NC4as_T4_v3", HOURS)],
        [480.34, 333.69],
        "complete",
    ),
    "the row that another contradicts is not taken: 730 x 0.096": (
        "westeurope",
        [("vm/Standard_B2s_v2", HOURS)],
        [70.08],
        "complete",
    ),
    "half a month of a plan: 365 x 0.178": ("westeurope", [("app-service/P1v3", HOURS / 2)], [64.97], "complete"),
    "seconds beyond the grant: (200,000 - 180,000) x 0.000034, (300,000 - 360,000) of memory": (
        "westeurope",
        [("container-apps/vcpu-active", 200_000), ("container-apps/memory-active", 300_000)],
        [0.68, 0.00],
        "complete",
    ),
    "10 million requests: 8 million x 0.56 for a million": (
        "westeurope",
        [("container-apps/requests", 10_000_000)],
        [4.48],
        "complete",
    ),
    "a registry by the day: 30 x 0.1666": ("eastus", [("acr/basic", 30)], [5.00], "complete"),
    "150 GB sent: 50 x 0.087": ("eastus2", [("egress/internet", 150)], [4.35], "complete"),
    "a load balancer, everywhere 0.025: 730 x 0.025, and 1,000 GB x 0.005": (
        "japaneast",
        [("load-balancer/first-rules", HOURS), ("load-balancer/data", 1000)],
        [18.25, 5.00],
        "complete",
    ),
    "borrowed from westeurope: 730 x 0.23": (
        "northeurope",
        [("vm/Standard_D4s_v5", HOURS)],
        [167.90],
        "borrowed",
    ),
    "two usages of one meter are one line: 3 x 21.68": (
        "westeurope",
        [("disk/P10", 1), ("disk/P10", 2)],
        [65.04],
        "complete",
    ),
    "a container group: 730 x 2 x 0.0466 and 730 x 4 x 0.00511": (
        "westeurope",
        [("aci/vcpu", 2 * HOURS), ("aci/memory", 4 * HOURS)],
        [68.04, 14.92],
        "complete",
    ),
}


@pytest.mark.parametrize(("region", "usage", "usd", "status"), BY_HAND.values(), ids=BY_HAND)
def test_what_it_costs(region: str, usage: list[tuple[str, float]], usd: list[float], status: CostStatus) -> None:
    """Line by line, and the total is their sum."""
    found = of(region, *usage)
    assert [line.usd for line in found.lines] == usd
    assert found.monthly_usd == pytest.approx(sum(usd), abs=1e-9)
    assert found.status == status
    if status == "complete":
        assert (found.low, found.high) == (found.monthly_usd, found.monthly_usd)


def test_what_is_borrowed_may_be_cheaper_or_dearer_here() -> None:
    """By a quarter, 41.98 of 167.90, and by 45 %, 75.56."""
    found = of("northeurope", ("vm/Standard_D4s_v5", HOURS))
    assert (found.low, found.monthly_usd, found.high) == (125.92, 167.90, 243.46)


def test_each_line_tells_where_its_price_comes_from() -> None:
    """Region, source and day, of the borrowed ones too."""
    (line,) = of("northeurope", ("vm/Standard_D4s_v5", 1)).lines
    assert (line.region, line.date, line.price, line.unit) == ("westeurope", "2026-09-29", 0.23, "hour")
    assert "TerraTofuGUi" in line.source


def test_what_has_no_price_makes_the_total_a_lower_bound() -> None:
    """Whether a meter has none, or what is billed is not metered here."""
    found = of("westeurope", ("vm-spot/Standard_B2s", 730), ("disk/P10", 1), missing=("the licence",))
    assert found.status == "partial"
    assert found.missing == ("the licence", "Spot virtual machine Standard_B2s (730 hours)")
    assert (found.monthly_usd, found.low, found.high) == (21.68, 21.68, None)


def test_a_price_that_sources_contradict_each_other_about_raises_the_upper_end() -> None:
    """AKS's Free tier costs nothing by the pricing page, and 0.05 an hour by the API."""
    found = of("eastus2", ("aks/free", 730))
    assert (found.monthly_usd, found.low, found.high) == (0.0, 0.0, 36.5)


def test_an_earlier_day_knows_no_later_price() -> None:
    """Spot in eastus2 was 0.045514 in May; the later figure has no date."""
    assert of("eastus2", ("vm-spot/Standard_D2s_v5", 1000), as_of=date(2026, 6, 1)).monthly_usd == 45.51
    assert of("eastus2", ("vm-spot/Standard_D2s_v6", 1000), as_of=date(2026, 7, 13)).lines[0].date == "2026-05-20"
    assert of("eastus2", ("vm-spot/Standard_D2s_v6", 1000)).lines[0].date == "2026-07-14"


NAMES = st.sampled_from(sorted({price.meter for price in MARKET.prices.prices}))


@given(st.lists(st.tuples(NAMES, st.floats(0, 1e7)), max_size=6), NAMES, st.floats(0, 1e7), st.floats(0, 1e7))
def test_more_units_never_cost_less(usage: list[tuple[str, float]], name: str, one: float, other: float) -> None:
    """Whatever else is used."""
    less, more = (of("westeurope", *usage, (name, units)) for units in sorted((one, other)))
    assert less.monthly_usd <= more.monthly_usd


@given(st.lists(st.tuples(NAMES, st.floats(0, 1e7)), min_size=1, max_size=6), st.data())
def test_a_cheaper_price_never_makes_it_dearer(usage: list[tuple[str, float]], data: st.DataObject) -> None:
    """Of any of the prices."""
    from opdeploy.market.prices import PriceList

    before = of("westeurope", *usage)
    at = data.draw(st.integers(0, len(MARKET.prices.prices) - 1))
    prices = list(MARKET.prices.prices)
    prices[at] = replace(prices[at], usd=prices[at].usd / 2)
    cheaper = replace(MARKET, prices=PriceList(prices))
    after = cost([Usage(*item) for item in usage], (), cheaper, "westeurope", TODAY)
    assert after.monthly_usd <= before.monthly_usd
