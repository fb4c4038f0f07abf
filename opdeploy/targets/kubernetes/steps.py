"""Steps of a kind, each of which calls a method of the client of clusters. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.plan import Change, Secret, Step
from opdeploy.targets.engine.steps import step
from opdeploy.targets.kubernetes.kinds import ASKED_FOR
from opdeploy.targets.kubernetes.manifests import changes, shown
from opdeploy.targets.kubernetes.names import trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from opdeploy.deployment import Found, Observed
    from opdeploy.plan import Action
    from opdeploy.targets.kubernetes.manifests import Manifest

API_KEY = "api-key"
"""The name of the secret that clients show."""
GONE_S = 120.0
"""Seconds within which an object is gone, with the pods that end what they were asked."""
EXPOSED_S = 900.0
"""Seconds for a cloud to give an address."""
_BEFORE_PROBES_S = 120.0
"""Beside the time that a server may take to get ready: for a node to be found, and the image to be pulled."""


def applied(manifest: Manifest, found: Found | None, title: str = "", call: str = "kubernetes.apply") -> Iterator[Step]:
    """Yield the step after which an object is as a manifest says, unless it is so."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    differ = changes(manifest, found) if found else ()
    if found and not differ:
        return
    action: Action = "change" if found else "create"
    said = title or f"{'change' if found else 'make'} the {kind} {name}"
    more: dict[str, JsonValue] = {"manifest": manifest}
    if call == "kubernetes.apply":
        more["instead_of"] = found.made if found else None
    yield step(f"apply-{kind}", said, action, (kind, name), call, more, changes=shown(differ))


def secret(manifest: Manifest, found: Found | None) -> Iterator[Step]:
    """Yield the step that makes the Secret with the API key, unless it is there."""
    name = manifest["metadata"]["name"]
    if found is None:
        made = step(
            "apply-Secret",
            f"make the Secret {name} with an API key",
            "create",
            ("Secret", name),
            "kubernetes.keep_key",
            {"manifest": manifest},
        )
        yield made.model_copy(update={"args": {**made.args, "api_key": Secret(secret=API_KEY)}})


def tried(manifest: Manifest, number: int, ready_s: float) -> Iterator[Step]:
    """Yield the steps that try a version in a pod of its own, to which no request is sent."""
    name = trial(manifest["metadata"]["name"])
    title = f"try version {number} in a pod of its own"
    yield step("try", title, "create", ("Pod", name), "kubernetes.try_version", {"manifest": manifest})
    yield starts(name, f"start-{name}", f"wait until the pod {name} runs", ready_s)
    title = f"wait until version {number} is ready, and ask it for the golden answers"
    yield check_server(name, f"check-{name}", title, ready_s)
    yield untried(name)


def untried(name: str) -> Step:
    """Return the step that removes the pod of a trial."""
    return step(
        f"drop-{name}", "remove the pod in which it was tried", "delete", ("Pod", name), "kubernetes.remove",
        {"kind": "Pod", "wait": False}, timeout_s=GONE_S,
    )  # fmt: skip


def starts(name: str, key: str, title: str, ready_s: float) -> Step:
    """Return the step that waits until what is tried runs."""
    return step(
        key, title, "check", ("Pod", name), "kubernetes.started", {"ready_s": ready_s},
        timeout_s=ready_s + _BEFORE_PROBES_S,
    )  # fmt: skip


def check_server(name: str, key: str, title: str, ready_s: float) -> Step:
    """Return the step that asks a server for the golden answers, by the name that it is found under."""
    return Step(
        id=key,
        title=title,
        action="check",
        kind="Pod",
        name=name,
        call="check.server",
        args={"name": name, "ready_s": ready_s},
        timeout_s=ready_s + 300,
    )


def rolled_out(name: str, number: int, ready_s: float) -> Step:
    """Return the step that watches a rollout until every pod is of a version and ready."""
    title = f"wait until every pod is of version {number} and ready"
    more: dict[str, JsonValue] = {"version": number, "ready_s": ready_s}
    return step("rollout", title, "check", ("Deployment", name), "kubernetes.rolled_out", more, timeout_s=ready_s + 600)


def exposed(name: str, service_type: str) -> Step:
    """Return the step that waits until a Service is reached at its address outside the cluster, if it is from here."""
    what = "has an address, and answers there" if service_type == "LoadBalancer" else "answers at the nodes"
    title = f"wait until the Service {what}"
    return step("exposed", title, "check", ("Service", name), "kubernetes.exposed", timeout_s=EXPOSED_S)


def proven(name: str, number: int, numbers: list[int]) -> Step:
    """Return the step that notes that a version is ready and right."""
    changed = (Change(property="proven", before=max(numbers, default=None), after=number),)
    more: dict[str, JsonValue] = {"numbers": [*sorted({*numbers, number})]}
    title = f"note that version {number} works"
    return step("prove", title, "change", ("Deployment", name), "kubernetes.prove", more, changes=changed)


def removed(found: Found, key: str = "", why: str = "", *, cleanup: bool = False) -> Step:
    """Return the step that removes an object, and waits until it is gone."""
    title = f"remove the {found.kind} {found.name}{why}"
    where = (found.kind, found.name)
    more: dict[str, JsonValue] = {"kind": found.kind}
    if found.made and found.kind in ASKED_FOR:
        more["instead_of"] = found.made
    return step(
        key or f"remove-{found.kind}-{found.name}",
        title,
        "delete",
        where,
        "kubernetes.remove",
        more,
        timeout_s=GONE_S,
        cleanup=cleanup,
    )


def check_endpoint(observed: Observed, number: int, *, auth: bool) -> Step:
    """Return the step that asks the endpoint."""
    name = observed.deployment
    return Step(
        id="check",
        title="ask the endpoint for the golden answers, and load it shortly",
        action="check",
        kind="Service",
        name=name,
        call="check.endpoint",
        args={"front": name, "name": f"{name}.v{number}", "version": number, "auth": auth},
        timeout_s=300,
    )
