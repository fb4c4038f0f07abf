"""Platforms by criteria: the chapter's figure 10-8, of either edition, with or without a workload."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from opdeploy import report, words
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from datetime import date

    from opdeploy.catalogue import Catalogue
    from opdeploy.platform import Grade, Profile
    from opdeploy.recommendation import Cost, Ranked, Recommendation


@dataclass(frozen=True, slots=True)
class Row:
    """A platform with its ratings from 0 to 1, in the order of the criteria; `grade` is that of the weakest.

    `out` says in a few words why it is no candidate: it has ended, or the workload excludes it. The rest is what a
    workload makes of it.
    """

    platform: str
    title: str
    grade: Grade
    ratings: tuple[float, ...]
    out: str | None
    rank: int | None = None
    score: float | None = None
    fit: float | None = None
    tie: bool = False
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Rows in the order in which they are shown; `weights` are those of the criteria and of the fit, if any."""

    headline: str
    rows: tuple[Row, ...]
    ranking: bool
    weights: dict[str, float]

    @property
    def priced(self) -> bool:
        """Whether something is known of what the platforms cost."""
        return any(row.cost for row in self.rows)

    def records(self) -> list[dict[str, Any]]:
        """Return each row as data; rank, score, fit and exclusion only where a workload was given."""
        return [self._record(row) for row in self.rows]

    def _record(self, row: Row) -> dict[str, Any]:
        record: dict[str, Any] = {"platform": row.platform, "title": row.title, "grade": row.grade}
        record |= dict(zip(CRITERIA, row.ratings, strict=True))
        if self.ranking:
            record |= {"rank": row.rank, "score": row.score, "fit": row.fit, "excluded": row.out}
        return record


def heatmap(catalogue: Catalogue, day: date, answer: Recommendation | None = None) -> Heatmap:
    """Return the heatmap of an edition.

    Without an answer: in the chapter's order where it has one, else from batch to real time, what has ended last. With
    an answer: the ranking, and then what it excludes.
    """
    if answer is None:
        profiles = sorted(catalogue.profiles, key=lambda profile: _usual_order(profile, day))
        rows = tuple(row(profile, day) for profile in profiles)
        when = words.edition_and_day(catalogue.edition, day.isoformat())
        return Heatmap(f"Platforms by criteria, {when}", rows, ranking=False, weights={})
    ranked = tuple(
        _ranked(catalogue.by_id[item.platform], item, rank, tie=item.platform in answer.ties)
        for rank, item in enumerate(answer.ranked, 1)
    )
    excluded = tuple(
        _row(catalogue.by_id[item.platform], min((reason.short for reason in item.reasons), key=len))
        for item in answer.excluded
    )
    weights = {part.criterion: part.weight for item in answer.ranked[:1] for part in item.contributions}
    return Heatmap(report.headline(answer), ranked + excluded, ranking=True, weights=weights)


def row(profile: Profile, day: date) -> Row:
    """Return a platform's row as on a day."""
    return _row(profile, profile.lifecycle.on(day) if profile.lifecycle.ended(day) else None)


def _row(profile: Profile, out: str | None) -> Row:
    ratings = tuple(profile.ratings.of(criterion).value for criterion in CRITERIA)
    return Row(profile.id, profile.title, profile.ratings.grade, ratings, out)


def _ranked(profile: Profile, item: Ranked, rank: int, *, tie: bool) -> Row:
    fit = item.contributions[-1].rating
    return replace(_row(profile, None), rank=rank, score=item.score, fit=fit, tie=tie, cost=item.cost)


def _usual_order(profile: Profile, day: date) -> tuple[int, bool, float, str]:
    return (profile.heatmap_row or 0, profile.lifecycle.ended(day), profile.place.order, profile.id)
