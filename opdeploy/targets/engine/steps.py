"""Steps of a kind, each of which calls a method of the client of engines. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.plan import Change, Step
from opdeploy.targets.engine.names import repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from opdeploy.deployment import Observed, Version
    from opdeploy.plan import Action

HERE = "image here"
"""The kind of an image on the engine of this machine, where that is not the target."""
GRACE_S = 30.0
"""Seconds that requests have to end on the old version."""
STOP_S = 60.0
"""Seconds within which a container has stopped, or is made to."""


def start(name: str, key: str, title: str, state: JsonValue) -> Step:
    """Return the step that starts a container which is in another state."""
    changes = (Change(property="state", before=state, after="running"),)
    return step(key, title, "change", ("container", name), "start", changes=changes)


def stop(version: Version) -> Step:
    """Return the step that stops a version; the next deployment does it where it fails."""
    title = f"stop version {version.number}, and keep it"
    changes = (Change(property="state", before=version.state, after="stopped"),)
    where = ("container", version.resource)
    more: dict[str, JsonValue] = {"grace_s": GRACE_S}
    return step(
        f"stop-{version.number}", title, "change", where, "stop", more, changes=changes, timeout_s=STOP_S, cleanup=True
    )


def remove(name: str, key: str, title: str, *, cleanup: bool = True) -> Step:
    """Return the step that removes a container; where it only clears away, the next deployment does it if it fails."""
    where = ("container", name)
    return step(key, title, "delete", where, "remove_container", timeout_s=STOP_S, cleanup=cleanup)


def cleared_here(observed: Observed, keep: str | None) -> Iterator[Step]:
    """Yield the step that removes a deployment's images from the engine of this machine, but the one kept.

    Where the registry builds them, none is here.
    """
    if observed.facts.get("builds") != "registry":
        yield clear_here(observed.deployment, keep)


def clear_here(deployment: str, keep: str | None) -> Step:
    """Return the step that removes a deployment's images from the engine of this machine, but the one kept."""
    name = repository(deployment)
    but = f" but {keep}" if keep else ""
    made = step(
        "clear-here",
        f"remove the images {name} from this machine that nothing uses here{but}",
        "delete",
        (HERE, name),
        "copy.clear",
        cleanup=True,
    )
    return made.model_copy(update={"args": {"deployment": deployment, "keep": keep}})


def step(  # noqa: PLR0913 - what a step is made of
    key: str,
    title: str,
    action: Action,
    where: tuple[str, str],
    method: str,
    more: dict[str, JsonValue] | None = None,
    *,
    changes: tuple[Change, ...] = (),
    timeout_s: float = 60.0,
    cleanup: bool = False,
) -> Step:
    """Return a step of which the client's method takes the name of what it works on, and more."""
    kind, name = where
    return Step(
        id=key,
        title=title,
        action=action,
        kind=kind,
        name=name,
        call=method if "." in method else f"docker.{method}",
        args={"name": name, **(more or {})},
        changes=changes,
        timeout_s=timeout_s,
        cleanup=cleanup,
        repeatable=method != "image.build",  # one whose connection was lost may still go on
    )
