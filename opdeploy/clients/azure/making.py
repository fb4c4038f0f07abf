"""What the steps of plans call in Azure: resources are made, removed and noted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.arm import unseen
from opdeploy.clients.azure.revising import Revising
from opdeploy.clients.azure.sites import Switches
from opdeploy.targets.azure.compare import asked_for, keyed, refs, resolved
from opdeploy.targets.azure.kinds import GROUP, kind_of
from opdeploy.targets.azure.record import Kept, Made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.place import Place
    from opdeploy.clients.azure.registry import Registries
    from opdeploy.targets.azure.record import Record


class Making:
    """Makes what a deployment is made of; every method may be called again."""

    def __init__(self, arm: Arm, place: Place, registries: Registries, by: str) -> None:
        """Take a connection, the place that keeps records, the registries, and who is at work."""
        self._arm = arm
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
        record = self._record().with_made(Made(id=resource, body=dict(body)))
        if not is_group:
            self._place.keep(record)
        properties = {name: self._seen(name) for name in refs(dict(body))}
        for name in keyed(dict(body)):
            self._seen(name)
            holder = kind_of(name)
            properties[asked_for(name)] = self._arm.ask("POST", asked_for(name), holder.api if holder else "")
        self._arm.put(resource, resolved(dict(body), properties, {"api-key": api_key or ""}))
        if is_group:  # which keeps the notes itself
            self._place.keep(record)

    def delete(self, *, resource: str) -> None:
        """Remove a resource, and wait until it is gone."""
        kind = kind_of(resource)
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
            record = record.with_version(kept.model_copy(update={"proven": True}))
        self._place.keep(record.model_copy(update={"current": number}))

    def forget(self, *, numbers: list[int], images: list[str] | None = None) -> None:
        """Remove images, and drop versions from the record: last, for it says which they are."""
        for image in images or ():
            self._remove(image)
        record = self._record()
        versions = tuple(item for item in record.versions if item.number not in numbers)
        self._place.keep(record.model_copy(update={"versions": versions}))

    def keep_key(self, *, vault: str) -> None:
        """Keep the API key in a Key Vault, and no longer in another; it is noted before."""
        record = self._record()
        self._place.keep(record.model_copy(update={"vault": vault}))
        self._place.keep_key(vault)
        if record.vault not in {None, vault}:
            self._place.drop_key(str(record.vault))

    def drop_key(self, *, vault: str) -> None:
        """Delete the API key from a Key Vault."""
        self._place.drop_key(vault)
        self._place.keep(self._record().model_copy(update={"vault": None}))

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
