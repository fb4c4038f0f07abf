"""How firm a ranking is: win shares under random weights, and the weights at which the lead changes."""

from __future__ import annotations

from fractions import Fraction
from operator import mul
from random import Random
from typing import TYPE_CHECKING, Literal

from opdeploy.recommendation import Flip, Sensitivity
from opdeploy.workload import MAX_WEIGHT

if TYPE_CHECKING:
    from opdeploy.advisor.scoring import Scored
    from opdeploy.advisor.weights import Weight

DRAWS = 1000
SEED = 2018


def sensitivity(ranked: list[Scored], weights: dict[str, Weight]) -> Sensitivity:
    """Return win shares and flips of a ranking, best first."""
    return Sensitivity(win_shares(ranked, len(weights)), tuple(flips(ranked, weights)))


def win_shares(ranked: list[Scored], criteria: int) -> dict[str, float]:
    """Return the share of 1,000 weightings, uniform on the simplex, in which each platform leads.

    Stochastic multicriteria acceptability analysis: Lahdelma, Hokkanen and Salminen 1998. Exponential variates, divided
    by their sum, are uniform on the simplex; the division changes no order. An exact tie goes to the better ranked.
    """
    random = Random(SEED)  # noqa: S311  no secret: the same draws every time
    wins = [0] * len(ranked)
    rows = [scored.hundredths for scored in ranked]
    for _ in range(DRAWS if rows else 0):
        draw = [random.expovariate(1.0) for _ in range(criteria)]
        scores = [sum(map(mul, draw, row)) for row in rows]
        wins[scores.index(max(scores))] += 1
    return {scored.profile.id: count / DRAWS for scored, count in zip(ranked, wins, strict=True)}


def flips(ranked: list[Scored], weights: dict[str, Weight]) -> list[Flip]:
    """Return, for each criterion, where its raw weight, changed alone within 0 to 5, hands the lead to another.

    The critical weight of Triantaphyllou and Sanchez 1997: the lead over a rival is linear in one weight.
    """
    found = []
    for index, (criterion, weight) in enumerate(weights.items()):
        here = [
            Flip(criterion, weight.value, float(at), direction, best)
            for direction in ("up", "down")
            if (crossing := _nearest(ranked, weights, index, direction)) is not None
            for at, best in [crossing]
        ]
        found += here or [Flip(criterion, weight.value, None, direction, None) for direction in ("up", "down")]
    return found


def _nearest(
    ranked: list[Scored], weights: dict[str, Weight], index: int, direction: Literal["up", "down"]
) -> tuple[Fraction, str] | None:
    """Return the first weight, going up or down, past which another platform leads, and that platform."""
    exact = [Fraction(weight.value) for weight in weights.values()]
    current = exact[index]
    crossings = []
    for rank, rival in enumerate(ranked[1:]):
        gaps = [a - b for a, b in zip(ranked[0].hundredths, rival.hundredths, strict=True)]
        slope = gaps[index] if direction == "up" else -gaps[index]
        if slope >= 0:  # the lead does not shrink this way
            continue
        lead = sum((w * gap for w, gap in zip(exact, gaps, strict=True)), Fraction())
        distance = lead / -slope
        room = MAX_WEIGHT - current if direction == "up" else current
        # At the very end of the scale the two are level, and the order of ids decides.
        if distance < room or (distance == room and rival.profile.id < ranked[0].profile.id):
            crossings.append((distance, slope, rank, rival.profile.id))
    if not crossings:
        return None
    distance, _, _, best = min(crossings)
    return (current + distance if direction == "up" else current - distance), best
