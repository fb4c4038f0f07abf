"""Any cluster of Kubernetes: a Deployment, whose revisions are the versions, and what belongs to it. Pure.

A new version is tried in a pod of its own first, to which no request is sent: a rollout would send requests to each new
pod as soon as it is ready, and whether its answers are right shows only when it is asked. Where it needs a GPU and none
is spare, that is left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from opdeploy.deployment import Found
from opdeploy.errors import NotFoundError
from opdeploy.plan import fingerprint
from opdeploy.targets.base import Reach
from opdeploy.targets.engine import making
from opdeploy.targets.engine.steps import HERE, cleared_here
from opdeploy.targets.kubernetes import steps
from opdeploy.targets.kubernetes.kinds import APPLIED, ASKED_FOR, KINDS
from opdeploy.targets.kubernetes.manifests import fitted, gpus, of_template, spare_gpu, versioned
from opdeploy.targets.kubernetes.names import RULE, trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan, Step
    from opdeploy.targets.base import Wanted
    from opdeploy.targets.kubernetes.manifests import Manifest

_READY_S = 300.0
"""Seconds within which a version that worked once must be ready again."""
_BEFORE = ("NetworkPolicy",)
"""Kinds that are there before a version is."""


class Kubernetes:
    """Any cluster that a kubeconfig reaches."""

    ids = ("aks-cpu", "aks-gpu")
    rule = RULE

    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs."""
        template = _of_kind(wanted.manifests, "Deployment")["spec"]["template"]
        return fingerprint([wanted.bundle, template])

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current: a new one, or one that is there."""
        name = observed.deployment
        manifests = fitted(wanted.manifests, observed.facts).manifests
        version = observed.version(number)
        deployment = self._deployment(wanted, observed, manifests["Deployment"], number)
        if observed.facts.get("namespace") is None:
            yield from steps.applied(_of_kind(wanted.manifests, "Namespace"), None)
        yield from self.images(wanted, observed, is_new=version is None)
        yield from _beforehand(observed, manifests)
        public, _ = _exposure(observed)
        is_narrowed = public and not wanted.public
        if is_narrowed:  # first: what comes next may answer without a key
            yield from _asked_no_more(observed, {*manifests})
            yield from _around(observed, manifests)
        yield from self._pods(observed, deployment, number, wanted)
        if not is_narrowed:
            yield from _around(observed, manifests)
        service_type = manifests["Service"]["spec"]["type"]
        if service_type != "ClusterIP":
            yield steps.exposed(name, service_type)
        yield steps.check_endpoint(observed, number, auth=wanted.keyed)
        if not is_narrowed:
            yield from _asked_no_more(observed, {*manifests})
        yield from _unwanted(observed, {*manifests})
        if version is None and observed.versions:
            yield from cleared_here(observed, wanted.image)

    def images(self, wanted: Wanted, observed: Observed, *, is_new: bool) -> Iterator[Step]:  # noqa: ARG002 - of Azure
        """Yield the steps that build the image of a new version and bring it to where the cluster pulls it from."""
        if is_new:
            yield making.build(wanted.image, f"build the image {wanted.image} here", HERE)
            yield making.push(wanted.image, wanted.settings.registry or "a registry")

    def _deployment(self, wanted: Wanted, observed: Observed, manifest: Manifest, number: int) -> Manifest:
        """Return the Deployment of a version; what is there keeps its strategy, whichever GPU is spare by now."""
        version = observed.version(number)
        if version is None:
            return versioned(manifest, number, self.config(wanted), wanted.artefact)
        found = observed.of("Deployment", observed.deployment)
        spec = cast("Manifest", found.made)["spec"] if found and found.made and version.current else {}
        return of_template(manifest, _template(observed, number), spec.get("strategy"))

    def _pods(self, observed: Observed, deployment: Manifest, number: int, wanted: Wanted) -> Iterator[Step]:
        """Yield the steps after which every pod is of a version that is ready and right."""
        name = observed.deployment
        version = observed.version(number)
        is_proven = version is not None and version.proven
        left = observed.of("Pod", trial(name))
        if left:
            yield steps.removed(left, why=", which an interrupted trial left")
        is_current = version is not None and version.current
        is_tried = not is_proven and not is_current and observed.current is not None
        is_tried = is_tried and (not wanted.gpu or spare_gpu(observed.facts, gpus(deployment)))
        if is_tried:
            yield from steps.tried(deployment, number, wanted.ready_s)
        yield from steps.applied(
            deployment,
            observed.of("Deployment", name),
            f"roll out version {number}",
            "kubernetes.apply" if version else "kubernetes.apply_version",
        )
        yield steps.rolled_out(name, number, wanted.ready_s)
        if not is_tried:
            title = f"ask version {number} for the golden answers"
            yield steps.check_server(f"{name}.v{number}", "check-server", title, wanted.ready_s)
        if not is_proven:
            yield steps.proven(name, number, [item.number for item in observed.versions if item.proven])

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a kept version current again, after a plan that failed or on demand."""
        name = observed.deployment
        if left := observed.of("Pod", trial(name)):
            yield steps.removed(left, cleanup=True)
        found = observed.of("Deployment", name)
        if _closes(observed, to):
            yield from _closed(observed, to)
        template = _template(observed, to)
        before = _deployment(observed, to) if undone or not (found and found.made) else cast("Manifest", found.made)
        manifest = of_template(before, template)
        yield from steps.applied(manifest, found, f"go back to version {to}")
        yield steps.rolled_out(name, to, _READY_S)
        yield steps.check_server(f"{name}.v{to}", "check-server", f"ask version {to} for the golden answers", _READY_S)
        yield from _undone(undone)
        yield steps.check_endpoint(observed, to, auth=_is_keyed(observed, to))
        if undone and undone.unproven and undone.version != to:
            failed = observed.version(undone.version or 0)
            replicas = observed.of("ReplicaSet", failed.resource) if failed else None
            if replicas:
                yield steps.removed(replicas, why=f" of version {undone.version}, which failed", cleanup=True)

    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell who reaches a kept version once it answers again."""
        public, tls = _exposure(observed)
        is_keyed = _is_keyed(observed, to)
        return Reach(public and (is_keyed or not _closes(observed, to)), is_keyed, tls)

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be."""
        for found in observed.found:
            if found.drift() and found.kind != "ReplicaSet":  # of which others may have left one that does not run
                yield found
        for kind in ("Deployment", "Service", *_BEFORE):
            if observed.of(kind, observed.deployment) is None:
                yield Found(kind=kind, name=observed.deployment, wanted={"exists": True}, properties={"exists": False})

    def teardown(self, observed: Observed) -> Iterator[Step]:
        """Yield the steps that delete everything that the deployment made, and nothing else."""
        order = [*KINDS]
        found = sorted((item for item in observed.found if item.kind in KINDS), key=lambda item: order.index(item.kind))
        has_deployment = any(item.kind == "Deployment" for item in found)
        made = [
            steps.removed(item)
            for item in found
            # What belongs to a Deployment goes with it.
            if item.kind not in {"ReplicaSet", "Pod"} or item.name == trial(observed.deployment) or not has_deployment
        ]
        yield from made[:-1]
        if made:  # while there still is something by which an interrupted removal goes on
            yield from cleared_here(observed, None)
        yield from made[-1:]


