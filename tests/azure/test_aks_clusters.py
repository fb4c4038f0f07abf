"""Clusters of Azure, as they are found and connected to, through the real SDKs."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from opdeploy.clients.azure import Arm, Clusters, Within, named_cluster
from opdeploy.clients.azure.cloud import read
from opdeploy.clients.azure.clusters import is_stopped, why_not
from opdeploy.clients.azure.session import Session
from opdeploy.clients.kubernetes.api import DeniedError
from opdeploy.deploy_settings import Deploy
from opdeploy.errors import InputError, OpdeployError
from opdeploy.targets.azure.kinds import KINDS, group_id
from opdeploy.targets.azure.names import where
from tests.arm.callers import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opdeploy.clients.kubernetes.api import Api
    from tests.arm.arm import Arm as StandIn
    from tests.azure.clouded import Clouded
    from tests.conftest import Ran

ELSEWHERE = KINDS["cluster"].id(group_id("00000000-1111-2222-3333-444444444444", "g"), "a")
KUBELOGIN = {"command": "kubelogin", "args": ["get-token", "--login", "devicecode", "--server-id", "the-server"]}


@pytest.fixture
def azure(arm: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arm]:
    """Return a connection to the subscription, which has clusters in two groups."""
    for name, value in arm.environment().items():
        monkeypatch.setenv(name, value)
    pool = {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D4as_v5"}
    with Caller(arm) as caller:
        for group, name in (("one", "a"), ("one", "b"), ("two", "b")):
            caller.group(group)
            own = {"dnsPrefix": name, "agentPoolProfiles": [pool], "nodeResourceGroup": f"nodes-{group}-{name}"}
            body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": own}
            caller.clusters.managed_clusters.begin_create_or_update(group, name, body).result()
    session = Session(read(arm.cloud_file()), arm.subscription)
    yield Arm(session)
    session.close()


def deploy(cluster: str, group: str | None = None, location: str | None = None) -> Deploy:
    """Return settings that name a cluster."""
    azure = {"resource_group": group, "location": location}
    return Deploy.model_validate({"target": "aks-cpu", "aks": {"cluster": cluster}, "azure": azure})


def test_a_cluster_is_found_by_its_name(azure: Arm) -> None:
    """With its group and region, where none is named."""
    found = named_cluster(azure, deploy("A"))
    assert (found.aks.cluster or "").endswith(
        "/resourceGroups/one/providers/Microsoft.ContainerService/managedClusters/a"
    )
    assert (found.azure.resource_group, found.azure.location) == ("one", "eastus")
    found = named_cluster(azure, deploy("b", "two", "westeurope"))
    assert (found.azure.resource_group, found.azure.location) == ("two", "westeurope")
    again = named_cluster(azure, found)
    assert again == found


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("b", "is in several groups: one, two; say which with --resource-group"),
        ("c", "there is no such cluster; there are: a, b, b; or leave it out"),
        (
            ELSEWHERE,
            "is in another subscription; say which with --subscription",
        ),
    ],
)
def test_a_cluster_that_is_not_the_one_is_told(azure: Arm, name: str, why: str) -> None:
    """With what to do."""
    with pytest.raises(InputError) as refused:
        named_cluster(azure, deploy(name))
    assert why in str(refused.value)


def test_a_token_takes_the_place_of_kubelogin(azure: Arm, arm: StandIn) -> None:
    """It is that of who is signed in, for the server that the kubeconfig names, and nothing has to be installed."""
    seen: list[str | None] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["Authorization"])
            body = json.dumps({"groups": [{"versions": [{"groupVersion": "apps/v1"}]}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    arm.kubeconfig = json.dumps(kubeconfig(f"http://127.0.0.1:{server.server_port}", {"exec": KUBELOGIN}))
    settings = named_cluster(azure, deploy("a"))
    clusters = Clusters(azure, settings, lambda api: Within(api, None, "me"))
    try:
        assert clusters.inside(where(settings, "x")).apis() == ["apps/v1"]
    finally:
        clusters.close()
        server.shutdown()
        thread.join()
        server.server_close()
    (shown,) = seen
    kind, _, token = (shown or "").partition(" ")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert (kind, claims["oid"]) == ("Bearer", arm.principal)
    asked = [item.body for item in arm.seen if "/oauth2/" in item.path and "the-server" in str(item.body)]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "its kubeconfig cannot be used"),
        (json.dumps({"users": [{"user": {"exec": {"command": "other"}}}]}), "says not what a token is for"),
    ],
)
def test_a_kubeconfig_that_is_of_no_use_is_told_without_what_is_in_it(
    azure: Arm, arm: StandIn, text: str, why: str
) -> None:
    """It may have a secret."""
    arm.resource("resourceGroups/one/providers/Microsoft.ContainerService/managedClusters/a").private["kubeconfig"] = (
        text or "{}"
    )
    settings = named_cluster(azure, deploy("a"))
    clusters = Clusters(azure, settings, lambda api: Within(api, None, "me"))
    with pytest.raises(OpdeployError, match=why):
        clusters.inside(where(settings, "x"))


def test_a_cluster_that_is_stopped_is_not_asked() -> None:
    """What to do is said."""
    found: dict[str, Any] = {"name": "a", "id": "/subscriptions/s/resourceGroups/g/providers/p/t/a"}
    found["properties"] = {"powerState": {"code": "Stopped"}}
    assert is_stopped(found)
    assert why_not(found, lambda: pytest.fail("it was asked")) == (
        "cluster a: is stopped; start it: az aks start --resource-group g --name a"
    )


class Listing:
    """A cluster that has namespaces, and in one of them pods."""

    def __init__(self, namespaces: list[str], pods: dict[str, str] | None) -> None:
        self._namespaces = namespaces
        self._pods = pods

    def get(self, path: str) -> dict[str, Any]:
        """Return what is there: the labels of pods, where anybody may see them."""
        if path.endswith("/pods"):
            if self._pods is None:
                raise DeniedError("pods may not be listed")
            assert path == "/api/v1/namespaces/default/pods"
            labels = [{"opdeploy.name": of} for of in self._pods.values()]
            return {"items": [{"metadata": {"name": "pod", "labels": each}} for each in labels]}
        return {"items": [{"metadata": {"name": name}} for name in self._namespaces]}


ALIKE = ["aks-team", "default-web", "gatekeeper-system-2"]
OTHERS: dict[str, tuple[list[str], dict[str, str] | None, list[str]]] = {
    "a new cluster": (["default", "kube-system", "kube-public", "kube-node-lease", "net"], {}, []),
    "what Azure makes": (["aks-command", "aks-istio-system", "gatekeeper-system", "app-routing-system"], {}, []),
    "names that begin alike": (ALIKE, {}, ALIKE),
    "pods of others in default": (["default", "web"], {"theirs": "other", "own": "net"}, ["default", "web"]),
    "own pods in default": (["default"], {"own": "net"}, []),
    "pods that may not be seen": (["default", "web"], None, ["default", "web"]),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_others_have_in_a_cluster_is_named(case: str) -> None:
    """By namespaces; neither those of a new cluster, nor those of Azure."""
    namespaces, pods, expected = OTHERS[case]
    within = Within(cast("Api", Listing(namespaces, pods)), None, "me")
    assert [*within.others("net")] == expected


def kubeconfig(server: str, user: dict[str, Any]) -> dict[str, Any]:
    """Return a kubeconfig."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


