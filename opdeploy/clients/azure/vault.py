"""Azure Key Vault: the API key of a deployment is a secret there."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.clients.azure.refused import RefusedError, explained, finished
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from opdeploy.clients.azure.session import Session

_TRIES = 3
_ENDS_S = 300.0
"""Seconds within which a vault has deleted or recovered a secret: a choice of ours."""


class Kept(NamedTuple):
    """A secret that is there."""

    value: str
    tags: Mapping[str, str]


class Vault:
    """The secrets of a vault, by their names."""

    def __init__(self, session: Session, address: str) -> None:
        """Take a connection, and the address of a vault."""
        self._session = session
        self._address = address

    def get(self, name: str) -> Kept | None:
        """Return a secret; None where there is none."""
        try:
            with self._client() as client, self._explained(name, "read"):
                found = client.get_secret(name)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return Kept(str(found.value), found.properties.tags or {})

    def set(self, name: str, value: str, tags: Mapping[str, str]) -> None:
        """Keep a secret, in the place of what was there; one that was deleted is recovered first."""
        with self._client() as client, self._explained(name, "kept"):
            try:
                client.set_secret(name, value, tags=dict(tags))
            except Exception as error:
                if getattr(error, "status_code", None) != HTTPStatus.CONFLICT:
                    raise
                finished(client.begin_recover_deleted_secret(name), f"recovery of secret {name}", _ENDS_S)
                client.set_secret(name, value, tags=dict(tags))

    def drop(self, name: str) -> None:
        """Delete a secret, which can be recovered as long as the vault says; none is no error."""
        try:
            with self._client() as client, self._explained(name, "deleted"):
                finished(client.begin_delete_secret(name), f"deletion of secret {name}", _ENDS_S)
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def _explained(self, name: str, done: str) -> AbstractContextManager[None]:
        vault = self._address.removeprefix("https://").partition(".")[0]
        return explained(
            f"secret {name} of {self._address} was not {done}", f"Key Vault {vault} (deploy.azure.key_vault)"
        )

    def _client(self) -> Any:  # noqa: ANN401 - an SDK's client
        try:
            from azure.keyvault.secrets import SecretClient
        except ImportError:
            raise OpdeployError(
                "azure-keyvault-secrets is not installed; install opdeploy with its extra: opdeploy[azure]"
            ) from None
        return SecretClient(self._address, self._session.credential, retry_total=_TRIES)
