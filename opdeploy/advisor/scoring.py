"""The score: a weighted mean of ratings, exact, so that order and ties do not hang on rounding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from opdeploy.advisor.fit import Factor, fit
from opdeploy.advisor.weights import FIT, Weight
from opdeploy.recommendation import Contribution
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from opdeploy.advisor.needs import Needs
    from opdeploy.platform import Profile


@dataclass(frozen=True, slots=True)
class Scored:
    """A platform with its ratings in hundredths, in the order of the weights, and its exact score from 0 to 100."""

    profile: Profile
    hundredths: tuple[int, ...]
    score: Fraction
    misfits: tuple[Factor, ...]


def score(needs: Needs, profile: Profile, weights: dict[str, Weight]) -> Scored:
    """Score one platform by simple additive weighting (Hwang and Yoon 1981): 100 x sum(w r) / sum(w)."""
    suits, misfits = fit(needs, profile)
    ratings = [profile.ratings.of(criterion).value for criterion in CRITERIA]
    hundredths = tuple(round(100 * rating) for rating in [*ratings, suits])
    return Scored(profile, hundredths, weighted_mean(hundredths, weights), misfits)


def weighted_mean(hundredths: tuple[int, ...], weights: dict[str, Weight]) -> Fraction:
    """Return the exact weighted mean of ratings in hundredths."""
    exact = [Fraction(weight.value) for weight in weights.values()]
    return sum((w * r for w, r in zip(exact, hundredths, strict=True)), Fraction()) / sum(exact)


def contributions(scored: Scored, weights: dict[str, Weight]) -> tuple[Contribution, ...]:
    """Return what each criterion adds to the score."""
    total = sum(Fraction(weight.value) for weight in weights.values())
    found = []
    for (criterion, weight), hundredths in zip(weights.items(), scored.hundredths, strict=True):
        points = float(Fraction(weight.value) * hundredths / total)
        if criterion == FIT:
            why = "; ".join(f"{factor.why} (x {factor.value:.2f})" for factor in scored.misfits) or "suits in every way"
            found.append(Contribution(criterion, weight.value, hundredths / 100, points, why, "judgement"))
        else:
            rating = getattr(scored.profile.ratings, criterion)
            found.append(Contribution(criterion, weight.value, rating.value, points, rating.why, rating.grade))
    return tuple(found)
