"""Decides where a workload should run: pure, from data alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opdeploy.advisor.constraints import exclusions, unknown_limits
from opdeploy.advisor.fit import cold_start_breaks_bound, scales_to_zero
from opdeploy.advisor.inputs import fingerprint
from opdeploy.advisor.needs import assess
from opdeploy.advisor.offers import Considered, Shop, consider
from opdeploy.advisor.scoring import Scored, contributions, score
from opdeploy.advisor.sensitivity import sensitivity
from opdeploy.advisor.weighing import break_even, inexpensive_first, notes, pareto
from opdeploy.advisor.weights import FIT, weights
from opdeploy.market import REFERENCE_REGION
from opdeploy.market.prices import STALE, is_stale
from opdeploy.recommendation import Assumption, Excluded, Ranked, Reason, Recommendation, Sensitivity
from opdeploy.speed import Speeds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from opdeploy.advisor.needs import Needs
    from opdeploy.advisor.weights import Weight
    from opdeploy.catalogue import Catalogue
    from opdeploy.market import Market
    from opdeploy.platform import Profile
    from opdeploy.workload import Workload

TIE_BAND = 2
"""Points within which scores count as equal: ratings by judgement are no finer than about a tenth in one criterion."""
SOON_DAYS = 365
GOOD = 0.7
"""A rating from here on speaks for a platform."""
MISFIT = 0.8
"""A factor of the fit up to here speaks against it."""

OUT_OF_SCOPE = Reason(
    "scope",
    "out of scope: a generative model, placed by tokens per second and by memory, which opdeploy does not measure",
    "vLLM, a Kubernetes operator such as KAITO, or a model API",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the workload."""

    market: Market
    """Sizes and dated prices; an edition has none where it is not that of today."""
    speeds: Speeds = field(default_factory=Speeds)
    """What was measured of the model."""


def recommend(
    workload: Workload,
    catalogue: Catalogue,
    as_of: date,
    size_on_disk_mb: float | None = None,
    facts: Facts | None = None,
) -> tuple[Recommendation, tuple[str, ...]]:
    """Rank every platform of an edition for a workload; returns the answer, and warnings about the workload file.

    `as_of` is the day on which platforms must still be alive; `size_on_disk_mb` is the size of the model file. Without
    `facts` nothing is sized, and nothing has a price.
    """
    inputs = fingerprint(workload, catalogue, as_of, size_on_disk_mb, facts)
    if workload.generative:
        return _out_of_scope(workload, catalogue, as_of, inputs), ()
    needs, assumptions, warnings = assess(workload, size_on_disk_mb)
    if facts and needs.region and needs.region not in facts.market.regions:
        warnings = (*warnings, f"region: {needs.region} is none that is known: prices are those of {REFERENCE_REGION}")
    reasons = {profile.id: exclusions(needs, profile, as_of) for profile in catalogue.profiles}
    shop = Shop(needs, facts.market, facts.speeds, as_of) if facts else None
    considered: dict[str, Considered] = {}
    if shop:
        considered = {each.id: consider(shop, each) for each in catalogue.profiles if not reasons[each.id]}
        reasons |= {platform: found.reasons for platform, found in considered.items()}
    weighting = weights(needs, workload.priorities)
    viable = [profile for profile in catalogue.profiles if not reasons[profile.id]]
    scored = sorted((score(needs, profile, weighting) for profile in viable), key=lambda s: (-s.score, s.profile.id))
    ties = [s.profile.id for s in scored if scored[0].score - s.score <= TIE_BAND]
    firm = sensitivity(scored, weighting) if scored else Sensitivity({}, ())
    scored = inexpensive_first(scored, considered, len(ties))
    ties = [s.profile.id for s in scored[: len(ties)]] if len(ties) > 1 else []
    best = scored[0].profile.id if scored else None
    return Recommendation(
        workload=workload.name,
        edition=catalogue.edition,
        as_of=as_of.isoformat(),
        inputs=inputs,
        status="no-viable-platform" if not scored else "tie" if ties else "recommended",
        best=best,
        ranked=tuple(_ranked(needs, item, weighting, as_of, considered.get(item.profile.id)) for item in scored),
        excluded=tuple(Excluded(platform, found) for platform, found in sorted(reasons.items()) if found),
        ties=tuple(ties),
        region=shop.region if shop else None,
        pareto=pareto({each.id: considered[each.id] for each in viable} if shop else {}),
        break_even=break_even(shop, [item.profile for item in scored]) if shop else (),
        notes=notes(shop, best, considered) if shop else (),
        sensitivity=firm,
        assumptions=(
            *assumptions,
            *_weights_taken(weighting, workload),
            *unknown_limits(needs, viable),
            *(_prices_taken(shop) if shop else (NO_PRICES,)),
        ),
    ), warnings


