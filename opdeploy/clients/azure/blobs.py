"""What a container of Blob Storage keeps of deployments, for whoever works on them, wherever: records and locks.

A deployment is one blob. Its content is the record; the lock is a lease on it, whose owner its metadata tells. A lease
is renewed while the command runs, and ends by itself where that is killed. Only who has it can write the record.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

from pydantic import ValidationError

from opdeploy import __version__
from opdeploy.clients.azure.refused import RefusedError, explained
from opdeploy.deployment import Lock
from opdeploy.errors import InputError, OpdeployError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from opdeploy.clients.azure.session import Session
    from opdeploy.targets.azure.names import Where

_LEASE_S = 60
"""Seconds after which the lock of a command that was killed is free: 15 to 60 are allowed
(learn.microsoft.com/rest/api/storageservices/lease-blob, read 2026-11-26)."""
_RENEWALS = 4
"""In the time of a lease, so that some of them may fail."""
_LOCK = "lock"
"""The metadata that tells who has the lease."""
_TRIES = 5
_LOST = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}
"""How requests end of who has a lease no more, or has none."""


class Address(NamedTuple):
    """Where a container is, and what the names of its blobs begin with."""

    account: str
    """Such as https://me.blob.core.windows.net."""
    container: str
    prefix: str


class _Held(NamedTuple):
    """A lease that this process has."""

    blob: Any
    lease: Any
    lock: Lock
    ended: threading.Event


class Blobs:
    """Records and locks, each of a deployment by where that is."""

    in_group = False

    def __init__(self, session: Session, address: str) -> None:
        """Take a connection, and the address of a container; raises InputError for what is none."""
        self._session = session
        self._address = parsed(address)
        self._held: dict[str, _Held] = {}

    def read(self, at: Where) -> str | None:
        """Return the record; None where there is none."""
        with self._of(at) as blob:
            try:
                with self._explained(at, "read"):
                    text = blob.download_blob().readall().decode()
            except RefusedError as error:
                if _is_missing(error):
                    return None
                raise
        return text or None

    def write(self, at: Where, text: str) -> None:
        """Keep a record, in the place of what was there; raises OpdeployError where the lock is another's by now."""
        held = self._held.get(self._name(at))
        if held is None:
            raise OpdeployError(f"{at.deployment}: is not locked by this command; run it again")
        with self._of(at) as blob:
            try:
                with self._explained(at, "written"):
                    blob.upload_blob(text.encode(), overwrite=True, lease=held.lease, metadata=_metadata(held.lock))
            except RefusedError as error:
                if error.status in _LOST:
                    raise OpdeployError(
                        f"{at.deployment}: the lock was taken away meanwhile; run the same command again"
                    ) from None
                raise

    def drop(self, at: Where) -> None:
        """Keep a record no longer; the blob goes when the lock is given back."""
        self.write(at, "")

    def held(self, at: Where) -> Lock | None:
        """Return the lock that holds; None where none does."""
        with self._of(at) as blob:
            return _lock_of(self._properties(at, blob))

    def take(self, at: Where, lock: Lock) -> Lock:
        """Take the lock, where nobody has it, and return the one that holds."""
        for _ in range(_TRIES):
            if self._taken(at, lock):
                return lock
            if held := self.held(at):
                return held
        raise OpdeployError(f"{at.deployment}: others take its lock all the time; try again later")

    def _taken(self, at: Where, lock: Lock) -> bool:
        """Tell whether the lock could be taken; it is renewed from then on."""
        with self._of(at) as blob:
            self._make(at, blob)
            lease = _lease(blob)
            try:
                with self._explained(at, "locked"):
                    lease.acquire(lease_duration=_LEASE_S)
                    # Whoever takes it for that of a command which is gone breaks it only before this is written.
                    blob.set_blob_metadata(_metadata(lock), lease=lease)
            except RefusedError as error:
                if error.status in _LOST:
                    return False
                raise
        own = self._of(at)
        held = _Held(own, _lease(own, lease.id), lock, threading.Event())
        self._held[self._name(at)] = held
        threading.Thread(target=_renewed, args=(held,), daemon=True).start()
        return True

    def give_back(self, at: Where, lock: Lock) -> None:
        """Give a lock back that this process has, or break another's; one that holds no more is no error."""
        held = self._held.get(self._name(at))
        if held is None or held.lock.process != lock.process:
            with self._of(at) as blob:
                self._break(at, blob, lock)
            return
        del self._held[self._name(at)]
        held.ended.set()
        with held.blob as blob:
            try:
                with self._explained(at, "unlocked"):
                    found = self._properties(at, blob)
                    if found and found.size:
                        blob.set_blob_metadata({}, lease=held.lease)
                        held.lease.release()
                    elif found:  # it was made for the lock alone, or what it told of is removed
                        blob.delete_blob(lease=held.lease)
            except RefusedError as error:
                if error.status not in _LOST:
                    raise

    def _break(self, at: Where, blob: Any, lock: Lock) -> None:  # noqa: ANN401 - of an SDK
        """Break a lock, unless another has taken its place: then the blob is not as it was."""
        from azure.core import MatchConditions

        found = self._properties(at, blob)
        told = _lock_of(found)
        if told is None or told.process != lock.process:
            return
        try:
            with self._explained(at, "unlocked"):
                _lease(blob).break_lease(0, etag=found.etag, match_condition=MatchConditions.IfNotModified)
        except RefusedError as error:
            if error.status not in _LOST:
                raise

    def _make(self, at: Where, blob: Any) -> None:  # noqa: ANN401 - of an SDK
        """Have a blob that a lease can be on."""
        try:
            with self._explained(at, "made"):
                blob.upload_blob(b"", overwrite=False)
        except RefusedError as error:
            if error.status not in _LOST - {HTTPStatus.NOT_FOUND}:
                raise

    def _properties(self, at: Where, blob: Any) -> Any:  # noqa: ANN401 - of an SDK
        """Return what is told of a blob; None where there is none."""
        try:
            with self._explained(at, "looked at"):
                return blob.get_blob_properties()
        except RefusedError as error:
            if _is_missing(error):
                return None
            raise

    def _name(self, at: Where) -> str:
        parts = (at.subscription, at.group, at.deployment)
        return "/".join(filter(None, (self._address.prefix, *(part.lower() for part in parts)))) + ".json"

    def _explained(self, at: Where, done: str) -> AbstractContextManager[None]:
        account = self._address.account
        what = f"{account}/{self._address.container}/{self._name(at)}: was not {done}"
        return explained(what, f"storage account {account.removeprefix('https://').partition('.')[0]} (deploy.state)")

    def _of(self, at: Where) -> Any:  # noqa: ANN401 - an SDK's client
        """Return the client of a deployment's blob."""
        try:
            from azure.storage.blob import BlobClient
        except ImportError:
            raise OpdeployError(
                "azure-storage-blob is not installed; install opdeploy with its extra: opdeploy[azure]"
            ) from None
        return BlobClient(
            self._address.account,
            self._address.container,
            self._name(at),
            credential=self._session.credential,
            user_agent=f"opdeploy/{__version__}",
            retry_total=_TRIES,
            initial_backoff=1,
            increment_base=2,
        )


