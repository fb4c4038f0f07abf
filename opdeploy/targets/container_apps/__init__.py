"""Azure Container Apps: an app, whose revisions are the versions. Pure.

A new revision gets no requests until it has given the golden answers at an address of its own; then it gets all. What
ran before is deactivated and kept: a rollback activates it, and sends the requests back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from opdeploy.plan import Change, fingerprint
from opdeploy.targets.azure import steps as azure
from opdeploy.targets.azure.compare import flat
from opdeploy.targets.azure.names import of_version, where
from opdeploy.targets.azure.shared import Resource, shared
from opdeploy.targets.azure.target import (
    AzureTarget,
    forgotten,
    is_keyed,
    kept_as,
    old,
    rekeyed,
    returned,
    version_of,
    worked,
)
from opdeploy.targets.base import Reach
from opdeploy.targets.container_apps import environments, steps
from opdeploy.targets.container_apps.bodies import (
    APP,
    ENVIRONMENT,
    REVISION,
    around,
    beside,
    numbered,
    revision,
    revision_of,
    runs,
    settled,
)
from opdeploy.targets.container_apps.bodies import (
    TARGET as ID,
)
from opdeploy.targets.container_apps.sizes import profile
from opdeploy.targets.engine.steps import cleared_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from opdeploy.deployment import Found, Observed, Version
    from opdeploy.plan import Plan, Step
    from opdeploy.targets.azure.before import Before
    from opdeploy.targets.azure.questions import Question, Said
    from opdeploy.targets.base import Wanted

_READY_S = 300.0
"""Seconds within which a version that worked once must be ready again."""
_ON_THE_WAY_S = 600.0
"""Seconds for a replica to be given a place, and its image to be pulled."""
_SETTLES_S = 60.0
"""Seconds within which requests go where they are sent from then on."""
_OURS = re.compile("v[0-9]+-[0-9a-f]{8}(-[0-9]+)?")
"""What follows the app's name and two dashes in the name of a revision that opdeploy made."""


