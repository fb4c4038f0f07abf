"""The kinds of objects that a deployment is made of, and where an API server has them. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of object."""

    name: str
    api: str
    """Group and version, such as apps/v1."""
    plural: str
    without: str = ""
    """What is missing where a server does not serve it."""

    @property
    def group(self) -> str:
        """The group; empty for the first one."""
        return self.api.rpartition("/")[0]

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of all objects of a namespace, or of one."""
        root = f"/apis/{self.api}" if "/" in self.api else f"/api/{self.api}"
        within = f"/namespaces/{namespace}" if namespace and self.name != "Namespace" else ""
        return f"{root}{within}/{self.plural}{f'/{name}' if name else ''}"


KINDS = {
    kind.name: kind
    for kind in (
        Kind("Ingress", "networking.k8s.io/v1", "ingresses", "it is reached under no name"),
        Kind("HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes", "it is reached under no name"),
        Kind("Gateway", "gateway.networking.k8s.io/v1", "gateways", "it is reached under no name"),
        Kind("Service", "v1", "services"),
        Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers", "no autoscaling"),
        Kind(
            "PodDisruptionBudget",
            "policy/v1",
            "poddisruptionbudgets",
            "a drain of nodes may end all pods at once",
        ),
        Kind("Deployment", "apps/v1", "deployments"),
        Kind("ReplicaSet", "apps/v1", "replicasets"),
        Kind("Pod", "v1", "pods"),
        Kind(
            "NetworkPolicy",
            "networking.k8s.io/v1",
            "networkpolicies",
            "nothing limits who reaches it, or whom it reaches",
        ),
        Kind("Secret", "v1", "secrets"),
        Kind("Namespace", "v1", "namespaces"),
    )
}
"""In the order in which they are removed: what lets requests in goes first."""
LEASE = Kind("Lease", "coordination.k8s.io/v1", "leases")
EVENT = Kind("Event", "v1", "events")
APPLIED = tuple(name for name in KINDS if name not in {"ReplicaSet", "Pod", "Namespace"})
"""Kinds that are made of manifests."""
ASKED_FOR = ("Ingress", "HTTPRoute", "Gateway")
"""Kinds that are made where somebody asks for them by name: without them there is no deployment."""
METRICS = "metrics.k8s.io"
CUSTOM_METRICS = "custom.metrics.k8s.io"
