"""The data plane of key vaults, under NAME.vault.azure.net, as far as secrets go; a deleted one can be recovered.

learn.microsoft.com/rest/api/keyvault/secrets.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.arm.answers import Answer, Refused, error, refused
from tests.arm.signin import claims

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.arm.arm import Arm

AUDIENCE = "https://vault.azure.net"
_RIGHTS = {
    ("GET", "secrets"): "getSecret/action",
    ("PUT", "secrets"): "setSecret/action",
    ("DELETE", "secrets"): "delete",
    ("GET", "deletedsecrets"): "readMetadata/action",
    ("POST", "deletedsecrets"): "recover/action",
    ("DELETE", "deletedsecrets"): "purge/action",
}
"""What each request needs, after Microsoft.KeyVault/vaults/secrets/."""


@dataclass
class Vault:
    """A vault: its secrets, each with its tags and when it was made, and those that were deleted."""

    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: dict[str, dict[str, Any]] = field(default_factory=dict)


def value(arm: Arm, uri: str) -> str | None:
    """Return what is kept under the address of a secret, for what runs with a reference to it; None if nothing is."""
    match = re.fullmatch("https://([^.]+)[^/]*/secrets/([^/]+)(/.*)?", uri)
    vault = arm.vaults.get(match[1]) if match else None
    found = vault.secrets.get(match[2]) if vault and match else None
    return str(found["value"]) if found else None


def referred(arm: Arm, setting: str) -> str:
    """Return a setting of a site; where it refers to a secret, that, unless it is not there.

    learn.microsoft.com/azure/app-service/app-service-key-vault-references.
    """
    match = re.fullmatch(r"@Microsoft\.KeyVault\(SecretUri=(.+)\)", setting)
    return (value(arm, match[1]) if match else None) or setting


def secret(arm: Arm, host: str, asked: tuple[str, str], headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer a request, of a method and a path, for a secret of a vault."""
    method, path = asked
    try:
        _check_token(arm, headers.get("authorization", ""))
        match = re.fullmatch("/(secrets|deletedsecrets)/([0-9a-zA-Z-]{1,127})(/recover)?/?", path)
        right = _RIGHTS.get((method, match[1])) if match else None
        if match is None or right is None:
            raise refused(400, "BadParameter", f"{method} {path}: the request URI is invalid")
        _check_right(arm, f"Microsoft.KeyVault/vaults/secrets/{right}")
        vault = arm.vaults[host.partition(".")[0]]
        if method == "PUT":
            return _put(vault, host, match[2], json.loads(body))
        return _other(vault, host, (method, match[1]), match[2])
    except Refused as error_:
        return error_.answer


def _other(vault: Vault, host: str, what: tuple[str, str], name: str) -> Answer:
    """Tell, delete, recover or purge a secret that is there."""
    kept = vault.secrets if what[1] == "secrets" else vault.deleted
    found = kept.get(name)
    if found is None:
        text = f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret "
        text += "you may be able to recover it using the correct recovery command."
        raise refused(404, "SecretNotFound", text)
    if what[0] == "GET":
        return Answer(200, found if kept is vault.secrets else _untold(found))
    kept.pop(name)
    if what == ("DELETE", "secrets"):
        vault.deleted[name] = found
        times = {"deletedDate": int(time.time()), "scheduledPurgeDate": int(time.time()) + 90 * 86400}
        return Answer(200, {**_untold(found), "recoveryId": f"https://{host}/deletedsecrets/{name}", **times})
    if what == ("POST", "deletedsecrets"):
        vault.secrets[name] = found
        return Answer(200, _untold(found))
    return Answer(204)


def _put(vault: Vault, host: str, name: str, asked: dict[str, Any]) -> Answer:
    if name in vault.deleted:
        text = f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
        inner = {"code": "ObjectIsDeletedButRecoverable"}
        text += "state, the secret can only be recovered or purged."
        raise Refused(Answer(409, {"error": {"code": "Conflict", "message": text, "innererror": inner}}))
    now = int(time.time())
    vault.secrets[name] = {
        "value": asked["value"],
        "id": f"https://{host}/secrets/{name}/{secrets.token_hex(16)}",
        "attributes": {"enabled": True, "created": now, "updated": now, "recoveryLevel": "Recoverable+Purgeable"},
        "tags": asked.get("tags") or {},
    }
    return Answer(200, vault.secrets[name])


def _untold(found: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in found.items() if key != "value"}


def _check_token(arm: Arm, authorization: str) -> None:
    """Raise the challenge to who shows no token for vaults."""
    token = authorization.removeprefix("Bearer ")
    if arm.tokens.get(token, 0.0) > time.time() and claims(token)["aud"] == AUDIENCE:
        return
    ask = f'Bearer authorization="{arm.url}/{arm.tenant}", resource="{AUDIENCE}"'
    text = "AKV10000: Request is missing a Bearer or PoP token."
    raise Refused(error(401, "Unauthorized", text, {"WWW-Authenticate": ask}))


def _check_right(arm: Arm, action: str) -> None:
    if not arm.may(action, arm.scope):
        text = f"Caller is not authorized to perform action on resource.\r\nAction: '{action}'"
        inner = {"code": "ForbiddenByRbac"}
        raise Refused(Answer(403, {"error": {"code": "Forbidden", "message": text, "innererror": inner}}))
