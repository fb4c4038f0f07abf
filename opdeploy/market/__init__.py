"""What a cloud offers and what it asks: sizes, meters, regions, and dated prices. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opdeploy.market.meters import meter

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from opdeploy.market.meters import Meter
    from opdeploy.market.prices import PriceList, Quote
    from opdeploy.market.regions import Region
    from opdeploy.market.sizes import Gpu, Size
    from opdeploy.market.speeds import Known

REFERENCE_REGION = "eastus2"
"""Where no region is given: the one of which most prices are known."""


@dataclass(frozen=True)
class Market:
    """All that a cloud offers, by name."""

    sizes: dict[str, Size]
    meters: dict[str, Meter]
    regions: dict[str, Region]
    prices: PriceList
    gpus: dict[str, Gpu]
    speeds: tuple[Known, ...]
    """What others measured."""

    _quotes: dict[tuple[object, ...], Quote | None] = field(default_factory=dict, compare=False, repr=False)

    def meter(self, name: str) -> Meter:
        """Return a meter."""
        return meter(self.meters, name)

    def quote(self, name: str, region: str, as_of: date) -> Quote | None:
        """Return the price of a meter in a region on a day, if need be that of the nearest region which has one."""
        return self._once(self.prices.find, name, region, as_of)

    def disputed(self, name: str, region: str, as_of: date) -> Quote | None:
        """Return what a meter costs according to sources that others contradict."""
        return self._once(self.prices.disputed, name, region, as_of)

    def _once(self, find: Callable[..., Quote | None], name: str, region: str, as_of: date) -> Quote | None:
        """Look a price up; it is asked for again and again."""
        key = (find, name, region, as_of)
        if key not in self._quotes:
            self._quotes[key] = find(name, region, as_of, self.far(region))
        return self._quotes[key]

    def far(self, region: str) -> Callable[[str], float]:
        """Return what tells how far a region is from one, in kilometres; one that is not known is farthest.

        From one that is not known itself it is told as from the reference region.
        """
        here = self.regions.get(region) or self.regions.get(REFERENCE_REGION)

        def distance(name: str) -> float:
            there = self.regions.get(name)
            return here.distance(there) if here and there else float("inf")

        return distance
