"""Who signed in to Azure, and from where, as their token tells it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opdeploy.clients.azure.session import Session


def signed_in_from(session: Session) -> str | None:
    """Return the address that a user signed in from; None where the token has none, as those of programs.

    learn.microsoft.com/entra/identity-platform/access-token-claims-reference, `ipaddr`, of 2023-05-26, read 2026-11-26.
    """
    try:
        return str(ip_address(claims(session.token(session.cloud.audience))["ipaddr"]))
    except (ValueError, KeyError):
        return None


def claims(token: str) -> dict[str, Any]:
    """Return what a token tells; nothing for one that only Azure reads."""
    try:
        part = token.split(".")[1]
        told = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
