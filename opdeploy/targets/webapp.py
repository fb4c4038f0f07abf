"""Azure Web App for Containers: a site on a plan of Linux machines. Pure.

A new version is tried in a slot of its own, which is then swapped with the site: the version before stays in the slot,
and is swapped back in a rollback. Plans of a tier without slots run a new version in the place of the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.deployment import Found
from opdeploy.plan import fingerprint
from opdeploy.platform import NameRule
from opdeploy.targets.azure import steps, web
from opdeploy.targets.azure.questions import problem
from opdeploy.targets.azure.shared import Resource, shared
from opdeploy.targets.azure.target import (
    AzureTarget,
    failed,
    forgotten,
    is_keyed,
    kept_as,
    keys,
    old,
    rekeyed,
    returned,
    running,
    version_of,
    worked,
)
from opdeploy.targets.azure.web import NEXT, PLAN, SITE, SLOT
from opdeploy.targets.base import Reach
from opdeploy.targets.engine.steps import cleared_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan, Step
    from opdeploy.targets.azure.before import Before
    from opdeploy.targets.azure.questions import Question, Said
    from opdeploy.targets.base import Wanted

_READY_S = 300.0
"""Seconds within which a version that worked once must be ready again."""
_ON_THE_WAY_S = 600.0
"""Seconds for an image to be pulled, and a container to be started."""
_SWAP_S = 1800.0


class WebApp(AzureTarget):
    """A site."""

    ids = ("webapp",)
    rule = NameRule(min_length=2, max_length=40, pattern=f"^(?!{NEXT}$)[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]$")
    """A site's 2 to 60 letters, digits and dashes, of which its plan takes 40, unique in all of Azure; not the slot's
    (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules, read 2026-11-26)."""

    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs: not of how long it may take to start."""
        return fingerprint([wanted.bundle, web.site(wanted.model_copy(update={"ready_s": 0.0}), {}).body])

    def resources(self, wanted: Wanted) -> Iterator[Resource]:
        """Yield everything that a first version is made of."""
        yield from shared(wanted, "webapp", {})
        of = web.offer(wanted, {})
        if of.is_own:
            yield web.plan(wanted, of)
        yield web.site(wanted, {}, 1)

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current: a new one, or one that is there."""
        name, facts = observed.deployment, observed.facts
        version = observed.version(number)
        config = self.config(wanted)
        wanted = wanted.model_copy(update={"image": web.numbered(wanted.image, number)})
        is_kept = version is not None and version.proven  # of any other the image may never have been built
        started_s = web.start_s(kept_as(observed, SITE, number).body) if is_kept else None
        starts = wanted.model_copy(update={"ready_s": started_s or wanted.ready_s})  # what works starts in its time
        of, site = web.offer(wanted, facts), web.site(starts, facts, number)
        yield from self.ground(wanted, observed, None if is_kept else version_of(wanted, number, config, site))
        is_tried = web.is_tried(of.size, wanted.settings.webapp.slots)
        left = observed.of(SLOT, NEXT)
        if left and not is_tried:  # it takes memory, and keeps a plan from a tier without slots
            yield steps.delete(left, ", which has no use any more")
        if of.is_own:
            yield from steps.put(web.plan(wanted, of), observed.of(PLAN, name))
        why = "" if observed.current is None else _why(of, is_tried=is_tried)
        yield from _taken_over(observed, site, number, wanted.ready_s, why=None if is_tried else why)
        yield steps.check_endpoint(SITE, name, number, auth=wanted.keyed)
        if not (version and version.current and is_kept):
            yield steps.proven(name, number, worked(observed))
        gone = old(observed, number, wanted.keep)
        if is_tried and observed.current and observed.current.number in gone:  # it went there by the swap
            made: dict[str, Any] = {"id": web.slot(site).id}
            yield steps.delete(Found(kind=SLOT, name=NEXT, made=made), ", whose version is not kept", cleanup=True)
        yield from forgotten(observed, gone, wanted.image)
        if version is None and observed.versions:
            yield from cleared_here(observed, wanted.image)

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a kept version current again, after a plan that failed or on demand."""
        name = observed.deployment
        is_tried = observed.of(SLOT, NEXT) is not None or (
            undone is None and web.is_tried(web.size_of(observed.facts) or "B", None)
        )
        why = None if is_tried else ""
        yield from keys(observed, to, undone)
        yield from _taken_over(observed, kept_as(observed, SITE, to), to, _READY_S, why=why)
        yield steps.check_endpoint(SITE, name, to, auth=is_keyed(observed, to))
        tried = observed.of(SLOT, NEXT) if failed(undone, to) else None  # it has what failed, now if not before
        freed = [steps.delete(tried, ", which has the version that failed", cleanup=True)] if tried else ()
        yield from returned(observed, to, undone, freed)

    def asks(self, before: Before) -> Iterator[Question | Said]:
        """Yield what keeps a site from being made, which is known without asking more."""
        return map(problem, web.obstacles(before.wanted, before.observed.facts))

    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell who reaches a kept version once it answers again."""
        return Reach(public=True, keyed=is_keyed(observed, to), tls=True)

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be: a slot is made when it is needed."""
        found = super().drift(running(observed, SITE))
        return (item for item in found if item.kind != SLOT or observed.of(SLOT, NEXT))


