"""What deployments are made of in a cluster: objects that are applied, watched and removed."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker.registry import reach
from opdeploy.clients.kubernetes import pods, records
from opdeploy.clients.kubernetes.api import APPLY, MANAGER, MERGE, ConflictError, DeniedError
from opdeploy.clients.kubernetes.namespaces import others
from opdeploy.clients.kubernetes.rights import missing
from opdeploy.clients.kubernetes.rollouts import Rollouts
from opdeploy.errors import NotFoundError, OpdeployError, TransientError
from opdeploy.targets.kubernetes.kinds import ASKED_FOR, KINDS, LEASE
from opdeploy.targets.kubernetes.manifests import fitted, gpus, spare_gpu
from opdeploy.targets.kubernetes.names import BY, COMPONENT, DEPLOYMENT, LOCK, MANAGED_BY, NUMBER, PROVEN, WANTED, trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opdeploy.clients.kubernetes.api import Api
    from opdeploy.deployment import Lock
    from opdeploy.targets.base import Wanted

_BETWEEN_S = 0.5
_TRIES = 3
_GONE_S = 90.0


def _silent(_: str) -> None:
    """Show nothing."""


class Cluster(Rollouts):
    """A cluster; every method names what it works on, and may be called again."""

    def __init__(
        self,
        api: Api,
        namespace: str | None,
        by: str,
        *,
        watch: Callable[[str], None] = _silent,
        say: Callable[[str], None] = _silent,
        force: bool = False,
    ) -> None:
        """Take a connection, the namespace that was chosen, and who is at work.

        `watch` shows progress, and `say` what is to be known; `force` tells whether fields of others are taken over.
        """
        super().__init__(api, namespace, watch)
        self._by = by
        self._say = say
        self._force = force
        self._has_made: str | None = None
        """The namespace that was made for the lock."""

    # What stands in the way

    def obstacles(self, wanted: Wanted) -> Iterator[str]:
        """Yield what would keep a deployment from being made, a sentence each with what to do."""
        if not wanted.settings.registry:
            yield "deploy.registry: a cluster pulls its images from a registry; name one with --registry"
        elif why := reach(wanted.settings.registry).why_not:
            yield f"deploy.registry: {wanted.settings.registry} does not answer: {why}; check it, and the network"
        yield from self.within(wanted)

    def within(self, wanted: Wanted) -> Iterator[str]:
        """Yield what in the cluster would keep a deployment from being made."""
        left = fitted(wanted.manifests, {"apis": list(self.apis())}).left_out
        for kind in ASKED_FOR:
            if kind in left:
                yield f"{left[kind]}; install what serves it, or leave its class out"
        yield from self._foreign(wanted)
        kinds = [*dict.fromkeys(manifest["kind"] for manifest in wanted.manifests if manifest["kind"] != "Namespace")]
        yield from self.missing([kind for kind in kinds if self.serves(KINDS[kind].api)], wanted.deployment)
        if not self._force:
            yield from self._conflicts(wanted)

    def missing(self, kinds: Iterable[str], deployment: str) -> Iterator[str]:
        """Yield a sentence with every right that the user has not and that a deployment of some kinds needs."""
        return missing(self._api, kinds, self.namespace(deployment))

    def shortages(self, wanted: Wanted) -> Iterator[str]:
        """Yield what is left out, or may not be enough."""
        facts = self._facts()
        for kind, why in fitted(wanted.manifests, facts).left_out.items():
            if kind not in ASKED_FOR:
                yield why
        if not self._api.is_checked:
            yield "the kubeconfig leaves the cluster's certificate unchecked: who is on the way can change everything"
        needed = max((gpus(item) for item in wanted.manifests if item["kind"] == "Deployment"), default=0)
        if needed and facts.get("gpus") == 0:
            yield "no node has a GPU (nvidia.com/gpu) now: pods wait until one does, which an autoscaler may make"
        elif needed and not spare_gpu(facts, needed):
            yield (
                "no GPU is known to be spare: an update ends a pod before it starts the next, is not tried before, and "
                "requests may fail meanwhile"
            )

    def _foreign(self, wanted: Wanted) -> Iterator[str]:
        """Yield what somebody else made under the names that a deployment needs."""
        pod = {"kind": "Pod", "metadata": {"name": trial(wanted.deployment)}}
        for manifest in (*wanted.manifests, pod):
            kind = KINDS[manifest["kind"]]
            if kind.name == "Namespace" or not self.serves(kind.api):
                continue
            with suppress(DeniedError):
                found = self._api.find(kind.path(self.namespace(wanted.deployment), manifest["metadata"]["name"]))
                if found and not _is_own(found, wanted.deployment, kind.name):
                    who = f"{kind.name} {manifest['metadata']['name']}"
                    yield f"{who}: opdeploy deploy did not make it; rename or remove it, or give another --name"

    def _conflicts(self, wanted: Wanted) -> Iterator[str]:
        """Yield which fields others have, as the server tells of a dry run."""
        for manifest in fitted(wanted.manifests, {"apis": list(self.apis())}).manifests.values():
            if manifest["kind"] not in {"Namespace", "Secret"}:
                try:
                    self._patch(manifest, manifest, dry_run=True)
                except ConflictError as error:
                    yield f"{manifest['kind']} {manifest['metadata']['name']}: {_conflict(error)}"
                except OpdeployError:  # not every server tries everything, as before the namespace is there
                    continue

    # What steps call

    def apply(self, name: str, *, manifest: Mapping[str, Any], instead_of: object = None) -> None:  # noqa: ARG002
        """Have an object be as a manifest says; `instead_of` is what it was, for who goes back."""
        try:
            self._patch(records.recorded(manifest), manifest)
        except ConflictError as error:
            raise OpdeployError(f"{manifest['kind']} {name}: {_conflict(error)}") from error

    def apply_version(self, name: str, *, manifest: Mapping[str, Any]) -> None:
        """Have a Deployment make the pods of a new version, which say who made them, and when.

        Where that was done already, and only the answer got lost, they say the same again: else they were others.
        """
        found = self._api.find(KINDS["Deployment"].path(manifest["metadata"]["namespace"], name))
        self.apply(name, manifest=records.signed_again(manifest, found) or records.signed(manifest, self._by))

    def _patch(self, body: Mapping[str, Any], manifest: Mapping[str, Any], *, dry_run: bool = False) -> None:
        meta = manifest["metadata"]
        kind = KINDS[manifest["kind"]]
        query = {"fieldManager": MANAGER, "force": str(self._force).lower()} | ({"dryRun": "All"} if dry_run else {})
        path = kind.path(meta.get("namespace"), meta["name"])
        if kind.name != "Deployment" or dry_run:
            self._api.send("PATCH", path, body, query=query, kind=APPLY)
            return
        for attempt in range(_TRIES):
            try:
                self._api.send("PATCH", path, self._kept(path, body), query=query, kind=APPLY)
            except ConflictError:  # an autoscaler may have changed the number of pods meanwhile
                if "replicas" in body["spec"] or attempt == _TRIES - 1:
                    raise
            else:
                return

    def _kept(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the manifest of a Deployment with what it would lose: what is applied no more is dropped.

        That is the note of which versions work, and the number of pods where an autoscaler decides about it.
        """
        found = self._api.find(path)
        if found is None:
            return body
        proofs = records.annotation(found, PROVEN)
        annotations = {**body["metadata"].get("annotations", {}), **({PROVEN: proofs} if proofs else {})}
        return {
            **body,
            "metadata": {**body["metadata"], "annotations": annotations},
            "spec": {"replicas": found["spec"]["replicas"], **body["spec"]},
        }

    def keep_key(self, name: str, *, manifest: Mapping[str, Any], api_key: str) -> None:
        """Make the Secret with the API key."""
        body = {**records.recorded(manifest), "stringData": {"api-keys": api_key}}
        try:
            self._patch(body, manifest)
        except ConflictError as error:
            raise OpdeployError(f"Secret {name}: {_conflict(error)}") from error

    def prove(self, name: str, *, numbers: list[int]) -> None:
        """Note which versions were found to be ready and right."""
        body = {"metadata": {"annotations": {PROVEN: ",".join(map(str, numbers))}}}
        path = KINDS["Deployment"].path(self._home(name), name)
        self._api.send("PATCH", path, body, query={"fieldManager": MANAGER}, kind=MERGE)

    def try_version(self, name: str, *, manifest: Mapping[str, Any]) -> None:
        """Make a pod of a version that no Service sends requests to, and that is not started again where it ends."""
        template = manifest["spec"]["template"]
        namespace = manifest["metadata"]["namespace"]
        labels = {**template["metadata"]["labels"], COMPONENT: "trial"}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": labels,
                "annotations": {NUMBER: template["metadata"]["annotations"][NUMBER], BY: self._by},
            },
            "spec": {**template["spec"], "restartPolicy": "Never"},
        }
        try:
            self._api.send("POST", KINDS["Pod"].path(namespace), body, query={"fieldManager": MANAGER})
        except ConflictError:  # it was made, and the answer got lost; or the one before is not quite gone
            found = self.pods(name)
            if not found or pods.is_ending(found[0]):
                raise TransientError(f"{name}: the one before is not gone yet; try again") from None

    def remove(self, name: str, *, kind: str, wait: bool = True, instead_of: object = None) -> None:  # noqa: ARG002
        """Remove an object, with what belongs to it, and wait until it is gone; none is no error.

        `instead_of` is what it was, for who goes back.
        """
        path = KINDS[kind].path(self._home(name), name)
        if kind == "Namespace":
            found = self._api.find(path)
            whose = (found["metadata"].get("labels") or {}).get(DEPLOYMENT) if found else None
            if whose is None or not self._is_empty(name, whose):
                return
        with suppress(NotFoundError):
            # What is tried is asked by nobody: nothing of it has to end well.
            grace = {"gracePeriodSeconds": 1} if kind == "Pod" else {}
            self._api.send("DELETE", path, {"propagationPolicy": "Foreground", **grace})
        until = time.monotonic() + _GONE_S
        while wait and (self._api.find(path) is not None or (kind == "Deployment" and self.pods(name))):
            if time.monotonic() > until:
                raise TransientError(
                    f"{kind} {name}: is not gone after {_GONE_S:g} s; see: kubectl describe {kind} {name}"
                )
            time.sleep(_BETWEEN_S)

    def _is_empty(self, namespace: str, deployment: str) -> bool:
        """Tell whether nothing of others is in a namespace; where there is, it is not ours any more, and stays."""
        found = [*others(self._api, self.apis(), namespace, deployment)]
        if found:
            self._say(f"the namespace {namespace} stays: others have {', '.join(found[:3])} in it")
            body = {"metadata": {"labels": {DEPLOYMENT: None, MANAGED_BY: None}, "annotations": {WANTED: None}}}
            self._api.send("PATCH", KINDS["Namespace"].path(None, namespace), body, kind=MERGE)
        return not found

    # The lock

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take the lock of a deployment, and return the lock that holds: another's, where that was first."""
        namespace = self.namespace(deployment)
        self._known[deployment] = namespace
        if self._whose(deployment) is None:
            self._make_namespace(namespace, deployment)
        body = {
            "apiVersion": LEASE.api,
            "kind": "Lease",
            "metadata": {
                "name": deployment,
                "namespace": namespace,
                "labels": {DEPLOYMENT: deployment, MANAGED_BY: "opdeploy"},
                "annotations": {LOCK: lock.model_dump_json()},
            },
            "spec": {
                "holderIdentity": lock.owner[:253],
                "acquireTime": lock.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
        try:
            self._api.send("POST", LEASE.path(namespace), body)
        except ConflictError:
            found = self._api.find(LEASE.path(namespace, deployment))
            held = records.lock(found) if found else None
            if held is None:
                raise OpdeployError(
                    f"Lease {deployment}: opdeploy did not make it, or it was just given back; try again, or remove it"
                ) from None
            return held
        return lock

    def _make_namespace(self, namespace: str, deployment: str) -> None:
        labels = {DEPLOYMENT: deployment, MANAGED_BY: "opdeploy"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        with suppress(ConflictError):
            self._api.send("POST", KINDS["Namespace"].path(None), body)
            self._has_made = namespace

    def unlock(self, deployment: str, lock: Lock) -> None:
        """Give a lock back, unless another is in its place; a namespace that was made for it alone goes with it."""
        namespace = self.namespace(deployment)
        path = LEASE.path(namespace, deployment)
        found = self._api.find(path)
        held = records.lock(found) if found else None
        if not found or not held or held.process != lock.process:
            return
        if self._has_made == namespace and not any(
            item.kind != "Namespace" for item in self.observe("", deployment).found
        ):
            with suppress(OpdeployError):  # the Lease goes with it, so that nobody takes it meanwhile
                self.remove(namespace, kind="Namespace")
                return
        with suppress(NotFoundError, ConflictError):
            self._api.send("DELETE", path, {"preconditions": {"uid": found["metadata"]["uid"]}})


def _is_own(item: Mapping[str, Any], deployment: str, kind: str) -> bool:
    """Tell whether an object was made by a deployment, and not by others, or of its files by kubectl."""
    is_labelled = (item["metadata"].get("labels") or {}).get(DEPLOYMENT) == deployment
    return is_labelled and (kind != "Deployment" or records.number(item) is not None)


def _conflict(error: ConflictError) -> str:
    return f"{error}; take over what others set with --force-conflicts, or set it to what they did"
