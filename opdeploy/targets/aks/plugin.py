"""What has nodes tell of their GPUs: NVIDIA's device plugin, which Azure does not install by itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.kubernetes.names import DEPLOYMENT, MANAGED_BY

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "kube-system"
KIND = "DaemonSet"
API = "apps/v1"
PATH = f"/apis/{API}/namespaces/{NAMESPACE}/daemonsets"
_IMAGE = "nvcr.io/nvidia/k8s-device-plugin:v0.18.0"
"""As the documentation of AKS has it (azure-aks-docs, use-nvidia-gpu.md, read 2026-11-26)."""
_FOLDER = "/var/lib/kubelet/device-plugins"


def name(deployment: str) -> str:
    """Return what a deployment's own is called."""
    return f"{deployment}-gpus"


def is_one(daemons: Mapping[str, Any]) -> bool:
    """Tell whether a DaemonSet has nodes tell of GPUs of NVIDIA, whoever made it."""
    return any("k8s-device-plugin" in str(item["image"]) for item in daemons["spec"]["template"]["spec"]["containers"])


def manifest(deployment: str) -> dict[str, Any]:
    """Return the manifest: a pod on each of the nodes that were made for a deployment."""
    labels = {"app.kubernetes.io/name": "nvidia-device-plugin", "app.kubernetes.io/instance": name(deployment)}
    own = {MANAGED_BY: "opdeploy", DEPLOYMENT: deployment}
    container = {
        "name": "plugin",
        "image": _IMAGE,
        "env": [{"name": "FAIL_ON_INIT_ERROR", "value": "false"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "plugins", "mountPath": _FOLDER}],
    }
    spec = {
        "priorityClassName": "system-node-critical",
        "nodeSelector": {DEPLOYMENT: deployment},
        "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
        "containers": [container],
        "volumes": [{"name": "plugins", "hostPath": {"path": _FOLDER}}],
    }
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": {"name": name(deployment), "namespace": NAMESPACE, "labels": {**labels, **own}},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }
