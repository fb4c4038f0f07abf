"""Container apps: which revision has the requests, how each stands, where it answers, and what it wrote."""

from __future__ import annotations

import json
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from opdeploy.clients.azure.refused import RefusedError
from opdeploy.clients.azure.runs import Running, Runs
from opdeploy.clients.azure.streams import lines
from opdeploy.deployment import Found
from opdeploy.errors import NotFoundError, OpdeployError
from opdeploy.targets.azure.kinds import KINDS, name_of
from opdeploy.targets.container_apps.bodies import APP, REVISION, SERVER
from opdeploy.targets.container_apps.sizes import GPU_REGIONS, profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import State
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.base import Wanted

_API = KINDS[APP].api
_NUMBER = re.compile("--v([0-9]+)-")
_PORT = 443
_FAILED = {"failed", "degraded", "activationfailed"}
_WAITING = {"processing", "activating", "unknown"}
"""What a revision's running state may be (learn.microsoft.com/rest/api/containerapps/container-apps-revisions and
learn.microsoft.com/azure/container-apps/revisions, "Running status", read 2026-11-26)."""
_LOOKS_S = 2.0
"""Seconds between two looks at whether a server has ended."""
_FULL = "OOMKilled"
_EXIT = re.compile(r"exit code[^0-9-]{0,3}(-?[0-9]+)", re.IGNORECASE)
_UNKNOWN_CODE = 1
_ASSIGNING = "AssigningReplica"
_SYSTEM_LINES = 50
_TEXT_S = 10.0


