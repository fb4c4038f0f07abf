"""Chooses the size of a platform: the cheapest that does what the workload demands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from opdeploy.advisor.capacity import Model, ability
from opdeploy.advisor.costs import cost
from opdeploy.advisor.needs import LEAST_GFLOPS
from opdeploy.advisor.sizing import Instance, Refused, Sized, monthly, sized
from opdeploy.market import REFERENCE_REGION
from opdeploy.recommendation import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from opdeploy.advisor.capacity import Ability
    from opdeploy.advisor.needs import Needs
    from opdeploy.advisor.sizing import Hope
    from opdeploy.market import Market
    from opdeploy.market.sizes import Size
    from opdeploy.platform import Offer, Profile
    from opdeploy.recommendation import Cost
    from opdeploy.speed import Speeds

GIB = 1.073741824
"""Of GB, as memory is told."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Instances of one size, and what they cost a month."""

    size: Size
    sized: Sized
    cost: Cost
    hope: Hope


@dataclass(frozen=True, slots=True)
class Considered:
    """What came of all sizes of a platform."""

    best: Choice | None
    """The cheapest that does, within the budget if one is; None where none does, or it has no sizes."""
    cost: Cost | None
    """Of that; where it has no sizes, what is known of the cost; None where nothing is."""
    reasons: tuple[Reason, ...]
    """Why it is out."""
    choices: tuple[Choice, ...] = ()
    """All that do, with and without a GPU, whether one is demanded or not; the cheapest first."""


@dataclass(frozen=True)
class Shop:
    """All that decides about sizes and costs, but for the platform."""

    needs: Needs
    market: Market
    speeds: Speeds
    as_of: date
    _abilities: dict[str, Ability] = field(default_factory=dict, compare=False, repr=False)

    @property
    def region(self) -> str:
        """Where prices are asked for."""
        return self.needs.region or REFERENCE_REGION

    def times(self, factor: float) -> Shop:
        """Return the same for so many times the load."""
        needs = self.needs
        job = needs.job.times(factor) if needs.job else None
        return replace(self, needs=replace(needs, load=needs.load.times(factor), job=job))

    def ability(self, size: Size) -> Ability:
        """Return what an instance of a size does with the model; the load has nothing to do with it."""
        if size.id not in self._abilities:
            self._abilities[size.id] = ability(model_of(self), size, self.market)
        return self._abilities[size.id]


def consider(shop: Shop, profile: Profile) -> Considered:
    """Choose among the sizes of a platform."""
    offer = profile.offer
    if offer is None:
        return Considered(None, None, ())
    if not offer.sizes:
        return Considered(None, cost((), offer.unpriced, shop.market, shop.region, shop.as_of), ())
    fits = [shop.market.sizes[name] for name in offer.sizes]
    fits = [size for size in fits if not size.retired(shop.as_of) and _has_room(shop.needs, profile, size)]
    if not any(_is_wanted(shop.needs, size, fits) for size in fits):
        return Considered(None, None, (_too_small(shop.needs),))
    refused: list[tuple[Size, Refused]] = []
    for hope in ("expected", "hoped"):
        tried = [(size, _sized(shop, profile, offer, size, hope)) for size in fits]
        choices = tuple(sorted(_priced(shop, offer, tried, hope), key=_cheapness))
        wanted = [choice for choice in choices if _is_wanted(shop.needs, choice.size, fits)]
        if wanted:
            best = next((each for each in wanted if not _over_budget(shop.needs, each.cost)), wanted[0])
            return Considered(best, best.cost, _over_budget(shop.needs, best.cost), choices)
        refused = [
            (size, each) for size, each in tried if isinstance(each, Refused) and _is_wanted(shop.needs, size, fits)
        ]
    return Considered(None, None, (_slow(shop.needs, refused),), choices)


