"""What Azure tells of container apps and their revisions, read. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from opdeploy.deployment import Found
from opdeploy.targets.container_apps.bodies import REVISION, SERVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import JsonValue

    from opdeploy.deployment import State

_NUMBER = re.compile("--v([0-9]+)-")
_FAILED = {"failed", "activationfailed"}
_WAITING = {"processing", "activating", "unknown"}
_PARTLY = "degraded"
"""What a revision's running state may be (RevisionRunningState of azure-mgmt-appcontainers, at learn.microsoft.com/
python/api; Activating and Activation failed: github.com/microsoft/azure-container-apps, issue 1219 of 2024-07-02, and
github.com/Azure/azure-rest-api-specs, issue 29102 of 2024-05-14; read 2026-11-26)."""
_EXIT = re.compile(r"exit code[^0-9-]{0,3}(-?[0-9]+)", re.IGNORECASE)
_FULL = "oomkilled"
"""What is said of containers that ended (azureossd.github.io/2024/01/19/Container-Apps-Backoff-restarts-and-container-
exits, read 2026-11-26), and how Kubernetes calls that of one whose memory is used up."""
_UNKNOWN_CODE = 1
"""For a server whose exit code is not told: a choice of ours."""


def ingress(app: Mapping[str, Any]) -> dict[str, Any]:
    """Return how an app is reached."""
    found: dict[str, Any] = (app["properties"].get("configuration") or {}).get("ingress") or {}
    return found


def weights(app: Mapping[str, Any]) -> dict[str, int]:
    """Return how much of the requests each revision gets, in percent."""
    shares: dict[str, int] = {}
    for item in ingress(app).get("traffic") or ():
        latest = app["properties"].get("latestRevisionName") if item.get("latestRevision") else None
        if name := item.get("revisionName") or latest:
            shares[str(name)] = shares.get(str(name), 0) + int(item.get("weight") or 0)
    return shares


def first(shares: Mapping[str, int]) -> str | None:
    """Return the revision that gets most of the requests; None where none does."""
    name = max(shares, key=lambda each: shares[each], default=None)
    return name if name and shares[name] else None


def number(name: str) -> int | None:
    """Return the number of the version that a revision runs, by its name; None for one that opdeploy did not make."""
    found = _NUMBER.search(name)
    return int(found[1]) if found else None


def rank(item: Mapping[str, Any]) -> tuple[bool, str]:
    """Tell which of several revisions of one version counts, the last: an active one, else the newest."""
    own = item["properties"]
    return bool(own.get("active")), str(own.get("createdTime"))


def state(item: Mapping[str, Any]) -> State:
    """Return how a revision stands: one that no request has woken runs as well as one that answers."""
    own = item["properties"]
    if not own.get("active"):
        return "stopped"
    if own.get("provisioningState") == "Failed" or own.get("healthState") == "Unhealthy" or _running(own) in _FAILED:
        return "failed"
    return "unknown" if _running(own) in _WAITING or own.get("provisioningState") == "Provisioning" else "running"


def is_amiss(item: Mapping[str, Any]) -> bool:
    """Tell whether a revision is not as it should be."""
    return state(item) in {"failed", "unknown"} or _running(item["properties"]) == _PARTLY


def found(item: Mapping[str, Any], shares: Mapping[str, int]) -> Found:
    """Return a revision as it is."""
    own = item["properties"]
    properties: dict[str, JsonValue] = {
        "active": bool(own.get("active")),
        "traffic": shares.get(str(item["name"]), 0),
        "image": own["template"]["containers"][0]["image"],
    }
    if state(item) == "failed":
        properties["failed"] = True
    # What an interrupted command began makes one by itself, and a plan that makes it, too, is as right then.
    about = f"{properties['traffic']}% of the requests" if properties["active"] else "is not active"
    return Found(kind=REVISION, name=str(item["name"]), about=about, properties=properties, passing=True)


def exit_code(revision: Mapping[str, Any], servers: Iterable[Mapping[str, Any]]) -> int | None:
    """Return how the servers of a revision ended, where they go on failing; None while they run, or may yet."""
    has_failed = revision.get("provisioningState") == "Failed" or _running(revision) in _FAILED
    for server in servers:
        told = _EXIT.search(str(server.get("runningStateDetails") or ""))
        if told and (has_failed or server.get("runningState") == "Terminated"):
            return int(told[1])
    return _UNKNOWN_CODE if has_failed else None


def is_full(server: Mapping[str, Any]) -> bool:
    """Tell whether a server was ended because its memory was used up."""
    return _FULL in str(server.get("runningStateDetails") or "").lower()


def servers(replicas: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the container of the server in each replica."""
    return [
        item
        for replica in replicas
        for item in (replica.get("properties") or {}).get("containers") or ()
        if item.get("name") == SERVER
    ]


def endpoints(servers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return where servers tell what they write."""
    return [str(item["logStreamEndpoint"]) for item in servers if item.get("logStreamEndpoint")]


def _running(revision: Mapping[str, Any]) -> str:
    return str(revision.get("runningState") or "").lower().replace(" ", "")
