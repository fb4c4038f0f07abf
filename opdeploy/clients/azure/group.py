"""Container groups: how they stand, where they answer, and what they wrote."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.refused import RefusedError
from opdeploy.targets.aci import SERVER
from opdeploy.targets.azure.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.deployment import State

_API = KINDS["container group"].api
_STATES: dict[str, State] = {
    "Running": "running",
    "Succeeded": "stopped",
    "Stopped": "stopped",
    "Terminated": "stopped",
    "Failed": "failed",
}
"""What the instance view says (learn.microsoft.com/rest/api/container-instances/container-groups/get)."""
_BETWEEN_S = 2.0
_WINDOW = 2000
"""Lines of a log that are compared with those seen before."""
_FULL = "OOMKilled"


def state(found: dict[str, Any]) -> State:
    """Return how a container group stands."""
    view = found.get("properties", {}).get("instanceView") or {}
    return _STATES.get(str(view.get("state")), "unknown")


def address(found: dict[str, Any]) -> tuple[str, int] | None:
    """Return where a container group is reached: by its name, where it has one."""
    reached = found.get("properties", {}).get("ipAddress") or {}
    ports = reached.get("ports") or ()
    host = reached.get("fqdn") or reached.get("ip")
    return (str(host), int(ports[0]["port"])) if host and ports else None


def exit_code(found: dict[str, Any]) -> int | None:
    """Return how the server ended; None while it runs, or waits to be started again."""
    now = _now(found)
    return int(now.get("exitCode") or 0) if now.get("state") == "Terminated" else None


def out_of_memory(found: dict[str, Any]) -> bool:
    """Tell whether the server was ended because its memory was used up."""
    return any(part.get("detailStatus") == _FULL for part in (_now(found), _view(found).get("previousState") or {}))


def events(found: dict[str, Any]) -> tuple[str, ...]:
    """Return what Azure says of late that went wrong, the newest last."""
    said = [*_view(found).get("events", ()), *(found.get("properties", {}).get("instanceView") or {}).get("events", ())]
    wrong = [item for item in said if item.get("type") == "Warning"]
    return tuple(f"{item.get('name')}: {' '.join(str(item.get('message')).split())}" for item in wrong)


def logs(arm: Arm, group: str, tail: int) -> list[str]:
    """Return the last lines that the server wrote; none where it has not begun."""
    try:
        answer = arm.ask("GET", f"{group}/containers/{SERVER}/logs", _API, query={"tail": str(tail)})
    except RefusedError as error:
        if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.BAD_REQUEST}:
            return []
        raise
    return str((answer or {}).get("content") or "").splitlines()


def follow(arm: Arm, group: str, tail: int) -> Iterator[str]:
    """Yield the last lines that the server wrote, and what it writes until it ends."""
    seen = logs(arm, group, _WINDOW)
    yield from seen[-tail:] if tail else ()
    while True:
        found = arm.find(group)
        if found is None or exit_code(found) is not None:
            return
        time.sleep(_BETWEEN_S)
        now = logs(arm, group, _WINDOW)
        yield from new(seen, now)
        seen = now


def new(seen: list[str], now: list[str]) -> list[str]:
    """Return the lines that came since: what follows the longest end of those seen with which those now begin."""
    for start in range(len(seen) + 1):
        known = len(seen) - start
        if now[:known] == seen[start:]:
            return now[known:]
    return now


def _view(found: dict[str, Any]) -> dict[str, Any]:
    for container in found.get("properties", {}).get("containers", ()):
        if container.get("name") == SERVER:
            view: dict[str, Any] = container["properties"].get("instanceView") or {}
            return view
    return {}


def _now(found: dict[str, Any]) -> dict[str, Any]:
    now: dict[str, Any] = _view(found).get("currentState") or {}
    return now
