"""Where deployments live in clusters of Azure: Azure is asked for the cluster, and the cluster for what is in it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.clusters import why_not
from opdeploy.clients.azure.place import Place
from opdeploy.clients.azure.refused import RefusedError
from opdeploy.clients.docker.registry import reach
from opdeploy.deployment import Found, Tunnel
from opdeploy.errors import NotFoundError, TransientError
from opdeploy.targets.aks.bodies import CLUSTER, KUBELET, NODES, POOL, called, node_group
from opdeploy.targets.azure.kinds import KINDS, group_id, kind_of, name_of
from opdeploy.targets.azure.names import where
from opdeploy.targets.azure.record import NAME
from opdeploy.targets.azure.shared import ACR_PULL, REPOSITORY_READER, registry
from opdeploy.targets.kubernetes.kinds import ASKED_FOR
from opdeploy.targets.kubernetes.manifests import fitted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import JsonValue

    from opdeploy.clients.azure.clusters import Clusters
    from opdeploy.clients.azure.within import Within
    from opdeploy.deployment import Lock, Observed
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.base import Wanted

NEW = [
    "apps/v1",
    "autoscaling/v2",
    "coordination.k8s.io/v1",
    "metrics.k8s.io/v1beta1",
    "networking.k8s.io/v1",
    "policy/v1",
]
"""What a new cluster serves of what deployments need: what Kubernetes itself does, and its metrics server. What an
Ingress or a Gateway needs beside its kind is an option of a cluster, which opdeploy does not ask for (learn.microsoft.
com/azure/aks/app-routing, read 2026-11-26), and so is what reads the metrics of servers."""


class Clustered(Place):
    """A subscription, and the clusters of deployments in it."""

    def __init__(self, *given: Any, run: Clusters, **more: Any) -> None:  # noqa: ANN401 - what a place takes
        """Take what a place takes, and the clusters."""
        super().__init__(*given, run=run, **more)
        self._clusters = run

    @property
    def inside(self) -> Within:
        """The cluster of the deployment that was looked at last."""
        return self._clusters.inside(self.at)

    # What is there

    def all(self, target: str) -> Iterator[Observed]:
        """Yield all deployments; in a cluster that is named, also those of which Azure has nothing."""
        known = set()
        for found in super().all(target):
            known.add(found.deployment)
            yield found
        if self._settings.aks.cluster:
            for name in self._clusters.inside(where(self._settings, "")).deployments():
                if name not in known:
                    yield self.observe(target, name)

    def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:
        """Return everything that belongs to a deployment, in Azure and in its cluster.

        On demand, where a plan is to be made, what an interrupted command began is waited for.
        """
        self._seen = self._all_of(target, deployment, pushed=pushed)
        return self._seen

    def _all_of(self, target: str, deployment: str, *, pushed: bool) -> Observed:
        at = self.where(deployment)
        record = self.record(deployment) if pushed else None
        for item in record.made if record else ():
            kind = kind_of(item.id)
            if kind and kind.name in {CLUSTER, POOL}:
                self._arm.settled(item.id)
        found = super().observe(target, deployment)
        there = self._clusters.there(at)
        own = [*self._nodes(at)]
        found = found.model_copy(update={"found": (*found.found, *own)})
        if there is None:
            return found.model_copy(update={"facts": {**found.facts, "apis": [*NEW]}})
        why = self._why_not(there)
        facts: dict[str, JsonValue] = {
            **found.facts,
            **self._told(there, found),
            "cluster": {"id": there["id"], "why": why},
        }
        if why:
            return found.model_copy(update={"facts": facts, "events": (*found.events, why)})
        inside = self._clusters.inside(at).observe(target, deployment)
        stored = self.stored(inside, facts["registry"]) if pushed else {}
        return self._with(found, inside, {**facts, **stored}, there)

    def _with(self, found: Observed, inside: Observed, facts: dict[str, JsonValue], there: dict[str, Any]) -> Observed:
        """Return what Azure has of a deployment with what its cluster has."""
        name = found.deployment
        more: dict[str, JsonValue] = {**facts, **inside.facts}
        plugged = [*self.inside.plugins(name)] if self._target == "aks-gpu" else []
        if None in plugged:
            more["plugin"] = "others"
        if (there.get("tags") or {}).get(NAME) == name:
            more["others"] = [*self.inside.others(name)]
        tunnel = inside.tunnel
        if tunnel:
            command = f"az aks get-credentials {called(there['id'])} && {tunnel.command}"
            tunnel = Tunnel(command=command, url=tunnel.url)
        return inside.model_copy(
            update={
                "found": (*found.found, *inside.found, *(item for item in plugged if item)),
                "facts": more,
                "tunnel": tunnel,
                "lock": found.lock or inside.lock,
                "group": found.group,
            }
        )

    def _nodes(self, at: Where) -> Iterator[Found]:
        """Yield the group in which a cluster of the deployment's own has its machines, as long as it is there."""
        if self._whole.aks.cluster:
            return
        resource = group_id(at.subscription, node_group(self._whole, at.deployment))
        found = self._arm.find(resource)
        if found and str(found.get("managedBy") or "").lower() == self._clusters.id(at).lower():
            yield Found(kind=NODES, name=name_of(resource), passing=True, made={"id": resource})

    def _told(self, there: dict[str, Any], found: Observed) -> dict[str, JsonValue]:
        """Return what a plan depends on of a cluster: how many nodes there are, and whether they may pull."""
        profiles = there["properties"].get("agentPoolProfiles") or ()
        counts: dict[str, JsonValue] = {str(item["name"]): int(item.get("count") or 0) for item in profiles}
        facts: dict[str, JsonValue] = {"nodes": counts}
        source = found.facts.get("registry")
        scope = str(source["id"]) if isinstance(source, dict) else None
        if scope and self._is_let_by_others(scope, there, {item.name for item in found.found}):
            facts["pulls"] = "others"
        return facts

    def _is_let_by_others(self, scope: str, there: dict[str, Any], own: set[str]) -> bool:
        """Tell whether somebody else gave the nodes of a cluster the right to pull from a registry."""
        principal: Any = there
        for key in f"{KUBELET}.objectId".split("."):
            principal = (principal or {}).get(key)
        kind = KINDS["role assignment"]
        path = f"{scope}/providers/{kind.type}"
        with suppress(RefusedError):  # who may not look may be refused to give it, too
            for item in self._arm.every(path, kind.api, {"$filter": f"principalId eq '{principal}'"}):
                role = name_of(item["properties"]["roleDefinitionId"]).lower()
                if role in {ACR_PULL, REPOSITORY_READER} and item["name"] not in own:
                    return True
        return False

    # What stands in the way

    def obstacles(self, wanted: Wanted) -> Iterator[str]:
        """Yield what would keep a deployment from being made, a sentence each with what to do."""
        yield from super().obstacles(wanted)
        at = self.where(wanted.deployment)
        source = registry(wanted, {"registry": self._registry()})
        if source.id is None and (why := reach(wanted.settings.registry or "").why_not):
            yield f"deploy.registry: {wanted.settings.registry} does not answer: {why}; check it, and the network"
        there = self._clusters.there(at)
        if there is None and wanted.settings.aks.cluster:
            yield f"deploy.aks.cluster: {wanted.settings.aks.cluster}: is not there; name another, or leave it out"
        elif there is None:
            for kind in ASKED_FOR:
                if any(item["kind"] == kind for item in wanted.manifests):
                    yield (
                        f"a new cluster has nothing that serves the kind {kind}: deploy without its class, install "
                        "what serves it, and deploy again; or take --service-type LoadBalancer"
                    )
        elif why := self._why_not(there):
            yield why
        else:
            yield from self._clusters.inside(at).within(wanted)

    def shortages(self, wanted: Wanted) -> Iterator[str]:
        """Yield what may not be enough, or is not there."""
        yield from super().shortages(wanted)
        at = self.where(wanted.deployment)
        there = self._clusters.there(at)
        if there is None:
            yield from fitted(wanted.manifests, {"apis": [*NEW]}).left_out.values()
            yield "a cluster is made for it alone, which costs money until opdeploy remove has removed it"
        elif not self._why_not(there):
            own_nodes = wanted.gpu and (wanted.settings.aks.size or not wanted.settings.aks.cluster)
            yield from (
                line
                for line in self._clusters.inside(at).shortages(wanted)
                if not (own_nodes and line.startswith("no node has a GPU"))
            )

    # The lock

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take the lock of a deployment in Azure, and in its cluster, where those look who name it by a context."""
        held = super().lock(deployment, lock)
        if held.process != lock.process:
            return held
        theirs: Lock | None = None
        try:
            theirs = self.inside.lock(deployment, lock) if self._is_reached(deployment) else held
        finally:
            if theirs is None or theirs.process != lock.process:
                super().unlock(deployment, lock)
        return theirs

    def unlock(self, deployment: str, lock: Lock) -> None:
        """Give a lock back, unless another is in its place."""
        try:
            if self._is_reached(deployment):
                self.inside.unlock(deployment, lock)
        finally:
            super().unlock(deployment, lock)

    def _is_reached(self, deployment: str) -> bool:
        there = self._clusters.there(self.where(deployment))
        return there is not None and self._why_not(there) is None

    def _why_not(self, there: dict[str, Any]) -> str | None:
        """Return why what is in a cluster cannot be looked at, with what to do; None where it can."""
        return why_not(there, lambda: self._clusters.inside(self.at).apis())

    # Servers

    def artefact(self, name: str, folder: Path) -> None:
        """Write the artefact that a version's pod holds below a folder, in one called `model`."""
        self.inside.artefact(name, folder)

    def api_key(self, deployment: str) -> str | None:
        """Return the API key of a deployment: that of its cluster, else that of the environment."""
        with suppress(NotFoundError, TransientError):
            if key := self.inside.api_key(deployment):
                return key
        return super().api_key(deployment)
