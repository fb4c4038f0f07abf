"""A cluster of Kubernetes that Azure has, or that is made there, and a deployment in it. Pure.

What is in the cluster is what is in any other. Before it comes what Azure has of it: the cluster, nodes for the pods,
the right of its nodes to pull the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError
from opdeploy.plan import Change
from opdeploy.targets.aks import plugin
from opdeploy.targets.aks.bodies import CLUSTER, NODES, POOL, called, cluster, id_of, pool, right
from opdeploy.targets.aks.choice import IDS, check, in_azure
from opdeploy.targets.azure import steps
from opdeploy.targets.azure.kinds import GROUP, name_of
from opdeploy.targets.azure.shared import registry, stored
from opdeploy.targets.azure.target import VERSION, AzureTarget, closed, image, missing
from opdeploy.targets.kubernetes import Kubernetes
from opdeploy.targets.kubernetes import steps as inside
from opdeploy.targets.kubernetes.names import RULE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deployment import Found, Observed
    from opdeploy.plan import Plan, Step
    from opdeploy.platform import NameRule
    from opdeploy.targets.azure.shared import Resource
    from opdeploy.targets.base import Reach, Wanted

_FAILED = "failed"
_RIGHT = "role assignment"
_GPUS_S = 1200.0
"""Seconds for a node to have its driver, and to tell of its GPUs."""
_GONE_S = 1800.0


class _Within(Kubernetes):
    """What is in a cluster of Azure."""

    def images(self, wanted: Wanted, observed: Observed, *, is_new: bool) -> Iterator[Step]:
        """Yield the steps that build the image and bring it to its registry, or have that build it."""
        yield from image(wanted, registry(wanted, observed.facts), observed.facts, is_new=is_new)


_WITHIN = _Within()


class Aks(AzureTarget):
    """A cluster of Azure: one of the deployment's own, or one that is named."""

    ids: tuple[str, ...] = IDS
    rule: NameRule | None = RULE

    def config(self, wanted: Wanted) -> str:
        """Return the digest of everything that decides how a version runs."""
        return _WITHIN.config(wanted)

    def resources(self, wanted: Wanted) -> Iterator[Resource]:
        """Yield everything in Azure that a first version is made of."""
        yield from stored(wanted, wanted.settings.target or "", {})
        if not wanted.settings.aks.cluster:
            yield cluster(wanted)
        yield from (item for item in (right(wanted, {}), pool(wanted, {})) if item)

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current: what Azure has of its cluster, and then what is in that."""
        nodes = pool(wanted, observed.facts)
        yield from self._around(wanted, observed, nodes)
        yield from _WITHIN.plan(wanted, observed, number)
        others = [
            item for item in observed.found if item.kind == POOL and not (nodes and item.name == name_of(nodes.id))
        ]
        yield from (steps.delete(item, ", which are not asked for any more") for item in others)
        if others:  # whose pods are made again elsewhere
            again = inside.rolled_out(observed.deployment, number, wanted.ready_s)
            yield again.model_copy(update={"id": "rollout-elsewhere"})
        if not (wanted.gpu and nodes):
            yield from _unplugged(observed)

    def _around(self, wanted: Wanted, observed: Observed, nodes: Resource | None) -> Iterator[Step]:
        """Yield the steps after which there is a cluster, with nodes that may pull the image."""
        for item in stored(wanted, wanted.settings.target or "", observed.facts):
            yield from steps.put(item, observed.of(item.kind, name_of(item.id)))
        if not wanted.settings.aks.cluster:
            yield from _made(cluster(wanted), observed)
        yield from _allowed(right(wanted, observed.facts), observed)
        made = [*_made(nodes, observed)] if nodes else []
        yield from made
        if wanted.gpu and nodes and observed.facts.get("plugin") != "others":
            name = plugin.name(observed.deployment)
            title = "have the nodes tell of their GPUs"
            manifest = plugin.manifest(observed.deployment)
            told = [*inside.applied(manifest, observed.of(plugin.KIND, name), title, "kubernetes.plug")]
            yield from told
            made += told
        if made and wanted.gpu:
            yield _gpus(observed.deployment)

    def back(self, observed: Observed, to: int, undone: Plan | None = None) -> Iterator[Step]:
        """Yield the steps that make a kept version current again, after a plan that failed or on demand."""
        _require_reached(observed)
        yield from _WITHIN.back(observed, to, undone)
        done = undone.steps if undone else ()
        made = {step.name for step in done if step.kind == POOL and step.action == "create"}
        for item in observed.found:
            if item.kind == POOL and item.name in made:
                yield steps.delete(item, ", which were made for the version that failed", cleanup=True)

    def reach(self, observed: Observed, to: int) -> Reach:
        """Tell who reaches a kept version once it answers again."""
        return _WITHIN.reach(observed, to)

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be."""
        if _is_reached(observed):
            yield from _WITHIN.drift(observed)
            yield from missing(observed)
        else:
            yield from super().drift(observed)

    def teardown(self, observed: Observed) -> Iterator[Step]:
        """Yield the steps that delete everything that the deployment made, and nothing else.

        A cluster of its own goes with all that is in it; of another one, what the deployment made there.
        """
        made = [item for item in observed.found if item.made.get("id") and item.kind not in {VERSION, NODES}]
        own = next((item for item in made if item.kind == CLUSTER), None)
        if own is None and observed.facts.get("cluster"):
            _require_reached(observed)
            yield from (step for step in _WITHIN.teardown(observed) if step.call != "copy.clear")
            yield from _unplugged(observed)
        ordered = steps.order([item for item in made if item.kind != POOL or own is None])
        for item in ordered:
            if item.kind != GROUP.name:
                yield steps.delete(item, _with_others(observed) if item.kind == CLUSTER else "")
            if item.kind == CLUSTER:
                yield from _nodes_gone(observed)
        if own is None:
            yield from _nodes_gone(observed)
        yield from closed(observed, made)


