"""Sites of Azure App Service and their slots: how they stand, where they answer, what they wrote; and their swaps."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.clients.azure.following import followed
from opdeploy.clients.azure.refused import RefusedError, explained, finished, once
from opdeploy.clients.azure.runs import Running, Runs
from opdeploy.clients.azure.session import POLL_S
from opdeploy.errors import NotFoundError, OpdeployError, TransientError
from opdeploy.targets.azure.kinds import KINDS, kind_of, names_of
from opdeploy.targets.azure.record import NAME
from opdeploy.targets.azure.web import NEXT, PLAN, SITE, SLOT, image_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.place import Place
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import State
    from opdeploy.targets.azure.names import Where

_STATES: dict[str, State] = {"Running": "running", "Stopped": "stopped"}
_HTTPS = 443
_BETWEEN_S = 2.0
"""Seconds between two looks at what a site runs: a choice of ours."""
_SWAPPED_S = 900.0
"""Seconds that a swap which goes on already is waited for: a choice of ours, half of what its step takes at most."""
_SHOWN_S = 60.0
"""Seconds after a swap within which a site tells that it runs another image: a choice of ours."""
_FAILED = ("failing site start", "failed during startup", "Image pull failed")
"""What App Service writes last where a container does not start (learn.microsoft.com/troubleshoot/azure/app-service/
linux; such lines were read in public logs 2026-11-26)."""
_LOOK_S, _STILL_S = 3.0, 12.0
"""Seconds between two looks at a log, and for which it must end with one line: what replaces a server writes, too."""
_LAST_LINES = 50


class Sites(Runs):
    """Sites, by their names; the slot, by its own."""

    tls = True

    def __init__(self, arm: Arm) -> None:
        """Take a connection."""
        self._arm = arm
        self._looks: dict[str, _Look] = {}
        """What the log of each site and slot ended with when it was last looked at."""
        self._ends: dict[tuple[str, str], str] = {}
        """The image whose end a line tells, by site or slot and the line."""

    def running(self, at: Where, there: Mapping[str, dict[str, Any]]) -> Running:
        """Return what runs: in the site the current version, in the slot the one before, or one that is tried."""
        site, slot = (there.get(_id(at, name).lower()) for name in (at.deployment, NEXT))
        servers: dict[int, tuple[str, State]] = {}
        for name, found in ((NEXT, slot), (at.deployment, site)):
            number = number_of(found) if found else None
            if found and number is not None:
                servers[number] = (name, self.state(found) or "unknown")
        if site is None:
            return Running(None, servers, None)
        host = site["properties"].get("defaultHostName")
        return Running(number_of(site), servers, f"https://{host}" if host else None)

    def state(self, found: Mapping[str, Any]) -> State | None:
        """Return how a resource stands; None for one that runs nothing."""
        kind = kind_of(found["id"])
        if kind is None or kind.name not in {SITE, SLOT}:
            return None
        return _STATES.get(str((found.get("properties") or {}).get("state")), "unknown")

    def address(self, at: Where, name: str) -> tuple[str, int]:
        """Return host and port; raises OpdeployError where it has none."""
        found = self._arm.ask("GET", _id(at, name), KINDS[SITE].api)
        host, _, port = str(found["properties"].get("defaultHostName") or "").partition(":")
        if not host:
            raise OpdeployError(f"{_shown(at, name)}: has no host name yet; see opdeploy status")
        return host, int(port or _HTTPS)

    def exit_code(self, at: Where, name: str) -> int | None:
        """Return how the server ended, where its log ends with that and nothing follows for a while; else None.

        What has ended is started again and again, and its exit code is told nowhere else.
        """
        now = time.monotonic()
        known = self._looks.setdefault(name, _Look(now, "", now, None))  # who is ready at once needs no look
        if now > known.at + _LOOK_S:
            lines = self.logs(at, name, _LAST_LINES)
            line = lines[-1] if lines else ""
            since = known.since if known.line == line else now
            known = self._looks[name] = _Look(now, line, since, ended(lines))
        if known.code is None or known.at - known.since < _STILL_S:
            return None
        # The log goes on from version to version: the end of one that failed is none of that which is gone back to.
        image = self.image(at, name)
        return known.code if self._ends.setdefault((name, known.line), image) == image else None

    def out_of_memory(self, at: Where, name: str) -> bool:  # noqa: ARG002 - App Service does not tell
        """Return False: it is not told."""
        return False

    def image(self, at: Where, name: str) -> str:
        """Return the image that a site or slot runs."""
        found = self._arm.find(_id(at, name))
        if found is None:
            raise NotFoundError(f"{_shown(at, name)}: is not there any more; deploy again")
        return image_of(found)

    def logs(self, at: Where, name: str, tail: int) -> list[str]:
        """Return the last lines that the server and its host wrote; none where there are none yet."""
        sdk = KINDS[SITE].sdk
        operations, names = self._arm.session.operations(sdk), names_of(_id(at, name))
        method = "get_web_site_container_logs_slot" if name == NEXT else "get_web_site_container_logs"
        try:
            with explained(f"the log of {_shown(at, name)}"):
                parts = getattr(operations, method)(*names)
                text = b"".join(parts or ()).decode(errors="replace")
        except RefusedError as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                return []
            raise
        lines = text.splitlines()
        return lines[-tail:] if tail else []

    def follow(self, at: Where, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that the server wrote, and what it writes until the site is gone."""
        return followed(
            lambda lines: self.logs(at, name, lines), lambda: self._arm.find(_id(at, name)) is not None, tail
        )

    def facts(self, at: Where, settings: Deploy) -> dict[str, JsonValue]:
        """Return what is known of the plan that is named, or that the site is on, and what others have of our names."""
        site, own = self._arm.find(at.id(SITE, at.deployment)), self._arm.find(at.id(PLAN, at.deployment))
        taken: list[JsonValue] = [
            kind for kind, item in ((SITE, site), (PLAN, own)) if item and not _is_ours(item, at.deployment)
        ]
        named = settings.webapp.plan or (site["properties"].get("serverFarmId") if site else None)
        found = self._arm.find(named) if named else None
        if found is None:
            return {"taken": taken}
        told: dict[str, JsonValue] = {
            "size": str((found.get("sku") or {}).get("name")),
            "linux": (found.get("properties") or {}).get("reserved") is True,
            "location": str(found.get("location")),
        }
        return {"taken": taken, "plan": told}


