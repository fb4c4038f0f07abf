"""What a resource group keeps of its deployments: their records and locks, each as the output of an empty template.

A deployment of a template is the one thing in a group that keeps a text of any size, costs nothing, and that
whoever may make resources there may write.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from opdeploy.deployment import Lock
from opdeploy.errors import OpdeployError
from opdeploy.targets.azure.requests import NOTE, kept

if TYPE_CHECKING:
    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.session import Session
    from opdeploy.targets.azure.names import Where

_SETTLED_S = 2.0
"""Seconds after which whoever took a lock at the same moment has written it, too."""


class Keeps(Protocol):
    """What keeps records and locks, each of a deployment by where that is."""

    in_group: bool
    """Whether that is the resource group, which is to be there first."""

    def read(self, at: Where) -> str | None:
        """Return a record; None where there is none."""

    def write(self, at: Where, text: str) -> None:
        """Keep a record, in the place of what was there."""

    def drop(self, at: Where) -> None:
        """Keep a record no longer; none is no error."""

    def held(self, at: Where) -> Lock | None:
        """Return the lock that holds; None where none does."""

    def take(self, at: Where, lock: Lock) -> Lock:
        """Take the lock, where nobody has it, and return the one that holds."""

    def give_back(self, at: Where, lock: Lock) -> None:
        """Give a lock back, unless another is in its place."""


def keeps(arm: Arm, state: str | None) -> Keeps:
    """Return what keeps records and locks: a container of blobs, where `deploy.state` names one, else the group."""
    from opdeploy.clients.azure.blobs import Blobs

    session: Session = arm.session
    return Blobs(session, state) if state and "://" in state else Notes(arm)


class Notes:
    """Records and locks in resource groups."""

    in_group = True

    def __init__(self, arm: Arm) -> None:
        """Take a connection."""
        self._arm = arm

    def read(self, at: Where) -> str | None:
        """Return a record; None where there is none."""
        return self._read(at.note)

    def write(self, at: Where, text: str) -> None:
        """Keep a record, in the place of what was there."""
        self._write(at.note, text)

    def drop(self, at: Where) -> None:
        """Keep a record no longer; none is no error."""
        self._arm.delete(at.note)

    def held(self, at: Where) -> Lock | None:
        """Return the lock that holds; None where none does."""
        text = self._read(at.lock)
        return Lock.model_validate_json(text) if text else None

    def take(self, at: Where, lock: Lock) -> Lock:
        """Take the lock, where nobody has it, and return the one that holds.

        It is written, and looked at again when whoever wrote one at the same moment has done so: the last one holds.
        """
        if held := self.held(at):
            return held
        try:
            self._write(at.lock, lock.model_dump_json())
            time.sleep(_SETTLED_S)
            return self.held(at) or lock
        except BaseException:
            with suppress(OpdeployError):
                self.give_back(at, lock)
            raise

    def give_back(self, at: Where, lock: Lock) -> None:
        """Give a lock back, unless another is in its place."""
        held = self.held(at)
        if held and held.process == lock.process:
            self._arm.delete(at.lock)

    def _read(self, note: str) -> str | None:
        found = self._arm.settled(note)  # one that is being written is waited for
        outputs = ((found or {}).get("properties") or {}).get("outputs") or {}
        value = (outputs.get(NOTE) or {}).get("value")
        return value if isinstance(value, str) else None

    def _write(self, note: str, text: str) -> None:
        """Keep a text; it begins with no bracket, which would be an expression."""
        self._arm.put(note, kept(text))
