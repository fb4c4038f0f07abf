"""Settings on a real cluster: an address of a load balancer, an ingress, spare GPUs, what is not served."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from opdeploy.clients import kubernetes
from opdeploy.clients.kubernetes.api import MERGE
from opdeploy.errors import NotFoundError
from tests.deploy.clusters import KUBECONFIG, context, kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deploy.clusters import ClusterProject

pytestmark = pytest.mark.slow  # it builds images

OPEN = ("--allow-plain-http", "--public-no-auth")
GPU = "nvidia.com/gpu"


@pytest.fixture
def api(cluster_project: ClusterProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[kubernetes.Api]:
    """Return a connection to the cluster."""
    assert cluster_project.name
    monkeypatch.setenv("KUBECONFIG", KUBECONFIG)
    with kubernetes.connected(context()) as found:
        yield found


def test_a_load_balancer_is_waited_for(cluster_project: ClusterProject, api: kubernetes.Api) -> None:
    """Whoever gives it an address: here the test does; what is missing of the cluster is told by name."""
    project = cluster_project
    project.workload(kubernetes={"service_type": "LoadBalancer", "port": 8123, "max_replicas": 3})
    path = f"/api/v1/namespaces/{project.name}/services/{project.name}"
    (node,) = api.get("/api/v1/nodes")["items"]
    address = next(item["address"] for item in node["status"]["addresses"] if item["type"] == "InternalIP")

    def give() -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                api.get(path)
            except NotFoundError:
                time.sleep(0.2)
                continue
            time.sleep(1)  # in which nobody knows of it
            api.send(
                "PATCH", f"{path}/status", {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}, kind=MERGE
            )
            return

    giving = threading.Thread(target=give)
    giving.start()
    done = project.deploy(*OPEN)
    giving.join()
    assert done.code == 0, done.err
    assert f"answers at http://{address}:8123" in done.out
    assert "no HorizontalPodAutoscaler: no autoscaling" in done.err
    assert "no PodDisruptionBudget: a drain of nodes may end all pods at once" in done.err
    project.workload()
    changed = project.deploy()
    assert changed.code == 0, changed.err
    assert 'spec.type: "LoadBalancer" → "ClusterIP"' in changed.err
    assert project.versions() == {1: ("running", True)}


def test_a_name_is_answered_to_through_an_ingress(cluster_project: ClusterProject) -> None:
    """With a certificate it is not plain HTTP; a gateway is refused where none can be made."""
    project = cluster_project
    project.workload(kubernetes={"ingress_class": "nginx", "hostname": "a.example", "tls_secret": "a-tls"})
    done = project.deploy()
    assert done.code == 0, done.err
    assert "answers at https://a.example" in done.out
    assert "API key: " in done.err
    assert "plain HTTP" not in done.err
    (rule,) = project.get("ingress")["spec"]["tls"]
    assert rule == {"hosts": ["a.example"], "secretName": "a-tls"}
    project.workload(kubernetes={"gateway_class": "istio", "hostname": "a.example", "tls_secret": "a-tls"})
    refused = project.deploy()
    assert refused.code == 1
    assert "gateway.networking.k8s.io/v1 is not served there" in refused.err
    project.workload()
    closed = project.deploy()
    assert closed.code == 0, closed.err
    assert project.names("ingresses") == []
    assert f"secret/{project.name}" in project.names("secrets")  # which the first version, that is kept, asks for
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []


def test_a_spare_gpu_is_used_to_try_a_version(cluster_project: ClusterProject, api: kubernetes.Api) -> None:
    """A node says that it has one, as nodes may of any resource; where there is none, a pod ends before the next."""
    project = cluster_project
    assert project.deploy().code == 0
    asked = ("plan", "--base-image", project.base, "--target", "aks-gpu")
    none = project.run(*asked)
    assert "no node has a GPU" in none.out
    assert "try version 2" not in none.out
    (node,) = kubectl("get", "nodes", "-o", "name").split()
    status = f"/api/v1/nodes/{node.rpartition('/')[2]}/status"
    try:
        api.send("PATCH", status, {"status": {"capacity": {GPU: "1"}, "allocatable": {GPU: "1"}}}, kind=MERGE)
        one = project.run(*asked)
        assert "no node has a GPU" not in one.out
        assert "no GPU is known to be spare" not in one.out
        assert "try version 2" in one.out
    finally:
        api.send("PATCH", status, {"status": {"capacity": {GPU: None}, "allocatable": {GPU: None}}}, kind=MERGE)
