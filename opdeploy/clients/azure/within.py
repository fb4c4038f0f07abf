"""What is in a cluster of Azure, beside what is in any: nodes that tell of their GPUs, and what others have there."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opdeploy.clients.kubernetes import Cluster, records
from opdeploy.clients.kubernetes.api import APPLY, MANAGER, DeniedError
from opdeploy.errors import NotFoundError, TransientError
from opdeploy.targets.aks import plugin
from opdeploy.targets.kubernetes.kinds import KINDS
from opdeploy.targets.kubernetes.names import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opdeploy.deployment import Found

_SHARED, _KUBE = "default", "kube-"
"""The namespace that everybody has, and how those of Kubernetes itself begin (learn.microsoft.com/training/modules/
plan-azure-kubernetes-service-deployment/6-kubernetes-namespaces, read 2026-11-26)."""
_OF_AZURE = {
    "aks-command",
    "aks-istio-egress",
    "aks-istio-ingress",
    "aks-istio-system",
    "app-routing-system",
    "calico-system",
    "gatekeeper-system",
    "tigera-operator",
}
"""Namespaces that Azure itself makes where something of it is in use: `az aks command invoke` (learn.microsoft.com/
troubleshoot/azure/azure-kubernetes, resolve-az-aks-command-invoke-failures, 2022-10-25), Istio and application routing
(learn.microsoft.com/azure/aks, istio-deploy-addon and app-routing-nginx-prometheus), Calico (github.com/Azure/AKS,
issue 2089, 2021-02-02), Azure Policy (files of others that exclude it); read 2026-11-26."""
_GPUS_S = 1100.0
_BETWEEN_S = 2.0


class Within(Cluster):
    """A cluster of Azure."""

    def apply(self, name: str, *, manifest: Mapping[str, Any], instead_of: object = None) -> None:
        """Have an object be as a manifest says; one is left out of a kind that a new cluster turns out not to know."""
        kind = KINDS[manifest["kind"]]
        if self.serves(kind.api):
            super().apply(name, manifest=manifest, instead_of=instead_of)
        else:
            self._say(f"{kind.api} is not served there: no {kind.name}: {kind.without}")

    def plug(self, name: str, *, manifest: Mapping[str, Any]) -> None:
        """Have nodes tell of their GPUs."""
        query = {"fieldManager": MANAGER, "force": "true"}
        self._api.send("PATCH", f"{plugin.PATH}/{name}", records.recorded(manifest), query=query, kind=APPLY)

    def unplug(self, name: str) -> None:
        """Remove what has nodes tell of their GPUs; none is no error."""
        with suppress(NotFoundError):
            self._api.send("DELETE", f"{plugin.PATH}/{name}", {"propagationPolicy": "Foreground"})

    def tells_of_gpus(self, name: str) -> None:
        """Wait until one of a deployment's nodes tells of its GPUs."""
        until = time.monotonic() + _GPUS_S
        chosen = f"{DEPLOYMENT}={name}"
        while not any(map(_gpus, self._api.get("/api/v1/nodes", labelSelector=chosen)["items"])):
            if time.monotonic() > until:
                raise TransientError(
                    f"{name}: no node tells of a GPU after {_GPUS_S:g} s; see: kubectl --namespace {plugin.NAMESPACE} "
                    f"describe daemonset {plugin.name(name)}"
                )
            self._watch("waits for a node to tell of its GPUs")
            time.sleep(_BETWEEN_S)

    def plugins(self, deployment: str) -> Iterator[Found | None]:
        """Yield what has nodes tell of their GPUs: the deployment's own, and None for each of others."""
        with suppress(DeniedError):
            for item in self._api.get(f"/apis/{plugin.API}/daemonsets")["items"]:
                if item["metadata"]["name"] == plugin.name(deployment):
                    yield records.found(plugin.KIND, item)
                elif DEPLOYMENT not in (item["metadata"].get("labels") or {}) and plugin.is_one(item):
                    yield None

    def others(self, deployment: str) -> Iterator[str]:
        """Yield the namespaces in which others have something: what they made, and where they run pods in `default`."""
        with suppress(DeniedError):
            for item in self._api.get(KINDS["Namespace"].path(None))["items"]:
                name = str(item["metadata"]["name"])
                if name == _SHARED:
                    yield from [name] if self._is_used(name, deployment) else []
                elif not name.startswith(_KUBE) and name not in {*_OF_AZURE, self.namespace(deployment)}:
                    yield name

    def _is_used(self, namespace: str, deployment: str) -> bool:
        """Tell whether others run pods in a namespace, or may do so, where who asks may not see them."""
        try:
            pods = self._api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
        except DeniedError:
            return True
        return any((item["metadata"].get("labels") or {}).get(DEPLOYMENT) != deployment for item in pods)


def _gpus(node: Mapping[str, Any]) -> int:
    return int(node["status"].get("allocatable", {}).get("nvidia.com/gpu", 0))
