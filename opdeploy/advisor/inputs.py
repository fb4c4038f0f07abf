"""A hash of all that an answer hangs on: the same for the same facts and workload, on every machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from opdeploy.advisor import Facts
    from opdeploy.catalogue import Catalogue
    from opdeploy.market import Market
    from opdeploy.market.prices import Price
    from opdeploy.market.sizes import Series, Size
    from opdeploy.speed import Speeds
    from opdeploy.workload import Workload


def fingerprint(
    workload: Workload, catalogue: Catalogue, as_of: date, size_on_disk_mb: float | None, facts: Facts | None
) -> str:
    """Return the hash of all that an answer hangs on but for the version of opdeploy, as `sha256:` and 64 digits.

    Of prices those count that the day knows: newer ones, and those that are not relied on, leave it as it is.
    """
    told = {
        "edition": catalogue.edition,
        "as_of": as_of.isoformat(),
        "workload": _workload(workload),
        "model_mb": size_on_disk_mb,
        "profiles": {profile.id: profile.model_dump(mode="json") for profile in catalogue.profiles},
        "market": _market(facts.market, as_of) if facts else None,
        "speeds": _speeds(facts.speeds) if facts else None,
    }
    # The canonical form: sorted keys, no spaces, ASCII, and numbers as the shortest text that reads back the same.
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"sha256:{sha256(text.encode('ascii')).hexdigest()}"


def _workload(workload: Workload) -> dict[str, Any]:
    """Return the fields of a workload; of what is a set the order says nothing."""
    told: dict[str, Any] = workload.model_dump(mode="json")
    told["team"]["knows"] = sorted(set(workload.team.knows))
    for name in ("only", "never"):
        told["constraints"][name] = sorted(set(told["constraints"][name]))
    return told


def _market(market: Market, as_of: date) -> dict[str, Any]:
    series = {size.series.id: (size.series, size) for size in market.sizes.values()}
    return {
        "series": {name: _series(*each) for name, each in series.items()},
        "gpus": {name: gpu.model_dump(mode="json") for name, gpu in market.gpus.items()},
        "meters": {name: meter.model_dump(mode="json") for name, meter in market.meters.items()},
        "regions": {name: asdict(region) for name, region in market.regions.items()},
        "prices": sorted(_price(price) for price in market.prices.counting(as_of)),
        "speeds": [known.model_dump(mode="json") for known in market.speeds],
    }


def _series(series: Series, size: Size) -> dict[str, Any]:
    processors = [generation.model_dump(mode="json") for generation in size.processors]
    return {**series.model_dump(mode="json"), "processors": processors}


def _price(price: Price) -> list[str]:
    return [price.meter, price.region, price.state, str(price.each.normalize()), price.date, price.source]


def _speeds(speeds: Speeds) -> dict[str, Any]:
    return {
        "measured": [item.model_dump(mode="json") for item in speeds.measured],
        "variants": [variant.model_dump(mode="json") for variant in speeds.variants],
        "images": speeds.images,
    }
