"""The steps that remove or stop what is of no use any more. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.targets.engine.names import base
from opdeploy.targets.engine.steps import STOP_S, remove, step, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deployment import Found, Observed, Version
    from opdeploy.plan import Step


def fronts(observed: Observed) -> list[Found]:
    """Return the front, and those that gave way to another."""
    return [item for item in observed.found if item.properties.get("role") == "front"]


def dead_fronts(observed: Observed) -> Iterator[Step]:
    """Yield the steps that remove fronts, where none answers: one that is started again would go on where it was.

    Who wants a key could then be passed by, until it is switched, at a version that asks for none.
    """
    found = observed.of("container", base(observed.deployment))
    if found is None or found.properties["state"] != "running":
        for item in fronts(observed):
            yield remove(item.name, f"drop-{item.name}", "remove the front, which does not run", cleanup=False)


def without_dead_fronts(observed: Observed) -> Observed:
    """Return what is there once the fronts are removed that `dead_fronts` removes, so that requests go nowhere."""
    gone = {step.name for step in dead_fronts(observed)}
    if not gone:
        return observed
    return observed.model_copy(
        update={
            "found": tuple(item for item in observed.found if item.name not in gone or item.kind != "container"),
            "versions": tuple(item.model_copy(update={"current": False}) for item in observed.versions),
            "endpoint": None,
            "front": None,
            "upstream": None,
        }
    )


def retire(observed: Observed, number: int, *, keep: int | None = None, failed: int | None = None) -> Iterator[Step]:
    """Yield the steps that stop the other versions, and remove those that are of no use, and the oldest past `keep`."""
    kept = []
    for version in observed.versions:
        if version.number == number:
            continue
        why = "failed" if version.number == failed else _useless(version, observed)
        if why:
            yield remove(version.resource, f"drop-{version.number}", f"remove version {version.number}, which {why}")
        else:
            kept.append(version)
    kept.sort(key=lambda version: (version.current, version.number))
    dropped = [] if keep is None else kept[: max(0, len(kept) - (keep - 1))]
    for version in dropped:
        title = f"remove version {version.number}: only {keep} are kept"
        yield remove(version.resource, f"drop-{version.number}", title)
    for version in kept[len(dropped) :]:
        if version.state in {"running", "paused"}:
            yield stop(version)


def _useless(version: Version, observed: Observed) -> str:
    """Say why a version is not to be gone back to; nothing where it is."""
    found = observed.of("container", version.resource)
    if found and found.drift():
        return "is not as it was made"
    return "" if version.proven else "never showed that it works"


def leftovers(observed: Observed, steps: tuple[Step, ...], images: set[str]) -> Iterator[Step]:
    """Yield the steps that remove what is of no use after others: fronts that gave way, and images but those named."""
    name = base(observed.deployment)
    gone = {step.name for step in steps if step.action == "delete"}
    for found in fronts(observed):
        if found.name != name:
            yield remove(found.name, f"drop-{found.name}", "remove the front that gave way")
    running = observed.of("container", name)
    used = images | {version.image for version in observed.versions if version.resource not in gone}
    if running and not any(step.call == "docker.run_front" for step in steps):  # else it gets that of a version
        used.add(str(running.properties["image"]))
    for found in observed.found:
        if found.kind == "image" and found.name not in used:
            title = f"remove the image {found.name}"
            where = ("image", found.name)
            yield step(f"drop-image-{found.name}", title, "delete", where, "remove_image", cleanup=True)


def remove_all(observed: Observed) -> Iterator[Step]:
    """Yield the steps that remove everything, the front first: from then on nobody is answered."""
    order = ("container", "network", "volume", "image")
    first = base(observed.deployment)
    found = sorted(
        (item for item in observed.found if item.kind in order),
        key=lambda item: (order.index(item.kind), item.name != first, item.name),
    )
    for item in found:
        title = f"remove the {item.kind} {item.name}"
        where = (item.kind, item.name)
        yield step(f"remove-{item.kind}-{item.name}", title, "delete", where, f"remove_{item.kind}", timeout_s=STOP_S)
