"""How good the prices of a region are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from opdeploy.market import Market
    from opdeploy.market.prices import Price

Finding = Literal["good", "stale", "borrowed", "missing", "disputed"]
WRONG: frozenset[Finding] = frozenset({"stale", "missing"})
"""What newer prices would mend; what is borrowed may not be sold in the region at all."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The price that counts for a meter, and what is to be said of it."""

    meter: str
    title: str
    unit: str
    price: Price | None
    finding: Finding
    why: str


def checked(market: Market, region: str, as_of: date) -> Iterator[Checked]:
    """Yield what counts in a region on a day, for every meter of which there is any price, by name."""
    for name in sorted({price.meter for price in market.prices.prices}):
        meter = market.meter(name)
        quote = market.quote(name, region, as_of)
        price = quote.price if quote else None
        yield Checked(name, meter.title, meter.unit, price, *_finding(market, name, region, as_of))


def _finding(market: Market, name: str, region: str, as_of: date) -> tuple[Finding, str]:
    quote = market.quote(name, region, as_of)
    if quote is None:
        return "missing", "no region has a price that is vouched for"
    price = quote.price
    if price.day is None:
        return "stale", "has no date"
    if price.is_stale(as_of):
        return "stale", f"{(as_of - price.day).days} days old"
    other = market.disputed(name, region, as_of)
    if other and other.price.each != price.each:
        return "disputed", f"others say {float(other.price.each):g} ({other.price.date})"
    return ("borrowed", f"that of {price.region}") if quote.borrowed else ("good", "")