def _made(resource: Resource, observed: Observed) -> Iterator[Step]:
    """Yield the step that makes a resource as it is to be; also where making it failed, which Azure mends so."""
    found = observed.of(resource.kind, name_of(resource.id))
    made = [*steps.put(resource, found)]
    if found and not made and found.properties.get("state") == _FAILED:
        again = [*steps.put(resource, None, f"make the {resource.kind} {found.name} again, which failed")]
        change = Change(property="state", before=_FAILED, after="running")
        made = [step.model_copy(update={"action": "change", "changes": (change,)}) for step in again]
    yield from made


def _allowed(wanted: Resource | None, observed: Observed) -> Iterator[Step]:
    """Yield the steps after which the nodes may pull the image; those of a cluster that is made have a new identity."""
    if wanted is None:
        return
    found = observed.of(_RIGHT, name_of(wanted.id))
    if found and not observed.facts.get("cluster"):
        yield steps.delete(found, ", of a cluster that is gone")
        found = None
    yield from steps.put(wanted, found, "let the nodes of the cluster pull the image")


def _gpus(deployment: str) -> Step:
    """Return the step that waits until a node tells of its GPUs."""
    title = "wait until a node tells of its GPUs"
    args = {"name": deployment}
    return steps.act((POOL, deployment), "kubernetes.tells_of_gpus", title, args, action="check", timeout_s=_GPUS_S)


def _unplugged(observed: Observed) -> Iterator[Step]:
    found = observed.of(plugin.KIND, plugin.name(observed.deployment))
    if found:
        title = f"remove the {plugin.KIND} {found.name}"
        args = {"name": found.name}
        yield steps.act((plugin.KIND, found.name), "kubernetes.unplug", title, args, action="delete")


def _nodes_gone(observed: Observed) -> Iterator[Step]:
    """Yield the step that sees that what a cluster was made of is gone: machines, disks, addresses."""
    found = next((item for item in observed.found if item.kind == NODES), None)
    if found:
        title = f"see that the resource group {found.name} is gone, with the cluster's machines, disks and addresses"
        args = {"resource": found.made["id"]}
        yield steps.act((NODES, found.name), "azure.delete", title, args, action="delete", timeout_s=_GONE_S)


def _with_others(observed: Observed) -> str:
    """Say whose else things are in a cluster that is to be removed."""
    others = observed.facts.get("others")
    named = ", ".join(map(str, others)) if isinstance(others, list) else ""
    return f", with all that is in it{f', also what others have in the namespaces {named}' if named else ''}"


def _is_reached(observed: Observed) -> bool:
    found = observed.facts.get("cluster")
    return isinstance(found, dict) and found.get("why") is None


def _require_reached(observed: Observed) -> None:
    """Raise OpdeployError where nobody can tell what is in the cluster."""
    found = observed.facts.get("cluster")
    if isinstance(found, dict) and found.get("why"):
        raise OpdeployError(f"{observed.deployment}: {found['why']}")


MANAGED = Aks()
__all__ = ["MANAGED", "Aks", "called", "check", "id_of", "in_azure"]
