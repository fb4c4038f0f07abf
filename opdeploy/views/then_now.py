"""What changed from the chapter of 2018 to today: the two editions side by side, each change with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from opdeploy import words
from opdeploy.views.heatmap import Row, row
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from opdeploy.catalogue import Catalogue
    from opdeploy.platform import Evidence, FlagLimit, GpuLimit, Grade, Patterns, Place, Profile, Rating, Skills, Stages

    Valued = Rating | Place | Patterns | Skills | Stages | FlagLimit | GpuLimit

HEADLINE = "Platforms by criteria, then (2018) and now (2026)"

Kind = Literal["new", "ended", "changed", "same"]


@dataclass(frozen=True, slots=True)
class Change:
    """A field that has another value today, and the evidence for it."""

    field: str
    then: object
    now: object
    why: str
    grade: Grade
    source: str
    date: str

    @property
    def sentence(self) -> str:
        """What changed, and why."""
        then, now = self.values
        return f"{words.plain(self.field)} {then} → {now}: {self.why}"

    @property
    def values(self) -> tuple[str, str]:
        """Both values for a person; what is new had none."""
        return "-" if self.then is None else words.shown(self.then), words.shown(self.now)


@dataclass(frozen=True, slots=True)
class Pair:
    """A platform in both editions; `then` is None for one that the chapter does not have."""

    platform: str
    title: str
    kind: Kind
    then: Row | None
    now: Row
    changes: tuple[Change, ...]

    @property
    def ratings(self) -> list[tuple[float, float]]:
        """The ratings then and now; those of a new platform were never others."""
        return list(zip((self.then or self.now).ratings, self.now.ratings, strict=True))

    @property
    def note(self) -> str:
        """What has become of it, in a word or a few."""
        return self.now.out or ("" if self.kind == "same" else self.kind)

    def record(self) -> dict[str, Any]:
        """Return it as data."""
        return {
            "platform": self.platform,
            "title": self.title,
            "kind": self.kind,
            "then": _ratings(self.then),
            "now": _ratings(self.now),
            "changes": [asdict(change) for change in self.changes],
        }


def then_now(then: Catalogue, now: Catalogue, day: date) -> tuple[Pair, ...]:
    """Return every platform: in the chapter's order, then those that are new, from batch to real time."""
    profiles = sorted(now.profiles, key=lambda profile: _order(then.by_id.get(profile.id), profile))
    return tuple(_pair(then.by_id.get(profile.id), profile, day) for profile in profiles)


def change_records(pairs: tuple[Pair, ...]) -> list[dict[str, Any]]:
    """Return each change as a flat record."""
    return [{"platform": pair.platform, **asdict(change)} for pair in pairs for change in pair.changes]


def _order(then: Profile | None, now: Profile) -> tuple[bool, int, float, str]:
    return (then is None, (then and then.heatmap_row) or 0, now.place.order, now.id)


def _pair(then: Profile | None, now: Profile, day: date) -> Pair:
    changes = tuple(_changes(then, now, day))
    ended = now.lifecycle.ended(day)
    kind: Kind = "new" if then is None else "ended" if ended else "changed" if changes else "same"
    before = row(then, day) if then else None
    return Pair(now.id, now.title, kind, before, row(now, day), changes)


def _changes(then: Profile | None, now: Profile, day: date) -> Iterator[Change]:
    state = now.lifecycle.on(day)
    if then is None or now.lifecycle.ended(day):
        yield _change("lifecycle", then and then.lifecycle.state, state, now.lifecycle)
    if then is None:
        return
    for field, before, after in _compared(then, now):
        # What an edition does not know has not changed.
        if before and after and before.value is not None and before.value != after.value:
            yield _change(field, _plain(before.value), _plain(after.value), after)


def _compared(then: Profile, now: Profile) -> Iterator[tuple[str, Valued | None, Valued | None]]:
    for criterion in CRITERIA:
        yield criterion, then.ratings.of(criterion), now.ratings.of(criterion)
    yield "place", then.place, now.place
    yield "patterns", then.patterns, now.patterns
    yield "skills", then.skills, now.skills
    yield "stages", then.stages, now.stages
    yield "docker", then.docker, now.docker
    yield "gpu", then.limits.gpu, now.limits.gpu


def _change(field: str, then: object, now: object, evidence: Evidence) -> Change:
    return Change(field, then, now, evidence.why, evidence.grade, evidence.source, evidence.date)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _ratings(found: Row | None) -> dict[str, float] | None:
    return None if found is None else dict(zip(CRITERIA, found.ratings, strict=True))
