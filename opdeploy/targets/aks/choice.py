"""Whether a cluster of Azure is meant, and which: one that is named, or one of the deployment's own. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.errors import InputError
from opdeploy.targets.aks import sizes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from opdeploy.deploy_settings import Deploy

IDS = ("aks-cpu", "aks-gpu")


def in_azure(settings: Deploy) -> bool:
    """Tell whether the cluster is found, or made, through Azure Resource Manager: a context of the kubeconfig is not.

    That takes a setting that says so: a cluster costs money as long as it is there.
    """
    named = settings.aks.cluster or settings.azure.resource_group or settings.azure.subscription
    return settings.target in IDS and settings.kubernetes.context is None and named is not None


def check(settings: Deploy, day: date) -> None:
    """Raise InputError for settings that do not go together, or that Azure would refuse on a day."""
    for why in _wrong(settings, day):
        raise InputError(why)


def _wrong(settings: Deploy, day: date) -> Iterator[str]:
    chosen = settings.aks
    if chosen.cluster and settings.kubernetes.context:
        yield "deploy.aks.cluster: the cluster is named by deploy.kubernetes.context already; leave one out"
    if in_azure(settings):
        if settings.azure.key_vault:
            yield "deploy.azure.key_vault: a cluster keeps the API key itself, in a Secret; leave it out"
        yield from _of_nodes(settings, day)
        yield from _of_named(settings)


def _of_nodes(settings: Deploy, day: date) -> Iterator[str]:
    least, most = nodes(settings)
    if most < max(least, 1):
        yield f"deploy.aks.max_nodes: {most} is below min_nodes {least}; raise it, or lower min_nodes"
    for name, gpu in (("size", settings.target == "aks-gpu"), ("system_size", False)):
        size = getattr(settings.aks, name)
        yield from (f"deploy.aks.{name}: {why}" for why in (sizes.wrong(size, day, gpu=gpu) if size else ()))


def _of_named(settings: Deploy) -> Iterator[str]:
    """Yield what was said of a cluster that is made, where one is named."""
    if not settings.aks.cluster:
        return
    for name in ("tier", "system_size", "system_nodes", "kubernetes_version"):
        if getattr(settings.aks, name):
            yield f"deploy.aks.{name}: is of a cluster that is made; leave it out, or leave deploy.aks.cluster out"
    if settings.azure.identity:
        yield "deploy.azure.identity: the cluster that deploy.aks.cluster names has its own; leave it out"


def nodes(settings: Deploy) -> tuple[int, int]:
    """Return how many nodes there are at least and at most: where both are the same, nothing changes their number."""
    chosen = settings.aks
    least = 1 if chosen.min_nodes is None else chosen.min_nodes
    return least, chosen.max_nodes or max(least, 1)