def _of_kind(manifests: tuple[Manifest, ...], kind: str) -> Manifest:
    return next(manifest for manifest in manifests if manifest["kind"] == kind)


def _deployment(observed: Observed, number: int) -> Manifest:
    """Return the Deployment as it was applied when a version was made.

    Raises NotFoundError where the cluster keeps no record of that any more.
    """
    version = observed.version(number)
    found = next((item for item in observed.found if version and item.name == version.resource and item.made), None)
    if found is None:
        raise NotFoundError(
            f"{observed.deployment}: the cluster keeps nothing of version {number} any more; deploy again"
        )
    return cast("Manifest", found.made)


def _template(observed: Observed, number: int) -> Manifest:
    """Return the pods of a version as they were made."""
    template: Manifest = _deployment(observed, number)["spec"]["template"]
    return template


def _undone(undone: Plan | None) -> Iterator[Step]:
    """Yield the steps after which objects beside the Deployment are as before a plan."""
    for done in undone.steps if undone else ():
        if done.kind in {"Deployment", "Namespace", "Secret", *_BEFORE}:
            continue
        before = done.args.get("instead_of")
        if isinstance(before, dict) and before:
            title = f"have the {done.kind} {done.name} as before"
            args = {"name": done.name, "manifest": before, "instead_of": None}
            yield done.model_copy(update={"title": title, "call": "kubernetes.apply", "action": "change", "args": args})
        elif done.call == "kubernetes.apply":
            yield steps.removed(Found(kind=done.kind, name=done.name))


