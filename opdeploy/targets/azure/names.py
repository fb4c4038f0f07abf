"""What things are called in Azure, and the tags that tell whose they are. Pure."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.targets.azure.kinds import GROUP, KINDS, group_id
from opdeploy.targets.azure.record import CONTENT, MANAGED_BY, NAME, OWNER, TARGET, VERSION
from opdeploy.targets.azure.vault import vault_of

if TYPE_CHECKING:
    from opdeploy.deploy_settings import Deploy
    from opdeploy.targets.base import Wanted

NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
"""In the place of a subscription that is not known, as where nothing is asked."""
NOTE, LOCK = "opdeploy-", "opdeploy.lock."
"""How the names begin of what keeps records, and of what keeps locks: no record is called as a lock is."""
_DIGITS = 16
_LONGEST_NOTE, _HASH = 64, 8
"""Characters of the name of a deployment of a template: letters, digits and -_.() (learn.microsoft.com/azure/
azure-resource-manager/management/resource-name-rules, read 2026-11-26), and those of a hash where one is cut."""


class Where(NamedTuple):
    """Where in Azure a deployment is."""

    subscription: str
    """Its id."""
    group: str
    """Name of the resource group."""
    location: str
    deployment: str

    @property
    def group_id(self) -> str:
        """The id of the resource group."""
        return group_id(self.subscription, self.group)

    def id(self, kind: str, *names: str) -> str:
        """Return the id of a resource of the group."""
        return self.group_id if kind == GROUP.name else KINDS[kind].id(self.group_id, *names)

    @property
    def registry(self) -> str:
        """The id of the deployment's own registry, whose name nobody else has: all of Azure shares them."""
        text = f"{self.subscription}/{self.group}/{self.deployment}".lower()
        return self.id("container registry", f"opdeploy{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}")

    @property
    def identity(self) -> str:
        """The id of the identity that pulls the image."""
        return self.id("identity", f"{self.deployment}-pull")

    @property
    def note(self) -> str:
        """The id of what keeps the record."""
        return self.id("note", _short(f"{NOTE}{self.deployment}"))

    @property
    def lock(self) -> str:
        """The id of what keeps the lock."""
        return self.id("note", _short(f"{LOCK}{self.deployment}"))


def _short(name: str) -> str:
    """Return the name of a note; one that is too long is cut, and its hash tells it from others that begin so."""
    if len(name) <= _LONGEST_NOTE:
        return name
    digits = hashlib.sha256(name.lower().encode()).hexdigest()[:_HASH]
    return f"{name[: _LONGEST_NOTE - _HASH - 1]}-{digits}"


def own_group(deployment: str, target: str | None) -> str:
    """Return the name of a deployment's own resource group: one for each platform that it is on."""
    return f"opdeploy-{deployment}-{target}" if target else f"opdeploy-{deployment}"


def where(settings: Deploy, deployment: str) -> Where:
    """Return where a deployment is, by its settings."""
    chosen = settings.azure
    group = chosen.resource_group or own_group(deployment, settings.target)
    return Where(chosen.subscription or NO_SUBSCRIPTION, group, chosen.location or "", deployment)


def completed(
    settings: Deploy, deployment: str, registries: str = "azurecr.io", vaults: str = "vault.azure.net"
) -> Deploy:
    """Return settings with a resource group and a registry, where none is named, and with the address of a vault.

    `registries` and `vaults` are what their names end with.
    """
    at = where(settings, deployment)
    vault = settings.azure.key_vault
    named = {"resource_group": at.group, "key_vault": vault_of(vault, vaults) if vault else None}
    azure = settings.azure.model_copy(update=named)
    registry = settings.registry or f"{at.registry.rpartition('/')[2]}.{registries}"
    return settings.model_copy(update={"azure": azure, "registry": registry})


def tags(settings: Deploy, deployment: str, target: str) -> dict[str, str]:
    """Return the tags of what belongs to a deployment."""
    owner = {OWNER: settings.azure.owner} if settings.azure.owner else {}
    return {**settings.azure.tags, MANAGED_BY: "opdeploy", NAME: deployment, TARGET: target, **owner}


def of_version(wanted: Wanted, target: str, number: int, content: str) -> dict[str, str]:
    """Return the tags of what runs a version."""
    own = tags(wanted.settings, wanted.deployment, target)
    return {**own, VERSION: str(number), CONTENT: content}


def assignment(scope: str, identity: str, role: str) -> str:
    """Return the id of the assignment of a role to an identity on a resource: the same for the same."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}\n{identity}\n{role}".lower())
    return KINDS["role assignment"].id(scope, str(name))
