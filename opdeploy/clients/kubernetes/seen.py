"""What is there of deployments in a cluster."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opdeploy.clients.kubernetes import pods, records
from opdeploy.clients.kubernetes.api import DeniedError
from opdeploy.clients.kubernetes.forward import HOST
from opdeploy.deployment import Found, Lock, Observed, Tunnel
from opdeploy.targets.kubernetes.kinds import APPLIED, ASKED_FOR, EVENT, KINDS, LEASE
from opdeploy.targets.kubernetes.names import COMPONENT, DEPLOYMENT, MANAGED_BY, SERVER, trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from opdeploy.clients.kubernetes.api import Api

_GPU = "nvidia.com/gpu"
_EVENTS = 8
_LOCAL_PORT = 8000


class Seen:
    """Deployments in a cluster, as they are now; nothing here changes anything."""

    def __init__(self, api: Api, namespace: str | None) -> None:
        """Take a connection, and the namespace where one was chosen."""
        self._api = api
        self._chosen = namespace
        self._known: dict[str, str] = {}
        """The namespace of each ReplicaSet and trial that was seen."""
        self._fronts: set[str] = set()
        """The names of deployments, by which their Services are asked for."""

    def namespace(self, deployment: str) -> str:
        """Return the namespace of a deployment."""
        return self._chosen or self._known.get(deployment) or deployment

    def all(self, target: str) -> Iterator[Observed]:
        """Yield all deployments."""
        for name in self.deployments():
            yield self.observe(target, name)

    def deployments(self) -> list[str]:
        """Return the names of all deployments, in the namespace that was chosen, else in all."""
        path = KINDS["Deployment"].path(self._chosen)
        found = self._api.get(path, labelSelector=f"{MANAGED_BY}=opdeploy,{DEPLOYMENT}")["items"]
        self._known |= {item["metadata"]["labels"][DEPLOYMENT]: item["metadata"]["namespace"] for item in found}
        return sorted({item["metadata"]["labels"][DEPLOYMENT] for item in found})

    def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:  # noqa: ARG002 - asked of images
        """Return everything that belongs to a deployment."""
        objects = {kind: self._list(kind, deployment) for kind in (*APPLIED, "ReplicaSet", "Pod") if kind != "Secret"}
        objects["Secret"] = self._secret(deployment)
        of_deployment = next(iter(objects["Deployment"]), None)
        service = next(iter(objects["Service"]), None)
        found = [
            *(records.found(kind, item) for kind in APPLIED for item in objects[kind]),
            *(records.replicas(item) for item in objects["ReplicaSet"]),
            *(records.pod(item, trial(deployment)) for item in objects["Pod"]),
        ]
        whose = self._whose(deployment)
        if whose == "own":
            found.append(Found(kind="Namespace", name=self.namespace(deployment), passing=True))
        self._fronts.add(deployment)
        self._known |= dict.fromkeys((trial(deployment), *(item.name for item in found)), self.namespace(deployment))
        upstream = _upstream(of_deployment, objects["Pod"]) if service else None
        versions = records.versions(of_deployment, objects["ReplicaSet"], upstream)
        return Observed(
            target=target,
            deployment=deployment,
            found=tuple(found),
            versions=versions,
            endpoint=self._endpoint(deployment, objects) if service else None,
            tunnel=self._tunnel(deployment, objects) if service else None,
            events=self._events(deployment, objects) if found else (),
            facts={**self._facts(), "namespace": whose},
            front=deployment if service else None,
            upstream=upstream,
            rolls=True,
            lock=self._lock(deployment),
        )

    def _list(self, kind: str, deployment: str) -> list[dict[str, Any]]:
        if not self.serves(KINDS[kind].api):
            return []
        path = KINDS[kind].path(self.namespace(deployment))
        try:
            items = self._api.get(path, labelSelector=f"{DEPLOYMENT}={deployment}")["items"]
        except DeniedError:
            if kind in ASKED_FOR:  # who never asks for one needs no right to look for it
                return []
            raise
        return sorted(items, key=lambda item: str(item["metadata"]["name"]))

    def _secret(self, deployment: str) -> list[dict[str, Any]]:
        """Return the Secret of a deployment without what is secret in it; nothing where it may not be looked at."""
        with suppress(DeniedError):
            found = self._api.find(KINDS["Secret"].path(self.namespace(deployment), deployment))
            if found and (found["metadata"].get("labels") or {}).get(DEPLOYMENT) == deployment:
                return [{key: value for key, value in found.items() if key not in {"data", "stringData"}}]
        return []

    def _whose(self, deployment: str) -> str | None:
        """Tell whether the namespace of a deployment was made for it (`own`) or by others; None where there is none.

        Where it may not be looked at, it is taken to be somebody else's: what is in it could be listed.
        """
        try:
            found = self._api.find(KINDS["Namespace"].path(None, self.namespace(deployment)))
        except DeniedError:
            return "other"
        if found is None:
            return None
        return "own" if (found["metadata"].get("labels") or {}).get(DEPLOYMENT) == deployment else "other"

    def apis(self) -> list[str]:
        """Return the groups and versions that the server has."""
        if not hasattr(self, "_apis"):
            groups = self._api.get("/apis")["groups"]
            self._apis = sorted(item["groupVersion"] for group in groups for item in group["versions"])
        return self._apis

    def serves(self, api: str) -> bool:
        """Tell whether the server has a group in a version, such as policy/v1."""
        return "/" not in api or api in self.apis()

    def _facts(self) -> dict[str, JsonValue]:
        facts: dict[str, JsonValue] = {"apis": list(self.apis()), "checked": self._api.is_checked}
        with suppress(DeniedError):
            facts["gpus"], facts["spare_gpus"] = self._gpus()
        return facts

    def _gpus(self) -> tuple[int, int]:
        """Return how many GPUs there are on nodes that take pods, and how many no pod has on the best of them."""
        nodes = self._api.get("/api/v1/nodes")["items"]
        free = {
            node["metadata"]["name"]: int(node["status"].get("allocatable", {}).get(_GPU, 0))
            for node in nodes
            if not node["spec"].get("unschedulable")
        }
        there = sum(free.values())
        if not there:
            return 0, 0
        running = self._api.get(KINDS["Pod"].path(None), fieldSelector="status.phase!=Succeeded,status.phase!=Failed")
        for pod in running["items"]:
            node = pod["spec"].get("nodeName")
            if node in free:
                asked = ((item.get("resources") or {}).get("requests") or {} for item in pod["spec"]["containers"])
                free[node] -= sum(int(item.get(_GPU, 0)) for item in asked)
        return there, max(free.values())

    def _lock(self, deployment: str) -> Lock | None:
        with suppress(DeniedError):
            found = self._api.find(LEASE.path(self.namespace(deployment), deployment))
            return records.lock(found) if found else None
        return None

    def _events(self, deployment: str, objects: dict[str, list[dict[str, Any]]]) -> tuple[str, ...]:
        """Return the last warnings about a deployment's objects, the newest last."""
        names = {item["metadata"]["name"] for items in objects.values() for item in items}
        with suppress(DeniedError):
            found = self._api.get(EVENT.path(self.namespace(deployment)), fieldSelector="type=Warning")["items"]
            ours = sorted((item for item in found if item["involvedObject"].get("name") in names), key=pods.at)
            return tuple(
                f"{item['involvedObject']['kind']} {item['involvedObject']['name']}: {pods.event(item)}"
                for item in ours[-_EVENTS:]
            )
        return ()

    def _endpoint(self, deployment: str, objects: dict[str, list[dict[str, Any]]]) -> str:
        """Return where a deployment is reached, as a URL."""
        for kind in ("Ingress", "Gateway"):
            for item in objects[kind]:
                return _named(item)
        address = outside(objects)
        if address:
            host, port = address
            return f"http://{f'[{host}]' if ':' in host else host}:{port}"
        port = objects["Service"][0]["spec"]["ports"][0]["port"]
        return f"http://{deployment}.{self.namespace(deployment)}.svc:{port}"

    def _tunnel(self, deployment: str, objects: dict[str, list[dict[str, Any]]]) -> Tunnel | None:
        """Return how a Service is reached that only the cluster reaches."""
        service = objects["Service"][0]
        if service["spec"]["type"] != "ClusterIP" or objects["Ingress"] or objects["Gateway"]:
            return None
        port = service["spec"]["ports"][0]["port"]
        where = f"--context {shlex.quote(self._api.context)} --namespace {self.namespace(deployment)}"
        return Tunnel(
            command=f"kubectl {where} port-forward service/{deployment} {_LOCAL_PORT}:{port}",
            url=f"http://{HOST}:{_LOCAL_PORT}",
        )


