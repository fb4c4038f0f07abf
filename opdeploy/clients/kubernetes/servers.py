"""What is asked of servers in a cluster: where they are reached, how they ended, what they wrote."""

from __future__ import annotations

from base64 import b64decode
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from queue import SimpleQueue
from shutil import disk_usage
from threading import Thread
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker.archive import extract
from opdeploy.clients.kubernetes import pods, records
from opdeploy.clients.kubernetes.forward import HOST, Forward
from opdeploy.clients.kubernetes.seen import Seen, outside
from opdeploy.errors import NotFoundError, OpdeployError
from opdeploy.targets.kubernetes.kinds import KINDS
from opdeploy.targets.kubernetes.names import COMPONENT, DEPLOYMENT, KEY, SERVER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opdeploy.clients.kubernetes.api import Api

_NEAR_S = 3.0
"""Seconds within which an address answers that is reached from here at all."""
_LIVE = "/v2/health/live"
_ARCHIVE = "import sys, tarfile; tarfile.open(fileobj=sys.stdout.buffer, mode='w|').add('/model', 'model')"


class Servers(Seen):
    """Servers of deployments, by the name of a deployment, of a ReplicaSet or of a pod, or by `NAME.vN`."""

    tls = False

    def __init__(self, api: Api, namespace: str | None) -> None:
        """Take a connection, and the namespace where one was chosen."""
        super().__init__(api, namespace)
        self._forwards: dict[str, Forward] = {}

    def close(self) -> None:
        """Close every port that leads to a pod."""
        for forward in self._forwards.values():
            forward.close()

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Return the pods of what a name stands for, the newest first."""
        path = KINDS["Pod"].path(self._home(name))
        items = self._api.get(path, labelSelector=DEPLOYMENT)["items"]
        chosen = [item for item in items if name in _names(item)]
        return sorted(chosen, key=lambda item: str(item["metadata"]["creationTimestamp"]), reverse=True)

    def _home(self, name: str) -> str:
        """Return the namespace of what a name stands for."""
        return self._chosen or self._known.get(name) or name.partition(".v")[0]

    def address(self, name: str) -> tuple[str, int]:
        """Return host and port at which this machine reaches what a name stands for: outside the cluster, else here."""
        outside = self._near(name)
        if outside:
            return outside
        if name not in self._forwards:
            port = self._inside(name)
            self._forwards[name] = Forward(self._api, self._home(name), lambda: self._ready(name), port)
        return HOST, self._forwards[name].port

    def _near(self, name: str) -> tuple[str, int] | None:
        """Return the address of a Service outside its cluster, where this machine reaches it."""
        found = self._address_of(name) if name in self._fronts else None
        return found if found and answers(found) else None

    def _address_of(self, name: str) -> tuple[str, int] | None:
        """Return the address of a Service outside its cluster; None where it has none, or none yet."""
        return outside({"Service": [self._service(name)], "Pod": self.pods(name)})

    def _service(self, name: str) -> dict[str, Any]:
        return self._api.get(KINDS["Service"].path(self._home(name), name))

    def _inside(self, name: str) -> int:
        for pod in self.pods(name):
            return int(pods.spec(pod)["ports"][0]["containerPort"])
        raise NotFoundError(f"{name}: there is no pod of it; deploy again")

    def _ready(self, name: str) -> str:
        """Return the name of a pod that is ready, else of any that is not about to be gone."""
        found = [pod for pod in self.pods(name) if not pods.is_ending(pod)]
        for pod in sorted(found, key=pods.is_ready, reverse=True):
            return str(pod["metadata"]["name"])
        raise NotFoundError(f"{name}: there is no pod of it; deploy again")

    def exit_code(self, name: str) -> int | None:
        """Return how the server ended in a pod that does not run it any more; None while one runs."""
        found = [pod for pod in self.pods(name) if not pods.is_ending(pod)]
        for pod in found[:1]:
            end = pods.ended(pod)
            if end and not pods.is_ready(pod):
                return int(end.get("exitCode") or 0)
        return None

    def out_of_memory(self, name: str) -> bool:
        """Tell whether a server was ended because its memory was used up."""
        return any((pods.ended(pod) or {}).get("reason") == "OOMKilled" for pod in self.pods(name))

    def logs(self, name: str, tail: int) -> list[str]:
        """Return the last lines that each pod wrote; of more than one, each line says which."""
        lines = []
        found = self.pods(name)
        for pod in found:
            mark = f"{pod['metadata']['name']}: " if len(found) > 1 else ""
            lines += [f"{mark}{line}" for line in self.log(pod, tail)]
        return lines

    def log(self, pod: dict[str, Any], tail: int) -> list[str]:
        """Return the last lines that a pod wrote, in the run before this one where this one has written nothing."""
        path = f"{KINDS['Pod'].path(pod['metadata']['namespace'], pod['metadata']['name'])}/log"
        for previous in ("false", "true"):
            with suppress(OpdeployError):  # a container that has not started has none
                if text := self._api.text(path, container=SERVER, tailLines=str(tail), previous=previous):
                    return text.splitlines()
        return []

    def follow(self, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that each pod wrote, and what they write until they all end."""
        found = self.pods(name)
        lines: SimpleQueue[str | None] = SimpleQueue()

        def read(pod: dict[str, Any]) -> None:
            mark = f"{pod['metadata']['name']}: " if len(found) > 1 else ""
            path = f"{KINDS['Pod'].path(pod['metadata']['namespace'], pod['metadata']['name'])}/log"
            try:
                with suppress(OpdeployError):  # the pod is gone
                    for line in self._api.lines(path, container=SERVER, follow="true", tailLines=str(tail)):
                        lines.put(f"{mark}{line}")
            finally:
                lines.put(None)

        for pod in found:
            Thread(target=read, args=(pod,), daemon=True).start()
        left = len(found)
        while left:
            line = lines.get()
            if line is None:
                left -= 1
            else:
                yield line

    def api_key(self, deployment: str) -> str | None:
        """Return the API key of a deployment, where it has one, and it may be looked at."""
        found = self._api.find_or_denied(KINDS["Secret"].path(self.namespace(deployment), deployment))
        text = b64decode(((found or {}).get("data") or {}).get(KEY, "")).decode("utf-8", "replace")
        return next((line.strip() for line in text.splitlines() if line.strip()), None)

    def artefact(self, name: str, folder: Path) -> None:
        """Write the artefact that a version's pod holds below a folder, in one called `model`."""
        pod = self._ready(name)
        extract(
            self._api.run(self._home(name), pod, SERVER, ["python3", "-I", "-S", "-c", _ARCHIVE]),
            folder,
            disk_usage(folder).free,
        )


def answers(address: tuple[str, int]) -> bool:
    """Tell whether a server answers at an address, whatever it says."""
    with suppress(OSError, HTTPException), closing(HTTPConnection(*address, timeout=_NEAR_S)) as connection:
        connection.request("GET", _LIVE)
        return connection.getresponse().status < HTTPStatus.INTERNAL_SERVER_ERROR
    return False


def _names(pod: dict[str, Any]) -> set[str]:
    """Return the names under which a pod is found: its own, and of a server those of its version and ReplicaSet too."""
    labels = pod["metadata"]["labels"]
    own = {str(pod["metadata"]["name"])}
    if labels.get(COMPONENT) != SERVER:
        return own
    deployment = str(labels[DEPLOYMENT])
    owners = {str(item["name"]) for item in pod["metadata"].get("ownerReferences") or ()}
    return own | owners | {deployment, f"{deployment}.v{records.number(pod)}"}
