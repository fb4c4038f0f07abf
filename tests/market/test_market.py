"""What the cloud offers: every size and price has its hardware, its meter, its source and its date."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from opdeploy.catalogue import load_catalogue, load_market
from opdeploy.market import REFERENCE_REGION
from opdeploy.market.prices import GLOBAL
from opdeploy.targets.azure import sizes as azure

if TYPE_CHECKING:
    from opdeploy.market.sizes import Size
    from opdeploy.platform import Profile

MARKET = load_market()
TODAY = date(2026, 11, 26)
SIZES = pytest.mark.parametrize("size", MARKET.sizes.values(), ids=MARKET.sizes)


def meters_of(size: Size) -> set[str]:
    """Return all meters that a size turns."""
    every = (size.hourly, size.spot_hourly or {}, size.idle_hourly, size.shape.fixed_hourly)
    return {name for units in every for name in units}


def test_each_price_has_a_meter_and_each_meter_a_price() -> None:
    """What is not asked for is not kept."""
    priced = {price.meter for price in MARKET.prices.prices}
    assert all(MARKET.meter(name) for name in priced)
    assert set(MARKET.meters) <= priced


def test_machines_that_are_priced_are_described() -> None:
    """A price says nothing of what is behind it."""
    machines = {price.meter.partition("/")[2] for price in MARKET.prices.prices if price.meter.startswith("vm")}
    assert machines <= set(MARKET.sizes)


@SIZES
def test_each_size_has_prices(size: Size) -> None:
    """In the region that is taken where none is given, or one near; of a machine, Spot may have none."""
    for name in meters_of(size):
        assert MARKET.quote(name, REFERENCE_REGION, TODAY) or name == "vm-spot/Standard_B2s", name


@SIZES
def test_hardware_of_each_size(size: Size) -> None:
    """Whole cores or shares of one, memory for the model, and instruction sets where the processors are known."""
    assert size.cores * size.series.threads_per_core == size.shape.vcpus
    assert size.shape.memory_gib >= size.shape.vcpus * 0.5
    assert all("avx2" in each.instruction_sets for each in size.processors)
    assert (size.gpu is None) == (size.series.gpu is None)


def test_a_size_may_be_served_by_processors_with_and_without_vnni() -> None:
    """Dasv5 is Milan or Genoa."""
    found = {"avx512_vnni" in each.instruction_sets for each in MARKET.sizes["Standard_D2as_v5"].processors}
    assert found == {True, False}


def test_prices_are_of_regions_that_are_known() -> None:
    """Else none could be the nearest."""
    regions = {price.region for price in MARKET.prices.prices} - {GLOBAL}
    assert regions <= set(MARKET.regions)


@pytest.mark.parametrize(
    ("region", "borrowed"),
    [("westeurope", "westeurope"), ("northeurope", "westeurope"), ("germanywestcentral", "westeurope"),
     ("canadacentral", "eastus"), ("nowhere", "eastus2")],
)  # fmt: skip
def test_a_region_without_a_price_borrows_that_of_the_nearest(region: str, borrowed: str) -> None:
    """A region that nobody knows borrows too, what is nearest to the reference region."""
    found = MARKET.quote("vm/Standard_D2s_v5", region, TODAY)
    assert found is not None
    assert found.price.region == borrowed
    assert found.borrowed == (region != borrowed)


def test_distances() -> None:
    """Amsterdam and Dublin, by their coordinates: 756 km."""
    here, there = MARKET.regions["westeurope"], MARKET.regions["northeurope"]
    assert here.distance(there) == pytest.approx(756, abs=5)
    assert here.distance(here) == 0


def test_when_sizes_retire() -> None:
    """Fsv2 on 2028-11-15."""
    assert not MARKET.sizes["Standard_F8s_v2"].retired(date(2028, 11, 14))
    assert MARKET.sizes["Standard_F8s_v2"].retired(date(2028, 11, 15))
    assert not MARKET.sizes["Standard_D2s_v6"].retired(date(2099, 1, 1))


def test_machines_are_those_that_deployments_know() -> None:
    """What is chosen where none is named has the same processors, memory and GPUs, and retires on the same day."""
    for known in (*azure.CPU, *azure.GPU):
        if size := MARKET.sizes.get(known.name):
            gpus = size.shape.gpus if size.gpu else 0
            assert (size.shape.vcpus, size.shape.memory_gib, gpus) == (known.cpus, known.memory_gib, known.gpus)
    for name, size in MARKET.sizes.items():
        if name.startswith("Standard_"):
            gone = azure.retired(name)
            assert size.series.retires == (gone.day if gone else None), name


OFFERED = [profile for profile in load_catalogue("2026").profiles if profile.offer]


@pytest.mark.parametrize("profile", OFFERED, ids=lambda profile: profile.id)
def test_what_a_platform_bills_is_known(profile: Profile) -> None:
    """Its sizes and meters are in the market, and where nothing is priced it says what is missing."""
    offer = profile.offer
    assert offer
    assert set(offer.sizes) <= set(MARKET.sizes)
    assert offer.sizes or offer.unpriced
    for charge in offer.charges:
        assert MARKET.quote(charge.meter, REFERENCE_REGION, TODAY), charge.meter
        assert charge.by_size is None or set(charge.by_size) == set(offer.sizes)
    assert not any(MARKET.sizes[size].retired(TODAY) for size in offer.sizes)


def test_every_platform_that_is_alive_says_what_it_bills() -> None:
    """Those that have ended do not."""
    dead = {profile.id for profile in load_catalogue("2026").profiles if not profile.offer}
    assert dead == {profile.id for profile in load_catalogue("2026").profiles if profile.lifecycle.ended(TODAY)}
