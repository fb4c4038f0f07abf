"""How many instances a workload takes, how long they are up, and what that uses of each meter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from opdeploy.advisor import queueing
from opdeploy.advisor.costs import DAYS, Usage
from opdeploy.advisor.fit import cold_start_breaks_bound, scales_to_zero
from opdeploy.advisor.load import HOURS, OFFICE_HOURS_SHARE
from opdeploy.recommendation import Branch, Capacity, Sizing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opdeploy.advisor.capacity import Ability
    from opdeploy.advisor.capacity import Branch as AbilityBranch
    from opdeploy.advisor.load import Job
    from opdeploy.advisor.needs import Needs
    from opdeploy.market.sizes import Size
    from opdeploy.platform import Charge, Offer, Profile
    from opdeploy.speed import Estimate

HEADROOM = 0.7
"""Share of the time for which an instance may be busy at the peak: room for what was not foreseen. A judgement; with
one server, requests take 1 / (1 - 0.7) = 3.3 times as long as at an idle instance (M/M/1)."""
SLOWER = 5.0
"""Without a bound on latency, one so many times that of an idle instance is kept, as `opdeploy test-local` has it."""
PULL_MB_PER_S = 22.0
"""Of an image, from the least measured: 22 to 145 MB/s from a registry to Container Apps (the sources are those of
profiles/container-apps.yaml)."""
IMAGE_MB = 400.0
"""Of an image without the model: opdeploy's own, uncompressed."""
ANSWER_GB = 1e-6
"""Of a record's answer, that leaves Azure: a kilobyte, for want of a figure."""
MANY = 100
"""Nodes that share the work of a run, where it is told how long a window would have to be at least."""
TWICE = 2.0
"""A run may have capacity that may be taken away where its window holds it so many times: it is then repeated."""

Hope = Literal["expected", "hoped"]
"""Whether the expected time counts, or the shortest that may be."""


