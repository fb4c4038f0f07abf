"""Container groups: how they stand, where they answer, and what they wrote."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.following import followed
from opdeploy.clients.azure.refused import RefusedError
from opdeploy.clients.azure.runs import Event, Running, Runs
from opdeploy.errors import NotFoundError, OpdeployError
from opdeploy.targets.aci import KIND, SERVER
from opdeploy.targets.azure.kinds import KINDS, kind_of
from opdeploy.targets.azure.record import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.deployment import State
    from opdeploy.targets.azure.names import Where

_API = KINDS[KIND].api
_STATES: dict[str, State] = {
    "Running": "running",
    "Succeeded": "stopped",
    "Stopped": "stopped",
    "Terminated": "stopped",
    "Failed": "failed",
}
"""What the instance view says (learn.microsoft.com/azure/container-instances/container-state, read 2026-11-26)."""
_LOOKS_S = 2.0
"""Seconds between two looks at a group: a choice of ours."""
_FULL = "OOMKilled"
"""What Kubernetes calls the end of a container whose memory is used up; of the detail of a state it is only told that
people read it (ContainerState.detail_status of azure-mgmt-containerinstance 10.1.0, read 2026-11-26)."""


class Groups(Runs):
    """Container groups, by their names."""

    tls = False

    def __init__(self, arm: Arm) -> None:
        """Take a connection."""
        self._arm = arm
        self._ended: dict[tuple[str, str], int] = {}
        """How servers were seen to end, by group and version: Azure starts them again."""
        self._looks: dict[str, tuple[float, int, dict[str, Any]]] = {}
        """Groups by their ids, with when each was looked at, after how many changes: who waits asks all the time."""

    def running(self, at: Where, there: Mapping[str, dict[str, Any]]) -> Running:
        """Return what runs: a group runs one version at a time, whose number it has as a tag."""
        found = there.get(at.id(KIND, at.deployment).lower())
        if found is None:
            return Running(None, {}, None)
        number = int((found.get("tags") or {}).get(VERSION) or 0)
        reached = _address(found)
        endpoint = f"http://{reached[0]}:{reached[1]}" if reached else None
        stands = self.state(found) or "unknown"
        return Running(number or None, {number: (at.deployment, stands)}, endpoint, _events(found))

    def state(self, found: Mapping[str, Any]) -> State | None:
        """Return how a resource stands; None for one that runs nothing."""
        kind = kind_of(found["id"])
        if kind is None or kind.name != KIND:
            return None
        view = found.get("properties", {}).get("instanceView") or {}
        return _STATES.get(str(view.get("state")), "unknown")

    def address(self, at: Where, name: str) -> tuple[str, int]:
        """Return host and port of a group: its name, where it has one; raises OpdeployError where it has none."""
        found = _address(self._there(at, name))
        if found is None:
            raise OpdeployError(f"container group {name}: has no address yet; see opdeploy status")
        return found

    def exit_code(self, at: Where, name: str) -> int | None:
        """Return how the server ended, also where it has been started again since; None where it has not ended."""
        found = self._there(at, name)
        now, before = _now(found), _view(found).get("previousState") or {}
        which = (name, str((found.get("tags") or {}).get(VERSION)))
        if now.get("state") == "Terminated":
            self._ended[which] = int(now.get("exitCode") or 0)
        elif now.get("state") != "Running" and before.get("exitCode") is not None:
            self._ended[which] = int(before["exitCode"])
        return self._ended.get(which)

    def out_of_memory(self, at: Where, name: str) -> bool:
        """Tell whether the server was ended because its memory was used up."""
        found = self._there(at, name)
        return any(part.get("detailStatus") == _FULL for part in (_now(found), _view(found).get("previousState") or {}))

    def image(self, at: Where, name: str) -> str:
        """Return the image that the group runs."""
        return str(self._there(at, name)["properties"]["containers"][0]["properties"]["image"])

    def logs(self, at: Where, name: str, tail: int) -> list[str]:
        """Return the last lines that the server wrote; none where it has not begun."""
        path = f"{at.id(KIND, name)}/containers/{SERVER}/logs"
        try:
            answer = self._arm.ask("GET", path, _API, query={"tail": str(tail)})
        except RefusedError as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.BAD_REQUEST}:
                return []
            raise
        return str((answer or {}).get("content") or "").splitlines()

    def follow(self, at: Where, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that the server wrote, and what it writes until it ends."""

        def goes_on() -> bool:
            found = self._arm.find(at.id(KIND, name))
            return found is not None and _now(found).get("state") != "Terminated"

        return followed(lambda lines: self.logs(at, name, lines), goes_on, tail)

    def _there(self, at: Where, name: str) -> dict[str, Any]:
        resource, now = at.id(KIND, name), time.monotonic()
        looked, changes, found = self._looks.get(resource, (now, -1, None))
        if found is None or now - looked >= _LOOKS_S or changes != self._arm.changes:
            found = self._arm.find(resource)
            if found is None:
                raise NotFoundError(f"container group {name}: is not there any more; deploy again")
            self._looks[resource] = (now, self._arm.changes, found)
        return found


def _address(found: Mapping[str, Any]) -> tuple[str, int] | None:
    reached = found.get("properties", {}).get("ipAddress") or {}
    ports = reached.get("ports") or ()
    host = reached.get("fqdn") or reached.get("ip")
    return (str(host), int(ports[0]["port"])) if host and ports else None


def _events(found: Mapping[str, Any]) -> tuple[Event, ...]:
    """Return what Azure says of late that went wrong, the newest last."""
    said = [*_view(found).get("events", ()), *(found.get("properties", {}).get("instanceView") or {}).get("events", ())]
    wrong = [item for item in said if item.get("type") == "Warning"]
    return tuple(
        Event(f"{item.get('name')}: {' '.join(str(item.get('message')).split())}", _time(item.get("lastTimestamp")))
        for item in wrong
    )


def _time(text: object) -> datetime | None:
    with suppress(ValueError):
        found = datetime.fromisoformat(str(text))
        return found if found.tzinfo else None
    return None


def _view(found: Mapping[str, Any]) -> dict[str, Any]:
    for container in found.get("properties", {}).get("containers", ()):
        if container.get("name") == SERVER:
            view: dict[str, Any] = container["properties"].get("instanceView") or {}
            return view
    return {}


def _now(found: Mapping[str, Any]) -> dict[str, Any]:
    now: dict[str, Any] = _view(found).get("currentState") or {}
    return now
