"""Steps of a container app, beside those of every resource. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.plan import Change, Secret
from opdeploy.targets.azure.compare import secrets
from opdeploy.targets.azure.kinds import name_of
from opdeploy.targets.azure.steps import MADE_S, act
from opdeploy.targets.container_apps.bodies import APP, REVISION

if TYPE_CHECKING:
    from opdeploy.plan import Step
    from opdeploy.targets.azure.shared import Resource

_ACTED_S = 300.0


def revise(app: Resource, revision: str, number: int, *, is_first: bool) -> Step:
    """Return the step that makes a revision; the app itself comes with its first."""
    what = f"make the {APP} {name_of(app.id)}" if is_first else f"have {name_of(app.id)} make the revision {revision}"
    held = {name.replace("-", "_"): Secret(secret=name) for name in sorted(secrets(app.body))}
    step = act(
        (APP, name_of(app.id)),
        "azure.revise",
        f"{what}, which runs version {number}{'' if is_first else ' and gets no requests yet'}",
        {"resource": app.id, "body": app.body, "revision": revision},
        action="create" if is_first else "change",
        timeout_s=MADE_S,
    )
    return step.model_copy(update={"args": {**step.args, **held}})


def serve(app: Resource, number: int, changes: tuple[Change, ...]) -> Step:
    """Return the step after which the app is as a body says, and its requests go to the revision that this names."""
    return act(
        (APP, name_of(app.id)),
        "azure.serve",
        f"send all requests of {name_of(app.id)} to version {number}",
        {"resource": app.id, "body": app.body, "number": number},
        changes=changes,
        timeout_s=MADE_S,
    )


def activate(app: str, revision: str, why: str = "") -> Step:
    """Return the step that starts what runs a version again."""
    return act(
        (REVISION, revision),
        "azure.activate",
        f"activate the revision {revision}{why}",
        {"resource": app, "revision": revision},
        id=f"activate-{revision}",
        changes=(Change(property="active", before=False, after=True),),
        timeout_s=_ACTED_S,
    )


def deactivate(app: str, revision: str, why: str = "", *, cleanup: bool = True) -> Step:
    """Return the step that ends what runs a version, and keeps it to be activated again."""
    return act(
        (REVISION, revision),
        "azure.deactivate",
        f"deactivate the revision {revision}{why}",
        {"resource": app, "revision": revision},
        id=f"deactivate-{revision}",
        changes=(Change(property="active", before=True, after=False),),
        timeout_s=_ACTED_S,
        cleanup=cleanup,
    )