REFUSED = {
    "a size that the region does not have": (
        {"size": "Standard_D5as_v5"},
        "deploy.aks.size: Standard_D5as_v5 is not offered in westeurope; there are: ",
    ),
    "more processors than the quota has": (
        {"size": "Standard_D4as_v5", "min_nodes": 0, "max_nodes": 3},
        (
            "deploy.aks.system_size, deploy.aks.size: 1 of Standard_D2as_v5 and 3 of Standard_D4as_v5 take 14 "
            "processors, and of the quota cores in westeurope 10 of 10 are"
        ),
    ),
    "more for the cluster itself": (
        {"system_size": "Standard_D16as_v5"},
        "deploy.aks.system_size, deploy.aks.size: 1 of Standard_D16as_v5 and 1 of Standard_D2as_v5 take 18 processors",
    ),
}


@pytest.mark.parametrize(("settings", "why"), REFUSED.values(), ids=REFUSED)
def test_what_azure_would_refuse_is_found_before_anything_is_made(
    clouded: Callable[..., Clouded], settings: dict[str, object], why: str
) -> None:
    """With what to do."""
    project = clouded("aks-cpu", aks=settings)
    refused: list[Ran] = []
    written = project.since(lambda: refused.append(project.deploy()))
    assert refused[0].code == 1, refused[0].err
    assert why in refused[0].err
    assert [item.path for item in written if item.method != "POST"] == []  # by which names are looked at
    assert project.left() == []


def test_a_gateway_is_nothing_that_a_new_cluster_serves(clouded: Callable[..., Clouded]) -> None:
    """So it is refused, with the way out."""
    project = clouded("aks-cpu", kubernetes={"gateway_class": "istio", "hostname": "a.example"})
    refused = project.deploy()
    assert refused.code == 1, refused.err
    assert "a new cluster has nothing that serves the kind Gateway: deploy without its class" in refused.err


def test_a_cluster_that_is_named_and_not_there_is_told(clouded: Callable[..., Clouded]) -> None:
    """Before anything is made."""
    project = clouded("aks-cpu", aks={"cluster": "theirs"})
    refused = project.deploy()
    assert refused.code == 1, refused.err
    assert "/managedClusters/theirs: is not there; name another, or leave it out" in refused.err
    assert project.left() == []


def test_a_cluster_is_not_made_unless_a_setting_says_so(clouded: Callable[..., Clouded]) -> None:
    """A region alone does not."""
    project = clouded("aks-cpu")
    project.workload(azure={"resource_group": None})
    text = (project.folder / "workload.yaml").read_text().replace('"resource_group": null, ', "")
    (project.folder / "workload.yaml").write_text(text)
    refused = project.deploy()
    assert refused.code == 2, refused.err
    assert "deploy.kubernetes.context: names no cluster" in refused.err
    assert "which costs money: --set aks.cluster=NAME, --resource-group NAME, or --subscription NAME" in refused.err