def _has_room(needs: Needs, profile: Profile, size: Size) -> bool:
    with_gpu, of_size = profile.limits.gpu_regions, size.series.regions
    if size.gpu and needs.region and with_gpu and needs.region not in with_gpu.value:
        return False
    if needs.region and of_size is not None and needs.region not in of_size:
        return False
    return needs.memory_gb <= size.shape.memory_gib * GIB


def _is_wanted(needs: Needs, size: Size, sizes: Iterable[Size]) -> bool:
    """Tell whether a size has a GPU, or none, as is demanded; where none is, one is taken only for want of others."""
    if needs.gpu == "none" and any(each.gpu is None for each in sizes):
        return size.gpu is None
    return size.gpu is not None or needs.gpu != "required"


def _sized(shop: Shop, profile: Profile, offer: Offer, size: Size, hope: Hope) -> Sized | Refused:
    return sized(shop.needs, Instance(profile, offer, size, shop.ability(size)), hope)


def model_of(shop: Shop) -> Model:
    """Return what is known of the workload's model."""
    needs, load = shop.needs, shop.needs.load
    return Model(
        name=needs.model_name,
        gflops=max(needs.gflops, LEAST_GFLOPS),
        records=1 if needs.job else load.records_per_request,
        payload_mb=(needs.job.record_mb if needs.job else load.payload_mb) or 0.0,
        images=shop.speeds.images,
        speeds=shop.speeds,
    )


def _priced(shop: Shop, offer: Offer, tried: Iterable[tuple[Size, Sized | Refused]], hope: Hope) -> Iterator[Choice]:
    records = monthly(shop.needs)[1]
    for size, found in tried:
        if isinstance(found, Sized):
            sum_up = cost(found.usage, offer.unpriced, shop.market, shop.region, shop.as_of)
            each = round(1e6 * sum_up.monthly_usd / records, 4) if records else None
            yield Choice(size, found, replace(sum_up, per_million_records=each), hope)


def _cheapness(choice: Choice) -> tuple[int, float, int, str]:
    """Order choices: what has no price is not cheap; of equal ones that of fewer instances, then by name."""
    return len(choice.cost.missing), choice.cost.monthly_usd, choice.sized.sizing.count, choice.size.id


def _over_budget(needs: Needs, found: Cost) -> tuple[Reason, ...]:
    budget = needs.budget_usd
    least = found.monthly_usd if found.status == "complete" else found.low
    if budget is None or least <= budget:
        return ()
    at_least = "" if found.status == "complete" else " at least"
    text = f"costs ${least:,.2f} a month{at_least}, and the budget is ${budget:,.2f}"
    return (Reason("budget", text, f"budget.monthly_usd: {least:,.2f} or more".replace(",", "")),)


def _too_small(needs: Needs) -> Reason:
    text = f"needs {needs.memory_gb:g} GB of memory, and none of its sizes that can be had has that"
    return Reason("memory", text, f"hardware.memory_gb: less than {needs.memory_gb:g}")


def _slow(needs: Needs, refused: list[tuple[Size, Refused]]) -> Reason:
    """Say why none of the sizes does, not even if all goes well: of that which comes nearest."""
    order = {"instances": 0, "latency": 1, "window": 1}
    size, near = min(refused, key=lambda pair: (order[pair[1].kind], pair[1].figure))
    if near.kind == "instances":
        text = f"takes {near.figure:g} instances of {size.id}, the fewest of its sizes, and has not so many"
        return Reason("instances", text, "a faster model, or less load")
    if near.kind == "window":
        text = f"a run takes {near.figure:.0f} s on {size.id}, with starting, and the window is {_window(needs):g} s"
        return Reason("window", text, f"batch.window: {near.figure:.0f}s or more")
    bound = 1000 * (needs.load.p95_s or 0)
    takes = float(f"{near.figure:.3g}")
    text = f"a request takes {takes:g} ms on {size.id}, its fastest size, at best, and {bound:g} are allowed"
    return Reason("latency", text, f"serving.latency_ms.p95: {math.ceil(near.figure)} or more, or a faster model")


def _window(needs: Needs) -> float:
    return needs.job.window_s if needs.job else 0.0
