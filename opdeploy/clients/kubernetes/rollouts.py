"""Pods and Services that are waited for, with the evidence where they do not come."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opdeploy.clients.kubernetes import pods, records
from opdeploy.clients.kubernetes.servers import Servers, answers
from opdeploy.errors import DifferenceError, InputError, OpdeployError
from opdeploy.targets.kubernetes.kinds import EVENT, KINDS
from opdeploy.targets.kubernetes.names import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import JsonValue

    from opdeploy.clients.kubernetes.api import Api

_BETWEEN_S = 0.5
_NO_NODE_S = 60.0
"""Seconds for which no node may take a pod, unless an autoscaler says that it makes one."""
_PULL_S = 600.0
"""Seconds for a node to pull an image, beside the time that a server may take to get ready."""
_ADDRESS_S = 600.0
_REACHED_S = 60.0
_IN_A_ROW = 12
_LOG_LINES = 20
_REVISION = "deployment.kubernetes.io/revision"
_CODES: dict[int | None, type[OpdeployError]] = {kind.exit_code: kind for kind in (InputError, DifferenceError)}
"""What the exit codes of a server mean; any other is a failure."""


class Hope:
    """What has been seen of pods so far, by which those are told that will not get ready."""

    def __init__(self, found: Iterable[dict[str, Any]], ready_s: float) -> None:
        """Take the pods that are there at the beginning, and how long one may take to get ready once it runs."""
        self._began = time.monotonic()
        self._ready_s = ready_s
        self._restarts = {pod["metadata"]["uid"]: pods.restarts(pod) for pod in found}
        self._unready: dict[str, float] = {}

    def lost(self, pod: dict[str, Any], makes_room: Callable[[], bool]) -> str:
        """Say why a pod will not get ready; nothing where it still may.

        `makes_room` tells whether an autoscaler makes a node for it.
        """
        uid = pod["metadata"]["uid"]
        if why := pods.hopeless(pod, self._restarts.get(uid, 0)):
            return why
        now = time.monotonic()
        if (why := pods.unscheduled(pod)) and now - self._began > min(_NO_NODE_S, self._ready_s) and not makes_room():
            return f"no node takes the pod: {why}"
        if not pods.runs(pod) or pods.is_ready(pod):
            self._unready.pop(uid, None)
        elif now - self._unready.setdefault(uid, now) > self._ready_s:
            return f"the pod was not ready within {self._ready_s:g} s"
        return ""


class Rollouts(Servers):
    """What is waited for in a cluster."""

    def __init__(self, api: Api, namespace: str | None, watch: Callable[[str], None]) -> None:
        """Take a connection, the namespace that was chosen, and what shows progress."""
        super().__init__(api, namespace)
        self._watch = watch

    def started(self, name: str, *, ready_s: float) -> None:
        """Wait until a pod runs; raises OpdeployError, with the evidence as notes, where it will not."""
        found = self.pods(name)
        hope = Hope(found, ready_s)
        until = time.monotonic() + ready_s + _PULL_S
        while time.monotonic() < until:
            found = self.pods(name)
            if found and (pods.runs(found[0]) or pods.ended(found[0])):
                return  # how it ended is told by who asks it
            self._require(hope, name, found)
            time.sleep(_BETWEEN_S)
        raise self._stuck(name, found, f"did not start within {ready_s + _PULL_S:g} s")

    def rolled_out(self, name: str, *, version: int, ready_s: float) -> None:
        """Wait until every pod is of a version and ready.

        Raises OpdeployError, with the evidence as notes, where one will not be, or where nothing moves any more.
        """
        path = KINDS["Deployment"].path(self._home(name), name)
        told, until = "", 0.0
        latest = self._latest(name, self._api.get(path))
        hope = Hope(latest, ready_s)
        while True:
            found = self._api.get(path)
            if records.number(found) != version:
                raise OpdeployError(f"{name}: others rolled out something else meanwhile; deploy again")
            said = _progress(found)
            if said != told:
                self._watch(said)
                told, until = said, time.monotonic() + ready_s + _PULL_S
            if _is_complete(found):
                return
            latest = self._latest(name, found)
            self._require(hope, name, latest)
            if time.monotonic() > until:
                raise self._stuck(name, latest, f"version {version} got no further for {ready_s + _PULL_S:g} s: {said}")
            time.sleep(_BETWEEN_S)

    def _latest(self, name: str, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the pods of the newest ReplicaSet of a Deployment; none before the controller has made it.

        Of a template that others changed there are pods of the same number, which are about to be gone.
        """
        if deployment["status"].get("observedGeneration", 0) < deployment["metadata"]["generation"]:
            return []
        sets = self._api.get(KINDS["ReplicaSet"].path(self._home(name)), labelSelector=f"{DEPLOYMENT}={name}")["items"]
        revision = records.annotation(deployment, _REVISION)
        newest = [item["metadata"]["name"] for item in sets if records.annotation(item, _REVISION) == revision]
        self._known |= dict.fromkeys(newest, self._home(name))
        return [pod for each in newest for pod in self.pods(each)]

    def exposed(self, name: str) -> dict[str, JsonValue]:
        """Wait until a Service has its address outside the cluster, and answers there every time, if it does from here.

        An address that was just made answers now and then at first. One that is not reached from here may well be from
        elsewhere. Raises OpdeployError where a cloud gives none.
        """
        until = time.monotonic() + _ADDRESS_S
        while (found := self._address_of(name)) is None:
            if time.monotonic() > until:
                lines = [pods.event(item) for item in self._events_of(self._service(name))]
                raise _noted(OpdeployError(f"Service {name}: got no address within {_ADDRESS_S:g} s"), lines)
            self._watch("waits for an address")
            time.sleep(_BETWEEN_S)
        since, in_a_row = time.monotonic(), 0
        while in_a_row < _IN_A_ROW and time.monotonic() < since + _REACHED_S:
            in_a_row = in_a_row + 1 if answers(found) else 0
            time.sleep(_BETWEEN_S / 2)
        return {"address": f"{found[0]}:{found[1]}", "reached": in_a_row == _IN_A_ROW}

    def _require(self, hope: Hope, name: str, found: Iterable[dict[str, Any]]) -> None:
        """Raise OpdeployError where a pod will not get ready."""
        for pod in found:
            if not pods.is_ending(pod) and (why := hope.lost(pod, lambda: self._is_made_room_for(pod))):  # noqa: B023
                raise self._stuck(name, [pod], why)

    def _is_made_room_for(self, pod: dict[str, Any]) -> bool:
        return any(item.get("reason") in pods.SCALES_UP for item in self._events_of(pod))

    def _stuck(self, name: str, found: list[dict[str, Any]], why: str) -> OpdeployError:
        """Return the error for pods that do not get ready: of the kind that the server's exit code means."""
        lines = [
            line
            for pod in found
            for line in pods.evidence(pod, map(pods.event, self._events_of(pod)), self.log(pod, _LOG_LINES))
        ]
        codes = [end.get("exitCode") for pod in found if (end := pods.ended(pod))]
        kind = _CODES.get(codes[0], OpdeployError) if codes else OpdeployError
        return _noted(kind(f"{name}: {why}"), lines)

    def _events_of(self, item: dict[str, Any]) -> list[dict[str, Any]]:
        meta = item["metadata"]
        with suppress(OpdeployError):
            found = self._api.get(EVENT.path(meta["namespace"]), fieldSelector=f"involvedObject.uid={meta['uid']}")
            return sorted(found["items"], key=pods.at)
        return []


def _noted(error: OpdeployError, lines: Iterable[str]) -> OpdeployError:
    """Return an error with lines of evidence."""
    for line in dict.fromkeys(lines):
        error.add_note(line)
    return error


def _is_complete(deployment: dict[str, Any]) -> bool:
    """Tell whether every pod is of the last template, and ready, and no other is left."""
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def _progress(deployment: dict[str, Any]) -> str:
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    return (
        f"{status.get('updatedReplicas', 0)} of {wanted} pods are of the new version, "
        f"{status.get('availableReplicas', 0)} of all are ready"
    )
