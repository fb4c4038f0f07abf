"""Whether a cluster of Kubernetes is ready for deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.deploy import engines
from opdeploy.deploy.finding import Finding, problem
from opdeploy.deploy.locking import owner
from opdeploy.errors import OpdeployError
from opdeploy.targets.kubernetes.kinds import KINDS, METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.clients import kubernetes
    from opdeploy.clients.kubernetes import Api
    from opdeploy.deploy_settings import Deploy

_ALWAYS = ("Service", "Deployment", "NetworkPolicy", "Secret", "PodDisruptionBudget", "HorizontalPodAutoscaler")
"""Kinds of which a deployment may make one without being asked by name."""


def cluster(deploy: Deploy, name: str | None) -> Iterator[Finding]:
    """Yield what is found of the cluster of a context, of the user's rights there, and of what builds images here."""
    from opdeploy.clients import kubernetes

    context = deploy.kubernetes.context
    if context is None:
        todo = "name one with --set kubernetes.context=NAME, or a resource group, in which one is made"
        yield Finding("context", "problem", "names no cluster", todo)
        return
    try:
        with kubernetes.connected(context) as api:
            yield from _server(api, context)
            place = kubernetes.Cluster(api, deploy.kubernetes.namespace, owner())
            yield from _lacks(place)
            yield from _rights(place, name)
    except OpdeployError as error:
        yield problem(f"cluster {context}", error)
    yield from engines.builder()
    yield from engines.registry(deploy)
    if not deploy.registry:
        yield Finding("registry", "problem", "is not named", "name what the cluster pulls from: deploy.registry")


def _server(api: Api, context: str) -> Iterator[Finding]:
    version = api.get("/version")
    yield Finding(f"cluster {context}", "ok", f"answers: Kubernetes {version.get('gitVersion', 'of no version')}")
    if not api.is_checked:
        todo = "give the kubeconfig the cluster's certificate authority"
        yield Finding("certificate", "note", "is not checked: who is on the way can change everything", todo)


def _lacks(place: kubernetes.Cluster) -> Iterator[Finding]:
    for kind in map(KINDS.__getitem__, _ALWAYS):
        if not place.serves(kind.api):
            yield Finding(kind.name, "note", f"{kind.api} is not served: {kind.without}", "take a newer cluster")
    if not any(api.startswith(f"{METRICS}/") for api in place.apis()):
        todo = "install metrics-server where load shall decide about the number of pods"
        yield Finding("metrics", "note", f"{METRICS} is not served: no autoscaling by processors", todo)


def _rights(place: kubernetes.Cluster, name: str | None) -> Iterator[Finding]:
    if name is None:
        return
    kinds = [kind for kind in _ALWAYS if place.serves(KINDS[kind].api)]
    lacking = [*place.missing(kinds, name)]
    for said in lacking:
        what, _, todo = said.partition("; ")
        yield Finding("rights", "problem", what, todo)
    if not lacking:
        yield Finding("rights", "ok", f"all that a deployment needs in namespace {place.namespace(name)}")
