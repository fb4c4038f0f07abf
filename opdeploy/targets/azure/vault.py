"""Where in Azure Key Vault the API key of a deployment is kept. Pure."""

from __future__ import annotations

import re

from opdeploy.errors import InputError

KIND = "key vault secret"
_LONGEST = 127
"""Letters, digits and dashes of a secret's name (learn.microsoft.com/azure/azure-resource-manager/management/
resource-name-rules, read 2026-11-26)."""


def vault_of(name: str, suffix: str) -> str:
    """Return the address of a vault, given that or its name; `suffix` is what the names of vaults end with.

    Raises InputError for a name in a cloud that does not tell.
    """
    if not suffix and not name.startswith("https://"):
        raise InputError(
            f"deploy.azure.key_vault: {name}: the cloud does not say what names of vaults end with; write its address"
        )
    return name.rstrip("/") if name.startswith("https://") else f"https://{name.lower()}.{suffix}"


def secret_name(deployment: str) -> str:
    """Return the name of the secret that is a deployment's API key."""
    return f"opdeploy-{re.sub('[^0-9A-Za-z-]', '-', deployment)}"[:_LONGEST]