def outside(objects: dict[str, list[dict[str, Any]]]) -> tuple[str, int] | None:
    """Return the address that a Service has outside its cluster; None where it has none, or none yet."""
    service = objects["Service"][0]
    port = service["spec"]["ports"][0]
    if service["spec"]["type"] == "LoadBalancer":
        for item in (service["status"].get("loadBalancer") or {}).get("ingress") or ():
            return item.get("ip") or item["hostname"], port["port"]
    if service["spec"]["type"] == "NodePort":
        nodes = [pod["status"]["hostIP"] for pod in objects["Pod"] if pods.is_ready(pod)]
        return (nodes[0], port["nodePort"]) if nodes else None
    return None


def _upstream(deployment: dict[str, Any] | None, found: list[dict[str, Any]]) -> int | None:
    """Return the number of the version that requests are sent to: the last one, unless only others have ready pods."""
    latest = records.number(deployment) if deployment else None
    servers = [pod for pod in found if pod["metadata"]["labels"].get(COMPONENT) == SERVER and pods.is_ready(pod)]
    ready = {number for number in map(records.number, servers) if number is not None}
    return max(ready) if ready and latest not in ready else latest


def _named(item: dict[str, Any]) -> str:
    """Return the URL of an Ingress, or of a Gateway."""
    spec = item["spec"]
    if item.get("kind") == "Gateway" or "listeners" in spec:
        listener = spec["listeners"][0]
        return f"{'https' if listener['protocol'] == 'HTTPS' else 'http'}://{listener.get('hostname', '*')}"
    return f"{'https' if spec.get('tls') else 'http'}://{(spec.get('rules') or [{}])[0].get('host', '*')}"