def _exposure(observed: Observed) -> tuple[bool, bool]:
    """Tell whether a deployment is reached from outside its cluster, and whether who is on the way can read along."""
    spec = [found.made["spec"] for found in observed.found if found.kind in {"Ingress", "Gateway"} and found.made]
    service = observed.of("Service", observed.deployment)
    outside = service is not None and _type(service) in {"NodePort", "LoadBalancer"}
    return bool(spec) or outside, bool(spec) and '"tls"' in json.dumps(spec) and not outside


def _type(service: Found) -> str:
    made: Manifest = service.made
    return str(made["spec"]["type"]) if made else ""


def _closes(observed: Observed, to: int) -> bool:
    """Tell whether others would reach a version that asks for no key, where they are asked for one now."""
    current = observed.current
    return bool(
        current and _exposure(observed)[0] and _is_keyed(observed, current.number) and not _is_keyed(observed, to)
    )


def _closed(observed: Observed, to: int) -> Iterator[Step]:
    """Yield the steps after which the cluster alone reaches a deployment, before a version answers without a key."""
    why = f": version {to} asks for no key"
    for found in observed.found:
        if found.kind in {"Ingress", "Gateway", "HTTPRoute"}:
            yield steps.removed(found, why=why)
    service = observed.of("Service", observed.deployment)
    if service and service.made:
        manifest = {**service.made, "spec": {**cast("Manifest", service.made["spec"]), "type": "ClusterIP"}}
        yield from steps.applied(manifest, service, f"have only the cluster reach the Service{why}")


def _beforehand(observed: Observed, manifests: dict[str, Manifest]) -> Iterator[Step]:
    """Yield the steps after which that is there which pods need, or are limited by."""
    if "Secret" in manifests:
        yield from steps.secret(manifests["Secret"], observed.of("Secret", observed.deployment))
    for kind in _BEFORE:
        if kind in manifests:
            yield from steps.applied(manifests[kind], observed.of(kind, observed.deployment))


def _around(observed: Observed, manifests: dict[str, Manifest]) -> Iterator[Step]:
    """Yield the steps after which what is around the pods is as it is to be."""
    for kind in APPLIED:
        if kind in manifests and kind not in {"Deployment", "Secret", *_BEFORE}:
            yield from steps.applied(manifests[kind], observed.of(kind, observed.deployment))


def _asked_no_more(observed: Observed, kinds: set[str]) -> Iterator[Step]:
    """Yield the steps that remove what lets requests in, where it is not asked for any more."""
    for found in observed.found:
        if found.kind in ASKED_FOR and found.kind not in kinds:
            yield steps.removed(found, why=", which is not asked for any more")


def _unwanted(observed: Observed, kinds: set[str]) -> Iterator[Step]:
    """Yield the steps that remove what is not asked for any more; a key stays, which kept versions may ask for."""
    for found in observed.found:
        if found.kind in APPLIED and found.kind not in {*kinds, *ASKED_FOR, "Secret"}:
            yield steps.removed(found, why=", which is not asked for any more", cleanup=True)


def _is_keyed(observed: Observed, number: int) -> bool:
    """Tell whether a version asks for an API key."""
    spec = _template(observed, number)["spec"]
    return any(item["name"] == "OPDEPLOY_API_KEYS_FILE" for item in spec["containers"][0].get("env", ()))


TARGET = Kubernetes()
