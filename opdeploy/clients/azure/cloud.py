"""The clouds of Azure: where each answers, and what its names end with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.errors import InputError, nearest

if TYPE_CHECKING:
    from pathlib import Path


class Cloud(NamedTuple):
    """One cloud."""

    name: str
    resource_manager: str
    """Where Azure Resource Manager answers, without a slash at its end."""
    authority: str
    """Where one signs in."""
    audience: str
    """What a token is for."""
    registries: str
    """What the names of container registries end with, such as azurecr.io."""
    vaults: str
    """What the names of key vaults end with, such as vault.azure.net; nothing where there are none."""
    is_known: bool = True
    """Whether those who sign in may take its authority for what it is; that of another is not looked up."""

    @property
    def registry_audience(self) -> str:
        """What a token for registries is for: the same in all clouds of Microsoft, elsewhere what any token is for.

        github.com/Azure/azure-sdk-for-net, issue 34785 of 2023-03-08; a cloud of one's own does not know it:
        github.com/Azure/azure-cli, issue 33674 of 2026-06-30; both read 2026-11-26.
        """
        is_microsofts = self.registries in {cloud.registries for cloud in CLOUDS.values()}
        return "https://containerregistry.azure.net" if is_microsofts else self.audience


CLOUDS = {
    cloud.name: cloud
    for cloud in (
        Cloud(
            "AzureCloud",
            "https://management.azure.com",
            "https://login.microsoftonline.com",
            "https://management.azure.com",
            "azurecr.io",
            "vault.azure.net",
        ),
        Cloud(
            "AzureUSGovernment",
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
            "https://management.usgovcloudapi.net",
            "azurecr.us",
            "vault.usgovcloudapi.net",
        ),
        Cloud(
            "AzureChinaCloud",
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
            "https://management.chinacloudapi.cn",
            "azurecr.cn",
            "vault.azure.cn",
        ),
    )
}
"""Endpoints and authorities as azure-core 1.41.0 (azure.core.tools) and azure-identity 1.27.0 have them, and names of
registries and vaults as azure-cli has them (azure/cli/core/cloud.py), read 2026-11-26."""
_KEYS = {
    "resource_manager": ("endpoints", "resourceManager"),
    "authority": ("endpoints", "activeDirectory"),
    "audience": ("endpoints", "activeDirectoryResourceId"),
    "registries": ("suffixes", "acrLoginServerEndpoint"),
    "vaults": ("suffixes", "keyvaultDns"),
}
"""Where a file has what tells of a cloud: as `az cloud show --output json` prints it."""
_SUFFIXES = ("registries", "vaults")


def cloud(name: str) -> Cloud:
    """Return a cloud by its name; raises InputError where there is none of it."""
    if name not in CLOUDS:
        raise InputError(f"--cloud {name}: is no cloud and no file{nearest(name, [*CLOUDS])}")
    return CLOUDS[name]


def read(file: Path) -> Cloud:
    """Return the cloud that a file tells of, as `az cloud show --output json` prints it.

    Raises InputError where it cannot be read, or lacks something.
    """
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; name a cloud, or a file of one") from None
    except ValueError:
        raise InputError(f"{file}: is no JSON; write it with: az cloud show --output json > {file}") from None
    values = {field: _value(told, *keys) for field, keys in _KEYS.items()}
    for field, value in values.items():
        where = ".".join(_KEYS[field])
        if not value and field != "vaults":
            raise InputError(f"{file}: {where} is missing; write it with: az cloud show --output json > {file}")
        if field not in _SUFFIXES and not str(value).startswith("https://"):
            raise InputError(f"{file}: {where}: {value} is no https:// address; write one")
    plain = {field: (value or "").rstrip("/") for field, value in values.items()}
    plain |= {field: plain[field].lstrip(".") for field in _SUFFIXES}
    return Cloud(str(told.get("name") or file.stem), **plain, is_known=False)


def _value(told: object, section: str, key: str) -> str | None:
    inner = told.get(section) if isinstance(told, dict) else None
    value = inner.get(key) if isinstance(inner, dict) else None
    return value if isinstance(value, str) else None
