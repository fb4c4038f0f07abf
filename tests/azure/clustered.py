"""A folder with a model and its workload file, and what is deployed from it to clusters of the stand-in for Azure.

What is in such a cluster is the one of OPDEPLOY_TEST_KUBECONFIG.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.azure.clouded import GROUP, REGION, Clouded
from tests.deploy.clusters import CLEAN, KUBECONFIG, REGISTRY, kubectl
from tests.deploy.projects import BASE

if TYPE_CHECKING:
    import docker as sdk

_numbers = count()


@dataclass
class ClusteredProject(Clouded):
    """A project, deployed to a cluster of Azure, in which it has a namespace of its own."""

    target: str = "aks-cpu"
    more: tuple[str, ...] = ("--base-image", BASE)
    name: str = field(default_factory=lambda: f"net-{os.getpid()}-az{next(_numbers)}")
    client: sdk.DockerClient | None = None

    def __post_init__(self) -> None:
        """Have credentials of the stand-in's clusters be those of the one that is tried."""
        super().__post_init__()
        self.arm.kubeconfig = Path(KUBECONFIG).read_text()

    def signed_in(self) -> dict[str, str]:
        """Return the variables of a process that signs in; a build asks no proxy of the stand-in."""
        return {name: value for name, value in super().signed_in().items() if "proxy" not in name.lower()}

    def workload(self, **deploy: Any) -> None:  # noqa: ANN401 - any setting
        """Write the workload file, with more settings of the deployment."""
        azure = {"resource_group": GROUP, "location": REGION, "build": "here", **deploy.pop("azure", {})}
        inside = {"cpus": 0.2, **deploy.pop("kubernetes", {})}
        value: dict[str, Any] = {
            "name": "net",
            "model": {"path": "net"},
            "serving": {"pattern": "request-response"},
            "hardware": {"memory_gb": 0.25},
            "deploy": {
                "target": self.target,
                "name": self.name,
                "registry": REGISTRY,
                "azure": azure,
                "kubernetes": inside,
                **self.settings,
                **deploy,
            },
        }
        written = {key: item for key, item in value["deploy"].items() if item is not None}
        written["azure"] = {key: item for key, item in azure.items() if item is not None}
        (self.folder / "workload.yaml").write_text(json.dumps({**value, "deploy": written}))

    def inside(self) -> list[str]:
        """Return the names of everything that the deployment has in the cluster."""
        found = kubectl("get", ",".join(CLEAN), "-A", "-l", f"opdeploy.name={self.name}", "-o", "name").split()
        spaces = kubectl("get", "namespaces", "-o", "name").split()
        return [*found, *(name for name in spaces if self.name in name)]

    def clear(self) -> None:
        """Remove what is in the cluster, which goes with the one of Azure, and stays where that only stands in."""
        kubectl("-n", self.name, "delete", "deployments", "--all", "--wait=false")
        kubectl("-n", self.name, "delete", "pods", "--all", "--force", "--grace-period=0")
        kubectl("delete", "namespace", self.name, "--ignore-not-found", "--wait=false")


def others_cluster(project: ClusteredProject, group: str, name: str) -> None:
    """Have a cluster that somebody else made."""
    from tests.arm.callers import Caller

    arm = project.arm
    with Caller(arm) as caller:
        caller.group(group)
        pool = {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D4as_v5"}
        own = {"dnsPrefix": name, "agentPoolProfiles": [pool]}
        body = {"location": REGION, "identity": {"type": "SystemAssigned"}, "properties": own}
        caller.clusters.managed_clusters.begin_create_or_update(group, name, body).result()
