"""What the Azure Retail Prices API answers, as prices: one for each meter that is known, of the rows that mean it.

The form of an item is that of version 2023-01-01-preview (Microsoft Learn, Azure Retail Prices REST API overview).
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from opdeploy.market.prices import GLOBAL, Price

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from opdeploy.market import Market

MACHINES = "Virtual Machines"
_OTHER_MACHINES = re.compile(r"Windows|Cloud ?Services|Dedicated Host|Promo")
"""In products that share the size's name with the Linux machine, and cost something else."""
_LOW_PRIORITY = "Low Priority"
_SPOT = "Spot"
_UNIT = re.compile(r"(\d+)([KM]?)\b")
_THOUSANDS = {"": 1, "K": 1_000, "M": 1_000_000}

Item = dict[str, Any]


def services(market: Market) -> dict[str, bool]:
    """Return the services to ask for, each with whether some of its meters have one price everywhere."""
    found = {MACHINES: False}
    for meter in market.meters.values():
        if meter.api:
            found[meter.api.service] = found.get(meter.api.service, False) or meter.everywhere
    return found


def prices(items: Iterable[Item], market: Market, day: date) -> list[Price]:
    """Return the prices that items tell, as of a day.

    Rows of reservations, of Windows, of Cloud Services, of low priority and of development subscriptions are left out,
    as are those that have ended. Of tiers the first that costs something counts: what is free is the meter's. Where two
    rows of a meter contradict each other, both are disputed.
    """
    rows: dict[tuple[str, str], list[Item]] = {}
    known = {tuple(meter.api.model_dump().values()): name for name, meter in market.meters.items() if meter.api}
    for item in items:
        name = _meter(item, known, market)
        if name and _counts(item):
            rows.setdefault((name, item["armRegionName"] or GLOBAL), []).append(item)
    return [
        price for (name, region), told in sorted(rows.items()) for price in _judged(name, region, told, market, day)
    ]


def _judged(name: str, region: str, items: list[Item], market: Market, day: date) -> Iterator[Price]:
    """Yield the price of a meter in a region; that of a meter of which the API is not believed is disputed."""
    why = market.meter(name).disputed
    for price in _of(name, region, items, day):
        yield replace(price, state="disputed", note=why) if why else price


def _counts(item: Item) -> bool:
    """Tell whether a row is of today's plain consumption; those of prices in force have no end."""
    return item["type"] == "Consumption" and item["currencyCode"] == "USD" and not item.get("effectiveEndDate")


def _meter(item: Item, known: Mapping[tuple[str, ...], str], market: Market) -> str | None:
    if item["serviceName"] != MACHINES:
        return known.get((item["serviceName"], item["productName"], item["skuName"], item["meterName"]))
    size, said = item.get("armSkuName"), f"{item['skuName']} {item['meterName']}"
    if size not in market.sizes or _OTHER_MACHINES.search(item["productName"]) or _LOW_PRIORITY in said:
        return None
    return f"vm-spot/{size}" if _SPOT in said else f"vm/{size}"


def _of(name: str, region: str, items: list[Item], day: date) -> Iterator[Price]:
    """Yield the price of a meter in a region, or those that contradict each other."""
    costing = [item for item in items if item["retailPrice"] > 0] or items
    first = min(item["tierMinimumUnits"] for item in costing)
    told: dict[tuple[Decimal, Decimal], Item] = {}
    for item in costing:
        if item["tierMinimumUnits"] == first:
            told.setdefault((Decimal(repr(item["retailPrice"])), _per(item["unitOfMeasure"])), item)
    for (usd, per), item in told.items():
        since = str(item["effectiveStartDate"])[:10]
        source = f"Azure Retail Prices API, meter {item['meterId']}, in force since {since}"
        yield Price(
            meter=name,
            region=region,
            usd=usd,
            per=per,
            date=day.isoformat(),
            state="listed" if len(told) == 1 else "disputed",
            source=source,
            note="" if len(told) == 1 else f"{len(told)} rows of the API tell other prices",
        )


def _per(unit: str) -> Decimal:
    """Return how many units a price is for: 1 of `1 Hour`, 10,000 of `10K`, 100 of `100 Seconds`."""
    found = _UNIT.match(unit)
    return Decimal(int(found[1]) * _THOUSANDS[found[2]]) if found else Decimal(1)