class ContainerApps(AzureTarget):
    """A container app."""

    ids = (ID,)
    rule = None

    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs."""
        template = runs(wanted, {})["properties"]["template"]
        return fingerprint([wanted.bundle, template, profile(wanted.settings.container_apps, gpu=wanted.gpu)])

    def resources(self, wanted: Wanted) -> Iterator[Resource]:
        """Yield everything that a first version is made of."""
        yield from shared(wanted, ID, {})
        yield from around(wanted)
        config = self.config(wanted)
        tagged = {"tags": {**of_version(wanted, ID, 1, config[:32])}}
        name = revision(wanted.deployment, 1, config)
        at = where(wanted.settings, wanted.deployment)
        yield Resource(APP, at.id(APP, at.deployment), {**numbered(runs(wanted, {}), 1, name), **tagged})

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current: a new one, or one that is there."""
        name = observed.deployment
        version = observed.version(number)
        config = self.config(wanted)
        made_by = self._revision(observed, number, config)
        tagged = {"tags": {**of_version(wanted, ID, number, config[:32])}}
        body = {**numbered(runs(wanted, observed.facts), number, made_by), **tagged}
        app = Resource(APP, where(wanted.settings, name).id(APP, name), body)
        noted = version_of(wanted, number, config, app)
        is_proven = version is not None and version.proven  # of any other the image may never have been built
        yield from self.ground(wanted, observed, None if is_proven else noted)
        if version and is_proven and made_by != _made_by(observed, version):  # what ran it does not run any more
            yield azure.begun(name, noted)
        for resource in around(wanted, observed):
            yield from azure.put(resource, observed.of(resource.kind, resource.id.rpartition("/")[2]))
        yield from _taken_over(observed, app, number, wanted.ready_s)
        yield azure.check_endpoint(APP, name, number, auth=wanted.keyed, settles_s=_SETTLES_S)
        if not (version and version.current and is_proven and made_by == _made_by(observed, version)):
            yield azure.proven(name, number, worked(observed))
        yield from _deactivated(observed, app.id, made_by, strangers=True)
        yield from forgotten(observed, old(observed, number, wanted.keep), wanted.image)
        if version is None and observed.versions:
            yield from cleared_here(observed, wanted.image)

    def asks(self, before: Before) -> Iterator[Question | Said]:
        """Yield what is asked of what is named around an app before anything is made."""
        return environments.questions(before)

    def _revision(self, observed: Observed, number: int, config: str) -> str:
        """Return the name of the revision that runs a version, or is to: one that works, else one that none had yet.

        A revision has the key that its app had when it was made: another key takes another revision.
        """
        version = observed.version(number)
        known = _made_by(observed, version) if version else None
        found = observed.of(REVISION, known) if known else None
        has_failed = found is not None and found.properties.get("failed")
        has_other_key = version is not None and version.current and rekeyed(observed)
        if known and not (has_failed or has_other_key):
            return known
        again = 1
        while observed.of(REVISION, revision(observed.deployment, number, config, again)):
            again += 1
        return revision(observed.deployment, number, config, again)

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a kept version current again, after a plan that failed or on demand."""
        app = kept_as(observed, APP, to)
        yield from _taken_over(observed, app, to, _READY_S)
        auth = is_keyed(observed, to)
        yield azure.check_endpoint(APP, observed.deployment, to, auth=auth, settles_s=_SETTLES_S)
        freed = _deactivated(observed, app.id, revision_of(app.body, observed.deployment))
        yield from returned(observed, to, undone, freed)

    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell who reaches a kept version once it answers again."""
        body = kept_as(observed, APP, to).body
        found = observed.of(ENVIRONMENT, f"{observed.deployment}-env")
        made = cast("dict[str, Any]", found.made.get("body") or {}) if found else {}
        internal = ((made.get("properties") or {}).get("vnetConfiguration") or {}).get("internal", False)
        external = body["properties"]["configuration"]["ingress"]["external"]
        return Reach(external and not internal, is_keyed(observed, to), tls=True)

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be."""
        yield from super().drift(observed)
        current = observed.current.resource if observed.current else None
        for found in observed.found:
            if found.kind == REVISION:
                is_active = found.properties.get("active") is True
                should: JsonValue = found.name == current if found.name == current or _is_strange(found) else is_active
                if is_active != should:
                    yield found.model_copy(update={"properties": {"active": is_active}, "wanted": {"active": should}})


def _taken_over(observed: Observed, app: Resource, number: int, ready_s: float) -> Iterator[Step]:
    """Yield the steps after which the revision that a body names has the requests, when it is ready and right."""
    name = observed.deployment
    wanted = revision_of(app.body, name)
    there = observed.of(APP, name)
    before: dict[str, JsonValue] = cast("dict[str, JsonValue]", there.made.get("body") or {}) if there else {}
    found = observed.of(REVISION, wanted)
    version = observed.version(number)
    is_asked = not (version and version.current and version.proven and version.resource == wanted)
    asks_for: tuple[Change, ...] = ()
    if found is None:
        body = beside(app.body, cast("dict[str, Any]", before)) if before else app.body
        yield steps.revise(Resource(APP, app.id, body), wanted, number, is_first=not before)
        asks_for = azure.between(flat(settled(body)), flat(settled(app.body)))
        is_asked = True
    else:
        if not found.properties.get("active"):
            yield steps.activate(app.id, wanted)
            is_asked = True
        asks_for = azure.changes(settled(app.body), there) or azure.between(flat(before), flat(settled(app.body)))
    if is_asked:
        yield azure.check_server(REVISION, wanted, number, ready_s + _ON_THE_WAY_S)
    if asks_for:
        yield steps.serve(Resource(APP, app.id, settled(app.body)), number, asks_for)


def _deactivated(observed: Observed, app: str, but: str, *, strangers: bool = False) -> Iterator[Step]:
    """Yield the steps that end every revision but one: of other versions, and on demand what others made."""
    for found in observed.found:
        if found.kind != REVISION or found.name == but or not found.properties.get("active"):
            continue
        if not _is_strange(found):
            yield steps.deactivate(app, found.name)
        elif strangers:
            yield steps.deactivate(app, found.name, ", which opdeploy did not make", cleanup=False)


def _is_strange(found: Found) -> bool:
    """Tell whether somebody else made a revision."""
    return _OURS.fullmatch(found.name.rpartition("--")[2]) is None


def _made_by(observed: Observed, version: Version) -> str:
    """Return the name of the revision that a version was made as."""
    return revision_of(kept_as(observed, APP, version.number).body, observed.deployment)


TARGET = ContainerApps()
