"""Weighs costs, latencies and capacities of platforms against each other."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from opdeploy.advisor.offers import consider
from opdeploy.recommendation import BreakEven

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opdeploy.advisor.offers import Choice, Considered, Shop
    from opdeploy.advisor.scoring import Scored
    from opdeploy.platform import Profile

NEIGHBOURS = 3
"""So many of the best are compared in cost."""
LOADS = tuple(2.0**power for power in range(-4, 5))
"""Multiples of the load at which costs are compared."""
_STEPS = 7
"""Halvings between two of them: less than a hundredth."""


def inexpensive_first(scored: Sequence[Scored], considered: Mapping[str, Considered], tied: int) -> list[Scored]:
    """Order those in a tie, the first ones, by cost; what is not fully known is not cheap, and comes after them."""

    def cost(item: Scored) -> float:
        return _whole(considered.get(item.profile.id))

    return [*sorted(scored[:tied], key=cost), *scored[tied:]]


def _whole(found: Considered | None) -> float:
    """Return what a month costs; infinite where a part of it has no price, or it does only if all goes well."""
    if found is None or found.cost is None or found.cost.missing or (found.best and found.best.hope == "hoped"):
        return math.inf
    return found.cost.monthly_usd


def pareto(considered: Mapping[str, Considered]) -> tuple[str, ...]:
    """Return the platforms than which none costs less and answers sooner; those whose cost is not known whole are none.

    Of runs the time to their end counts.
    """
    points = {
        platform: (_whole(found), _latency(found.best))
        for platform, found in considered.items()
        if found.best and not math.isinf(_whole(found))
    }
    return tuple(
        platform
        for platform, (usd, latency) in sorted(points.items(), key=lambda item: item[1])
        if not any(a <= usd and b <= latency and (a, b) != (usd, latency) for a, b in points.values())
    )


def _latency(choice: Choice) -> float:
    sizing = choice.sized.sizing
    return sizing.p95_ms if sizing.p95_ms is not None else sizing.run_s or math.inf


def break_even(shop: Shop, ranked: Sequence[Profile]) -> tuple[BreakEven, ...]:
    """Return at which loads the best platform and those after it change places by cost, within a factor of 16."""
    costs = [_Costs(shop, profile) for profile in ranked[:NEIGHBOURS]]
    return tuple(crossing for other in costs[1:] for crossing in _crossings(costs[0], other))


class _Costs:
    """What a platform costs at multiples of the load, each looked up once."""

    def __init__(self, shop: Shop, profile: Profile) -> None:
        self.platform = profile.id
        self._shop = shop
        self._profile = profile
        self._known: dict[float, float] = {}

    def at(self, factor: float) -> float:
        """Return what a month costs; infinite where it cannot be had, or is not known whole."""
        if factor not in self._known:
            self._known[factor] = _whole(consider(self._shop.times(factor), self._profile))
        return self._known[factor]


def _crossings(one: _Costs, other: _Costs) -> Iterator[BreakEven]:
    def leads(factor: float) -> bool | None:
        a, b = one.at(factor), other.at(factor)
        return None if math.isinf(a) or math.isinf(b) or a == b else a < b

    for low, high in itertools.pairwise(LOADS):
        before = leads(low)
        if before is None or leads(high) is not (not before):
            continue
        for _ in range(_STEPS):
            middle = math.sqrt(low * high)
            now = leads(middle)
            if now is None:  # they do not change places, but one of them is out for a while
                break
            low, high = (middle, high) if now is before else (low, middle)  # noqa: PLW2901 - the interval narrows
        else:
            cheaper, dearer = (other, one) if before else (one, other)
            yield BreakEven(cheaper.platform, dearer.platform, float(f"{high:.3g}"))


def notes(shop: Shop, best: str | None, considered: Mapping[str, Considered]) -> tuple[str, ...]:
    """Say what else capacity and cost tell."""
    return (*_no_gpu(shop, considered), *_provisional(shop, best, considered))


def _no_gpu(shop: Shop, considered: Mapping[str, Considered]) -> Iterator[str]:
    """Say where a quantised model on processors does what a GPU was wanted for, and what that saves."""
    if shop.needs.gpu == "none":
        return
    found = [(platform, choice) for platform, each in considered.items() for choice in each.choices]
    whole = [(platform, choice) for platform, choice in found if not choice.cost.missing and choice.hope == "expected"]
    with_gpu = [(choice.cost.monthly_usd, platform, choice) for platform, choice in whole if choice.size.gpu]
    forms = {variant.name: variant for variant in shop.speeds.variants}
    without = [
        (choice.cost.monthly_usd, platform, choice)
        for platform, choice in whole
        if not choice.size.gpu and (name := choice.sized.sizing.variant) and forms[name].precision == "int8"
    ]
    if not without:
        return
    usd, platform, choice = min(without, key=lambda item: item[:2])
    sizing = choice.sized.sizing
    form = forms[str(sizing.variant)]
    kept = f"p95 of {sizing.p95_ms:g} ms" if sizing.p95_ms is not None else f"runs of {sizing.run_s:g} s"
    saved = ""
    if with_gpu:
        dear, other, _ = min(with_gpu, key=lambda item: item[:2])
        saved = f", ${dear - usd:,.2f} less than the cheapest with one ({other})" if dear > usd else ""
    cost = ""
    if form.accuracy is not None and form.reference_accuracy is not None:
        loss = 100 * (form.reference_accuracy - form.accuracy)
        cost = f"; it loses {loss:.2g} points of accuracy, on {form.records} records"
    elif form.agreement is not None:
        cost = f"; it agrees with the model as it was on {form.agreement:.1%} of {form.records} records"
    on = f"{form.name} on {sizing.count} x {sizing.size} ({platform})"
    yield f"No GPU is needed: {on} has {kept} for ${usd:,.2f} a month{saved}{cost}."


def _provisional(shop: Shop, best: str | None, considered: Mapping[str, Considered]) -> Iterator[str]:
    """Say how to make an estimate firm."""
    choice = considered[best].best if best else None
    if choice is None or choice.sized.sizing.capacity.grade in ("measured", "scaled"):
        return
    if shop.speeds.measured:
        yield f"What {best} takes is an estimate: the model was not measured on hardware like {choice.size.id}."
        return
    model = shop.needs.model_name or "MODEL"
    yield (
        f"Sizes, p95 and cost are provisional: no measurement of the model is known. Make them firm with: "
        f"opdeploy model measure {model} -o json --file speed.json, then opdeploy recommend --measurement speed.json."
    )