def parsed(address: str) -> Address:
    """Return where a container is; raises InputError for an address that is not of the form."""
    from urllib.parse import urlsplit

    parts = urlsplit(address)
    container, _, prefix = parts.path.strip("/").partition("/")
    if parts.scheme != "https" or not parts.hostname or not container:
        raise InputError(
            f"deploy.state: {address}: is no folder, and no container; write a container as "
            "https://ACCOUNT.blob.core.windows.net/CONTAINER"
        )
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise InputError(
            f"deploy.state: https://{parts.hostname}{parts.path}: has more than an address; leave that out: who signs "
            "in to Azure needs the role Storage Blob Data Contributor there"
        )
    return Address(f"https://{parts.netloc}", container, prefix.strip("/"))


def _renewed(held: _Held) -> None:
    """Renew a lease until it is given back; where that fails, the next write tells."""
    while not held.ended.wait(_LEASE_S / _RENEWALS):
        with suppress(Exception):
            held.lease.renew()


def _lease(blob: Any, lease: str | None = None) -> Any:  # noqa: ANN401 - of an SDK
    from azure.storage.blob import BlobLeaseClient

    return BlobLeaseClient(blob, lease or str(uuid.uuid4()))


def _metadata(lock: Lock) -> dict[str, str]:
    """Return metadata that tell of a lock; they are headers, and so ASCII."""
    return {_LOCK: quote(lock.model_dump_json())}


def _lock_of(found: Any) -> Lock | None:  # noqa: ANN401 - of an SDK
    if found is None or found.lease.state not in {"leased", "breaking"}:
        return None
    metadata: Mapping[str, str] = found.metadata or {}
    try:
        return Lock.model_validate_json(unquote(metadata.get(_LOCK, "")))
    except ValidationError:  # whoever has it has not told yet
        return Lock(owner="somebody", since=found.last_modified, doing="what has just begun", process="")


def _is_missing(error: RefusedError) -> bool:
    """Tell whether there is no such blob, where its container is there."""
    return error.status == HTTPStatus.NOT_FOUND and error.code != "ContainerNotFound"
