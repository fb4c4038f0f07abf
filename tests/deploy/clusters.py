"""Projects that are deployed to a cluster of Kubernetes: the one of OPDEPLOY_TEST_KUBECONFIG."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.conftest import environment
from tests.deploy.asking import Clients
from tests.deploy.projects import Project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPConnection


REGISTRY = os.environ.get("OPDEPLOY_TEST_REGISTRY", "127.0.0.1:5000")
"""Where the cluster pulls images from that this machine pushes."""
KUBECONFIG = os.environ.get("OPDEPLOY_TEST_KUBECONFIG", "")
CLEAN = ("deployments", "replicasets", "pods", "services", "secrets", "networkpolicies", "leases", "ingresses")
"""What is looked for to see that nothing is left."""


@cache
def context() -> str:
    """Return the context of the kubeconfig that is tried."""
    found: str = yaml.safe_load(Path(KUBECONFIG).read_text())["current-context"]
    return found


def kubectl(*arguments: str, kubeconfig: str = KUBECONFIG, **variables: str) -> str:
    """Run kubectl, and return what it printed."""
    done = subprocess.run(
        ["kubectl", *arguments],  # noqa: S607 - the program of the machine
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment(KUBECONFIG=kubeconfig, **variables),
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class ClusterClients(Clients):
    """Clients at a port of a node.

    Now and then no rule of kube-proxy 1.20 passes a connection to such a port on to a pod (with iptables 1.8.9 and
    Linux 6.18, one of 8,106 fresh connections in 40 s without any deployment, 2026-11-26): kube-proxy itself listens
    there, to keep the port, and answers nothing. The kernel tells which these are, and they do not count.
    """

    excused = 0

    def _is_excused(self, connection: HTTPConnection) -> bool:
        """Tell whether the kernel knows of no pod that a connection was passed on to."""
        if connection.sock is None:
            return False
        port = connection.sock.getsockname()[1]
        known = subprocess.run(
            ["conntrack", "-L", "-p", "tcp", "--orig-port-src", str(port), "--orig-port-dst", str(self.port)],  # noqa: S607
            capture_output=True,
            check=False,
            encoding="utf-8",
        ).stdout
        is_lost = f"src={self.host} dst=" in known.partition("dport=")[2]
        self.excused += is_lost
        return is_lost


@dataclass
class ClusterProject(Project):
    """A folder with a workload file, whose model is deployed to a namespace of its own."""

    variables: Mapping[str, str] = field(default_factory=lambda: {"KUBECONFIG": KUBECONFIG})

    def workload(self, **deploy: Any) -> None:  # noqa: ANN401 - any setting
        """Write the workload file, with more settings of the deployment."""
        chosen = {"context": context(), "cpus": 0.2, **deploy.pop("kubernetes", {})}
        value = {
            "name": "net",
            "model": {"path": "net"},
            "serving": {"pattern": "request-response"},
            "hardware": {"memory_gb": 0.25},
            "deploy": {"target": "aks-cpu", "name": self.name, "registry": REGISTRY, "kubernetes": chosen, **deploy},
        }
        (self.folder / "workload.yaml").write_text(json.dumps(value))

    def get(self, kind: str, name: str | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Return an object of the namespace, of the deployment's name if not another."""
        return json.loads(kubectl("-n", self.name, "get", kind, name or self.name, "-o", "json"))

    def names(self, kind: str) -> list[str]:
        """Return the names of all objects of a kind in the namespace."""
        return kubectl("-n", self.name, "get", kind, "-o", "name").split()

    def running(self) -> list[str]:
        """Return the names of the pods of which a container runs.

        One that has ended is a pod until the kubelet has cleared up behind it: over a minute later, with Kubernetes
        1.20, seen 2026-11-26.
        """
        pods = json.loads(kubectl("-n", self.name, "get", "pods", "-o", "json"))["items"]
        parts = [(pod["metadata"]["name"], pod["status"].get("containerStatuses", ())) for pod in pods]
        return [name for name, containers in parts if any("running" in item["state"] for item in containers)]

    def left(self) -> list[str]:
        """Return the names of everything that has the deployment's name, in the cluster and in the engine."""
        spaces = kubectl("get", "namespaces", "-o", "name").split()
        label = f"opdeploy.name={self.name}"
        found = kubectl("get", ",".join(CLEAN), "-A", "-l", label, "-o", "name").split()
        return [*(name for name in spaces if self.name in name), *found, *self._images()]

    def _images(self) -> list[str]:
        return [tag for image in self.client.api.images() for tag in image["RepoTags"] or () if self.name in tag]

    def remove(self) -> None:
        """Remove whatever is there, also after a test that failed."""
        kubectl("-n", self.name, "delete", "deployments", "--all", "--wait=false")
        kubectl("-n", self.name, "delete", "pods", "--all", "--force", "--grace-period=0")
        kubectl("delete", "namespace", self.name, "--ignore-not-found", "--wait=false")
