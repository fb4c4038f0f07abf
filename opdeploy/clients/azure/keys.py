"""The API key of a deployment: that of the environment, else of its Key Vault; and whether its endpoint takes it."""

from __future__ import annotations

import http.client
import secrets
import ssl
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opdeploy.clients.azure.refused import RefusedError
from opdeploy.clients.azure.vault import Vault
from opdeploy.deployment import Found
from opdeploy.errors import InputError, TransientError
from opdeploy.targets.azure.record import MANAGED_BY, NAME, TARGET
from opdeploy.targets.azure.vault import KIND, secret_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from opdeploy.clients.azure.session import Session
    from opdeploy.clients.azure.vault import Kept
    from opdeploy.deployment import Observed
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.record import Record

GROUP = "opdeploy-group"
"""The tag of a secret with the resource group of its deployment: a vault may have those of several."""
_SCORE = "/score"
"""Where the server asks for a key, before it reads what else is asked."""
_PATIENCE_S = 10.0


class Keys:
    """API keys, each of a deployment by where that is."""

    def __init__(self, session: Session, target: str, given: str | None, told: Callable[[Where], str | None]) -> None:
        """Take a connection, the platform, the key of the environment, and what tells that of what runs."""
        self._session = session
        self._told = told
        self._target = target
        self._given = given
        self._read: dict[tuple[str, str], Kept | None] = {}

    @property
    def source(self) -> str:
        """What the key that is known comes from, in words."""
        return "OPDEPLOY_API_KEY" if self._given else "the API key in the Key Vault"

    def find(self, at: Where, *vaults: str | None) -> str | None:
        """Return the key: of the environment, else of the first vault that has it, else of what runs."""
        found = (self._kept(at, vault) for vault in vaults if vault)
        return self._given or next((kept.value for kept in found if kept), None) or self._told(at)

    def observed(self, at: Where, seen: Observed, record: Record | None, vault: str | None, *, shows: bool) -> Observed:
        """Return a deployment with its secret, and with what is known of its key.

        `vault` is that which is named, else that of the record, and `secret` the name of the key there. `known` tells
        whether it is, `missing` whether that is needed, `fits` whether the endpoint takes it, `kept` whether the vault
        has it; `why` says why that was not read. Where it `shows` the endpoint no key, which is for plans alone, it is
        not known whether that fits.
        """
        recorded = record.vault if record else None
        to = vault or recorded
        facts: dict[str, JsonValue] = {"vault": to, "secret": secret_name(at, self._target)}
        key, secret = self._given, None
        try:
            key = self.find(at, vault, recorded)
            facts["kept"] = bool(to and key and (kept := self._kept(at, to)) and kept.value == key)
            secret = self._secret(at, vault, record)
        except (RefusedError, TransientError) as error:  # a vault that is gone has no name any more
            facts["why"] = str(error)
        asks = _asks(seen, record)
        fits = _fits(seen, record, key) if shows else None
        facts |= {"known": key is not None, "missing": asks and key is None, "fits": fits}
        found = (*seen.found, secret) if secret else seen.found
        events = (*seen.events, str(facts["why"])) if "why" in facts else seen.events
        return seen.model_copy(update={"found": found, "events": events, "facts": {**seen.facts, "key": facts}})

    def keep(self, at: Where, vault: str, name: str, before: str | None) -> None:
        """Keep the key in a vault: that which is known, also of a vault that has had it before, else one that is made.

        Raises InputError where the secret of another deployment is there.
        """
        own = self._tags(at)
        there = self._kept(at, vault)
        if there and any(there.tags.get(tag, value) != value for tag, value in own.items()):
            whose = there.tags.get(NAME, "another deployment")
            raise InputError(
                f"secret {name} of {vault}: is that of {whose}, and was not overwritten; name another vault with "
                "deploy.azure.key_vault, or delete it there"
            )
        key = self.find(at, vault, before)
        if there and there.value == key:
            return
        Vault(self._session, vault).set(name, key or secrets.token_urlsafe(32), {MANAGED_BY: "opdeploy", **own})
        self._read.clear()

    def drop(self, vault: str, name: str) -> None:
        """Delete the key from a vault."""
        Vault(self._session, vault).drop(name)
        self._read.clear()

    def _tags(self, at: Where) -> dict[str, str]:
        """Return the tags by which a secret is that of a deployment."""
        return {NAME: at.deployment, TARGET: self._target, GROUP: at.group.lower()}

    def _kept(self, at: Where, vault: str) -> Kept | None:
        """Return the secret of a vault, which is asked once."""
        key = (vault, secret_name(at, self._target))
        if key not in self._read:
            self._read[key] = Vault(self._session, vault).get(key[1])
        return self._read[key]

    def _secret(self, at: Where, vault: str | None, record: Record | None) -> Found | None:
        """Return the secret that was made for a deployment; None where there is none, or another made it."""
        where = (record.vault if record else None) or vault
        kept = self._kept(at, where) if where else None
        if kept is None or any(kept.tags.get(tag) != value for tag, value in self._tags(at).items()):
            return None
        name = secret_name(at, self._target)
        return Found(kind=KIND, name=name, about=f"in {where}", made={"id": f"{where}/secrets/{name}", "vault": where})


def _asks(seen: Observed, record: Record | None) -> bool:
    """Tell whether what has the requests asks for a key, and has worked: so somebody may have it."""
    current = seen.current
    kept = record.version(current.number) if record and current else None
    return kept is not None and kept.keyed and kept.proven


def _fits(seen: Observed, record: Record | None, key: str | None) -> bool | None:
    """Tell whether what has the requests takes a key; None where it asks for none, or that is not known."""
    current = seen.current
    kept = record.version(current.number) if record and current else None
    if current is None or kept is None or not kept.keyed:
        return None
    if key is None:  # another is made in the place of that which a version has that never worked
        return None if kept.proven else False
    return _taken(seen.endpoint, key) if seen.endpoint and current.state == "running" else None


def _taken(endpoint: str, key: str) -> bool | None:
    """Tell whether an endpoint takes a key; None where it does not answer."""
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=_PATIENCE_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
    with closing(connection):
        try:
            connection.request("POST", _SCORE, b"", {"Authorization": f"Bearer {key}"})
            return connection.getresponse().status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        except (OSError, http.client.HTTPException):
            return None
