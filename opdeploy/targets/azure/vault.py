"""Where in Azure Key Vault the API key of a deployment is kept. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from opdeploy.targets.azure.names import Where

KIND = "key vault secret"
_LONGEST, _DIGITS = 127, 8
"""Letters, digits and dashes of a secret's name (learn.microsoft.com/azure/azure-resource-manager/management/
resource-name-rules, read 2026-11-26), and those of the hash that tells deployments of one name apart."""


def vault_of(name: str, suffix: str) -> str:
    """Return the address of a vault, given that or its name; `suffix` is what the names of vaults end with.

    Raises InputError for a name in a cloud that does not tell.
    """
    if not suffix and not name.startswith("https://"):
        raise InputError(
            f"deploy.azure.key_vault: {name}: the cloud does not say what names of vaults end with; write its address"
        )
    return name.rstrip("/").lower() if name.startswith("https://") else f"https://{name.lower()}.{suffix}"


def secret_name(at: Where, target: str) -> str:
    """Return the name of the secret that is a deployment's API key, which no other deployment's has."""
    whose = f"{at.group_id}/{target}/{at.deployment}".lower()
    name = f"opdeploy-{re.sub('[^0-9A-Za-z-]', '-', at.deployment)}"[: _LONGEST - _DIGITS - 1]
    return f"{name}-{hashlib.sha256(whose.encode()).hexdigest()[:_DIGITS]}"
