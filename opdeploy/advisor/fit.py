"""How well a platform suits a workload, beside its ratings: a product of factors, each 1 where nothing is amiss."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opdeploy.advisor.needs import Needs
    from opdeploy.platform import Profile
    from opdeploy.workload import Stage

NEUTRAL = 0.5
"""Distance factor of a platform that the continuum does not place."""
WRONG_LIFETIME = 0.6
NO_SKILL: dict[Stage, float] = {"demo": 0.9, "pilot": 0.75, "production": 0.5}
"""Factor when the team knows none of the skills that the platform asks; in between in proportion."""
SPARK_UNUSED = 0.5
GPU_UNUSED = 0.7
DATA_ELSEWHERE = 0.7
"""Factor when a batch run must first copy its data from a place that the platform does not read."""
IDLE = 0.7
"""Factor when traffic is rare and the platform stays up."""
RARE = 0.25
"""Traffic is rare when an instance that sleeps after the cool-down is up for less than this share of the time."""
COOL_DOWN_S = 300.0
"""Cool-down by which rarity is judged where a platform has none of its own: the default of those that do."""


class Factor(NamedTuple):
    """One factor of the fit, with the sentence that explains it."""

    value: float
    why: str


def fit(needs: Needs, profile: Profile) -> tuple[float, tuple[Factor, ...]]:
    """Return the fit, 0 to 1 in hundredths, and the factors that lower it."""
    value = 1.0
    factors = (
        _place(needs, profile),
        _stage(needs, profile),
        _lifetime(needs, profile),
        _skills(needs, profile),
        _spark(needs, profile),
        _gpu(needs, profile),
        _data(needs, profile),
        _idle(needs, profile),
    )
    for factor in factors:
        value *= factor.value
    return round(value, 2), tuple(factor for factor in factors if factor.value < 1)


def scales_to_zero(profile: Profile) -> bool:
    """Tell whether the platform can sleep without traffic."""
    return profile.limits.scale_to_zero is not None and profile.limits.scale_to_zero.value


def cold_start_breaks_bound(needs: Needs, profile: Profile) -> bool:
    """Tell whether a cold start takes longer than the declared p95: a reason not to sleep."""
    cold = profile.limits.cold_start_s
    return cold is not None and needs.load.p95_s is not None and cold.value > needs.load.p95_s


def _place(needs: Needs, profile: Profile) -> Factor:
    place = profile.place.value
    if place is None:
        return Factor(NEUTRAL, "has no place on the continuum, which counts half")
    distance = abs(place - needs.place)
    return Factor(1 - distance, f"lies {distance:.2f} from the workload's place on the continuum")


def _stage(needs: Needs, profile: Profile) -> Factor:
    return Factor(profile.stages.value.get(needs.stage, 0.5), f"{needs.stage}: {profile.stages.why}")


def _lifetime(needs: Needs, profile: Profile) -> Factor:
    bounds = profile.lifetime
    if bounds is None:
        return Factor(1, "")
    low, high = bounds.at_least or 0, bounds.at_most or float("inf")
    return Factor(1 if low <= needs.lifetime_days <= high else WRONG_LIFETIME, bounds.why)


def _skills(needs: Needs, profile: Profile) -> Factor:
    asked = profile.skills.value
    missing = [skill for skill in asked if skill not in needs.knows]
    if not needs.knows or not missing:
        return Factor(1, "")
    return Factor(
        1 - (1 - NO_SKILL[needs.stage]) * len(missing) / len(asked),
        f"the team does not say that it knows {', '.join(missing)}",
    )


def _spark(needs: Needs, profile: Profile) -> Factor:
    unused = profile.spark is not None and profile.spark.value and not needs.spark
    return Factor(SPARK_UNUSED if unused else 1, "brings Spark, which the work does not need")


def _gpu(needs: Needs, profile: Profile) -> Factor:
    gpu = profile.limits.gpu
    unused = gpu is not None and gpu.value == "always" and needs.gpu == "none"
    return Factor(GPU_UNUSED if unused else 1, "pays for a GPU that the model does not need")


def _data(needs: Needs, profile: Profile) -> Factor:
    elsewhere = needs.batch and needs.location not in profile.data_in_place.value
    return Factor(DATA_ELSEWHERE if elsewhere else 1, f"the data has to be copied from {needs.location} first")


def _idle(needs: Needs, profile: Profile) -> Factor:
    cool_down = profile.limits.cool_down_s
    lasting = needs.online and needs.lifetime_days >= 1
    rare = lasting and needs.load.awake(cool_down.value if cool_down else COOL_DOWN_S) < RARE
    stays_up = not scales_to_zero(profile) or cold_start_breaks_bound(needs, profile)
    return Factor(IDLE if rare and stays_up else 1, "stays up although traffic is rare")
