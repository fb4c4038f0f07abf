"""What the steps of plans call in Azure: resources are made, removed and noted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.arm import unseen
from opdeploy.clients.azure.refused import RefusedError
from opdeploy.clients.azure.revising import Revising
from opdeploy.clients.azure.sites import Switches
from opdeploy.targets.azure.compare import asked_for, keyed, refs, resolved
from opdeploy.targets.azure.kinds import GROUP, kind_of, name_of
from opdeploy.targets.azure.record import Kept, Made
from opdeploy.targets.azure.staying import stays

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.place import Place
    from opdeploy.clients.azure.registry import Registries
    from opdeploy.targets.azure.record import Record


class Making:
    """Makes what a deployment is made of; every method may be called again."""

    def __init__(self, arm: Arm, place: Place, registries: Registries, by: str, say: Callable[[str], None]) -> None:
        """Take a connection, the place that keeps records, the registries, who is at work, and what says a line."""
        self._arm = arm
        self._say = say
        self._place = place
        self._by = by
        self.push = registries.push
        self.build = registries.build
        switches = Switches(arm, place)
        self.start, self.swap = switches.start, switches.swap
        self._remove = registries.remove
        revising = Revising(arm, place)
        self.revise, self.serve = revising.revise, revising.serve
        self.activate, self.deactivate = revising.activate, revising.deactivate

    def put(self, *, resource: str, body: Mapping[str, Any], api_key: str | None = None) -> None:
        """Have a resource be as a body says, and note it before: so it is known however this ends."""
        kind = kind_of(resource)
        is_group = kind is not None and kind.name == GROUP.name
        before = self._record()
        record = before.with_made(Made(id=resource, body=dict(body)))
        if not is_group:
            self._place.keep(record)
        properties = {name: self._seen(name) for name in refs(dict(body))}
        for name in keyed(dict(body)):
            self._seen(name)
            holder = kind_of(name)
            properties[asked_for(name)] = self._arm.ask("POST", asked_for(name), holder.api if holder else "")
        try:
            self._arm.put(resource, resolved(dict(body), properties, {"api-key": api_key or ""}))
        except RefusedError as error:
            if not is_group and error.is_of_request:
                self._note_as_before(resource, before)
            raise
        if is_group:  # which keeps the notes itself
            self._place.keep(record)

    def _note_as_before(self, resource: str, before: Record) -> None:
        """Note a resource as it was before a request that was refused, and so has changed nothing."""
        body = before.body(resource)
        if body is not None:
            self._place.keep(self._record().with_made(Made(id=resource, body=body)))
        elif self._arm.find(resource) is None:
            self._place.keep(self._record().without(resource))

    def delete(self, *, resource: str) -> None:
        """Remove a resource, and wait until it is gone; a group in which others have something by now stays."""
        kind = kind_of(resource)
        if resource.lower() == self._place.at.group_id.lower() and (theirs := self._place.others()):
            self._say(stays(name_of(resource), theirs))
            return
        self._arm.delete(resource)
        if kind is None or kind.name != GROUP.name:
            self._place.keep(self._record().without(resource))

    def note(self, *, version: Mapping[str, Any]) -> None:
        """Note that a version is about to be made."""
        kept = Kept.model_validate({**version, "at": datetime.now(UTC), "by": self._by})
        self._place.keep(self._record().with_version(kept))

    def prove(self, *, number: int) -> None:
        """Note that a version is ready and right, and has the requests."""
        record = self._record()
        kept = record.version(number)
        if kept:
            record = record.with_version(kept.model_copy(update={"proven": True, "ready": datetime.now(UTC)}))
        self._place.keep(record.model_copy(update={"current": number}))

    def forget(self, *, numbers: list[int], images: list[str] | None = None) -> None:
        """Remove images, and drop versions from the record: last, for it says which they are."""
        for image in images or ():
            self._remove(image)
        record = self._record()
        versions = tuple(item for item in record.versions if item.number not in numbers)
        self._place.keep(record.model_copy(update={"versions": versions}))

    def keep_key(self, *, vault: str, name: str, before: str | None = None) -> None:
        """Keep the API key in a Key Vault: that of the vault before, where there is one; it is noted before.

        Where there is a vault before, it is noted afterwards: until then only that one has the key.
        """
        if before is None:
            self._place.keep(self._record().model_copy(update={"vault": vault}))
        self._place.keep_key(vault, name, before)
        if before is not None:
            self._place.keep(self._record().model_copy(update={"vault": vault}))

    def drop_key(self, *, vault: str, name: str) -> None:
        """Delete the API key from a Key Vault."""
        self._place.drop_key(vault, name)
        record = self._record()
        if record.vault == vault:
            record = record.model_copy(update={"vault": None})
        self._place.keep(record)

    def close(self) -> None:
        """Remove the record."""
        self._place.close()

    def _seen(self, resource: str) -> dict[str, Any]:
        """Return a resource that was made before; raises TransientError where Azure does not show it yet."""
        found = self._arm.find(resource)
        if found is None:
            raise unseen(resource)
        return found

    def _record(self) -> Record:
        return self._place.known()
