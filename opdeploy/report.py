"""What a recommendation says in words: pure text, no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opdeploy.words import edition_and_day
from opdeploy.workload import CRITERIA, MAX_WEIGHT

if TYPE_CHECKING:
    from opdeploy.recommendation import Contribution, Ranked, Recommendation

NOTHING = "-"
PLAIN = frozenset({"pattern", "only", "development", "scope"})
"""Constraints that a short reason explains."""
TELLING = 0.5
"""Points that are worth a sentence."""


def headline(answer: Recommendation) -> str:
    """Say in one sentence what the answer is."""
    day = edition_and_day(answer.edition, answer.as_of)
    if answer.status == "out-of-scope":
        return f"{answer.workload}: out of scope ({day})"
    if answer.best is None:
        return f"{answer.workload}: no viable platform ({day})"
    if answer.status == "tie":
        others = ", ".join(platform for platform in answer.ties if platform != answer.best)
        return f"{answer.workload}: {answer.best}, in a tie with {others} ({day})"
    return f"{answer.workload}: {answer.best} ({day})"


def firmness(answer: Recommendation) -> list[str]:
    """Say how firm the order is: one sentence of win shares, and one for each weight that would change the lead."""
    if answer.best is None:
        return []
    if len(answer.ranked) == 1:
        return [f"{answer.best} is the only viable platform."]
    shares = answer.sensitivity.win_share
    often = max(shares, key=lambda platform: shares[platform])
    other = f"; {often} leads most often, in {shares[often]:.0%}" if shares[often] > shares[answer.best] else ""
    said = [f"{answer.best} leads in {shares[answer.best]:.0%} of 1,000 random weightings{other}."]
    highest = max(answer.ranked, key=lambda item: item.score)
    if highest.score > answer.ranked[0].score:
        more = f"{highest.score - answer.ranked[0].score:.1f} points more, which is a tie"
        known = highest.cost is not None and not highest.cost.missing
        why = "costs more" if known else "a part of its cost has no price"
        said.insert(0, f"{highest.platform} has {more}, and {why}.")
    said += [
        f"{flip.new_best} would lead with a weight of {flip.criterion} {_past(flip.at, flip.direction)}"
        f" ({'always' if flip.criterion not in CRITERIA else 'now'} {flip.weight:g})."
        for flip in answer.sensitivity.flips
        if flip.at is not None
    ]
    if not any(flip.at is not None for flip in answer.sensitivity.flips):
        said.append("No single weight between 0 and 5 changes that.")
    return said


def plainly_excluded(answer: Recommendation) -> dict[str, list[str]]:
    """Return the platforms that need no row of their own, by the short reason that excludes them first."""
    plain: dict[str, list[str]] = {}
    for item in answer.excluded:
        if item.reasons[0].constraint in PLAIN:
            plain.setdefault(item.reasons[0].short, []).append(item.platform)
    return plain


def _past(weight: float, direction: str) -> str:
    """Name the weights past one; at an end of the scale there is only the end itself."""
    if weight in {0, MAX_WEIGHT}:
        return f"{weight:g}"
    return f"{'above' if direction == 'up' else 'below'} {weight:.1f}"


def why_not(answer: Recommendation, platform: str) -> list[str]:
    """Say why a platform is not the recommended one."""
    for excluded in answer.excluded:
        if excluded.platform == platform:
            return [
                f"{platform} is excluded: {reason.text.rstrip('.')}. Would need {reason.would_need}."
                for reason in excluded.reasons
            ]
    rank = [ranked.platform for ranked in answer.ranked].index(platform)
    if rank == 0:
        return [f"{platform} is the recommended platform."]
    best, here = answer.ranked[0], answer.ranked[rank]
    behind = f"{best.score - here.score:.0f} points behind {best.platform}"
    said = [f"{platform} is number {rank + 1} of {len(answer.ranked)}, {behind}."]
    for gap in gaps(best, here):
        a, b = gap.of_best, gap.of_other
        figures = f"{abs(gap.points):.1f} in {a.criterion} ({b.rating:.2f} against {a.rating:.2f})"
        said.append(f"loses {figures}: {b.why}" if gap.points > 0 else f"gains {figures}")
    return said + [f"warning: {warning}" for warning in here.warnings]


class Gap(NamedTuple):
    """The points by which a platform is behind the best one in a criterion; less than none where it is ahead."""

    points: float
    of_best: Contribution
    of_other: Contribution


def gaps(best: Ranked, other: Ranked) -> list[Gap]:
    """Return where a platform differs from the best one by what is worth a sentence, the largest loss first."""
    pairs = zip(best.contributions, other.contributions, strict=True)
    found = [Gap(a.points - b.points, a, b) for a, b in pairs if abs(a.points - b.points) >= TELLING]
    return sorted(found, key=lambda gap: -gap.points)


def written(value: object) -> str:
    """Write a value for a person."""
    if value is None or value == ():
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