class Apps(Runs):
    """Container apps and their revisions, by their names."""

    tls = True

    def __init__(self, arm: Arm) -> None:
        """Take a connection."""
        self._arm = arm
        self._addresses: dict[str, tuple[str, int]] = {}
        self._ended: dict[str, tuple[float, int | None]] = {}
        """How servers ended, with the time at which that was looked at: who waits for one asks ten times a second."""

    def running(self, at: Where, there: Mapping[str, dict[str, Any]]) -> Running:
        """Return what runs: each revision has the number of its version in its name."""
        app = there.get(at.id(APP, at.deployment).lower())
        if app is None:
            return Running(None, {}, None)
        revisions = self._revisions(at)
        weights = _weights(app)
        servers: dict[int, tuple[str, State]] = {}
        for item in sorted(revisions, key=_rank):
            if (number := _number(item["name"])) is not None:
                servers[number] = (item["name"], _state(item))
        current = max(weights, key=lambda name: weights[name], default=None)
        host = _ingress(app).get("fqdn")
        return Running(
            _number(current) if current and weights[current] else None,
            servers,
            f"https://{host}" if host else None,
            tuple(self._events(at, app, revisions)),
            tuple(_found(item, weights) for item in revisions),
        )

    def state(self, found: Mapping[str, Any]) -> State | None:
        """Return how a resource stands; None for one that runs nothing itself: revisions do."""
        del found
        return None

    def address(self, at: Where, name: str) -> tuple[str, int]:
        """Return host and port of an app, or of one of its revisions; raises OpdeployError where it has none yet."""
        if name not in self._addresses:
            host = self._revision(at, name).get("fqdn") if "--" in name else _ingress(self._app(at)).get("fqdn")
            if not host:
                raise OpdeployError(f"{name}: has no address yet; see opdeploy status")
            told, _, port = str(host).partition(":")
            self._addresses[name] = (told, int(port or _PORT))
        return self._addresses[name]

    def exit_code(self, at: Where, name: str) -> int | None:
        """Return how the server of a revision ended, where it goes on failing; None while it runs, or may yet."""
        looked, code = self._ended.get(name, (-_LOOKS_S, None))
        if time.monotonic() - looked >= _LOOKS_S:
            code = self._exit_code(at, self._named(at, name))
            self._ended[name] = (time.monotonic(), code)
        return code

    def _exit_code(self, at: Where, name: str) -> int | None:
        revision = self._revision(at, name)
        has_failed = revision.get("provisioningState") == "Failed" or _running(revision) in _FAILED
        for container in self._containers(at, name):
            found = _EXIT.search(str(container.get("runningStateDetails") or ""))
            if found and (has_failed or container.get("runningState") == "Terminated"):
                return int(found[1])
        return _UNKNOWN_CODE if has_failed else None

    def out_of_memory(self, at: Where, name: str) -> bool:
        """Tell whether the server was ended because its memory was used up."""
        found = self._containers(at, self._named(at, name))
        return any(_FULL.lower() in str(item.get("runningStateDetails") or "").lower() for item in found)

    def image(self, at: Where, name: str) -> str:
        """Return the image that a revision runs."""
        template = self._revision(at, self._named(at, name))["template"]
        return str(template["containers"][0]["image"])

    def logs(self, at: Where, name: str, tail: int) -> list[str]:
        """Return the last lines that the replicas of a revision wrote; none where there is none."""
        found: list[str] = []
        for stream in self._streams(at, self._named(at, name)):
            found += lines(stream, self._token(at), tail, seconds=_TEXT_S)
        return found

    def follow(self, at: Where, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that a replica wrote, and what it writes until it ends."""
        for stream in self._streams(at, self._named(at, name))[:1]:
            yield from lines(stream, self._token(at), tail, follow=True)

    def evidence(self, resource: str, revision: str, tail: int) -> list[str]:
        """Return what is known of a revision that failed: what Azure says of it, and the last lines that it wrote."""
        try:
            found = self._arm.ask("GET", f"{resource}/revisions/{revision}", _API)["properties"]
            told = [str(found[key]) for key in ("provisioningError", "runningStateDetails") if found.get(key)]
            replicas = self._arm.ask("GET", f"{resource}/revisions/{revision}/replicas", _API).get("value", ())
            token = self._arm.ask("POST", f"{resource}/getAuthtoken", _API)["properties"]["token"]
            for stream in _endpoints(replicas):
                told += lines(stream, token, tail, seconds=_TEXT_S)
        except (OpdeployError, LookupError, TypeError):  # why it failed is what counts
            return []
        return told

    # What plans depend on

    def facts(self, at: Where, settings: Deploy) -> dict[str, JsonValue]:
        """Return what an environment has that was there before."""
        named = settings.container_apps.environment
        if not named:
            return {}
        found = self._arm.find(named)
        if found is None:
            return {"environment": None}
        properties = found.get("properties") or {}
        profiles = {item["workloadProfileType"]: item["name"] for item in properties.get("workloadProfiles") or ()}
        return {"environment": {"id": named, "location": found["location"], "profiles": profiles}}

    def obstacles(self, at: Where, wanted: Wanted) -> Iterator[str]:
        """Yield what would keep an app from being made, a sentence each with what to do."""
        chosen = wanted.settings.container_apps
        name = profile(chosen, gpu=wanted.gpu)
        for key in ("subnet", "workspace"):
            if chosen.environment and getattr(chosen, key):
                yield (
                    f"deploy.container_apps.{key}: is of an environment that is made, and "
                    f"{name_of(chosen.environment)} is there already; leave one of the two out"
                )
        if chosen.environment:
            yield from self._of_environment(at, chosen.environment, name)
        elif at.location:
            yield from self._of_region(at, name)
        if chosen.workspace and chosen.workspace != "own" and self._arm.find(chosen.workspace) is None:
            yield f"deploy.container_apps.workspace: there is no {name_of(chosen.workspace)}; name one that is there"

    def _of_environment(self, at: Where, resource: str, name: str) -> Iterator[str]:
        found = self._arm.find(resource)
        if found is None:
            yield f"deploy.container_apps.environment: there is no {name_of(resource)}; name one that is there"
            return
        location = str(found["location"]).lower().replace(" ", "")
        if at.location and location != at.location:
            yield (
                f"deploy.azure.location: {at.location} is not where the environment is: {location}; "
                f"say --location {location}"
            )
        properties = found.get("properties") or {}
        types = [item["workloadProfileType"] for item in properties.get("workloadProfiles") or ()]
        if name not in types:
            shown = ", ".join(types) or "none"
            yield (
                f"deploy.container_apps.profile: {name_of(resource)} has no {name}, it has: {shown}; take one of these, "
                f"or add it: az containerapp env workload-profile add --workload-profile-type {name}"
            )

    def _of_region(self, at: Where, name: str) -> Iterator[str]:
        """Yield that a region does not have a profile."""
        path = f"/subscriptions/{at.subscription}/providers/Microsoft.App/locations/{at.location}"
        try:
            found = [*self._arm.every(f"{path}/availableManagedEnvironmentsWorkloadProfileTypes", _API)]
        except RefusedError:  # who may not ask finds out when it is made
            return
        types = [str(item["name"]) for item in found]
        if found and name not in types:
            todo = f"; take another region with --location, such as one of: {GPU_REGIONS[name]}" if (
                name in GPU_REGIONS
            ) else f"; take one that it has, {', '.join(types)}, or another region with --location"
            yield f"deploy.container_apps.profile: {at.location} has no {name}{todo}"

    def api_key(self, at: Where) -> str | None:
        """Return the API key of an app; None where there is none, or who asks may not know it."""
        from opdeploy.targets.azure.steps import API_KEY

        try:
            answer = self._arm.ask("POST", f"{at.id(APP, at.deployment)}/listSecrets", _API)
        except RefusedError:
            return None
        found = (item for item in (answer or {}).get("value", ()) if item.get("name") == API_KEY)
        return next((str(item["value"]) for item in found if item.get("value")), None)

    # What there is

    def _app(self, at: Where) -> dict[str, Any]:
        found = self._arm.find(at.id(APP, at.deployment))
        if found is None:
            raise NotFoundError(f"{APP} {at.deployment}: is not there any more; deploy again")
        return found

    def _revisions(self, at: Where) -> list[dict[str, Any]]:
        return [*self._arm.every(f"{at.id(APP, at.deployment)}/revisions", _API)]

    def _revision(self, at: Where, name: str) -> dict[str, Any]:
        """Return what is told of a revision; raises NotFoundError where there is none."""
        try:
            found = self._arm.ask("GET", f"{at.id(APP, at.deployment)}/revisions/{name}", _API)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise NotFoundError(f"{REVISION} {name}: is not there; deploy again") from None
            raise
        return cast("dict[str, Any]", found["properties"])

    def _named(self, at: Where, name: str) -> str:
        """Return the name of a revision: that of an app stands for the one that has its requests."""
        if "--" in name:
            return name
        weights = _weights(self._app(at))
        if not weights:
            raise OpdeployError(f"{name}: no revision has its requests; deploy again")
        return max(weights, key=lambda each: weights[each])

    def _replicas(self, at: Where, revision: str) -> list[dict[str, Any]]:
        try:
            answer = self._arm.ask("GET", f"{at.id(APP, at.deployment)}/revisions/{revision}/replicas", _API)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return []
            raise
        return [*(answer or {}).get("value", ())]

    def _containers(self, at: Where, revision: str) -> list[dict[str, Any]]:
        return [
            item
            for replica in self._replicas(at, revision)
            for item in (replica.get("properties") or {}).get("containers") or ()
            if item.get("name") == SERVER
        ]

    def _streams(self, at: Where, revision: str) -> list[str]:
        return _endpoints(self._replicas(at, revision))

    def _token(self, at: Where) -> str:
        """Return what lets one read logs."""
        answer = self._arm.ask("POST", f"{at.id(APP, at.deployment)}/getAuthtoken", _API)
        return str(answer["properties"]["token"])

    # What went wrong

    def _events(self, at: Where, app: Mapping[str, Any], revisions: list[dict[str, Any]]) -> Iterator[str]:
        """Yield what went wrong of late, the newest last: asked for only where a revision is not as it should be."""
        bad = [item for item in revisions if item["properties"].get("active") and _is_amiss(item)]
        for item in bad:
            own = item["properties"]
            said = own.get("provisioningError") or own.get("runningStateDetails") or own.get("runningState")
            yield f"{item['name']}: {' '.join(str(said).split())}"
        if bad:
            yield from self._told(at, app, {item["name"] for item in bad})

    def _told(self, at: Where, app: Mapping[str, Any], names: set[str]) -> Iterator[str]:
        """Yield what the log of the platform has of some revisions."""
        stream = app["properties"].get("eventStreamEndpoint")
        try:
            found = lines(str(stream), self._token(at), _SYSTEM_LINES, seconds=_TEXT_S) if stream else []
        except OpdeployError:  # who may not read it sees the rest
            return
        last = None
        for line in found:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if not isinstance(told, dict) or told.get("RevisionName") not in names:
                continue
            last = told.get("Reason")
            if told.get("Type") == "Warning":
                yield f"{told.get('Reason')}: {' '.join(str(told.get('Msg')).split())}"
        if last == _ASSIGNING:
            yield (
                f"{_ASSIGNING}: it waits for a place to run, and a GPU may have no capacity in this region now; it may be "
                "billed meanwhile: wait, or take another region or profile"
            )


def _ingress(app: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (app["properties"].get("configuration") or {}).get("ingress") or {}
    return found


def _weights(app: Mapping[str, Any]) -> dict[str, int]:
    """Return how much of the requests each revision gets."""
    weights: dict[str, int] = {}
    for item in _ingress(app).get("traffic") or ():
        latest = app["properties"].get("latestRevisionName") if item.get("latestRevision") else None
        if name := item.get("revisionName") or latest:
            weights[str(name)] = weights.get(str(name), 0) + int(item.get("weight") or 0)
    return weights


def _number(name: str) -> int | None:
    found = _NUMBER.search(name)
    return int(found[1]) if found else None


def _rank(item: Mapping[str, Any]) -> tuple[bool, str]:
    """Tell of which of several revisions of one version counts: an active one, else the newest."""
    own = item["properties"]
    return bool(own.get("active")), str(own.get("createdTime"))


def _running(revision: Mapping[str, Any]) -> str:
    return str(revision.get("runningState") or "").lower().replace(" ", "")


def _state(item: Mapping[str, Any]) -> State:
    own = item["properties"]
    if not own.get("active"):
        return "stopped"
    if own.get("provisioningState") == "Failed" or own.get("healthState") == "Unhealthy" or _running(own) in _FAILED:
        return "failed"
    is_waiting = _running(own) in _WAITING or own.get("provisioningState") == "Provisioning"
    return "unknown" if is_waiting else "running"  # also where none of it runs: the next request starts one


def _is_amiss(item: Mapping[str, Any]) -> bool:
    return _state(item) in {"failed", "unknown"}


def _found(item: Mapping[str, Any], weights: Mapping[str, int]) -> Found:
    own = item["properties"]
    properties: dict[str, JsonValue] = {
        "active": bool(own.get("active")),
        "traffic": weights.get(str(item["name"]), 0),
        "image": own["template"]["containers"][0]["image"],
    }
    if _state(item) == "failed":
        properties["failed"] = True
    return Found(kind=REVISION, name=str(item["name"]), properties=properties)


def _endpoints(replicas: list[dict[str, Any]]) -> list[str]:
    """Return where the servers of replicas tell what they write."""
    return [
        str(item["logStreamEndpoint"])
        for replica in replicas
        for item in (replica.get("properties") or {}).get("containers") or ()
        if item.get("name") == SERVER and item.get("logStreamEndpoint")
    ]
