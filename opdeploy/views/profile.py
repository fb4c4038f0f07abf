"""A platform's profile as a document: every figure with its reason, its grade and the number of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy import words
from opdeploy.markdown import code, line, text
from opdeploy.platform import NameRule
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from opdeploy.platform import AnyLimit, Edition, Evidence, Lifecycle, Limits, Offer, Profile

    Sources = dict[tuple[str, str], int]
    """The number of each source and its date, in the order of appearance."""


def as_data(profile: Profile, edition: Edition, day: date, about: str) -> dict[str, object]:
    """Return the profile for a program, with its state on a day and what its file tells beyond the editions."""
    data = profile.model_dump(mode="json")
    asked = {"edition": edition, "as_of": day.isoformat(), "state": profile.lifecycle.state_on(day), "about": about}
    return {"id": data.pop("id"), "title": data.pop("title"), **asked, **data}


def markdown(profile: Profile, edition: Edition, day: date, about: str) -> str:
    """Write the profile as Markdown; `about` is what its file tells beyond the editions."""
    return "\n".join(_document(profile, edition, day, about)) + "\n"


def _document(profile: Profile, edition: Edition, day: date, about: str) -> Iterator[str]:
    sources: Sources = {}
    when = words.edition_and_day(edition, day.isoformat())
    yield from (f"# {text(profile.title)}", "", f"`{profile.id}`: {profile.lifecycle.on(day)} ({when}).", "")
    yield from (f"> {line(about)}", "") if about else ()
    yield from (
        f"Best for {text(profile.best_for)}. Not for:",
        "",
        *(f"- {line(item)}" for item in profile.not_for),
        "",
    )
    yield from ("## Lifecycle", "", *_lifecycle(profile.lifecycle, day, sources), "")
    yield from ("## Ratings, from 0 (poor) to 1 (good)", "", *_ratings(profile, sources), "")
    yield from ("## What it suits", "", *_suits(profile, sources), "")
    yield from ("## What the default offer gives", "", *_limits(profile.limits, sources))
    if profile.sizes:
        yield _figure("sizes", profile.sizes.value, profile.sizes, sources)
    unknown = [text(words.LIMITS[name][0]) for name, limit in profile.limits if limit is None]
    if unknown:
        yield from ("", f"Not known in this edition, so that they exclude nothing: {', '.join(unknown)}.")
    if profile.offer:
        yield from ("", "## What is billed", "", *_offer(profile.offer, sources))
    yield from ("", "## Sources", "")
    yield from (f"{number}. {line(source)} ({when})" for (source, when), number in sources.items())


def _lifecycle(cycle: Lifecycle, day: date, sources: Sources) -> Iterator[str]:
    since = f", in this form since {cycle.since.isoformat()}" if cycle.since else ""
    yield f"- **{cycle.on(day)}**{since}: {_because(cycle, sources)}"
    if cycle.successors:
        yield f"- **successors** {', '.join(f'`{platform}`' for platform in cycle.successors)}"


def _ratings(profile: Profile, sources: Sources) -> Iterator[str]:
    for criterion in CRITERIA:
        rating = profile.ratings.of(criterion)
        yield _figure(words.plain(criterion), f"{rating.value:.2f}", rating, sources)


def _suits(profile: Profile, sources: Sources) -> Iterator[str]:
    figures = {
        "place from batch (0) to real time (1)": profile.place,
        "patterns": profile.patterns,
        "stages": profile.stages,
        "skills": profile.skills,
        "Docker": profile.docker,
        "platform of images": profile.image_platform,
        "Spark": profile.spark,
        "single machine": profile.single_node,
        "recommended only when named": profile.only_when_named,
        "data that it reads in place": profile.data_in_place,
        "only for data in": profile.data_required,
        "only for the models": profile.models,
    }
    for label, figure in figures.items():
        if figure is not None:
            yield _figure(label, figure.value, figure, sources)
    if profile.lifetime:
        yield _figure("lifetime", words.living(profile.lifetime), profile.lifetime, sources)
    if profile.services_refused:
        names = tuple(profile.services_refused.value)
        yield _figure("databases that it cannot run in", names, profile.services_refused, sources)
        yield from (f"  - {service}: {text(why)}" for service, why in profile.services_refused.value.items())


def _limits(limits: Limits, sources: Sources) -> Iterator[str]:
    found: list[tuple[str, AnyLimit | None]] = list(limits)
    for name, limit in found:
        if limit is not None:
            label, unit = words.LIMITS[name]
            yield _figure(label, limit.value, limit, sources, unit, limit.lifted_by)


def _offer(offer: Offer, sources: Sources) -> Iterator[str]:
    yield _figure("priced sizes", offer.sizes, offer, sources)
    for charge in offer.charges:
        units = "by size" if charge.by_size else f"{charge.quantity:g}"
        per = charge.per.replace("gb_sent", "GB that is sent")
        yield f"- **{code(charge.meter)}** {units} a {per}, of each {charge.each}: {text(charge.why)}"
    if offer.unpriced:
        yield f"- **without a price here** {text(', '.join(offer.unpriced))}."
    if offer.start_s:
        yield _figure("start of one more instance", offer.start_s.value, offer.start_s, sources, "s")


def _figure(
    label: str, value: object, evidence: Evidence, sources: Sources, unit: str = "", lifted_by: str | None = None
) -> str:
    if isinstance(value, NameRule):
        said = f"{value.min_length} to {value.max_length} characters that match {code(value.pattern)}"
    else:
        said = text(words.shown(value)) + (f" {unit}" if unit else "")
    lifted = f" Lifted by: {text(lifted_by)}." if lifted_by else ""
    return f"- **{text(label)}** {said}: {_because(evidence, sources, lifted)}"


def _because(evidence: Evidence, sources: Sources, lifted: str = "") -> str:
    number = sources.setdefault((evidence.source, evidence.date), len(sources) + 1)
    return f"{text(evidence.why)}{lifted} ({evidence.grade} [{number}])"
