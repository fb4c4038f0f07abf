"""Deployments on a machine that is made in Azure: what is in Azure, and what is on the machine, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.clients.azure.engines import Engines
from opdeploy.clients.azure.place import Place
from opdeploy.clients.azure.reached import public_key
from opdeploy.clients.azure.signed import signed_in_from
from opdeploy.deployment import Found
from opdeploy.errors import InputError, OpdeployError
from opdeploy.targets.azure.kinds import KINDS, name_of
from opdeploy.targets.azure.machine import DISK, KIND, RULES, RUNNING, names
from opdeploy.targets.azure.names import where
from opdeploy.targets.vm import MADE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.reached import Way
    from opdeploy.clients.azure.registry import Registries
    from opdeploy.clients.docker.elsewhere import Elsewhere
    from opdeploy.clients.docker.engine import Engine
    from opdeploy.deploy_settings import Deploy, OnVm
    from opdeploy.deployment import Observed
    from opdeploy.targets.azure.before import Asking
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.record import Machine
    from opdeploy.targets.base import Wanted

_API = KINDS[KIND].api


class MachinePlace(Place):
    """A subscription, and the machine that a deployment has there."""

    def __init__(self, arm: Arm, settings: Deploy, images: Registries, way: Way, *, key: str | None = None) -> None:
        """Take a connection, the settings, where images are, the way to the machine, and a known API key."""
        super().__init__(arm, settings, "vm", images, key=key, run=Engines(self.host))
        self.way = way
        self._chosen = settings
        self._given = key

    def completed(self, deployment: str, group: str | None = None) -> Deploy:
        """Return the settings with what is not named in them: where in Azure, and from where SSH is let in.

        Where the machine is reached as it is, that stays; else it is the address that the user signed in from.
        """
        settings = super().completed(deployment, group).model_copy(update={"registry": self._chosen.registry})
        self._whole = settings
        if settings.vm.ssh_from or settings.vm.subnet:
            return settings
        source = self._let_in(deployment, settings)
        return settings.model_copy(update={"vm": settings.vm.model_copy(update={"ssh_from": source})})

    def _enter(self, deployment: str, group: str | None = None) -> Where:
        self.way.close()  # to the machine of another
        return super()._enter(deployment, group)

    def _let_in(self, deployment: str, settings: Deploy) -> str | None:
        self._at = at = where(settings, deployment)
        record = self.record(deployment)
        body = record.body(names(at)[RULES]) if record else None
        before = str(body["properties"]["securityRules"][0]["properties"]["sourceAddressPrefix"]) if body else None
        is_reached = before is not None and self._engine_of(at)[1] is None
        return before if is_reached else signed_in_from(self._arm.session) or before

    # What is there

    def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:
        """Return everything that belongs to a deployment: in Azure, and on its machine where that is reached."""
        found = super().observe(target, deployment)
        self._seen = found = self._whole_of(found, pushed=pushed)
        return found

    def _whole_of(self, found: Observed, *, pushed: bool) -> Observed:
        target, deployment = found.target, found.deployment
        at = self.where(deployment)
        there = found.of(KIND, deployment)
        machine = self.machine()
        facts: dict[str, JsonValue] = {"machine": None}
        if machine:
            facts["machine"] = "ready" if machine.ready else "known"
        if not there and (self._makes or pushed):
            facts |= self._let_in_by()
        found = found.model_copy(
            update={"found": (*self._disk(at, found), *self._with_state(found)), "facts": {**found.facts, **facts}}
        )
        if there is None or machine is None:
            return found
        host, why = self._engine_of(at)
        if host is None:
            unreached = why if machine.ready else None  # on one that never was ready, nothing runs
            events = (why,) if why else ()
            return found.model_copy(update={"unreached": unreached, "events": events})
        inside = host.observe(target, deployment, pushed=pushed)
        return inside.model_copy(
            update={
                "found": (*found.found, *inside.found),
                "facts": {**inside.facts, **found.facts},
                "lock": found.lock or inside.lock,
                "group": found.group,
            }
        )

    def _let_in_by(self) -> dict[str, JsonValue]:
        """Return the key that a new machine is given; a plan alone goes without, and says what is missing."""
        try:
            return {"ssh_key": public_key(self._chosen.vm)}
        except InputError:
            if self._makes:
                raise
            return {}

    def machine(self) -> Machine | None:
        """Return what is known of the machine that is there; None where none is, or nothing is known of it."""
        known = self.known().machine
        found = self._arm.find(names(self.at)[KIND]) if known else None
        is_same = known and (found or {}).get("properties", {}).get("vmId") == known.id
        return known if is_same else None

    def host(self) -> Elsewhere:
        """Return the engine of the machine; raises OpdeployError where it is not reached."""
        found, why = self._engine_of(self.at)
        if found is None:
            raise OpdeployError(why or "the machine is not reached; see opdeploy status")
        return found

    def engine(self) -> Engine:
        """Return the engine that images are brought to; raises OpdeployError where it is not reached."""
        self.host()
        machine = self.machine()
        assert machine  # noqa: S101 - for mypy
        return self.way.engine(self.at, machine)

    @property
    def _makes(self) -> bool:
        return self.way.makes

    def _engine_of(self, at: Where) -> tuple[Elsewhere | None, str | None]:
        """Return the machine's engine, or why it is not reached."""
        if self.way.opened or self.way.blocked:
            return self.way.opened, self.way.blocked
        machine = self.machine()
        if machine is None:
            return None, f"{at.deployment}: its machine is not known yet; deploy again"
        try:
            return self.way.host(at, machine), None
        except OpdeployError as error:
            self.way.close()
            self.way.blocked = str(error)
            return None, self.way.blocked

    def _own(self, at: Where, there: Mapping[str, object]) -> set[str]:
        """Return the ids, in small letters, of what is a deployment's own of what its group has: its disk, too."""
        return super()._own(at, there) | {names(at)[DISK].lower()}

    def _disk(self, at: Where, found: Observed) -> Iterator[Found]:
        """Yield the machine's disk, which Azure made with it, and which has no tag."""
        disk = names(at)[DISK]
        if not found.of(DISK, name_of(disk)) and self._arm.find(disk):
            yield Found(kind=DISK, name=name_of(disk), about="of the machine", made={"id": disk})

    def _with_state(self, found: Observed) -> Iterator[Found]:
        for item in found.found:
            if item.kind != KIND:
                yield item
            else:
                state = power(self._arm, str(item.made["id"]))
                yield item.model_copy(update={"properties": {**item.properties, "state": state}})

    # What stands in the way

    def obstacles(self, wanted: Wanted) -> Iterator[str]:
        """Yield what would keep a deployment from being made, a sentence each with what to do."""
        yield from super().obstacles(wanted)
        if not self._makes and not (self._seen and self._seen.of(KIND, wanted.deployment)):
            yield from _lacks_key(self._chosen.vm)  # where something is made, it was refused when it was looked at
        if self.machine():
            host, _ = self._engine_of(self.where(wanted.deployment))
            yield from host.obstacles(wanted) if host else ()

    def shortages(self, wanted: Wanted) -> Iterator[str]:
        """Yield what may not be enough, or is not there."""
        yield from super().shortages(wanted)
        if self.machine():
            host, _ = self._engine_of(self.where(wanted.deployment))
            yield from host.shortages(wanted) if host else ()

    def _how(self) -> Asking:
        return MADE

    # Servers, all of which are on the machine

    def artefact(self, name: str, folder: Path) -> None:
        """Write the artefact that a server holds below a folder, in one called `model`."""
        self.host().artefact(name, folder)

    def api_key(self, deployment: str) -> str | None:
        """Return the API key of a deployment, as the machine's engine has it."""
        if self._at is None or not self.machine():
            return self._given
        host, _ = self._engine_of(self.at)
        return (host.api_key(deployment) if host else None) or self._given


def _lacks_key(vm: OnVm) -> Iterator[str]:
    """Yield what is to be done about a public key that a new machine cannot be given."""
    try:
        public_key(vm)
    except InputError as error:
        yield str(error)


def power(arm: Arm, machine: str) -> str:
    """Return whether a machine runs: running, stopped, deallocated or another word of Azure's."""
    view = arm.ask("GET", f"{machine}/instanceView", _API) or {}
    codes = [str(item.get("code")) for item in view.get("statuses") or ()]
    states = [code.removeprefix("PowerState/") for code in codes if code.startswith("PowerState/")]
    return states[0] if states else RUNNING
