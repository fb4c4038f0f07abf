"""From where somebody signed in to Azure, as their token tells it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opdeploy.clients.azure.session import Session


def signed_in_from(session: Session) -> str | None:
    """Return the address that a user signed in from; None where the token has none, as those of programs.

    learn.microsoft.com/entra/identity-platform/access-token-claims-reference, `ipaddr`, of 2023-05-26, read 2026-11-26.
    """
    _, _, rest = session.token(session.cloud.audience).partition(".")
    claims, _, _ = rest.partition(".")
    try:
        told = json.loads(urlsafe_b64decode(f"{claims}{'=' * (-len(claims) % 4)}"))
        return str(ip_address(told["ipaddr"]))
    except (ValueError, KeyError, TypeError):
        return None
