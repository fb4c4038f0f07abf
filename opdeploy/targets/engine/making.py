"""The steps after which a version answers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.plan import Change, Secret, Step
from opdeploy.targets.engine.clearing import fronts
from opdeploy.targets.engine.names import RESTART, base, server_name
from opdeploy.targets.engine.steps import GRACE_S, start, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from opdeploy.deployment import Observed
    from opdeploy.plan import Action
    from opdeploy.targets.base import Wanted

API_KEY = "api-key"
"""The name of the secret that clients show."""
_FRONT_MB = 256
"""Memory of the front."""
BUILD_S = 3600.0
"""Seconds within which an image is made, or gets from one machine to another."""


def server(wanted: Wanted) -> dict[str, JsonValue]:
    """Return the properties of a version's container."""
    cpus = wanted.settings.listening.cpus
    properties: dict[str, JsonValue] = {
        "image": wanted.image,
        "port": wanted.port,
        "cpus": cpus and round(cpus, 9),  # an engine counts billionths
        "memory_mb": round(wanted.memory_gb * 1000),
        "networks": [base(wanted.deployment)],
    }
    return properties | ({"gpu": True} if wanted.gpu else {})


def listens(wanted: Wanted) -> dict[str, JsonValue]:
    """Return where the front listens."""
    host, port, _ = wanted.settings.listening
    return {"host": host, "port": port}


def image(wanted: Wanted, observed: Observed, *, is_needed: bool) -> Iterator[Step]:
    """Yield the steps that build and push the image, where it is not there."""
    name, found = wanted.image, observed.of("image", wanted.image)
    if not found and is_needed:
        yield build(name, f"build the image {name}", "image")
    if wanted.settings.registry and (is_needed or found) and not (found and found.properties.get("pushed")):
        yield push(name, wanted.settings.registry)


def build(name: str, title: str, kind: str) -> Step:
    """Return the step that builds an image."""
    return step("image", title, "create", (kind, name), "image.build", timeout_s=BUILD_S)


def push(name: str, registry: str) -> Step:
    """Return the step that pushes an image from where it was built."""
    title = f"push the image to {registry}"
    return step("push", title, "create", ("registry", name), "image.push", timeout_s=BUILD_S)


def room(observed: Observed) -> Iterator[Step]:
    """Yield the steps that make what containers of a deployment share, where it is not there."""
    name = base(observed.deployment)
    for kind, why in (
        ("network", "for its containers"),
        ("volume", "in which the front writes down where requests go"),
    ):
        more: dict[str, JsonValue] = {"deployment": observed.deployment}
        found = observed.of(kind, name)
        if not found:
            yield step(kind, f"make a {kind} {why}", "create", (kind, name), f"create_{kind}", more)
        elif kind == "volume" and not fronts(observed):
            # A new front must not go on where an old one was.
            yield step("empty", "empty the volume of the front", "change", (kind, name), "empty_volume", more)


def run(wanted: Wanted, number: int, config: str) -> Step:
    """Return the step that starts a new version."""
    name = server_name(wanted.deployment, number)
    record: dict[str, JsonValue] = {
        "deployment": wanted.deployment,
        "version": number,
        "config": config,
        "artefact": wanted.artefact,
        "front": listens(wanted),
    }
    title = f"start version {number}{' with all GPUs of the machine' if wanted.gpu else ''}"
    made = step(f"server-{number}", title, "create", ("container", name), "run_server")
    key = Secret(secret=API_KEY) if wanted.keyed else None
    return made.model_copy(update={"args": {**made.args, "record": record, "wanted": server(wanted), "api_key": key}})


def activate(observed: Observed, number: int, *, ready_s: float) -> Iterator[Step]:
    """Yield the steps after which a version is ready and right, and stays so."""
    name = server_name(observed.deployment, number)
    version = observed.version(number)
    if version and version.state != "running":
        yield start(name, f"start-{number}", f"start version {number}", version.state)
    yield Step(
        id=f"check-{number}",
        title=f"wait until version {number} is ready, and ask it for the golden answers",
        action="check",
        kind="container",
        name=name,
        call="check.server",
        args={"name": name, "ready_s": ready_s},
        timeout_s=ready_s + 300,
    )
    if version is None or not version.proven:
        # Not from the start: a server that cannot start would be started again and again, and its exit code be lost.
        title = f"have the engine start version {number} again whenever it ends"
        changes = (Change(property="restart", before="no", after=RESTART),)
        yield step(f"keep-{number}", title, "change", ("container", name), "restart_always", changes=changes)


def front(observed: Observed, number: int, where: dict[str, JsonValue]) -> Iterator[Step]:
    """Yield the step after which a front listens there: it is made, or made again."""
    name = base(observed.deployment)
    properties: dict[str, JsonValue] = {**where, "restart": RESTART, "networks": [name], "memory_mb": _FRONT_MB}
    found = observed.of("container", name)
    now = found.properties if found else {}
    changes = tuple(
        Change(property=key, before=now.get(key), after=value)
        for key, value in properties.items()
        if found and now.get(key) != value
    )
    if not found or changes:
        host = f"[{where['host']}]" if ":" in str(where["host"]) else where["host"]
        title = f"make the front {'again ' if found else ''}on {host}:{where['port']}"
        more: dict[str, JsonValue] = {
            "deployment": observed.deployment,
            "image": server_name(observed.deployment, number),
            "wanted": properties,
        }
        action: Action = "change" if found else "create"
        yield step("front", title, action, ("container", name), "run_front", more, changes=changes)


def switch(observed: Observed, number: int, port: int) -> Iterator[Step]:
    """Yield the step that sends requests to a version, unless they go there."""
    current = observed.current
    if current and current.number == number:
        return
    title = f"send requests to version {number}" + (f" instead of {current.number}" if current else "")
    changes = (Change(property="version", before=current.number if current else None, after=number),)
    more: dict[str, JsonValue] = {"to": f"v{number}:{port}", "grace_s": GRACE_S}
    where = ("container", base(observed.deployment))
    yield step("switch", title, "change", where, "switch", more, changes=changes, timeout_s=GRACE_S + 60)


def check_endpoint(deployment: str, number: int, *, auth: bool) -> Step:
    """Return the step that asks the endpoint."""
    return Step(
        id="check",
        title="ask the endpoint for the golden answers, and load it shortly",
        action="check",
        kind="container",
        name=base(deployment),
        call="check.endpoint",
        args={"front": base(deployment), "name": server_name(deployment, number), "version": number, "auth": auth},
        timeout_s=300,
    )
