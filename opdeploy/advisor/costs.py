"""What a month costs: units of meters times dated prices, each as a line."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from opdeploy.market.prices import GLOBAL
from opdeploy.recommendation import Cost, Line

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from opdeploy.market import Market

DAYS = 30
"""In a month, for meters by the day."""
CENT = Decimal("0.01")
CHEAPER, DEARER = Decimal("0.75"), Decimal("1.45")
"""What a price may be in a region for which that of the nearest other one stands: over all meters of the list that have
prices of several regions, it is between 0.77 and 1.43 of that (203 pairs, 2026-11-27)."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Units of a meter in a month."""

    meter: str
    quantity: float


def cost(usage: Iterable[Usage], missing: Iterable[str], market: Market, region: str, as_of: date) -> Cost:
    """Return what a month costs in a region, at the prices of a day.

    `missing` names what is billed too and has no price here; the total is then a lower bound. Each line is rounded to a
    cent, and the total is the sum of the lines. What is free in a subscription is taken off once. `high` counts prices
    that sources contradict each other about, and `low` and `high` what borrowed ones may be here.
    """
    quantities: dict[str, Decimal] = {}
    for item in usage:
        quantities[item.meter] = quantities.get(item.meter, Decimal()) + Decimal(repr(item.quantity))
    lines: list[Line] = []
    unknown = list(missing)
    less, more = Decimal(), Decimal()
    for name, quantity in quantities.items():
        meter = market.meter(name)
        billed = max(Decimal(), quantity - Decimal(repr(meter.free.quantity)) if meter.free else quantity)
        quote = market.quote(name, region, as_of)
        if quote is None:
            unknown.append(f"{meter.title} ({float(billed):g} {meter.unit}s)")
            continue
        usd = _cents(billed * quote.price.each)
        lines.append(
            Line(
                meter=name,
                quantity=float(billed),
                unit=meter.unit,
                price=float(quote.price.each),
                usd=float(usd),
                region=quote.price.region,
                source=quote.price.source,
                date=quote.price.date or None,
            )
        )
        other = market.disputed(name, region, as_of)
        more += max(Decimal(), _cents(billed * other.price.each) - usd) if other else 0
        if quote.borrowed:
            less += _cents(usd * (1 - CHEAPER))
            more += _cents(usd * (DEARER - 1))
    total = sum((Decimal(repr(line.usd)) for line in lines), Decimal())
    borrowed = any(line.region not in (region, GLOBAL) for line in lines)
    return Cost(
        monthly_usd=float(total),
        low=float(total - less),
        high=None if unknown else float(total + more),
        status="partial" if unknown else "borrowed" if borrowed else "complete",
        lines=tuple(lines),
        missing=tuple(unknown),
    )


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(CENT, ROUND_HALF_UP)