NO_PRICES = Assumption("prices", None, "none in this edition: neither cost nor capacity enters")


def _prices_taken(shop: Shop) -> Iterator[Assumption]:
    """Tell what sizes and costs rest on beside the workload."""
    if shop.needs.region is None:
        yield Assumption("prices.region", shop.region, "no region is given: that of which most prices are known")
    if not shop.speeds.measured:
        yield Assumption("measurements", None, "none: what an instance carries is estimated from GFLOPs")


def place(workload: Workload) -> float:
    """Return a workload's place on the continuum, from 0 (batch) to 1 (real time)."""
    return assess(workload, None)[0].place


def _out_of_scope(workload: Workload, catalogue: Catalogue, as_of: date, inputs: str) -> Recommendation:
    excluded = tuple(Excluded(profile.id, (OUT_OF_SCOPE,)) for profile in catalogue.profiles)
    return Recommendation(
        workload.name, catalogue.edition, as_of.isoformat(), inputs, "out-of-scope", None, (), excluded, (), None, (),
        (), (), Sensitivity({}, ()), (),
    )  # fmt: skip


def _weights_taken(weighting: dict[str, Weight], workload: Workload) -> tuple[Assumption, ...]:
    return tuple(
        Assumption(f"priorities.{criterion}", weight.value, weight.why)
        for criterion, weight in weighting.items()
        if criterion != FIT and getattr(workload.priorities, criterion) is None
    )


def _ranked(
    needs: Needs, scored: Scored, weighting: dict[str, Weight], as_of: date, considered: Considered | None
) -> Ranked:
    profile = scored.profile
    parts = contributions(scored, weighting)
    strongest = sorted(parts, key=lambda part: -part.points)[:2]
    reasons = [f"best for {profile.best_for}"]
    reasons += [f"{part.criterion}: {part.why}" for part in strongest if part.criterion != FIT and part.rating >= GOOD]
    reasons += [factor.why for factor in scored.misfits if factor.value <= MISFIT]
    warnings = [*_warnings(needs, profile, as_of), *(_of_choice(needs, considered, as_of) if considered else ())]
    return Ranked(
        platform=profile.id,
        score=float(scored.score),
        sizing=considered.best.sized.sizing if considered and considered.best else None,
        cost=considered.cost if considered else None,
        contributions=parts,
        reasons=tuple(reasons),
        warnings=tuple(warnings),
    )


def _of_choice(needs: Needs, considered: Considered, as_of: date) -> Iterator[str]:
    """Warn of what is not firm in a size and its cost."""
    if considered.best and considered.best.hope == "hoped":
        yield "does what is demanded only at the better end of what is expected: measure it"
    missing = considered.cost.missing if considered.cost else ()
    if needs.budget_usd is not None and missing:
        yield f"whether it keeps to the budget is not known: no price of {', '.join(missing)}"
    lines = considered.cost.lines if considered.cost else ()
    later = sum((line.date or "") > as_of.isoformat() for line in lines)
    if later:
        yield f"of {len(lines)} prices {_are(later)} of a later day, as none of an earlier one is known"
    old = sum(is_stale(line.date, as_of) for line in lines)
    if old:
        yield f"of {len(lines)} prices {_are(old)} undated, or over {STALE.days} days old: opdeploy prices refresh"


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def _warnings(needs: Needs, profile: Profile, as_of: date) -> list[str]:
    found = []
    cycle = profile.lifecycle
    if cycle.until and (cycle.until - as_of).days <= SOON_DAYS:
        to = f"; successor: {', '.join(cycle.successors)}" if cycle.successors else ""
        found.append(f"retires on {cycle.until.isoformat()}{to}")
    if cycle.state == "preview":
        found.append(f"in preview: {cycle.why}")
    limits = profile.limits
    if needs.online and scales_to_zero(profile) and cold_start_breaks_bound(needs, profile):
        found.append("do not scale to zero: a cold start takes longer than serving.latency_ms.p95")
    if needs.online and limits.tls and not limits.tls.value:
        found.append(f"plain HTTP: {limits.tls.why}")
    return found
