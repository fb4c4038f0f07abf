"""A Kubernetes cluster that a kubeconfig reaches."""

from __future__ import annotations

from opdeploy.clients.kubernetes.api import Api, connected, connected_to
from opdeploy.clients.kubernetes.cluster import Cluster

__all__ = ["Api", "Cluster", "connected", "connected_to"]