def _why(of: web.Offer, *, is_tried: bool) -> str:
    """Say why a new version is not tried before it answers."""
    if is_tried:
        return ""
    if of.tier.slots:
        return ", in place: it may not answer for a while, and is not tried before, as deploy.webapp.slots is false"
    return f", in place: it may not answer for a while, and is not tried before: the {of.tier.title} tier has no slots"


def _taken_over(observed: Observed, site: Resource, number: int, ready_s: float, *, why: str | None) -> Iterator[Step]:
    """Yield the steps after which the site runs a version that is ready and right.

    `why` says why it is changed in place, where it is: else what takes over is tried in a slot.
    """
    name, current = observed.deployment, observed.current
    there = observed.of(SITE, name)
    is_new = why is None and there is not None and current is not None and current.number != number
    goes_on = observed.facts.get("swapping") == web.image_of(site.body)  # it was tried, and may have the requests soon
    is_swapped = is_new or goes_on
    if is_swapped:
        if not goes_on:
            yield from _tried(observed, web.slot(site), number, ready_s)
        yield _swap(site, number)
        there = _once_swapped(there, site)
    title = f"run version {number} in {name}{why or ''}"
    done = [*steps.put(site, there, title, rekeyed=rekeyed(observed) and not is_swapped), *_started(there)]
    yield from done
    is_proven = current is not None and current.number == number and current.proven
    if done or goes_on or not (is_swapped or is_proven):
        yield steps.check_server(SITE, name, number, ready_s + _ON_THE_WAY_S, is_awaited=True)


def _tried(observed: Observed, slot: Resource, number: int, ready_s: float) -> Iterator[Step]:
    """Yield the steps that try a version in the slot, whose address nobody is told."""
    there = observed.of(SLOT, NEXT)
    yield from steps.put(slot, there, f"try version {number} in the slot {NEXT}", rekeyed=rekeyed(observed))
    yield from _started(there)
    yield steps.check_server(SLOT, NEXT, number, ready_s + _ON_THE_WAY_S)


def _started(found: Found | None) -> Iterator[Step]:
    """Yield the step that starts a site or slot which somebody has stopped."""
    if found and found.properties.get("state") == "stopped":
        title = f"start the {found.kind} {found.name}, which was stopped"
        args: dict[str, Any] = {"resource": str(found.made["id"])}
        yield steps.act((found.kind, found.name), "azure.start", title, args, id=f"start-{found.kind}")


def _swap(site: Resource, number: int) -> Step:
    title = f"swap the slot {NEXT} with the site: version {number} gets the requests"
    args: dict[str, Any] = {"resource": site.id, "slot": NEXT, "image": web.image_of(site.body)}
    return steps.act((SITE, NEXT), "azure.swap", title, args, timeout_s=_SWAP_S)


def _once_swapped(there: Found | None, site: Resource) -> Found | None:
    """Return a site as it is once it has what is wanted of the slot, and all else as before."""
    if there is None:
        return None
    made: Any = there.made.get("body") or site.body
    body = web.swapped(made, site.body)
    kept = {path: value for path, value in there.properties.items() if not path.endswith(".linuxFxVersion")}
    return there.model_copy(update={"properties": kept, "made": {**there.made, "body": body}})


TARGET = WebApp()