class _Look(NamedTuple):
    """A look at a log."""

    at: float
    line: str
    """The last one."""
    since: float
    """When that was seen for the first time."""
    code: int | None


def ended(lines: list[str]) -> int | None:
    """Return the exit code of a server whose log ends with its end; None for any other log."""
    code = next((code for line in reversed(lines) if (code := _exit_code(line)) is not None), None)
    last = next((line for line in reversed(lines) if line.strip()), "")
    if any(words in last for words in _FAILED):
        return 1 if code is None else code
    return _exit_code(last)


def _exit_code(line: str) -> int | None:
    """Return the exit code of a server's last event, before which App Service may write the time."""
    with suppress(ValueError):
        event = json.loads(line[line.index("{") :])
        if isinstance(event, dict) and isinstance(event.get("exit_code"), int):
            return int(event["exit_code"])
    return None


class Switches:
    """Starts sites and slots, and swaps them; each may be called again."""

    def __init__(self, arm: Arm, place: Place) -> None:
        """Take a connection, and the place that keeps records."""
        self._arm = arm
        self._place = place

    def start(self, *, resource: str) -> None:
        """Start a site or slot."""
        self._arm.ask("POST", f"{resource}/start", KINDS[SITE].api)

    def swap(self, *, resource: str, slot: str, image: str) -> None:
        """Swap a slot with its site, unless that runs the image: twice would be as if it had not been.

        It is noted as long as it goes on, which it may do when whoever began it is gone.
        """
        if self._runs(resource) == image:
            self._note(None)
            return
        self._note(image)
        try:
            self._swap(resource, slot)
        except RefusedError as error:
            if error.status != HTTPStatus.CONFLICT:  # which it is where one goes on that was begun before
                self._note(None)
                raise
            self._wait(resource, image, _SWAPPED_S, error)
        else:
            other = TransientError(f"slot {slot} was swapped, and the site does not run {image}; try again")
            self._wait(resource, image, _SHOWN_S, other)
        self._note(None)

    def _swap(self, resource: str, slot: str) -> None:
        """Begin a swap, once: the SDK would begin another, which undoes the first, where the service is busy."""
        from azure.mgmt.core.polling.arm_polling import ARMPolling

        what, asked = f"slot {slot}", {"targetSlot": slot, "preserveVnet": True}
        operations = self._arm.session.operations(KINDS[SITE].sdk)
        with once(f"{what} was not swapped"):
            poller = operations.begin_swap_slot_with_production(
                *names_of(resource), asked, retry_total=0, polling=ARMPolling(POLL_S)
            )
            finished(poller, f"{what} is swapped", _SWAPPED_S)

    def _note(self, image: str | None) -> None:
        record = self._place.known()
        if record.swapping != image:
            self._place.keep(record.model_copy(update={"swapping": image}))

    def _runs(self, resource: str) -> str:
        return image_of(self._arm.find(resource) or {})

    def _wait(self, resource: str, image: str, seconds: float, error: OpdeployError) -> None:
        until = time.monotonic() + seconds
        while self._runs(resource) != image:
            if time.monotonic() > until:
                raise error
            time.sleep(_BETWEEN_S)


def _is_ours(found: Mapping[str, Any], deployment: str) -> bool:
    return (found.get("tags") or {}).get(NAME) == deployment


def _id(at: Where, name: str) -> str:
    return at.id(SLOT, at.deployment, NEXT) if name == NEXT else at.id(SITE, name)


def _shown(at: Where, name: str) -> str:
    return f"slot {name} of {at.deployment}" if name == NEXT else f"site {name}"
