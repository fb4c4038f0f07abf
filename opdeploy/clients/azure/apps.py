"""Container apps: which revision has the requests, how each stands, where it answers, and what it wrote."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from opdeploy.clients.azure import environments, revisions
from opdeploy.clients.azure.refused import RefusedError
from opdeploy.clients.azure.runs import Event, Running, Runs
from opdeploy.clients.azure.streams import lines
from opdeploy.errors import NotFoundError, OpdeployError
from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.steps import API_KEY
from opdeploy.targets.container_apps.bodies import APP, REVISION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import State
    from opdeploy.targets.azure.names import Where

_API = KINDS[APP].api
_PORT = 443
_LOOKS_S = 2.0
"""Seconds between two looks at whether a server has ended: a choice of ours."""
_ASSIGNING = "AssigningReplica"
"""What the log of the platform says last of a replica for which there is no GPU (github.com/microsoft/
azure-container-apps, issue 1579 of 2025-09-30, read 2026-11-26)."""
_SYSTEM_LINES, _LOG_S = 50, 10.0
"""How much of a log is read, and for how many seconds: choices of ours."""


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
        made = [*self._arm.every(f"{at.id(APP, at.deployment)}/revisions", _API)]
        shares = revisions.weights(app)
        servers: dict[int, tuple[str, State]] = {}
        for item in sorted(made, key=revisions.rank):
            if (number := revisions.number(item["name"])) is not None:
                servers[number] = (item["name"], revisions.state(item))
        first = revisions.first(shares)
        host = revisions.ingress(app).get("fqdn")
        return Running(
            revisions.number(first) if first else None,
            servers,
            f"https://{host}" if host else None,
            tuple(map(Event, self._events(at, made))),
            tuple(revisions.found(item, shares) for item in made),
        )

    def state(self, found: Mapping[str, Any]) -> State | None:
        """Return how a resource stands; None for one that runs nothing itself: revisions do."""
        del found
        return None

    def address(self, at: Where, name: str) -> tuple[str, int]:
        """Return host and port of an app, or of one of its revisions; raises OpdeployError where it has none yet."""
        if name not in self._addresses:
            told = self._revision(at, name) if "--" in name else revisions.ingress(self._app(at))
            host, _, port = str(told.get("fqdn") or "").partition(":")
            if not host:
                raise OpdeployError(f"{name}: has no address yet; see opdeploy status")
            self._addresses[name] = (host, int(port or _PORT))
        return self._addresses[name]

    def exit_code(self, at: Where, name: str) -> int | None:
        """Return how the server of a revision ended, where it goes on failing; None while it runs, or may yet."""
        looked, code = self._ended.get(name, (-_LOOKS_S, None))
        if time.monotonic() - looked >= _LOOKS_S:
            revision = self._named(at, name)
            code = revisions.exit_code(self._revision(at, revision), self._servers(at, revision))
            self._ended[name] = (time.monotonic(), code)
        return code

    def out_of_memory(self, at: Where, name: str) -> bool:
        """Tell whether the server was ended because its memory was used up."""
        return any(revisions.is_full(item) for item in self._servers(at, self._named(at, name)))

    def image(self, at: Where, name: str) -> str:
        """Return the image that a revision runs."""
        template = self._revision(at, self._named(at, name))["template"]
        return str(template["containers"][0]["image"])

    def logs(self, at: Where, name: str, tail: int) -> list[str]:
        """Return the last lines that the replicas of a revision wrote; where there are none, what Azure says of it."""
        revision = self._named(at, name)
        found: list[str] = []
        for stream in revisions.endpoints(self._servers(at, revision)):
            found += lines(stream, self._token(at), tail, seconds=_LOG_S)
        return found or [*self._events(at, [{"name": revision, "properties": self._revision(at, revision)}])]

    def follow(self, at: Where, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that a replica wrote, and what it writes until it ends."""
        for stream in revisions.endpoints(self._servers(at, self._named(at, name)))[:1]:
            yield from lines(stream, self._token(at), tail, follow=True)

    # What not every platform has

    def facts(self, at: Where, settings: Deploy) -> dict[str, JsonValue]:
        """Return what an environment has that was there before."""
        del at
        return environments.facts(self._arm, settings)

    def api_key(self, at: Where) -> str | None:
        """Return the API key of an app; None where there is none, or who asks may not know it."""
        resource = at.id(APP, at.deployment)
        if self._arm.find(resource) is None:
            return None
        try:
            answer = self._arm.told(f"{resource}/listSecrets", _API)
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
        first = revisions.first(revisions.weights(self._app(at)))
        if first is None:
            raise OpdeployError(f"{name}: no revision has its requests; deploy again")
        return first

    def _servers(self, at: Where, revision: str) -> list[dict[str, Any]]:
        """Return the server of each replica of a revision."""
        try:
            answer = self._arm.ask("GET", f"{at.id(APP, at.deployment)}/revisions/{revision}/replicas", _API)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return []
            raise
        return revisions.servers((answer or {}).get("value", ()))

    def _token(self, at: Where) -> str:
        """Return what lets one read logs."""
        answer = self._arm.told(f"{at.id(APP, at.deployment)}/getAuthtoken", _API)
        return str(answer["properties"]["token"])

    # What went wrong

    def _events(self, at: Where, made: Iterable[Mapping[str, Any]]) -> Iterator[str]:
        """Yield what went wrong of late, the newest last: asked for only where a revision is not as it should be."""
        amiss = [item for item in made if item["properties"].get("active") and revisions.is_amiss(item)]
        for item in amiss:
            own = item["properties"]
            said = own.get("provisioningError") or own.get("runningStateDetails") or own.get("runningState")
            yield f"{item['name']}: {' '.join(str(said).split())}"
        if amiss:
            yield from self._told(at, {item["name"] for item in amiss})

    def _told(self, at: Where, names: set[str]) -> Iterator[str]:
        """Yield what the log of the platform has of some revisions that went wrong, or waits."""
        try:
            stream = self._app(at)["properties"].get("eventStreamEndpoint")
            found = [*lines(str(stream), self._token(at), _SYSTEM_LINES, seconds=_LOG_S)] if stream else []
        except OpdeployError:  # who may not read it sees the rest
            return
        last = None
        for told in filter(None, map(_event, found)):
            if told.get("RevisionName") in names:
                last = told.get("Reason")
                if told.get("Type") == "Warning":
                    yield f"{last}: {' '.join(str(told.get('Msg')).split())}"
        if last == _ASSIGNING:
            yield (
                f"{_ASSIGNING}: it waits for a place to run, and there may be no GPU left in this region now; it may "
                "be billed meanwhile: wait, or take another region or profile"
            )


def _event(line: str) -> dict[str, Any] | None:
    """Return what a line of the platform's log tells; None where it tells nothing."""
    try:
        told = json.loads(line)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