@dataclass(frozen=True, slots=True)
class Sized:
    """Instances of a size, and what they use in a month."""

    sizing: Sizing
    usage: tuple[Usage, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: where, of which size, and what it does."""

    profile: Profile
    offer: Offer
    size: Size
    ability: Ability

    @property
    def most(self) -> float:
        """How many of it there can be."""
        limit = self.profile.limits.instances
        return min(limit.value if limit else math.inf, self.size.series.instances or math.inf)

    @property
    def start_s(self) -> float:
        """Seconds that one more takes to start, without its image."""
        return self.offer.start_s.value if self.offer.start_s else 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a size does not do."""

    kind: Literal["latency", "instances", "window"]
    figure: float
    """Milliseconds of a request, instances, or seconds of a run: what would have to be allowed."""


def sized(needs: Needs, instance: Instance, hope: Hope) -> Sized | Refused:
    """Return how many instances a workload takes, or why they do not do."""
    return _run(needs, needs.job, instance, hope) if needs.job else _endpoint(needs, instance, hope)


def _endpoint(needs: Needs, instance: Instance, hope: Hope) -> Sized | Refused:
    load, profile, offer = needs.load, instance.profile, instance.offer
    ability, size = instance.ability, instance.size
    slowest = ability.branches[0] if hope == "expected" else ability.branches[-1]
    service = _service(slowest, ability, (lambda time: time.value) if hope == "expected" else (lambda time: time.low))
    bound = load.p95_s if load.p95_s is not None else SLOWER * (service.p95 + slowest.waits)
    rate = _rate(service, bound - slowest.waits)
    if not rate:
        return Refused("latency", 1000 * (service.p95 + slowest.waits))
    working = max(math.ceil(load.peak / rate), 1)
    spare = 1 if needs.availability is not None and not offer.covers_one else 0
    count = max(working + spare, offer.least)
    if count > instance.most:
        return Refused("instances", count)
    to_zero = offer.scales == "to_zero" and scales_to_zero(profile) and not spare
    to_zero = to_zero and not (load.p95_s is not None and cold_start_breaks_bound(needs, profile))
    least = 0 if to_zero else max(1 + spare, offer.least) if offer.scales != "by_hand" else count
    least = count if least and _comes_too_late(needs, instance) else least
    hours, up = _hours(needs, instance, count, least)
    busy = min(hours, load.average * service.mean * HOURS)
    idle = min(hours - busy, least * HOURS) if size.shape.idle_hourly else 0.0
    p95 = queueing.p95(service, load.peak / (count - spare)) + slowest.waits
    sizing = Sizing(
        size=size.id,
        count=count,
        capacity=_capacity(
            ability, "requests/s", lambda branch, time: _rate(_service(branch, ability, time), bound - branch.waits)
        ),
        p95_ms=_short(1000 * p95),
        run_s=None,
        spare=spare,
        least=least,
        in_flight=_short(max(1.0, rate * queueing.mean(service, rate))),
        spot=False,
        instance_hours=_short(hours),
        variant=ability.variant,
        why=(
            *ability.why,
            (
                f"an instance takes up to {_short(rate):g} requests/s, which keeps p95 within"
                f" {_short(1000 * bound):g} ms and leaves {1 - HEADROOM:.0%} of its time free"
            ),
            f"{load.peak:g} requests/s at the peak take {working}" + (", and one stands by" if spare else ""),
            up,
        ),
    )
    return Sized(sizing, tuple(_usage(needs, instance, sizing, hours - idle, idle)))


def _service(branch: AbilityBranch, ability: Ability, time: Callable[[Estimate], float]) -> queueing.Service:
    mean = time(branch.request)
    return queueing.Service(mean, mean * ability.spread)


def _rate(service: queueing.Service, bound: float) -> float:
    """Return the requests a second that one instance is given."""
    return queueing.most(service, bound, HEADROOM)


def _hours(needs: Needs, instance: Instance, count: int, least: int) -> tuple[float, str]:
    """Return the hours of all instances in a month, and how they came about."""
    load, profile = needs.load, instance.profile
    if instance.offer.scales == "by_hand":
        return count * HOURS, f"up all the time: {count} x {HOURS} hours"
    cool_down = profile.limits.cool_down_s.value if profile.limits.cool_down_s else 0.0
    if least == 0:
        share = load.awake(cool_down)
        return (
            share * count * HOURS,
            f"up for {share:.0%} of the time, with a cool-down of {cool_down:g} s, else asleep",
        )
    if load.shape == "steady":
        return count * HOURS, f"the peak may come at any time: {count} x {HOURS} hours"
    if _comes_too_late(needs, instance):
        start = instance.start_s + pull_s(needs)
        return (
            count * HOURS,
            f"a burst of {load.burst_s:g} s is over before another instance has started ({start:.0f} s)",
        )
    share = OFFICE_HOURS_SHARE
    if load.shape == "bursts":
        share = min(1.0, load.bursts_per_day * (load.burst_s + cool_down) / 86400)
    hours = (share * count + (1 - share) * min(least, count)) * HOURS
    return hours, f"{count} for {share:.0%} of the time, else {min(least, count)}"


def _comes_too_late(needs: Needs, instance: Instance) -> bool:
    """Tell whether a burst is over before another instance has started."""
    return needs.load.shape == "bursts" and instance.start_s + pull_s(needs) > needs.load.burst_s


def pull_s(needs: Needs) -> float:
    """Return the seconds that the image takes, with the model in it."""
    return (IMAGE_MB + needs.size_mb) / PULL_MB_PER_S


def _run(needs: Needs, job: Job, instance: Instance, hope: Hope) -> Sized | Refused:
    offer, ability, size = instance.offer, instance.ability, instance.size
    slowest = ability.branches[0] if hope == "expected" else ability.branches[-1]
    record = slowest.record.value if hope == "expected" else slowest.record.low
    start = instance.start_s + pull_s(needs)
    work = job.records * record
    if start >= job.window_s:
        return Refused("window", start + work / min(instance.most, MANY))
    count = max(math.ceil(work / (job.window_s - start)), offer.least)
    if count > instance.most:
        return Refused("instances", count)
    lasts = start + work / count
    spot = offer.spot and size.spot_hourly is not None and TWICE * lasts <= job.window_s
    stays = offer.scales == "by_hand" and not scales_to_zero(instance.profile)
    hours = count * HOURS if stays else min(job.runs * count * lasts / 3600, count * HOURS)
    sizing = Sizing(
        size=size.id,
        count=count,
        capacity=_capacity(ability, "records/s", lambda branch, time: 1 / time(branch.record)),
        p95_ms=None,
        run_s=_short(lasts),
        spare=0,
        least=0,
        in_flight=None,
        spot=spot,
        instance_hours=_short(hours),
        variant=ability.variant,
        why=(
            *ability.why,
            f"{job.records:,.0f} records are {_short(work):,g} s of work; a start takes {start:.0f} s, with the image",
            f"{count} instances end a run after {_short(lasts):g} s; the window is {job.window_s:g} s",
            f"{_short(job.runs):g} runs a month, {_short(hours):g} hours in all",
        ),
    )
    return Sized(sizing, tuple(_usage(needs, instance, sizing, hours, 0.0)))


def _capacity(
    ability: Ability,
    unit: Literal["requests/s", "records/s"],
    rate: Callable[[AbilityBranch, Callable[[Estimate], float]], float],
) -> Capacity:
    branches = [
        Branch(
            branch.processors,
            value=_short(rate(branch, lambda time: time.value)),
            low=_short(rate(branch, lambda time: time.high)),
            high=_short(rate(branch, lambda time: time.low)),
        )
        for branch in ability.branches
    ]
    return Capacity(
        value=min(branch.value for branch in branches),
        low=min(branch.low for branch in branches),
        high=max(branch.high for branch in branches),
        unit=unit,
        grade=ability.basis,
        branches=tuple(branches) if len(branches) > 1 else (),
    )


def _usage(needs: Needs, instance: Instance, sizing: Sizing, working: float, idle: float) -> Iterator[Usage]:
    """Yield units of meters; `working` and `idle` are the hours of all instances."""
    size = instance.size
    hourly = (size.spot_hourly if sizing.spot else None) or size.hourly
    yield from (Usage(meter, units * working) for meter, units in hourly.items())
    yield from (Usage(meter, units * idle) for meter, units in size.idle_hourly.items() if idle)
    yield from (Usage(meter, units * HOURS) for meter, units in size.shape.fixed_hourly.items())
    for charge in instance.offer.charges:
        if _applies(charge, needs):
            each = (charge.by_size or {}).get(size.id, charge.quantity)
            instances = (working + idle) / HOURS if charge.each == "instance" else 1.0
            yield Usage(charge.meter, each * instances * _times(charge, needs))


def _applies(charge: Charge, needs: Needs) -> bool:
    return (charge.stages is None or needs.stage in charge.stages) and charge.online in (None, needs.online)


def _times(charge: Charge, needs: Needs) -> float:
    """Return how often a charge comes in a month."""
    requests, records = monthly(needs)
    return {
        "hour": HOURS,
        "day": DAYS,
        "month": 1.0,
        "request": requests,
        "record": records,
        "gb_sent": records * ANSWER_GB,
    }[charge.per]


def monthly(needs: Needs) -> tuple[float, float]:
    """Return the requests and the records of a month."""
    if needs.job:
        return 0.0, needs.job.records * needs.job.runs
    return needs.load.monthly, needs.load.monthly * needs.load.records_per_request


def _short(value: float) -> float:
    """Return a figure with four digits."""
    return float(f"{value:.4g}")
