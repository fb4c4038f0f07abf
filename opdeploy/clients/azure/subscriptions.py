"""Which subscription is meant, and the connection to it."""

from __future__ import annotations

import json
import os
import re
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure import cloud as clouds
from opdeploy.clients.azure.arm import Arm
from opdeploy.clients.azure.session import Session
from opdeploy.errors import InputError
from opdeploy.targets.azure.names import NO_SUBSCRIPTION

if TYPE_CHECKING:
    from collections.abc import Iterator

_API = "2022-12-01"
"""The version of the interface to subscriptions (azure-mgmt-resource-subscriptions 1.0.0, read 2026-11-26)."""
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_USED = {"Enabled", "Warned", "PastDue"}
"""States of a subscription that is neither disabled nor deleted: whoever plans something there is told of them."""


@contextmanager
def connected(cloud: str | None, subscription: str | None) -> Iterator[Session]:
    """Connect to a subscription: the one named, else that of AZURE_SUBSCRIPTION_ID, else az's own, else the only one.

    Raises InputError where there is none of that name, or several and none is named.
    """
    file = Path(cloud) if cloud and cloud not in clouds.CLOUDS else None
    chosen = clouds.read(file) if file and file.exists() else clouds.cloud(cloud or "AzureCloud")
    given = "--subscription" if subscription else "AZURE_SUBSCRIPTION_ID"
    wanted = subscription or os.environ.get("AZURE_SUBSCRIPTION_ID") or _of_az(chosen.name)
    with (
        closing(Session(chosen, NO_SUBSCRIPTION)) as first,
        closing(Session(chosen, _named(Arm(first), wanted, given), first.credential)) as session,
    ):
        yield session


def _named(arm: Arm, wanted: str | None, given: str) -> str:
    if wanted and _ID.fullmatch(wanted):
        return wanted
    known = {str(item["subscriptionId"]): str(item.get("displayName")) for item in _enabled(arm)}
    if not known:
        raise InputError("nobody has given you a subscription; ask for a role in one, or sign in as another: az login")
    named = [key for key, name in known.items() if wanted is None or name == wanted]
    if len(named) == 1:
        return named[0]
    shown = ", ".join(sorted(f"{name} ({key})" for key, name in known.items())[:5])
    if wanted:
        has = "several subscriptions have that name; say which by its id" if named else "no subscription has that name"
        raise InputError(f"{given} {wanted}: {has}; there are: {shown}")
    raise InputError(f"several subscriptions are yours: {shown}; say which with --subscription")


def _enabled(arm: Arm) -> Iterator[dict[str, Any]]:
    return (item for item in arm.every("/subscriptions", _API) if item.get("state") in _USED)


def _of_az(cloud: str) -> str | None:
    """Return the subscription that `az account set` has chosen in a cloud; None where az is not signed in there."""
    folder = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    try:
        told = json.loads((folder / "azureProfile.json").read_text(encoding="utf-8-sig"))
        here = (item for item in told["subscriptions"] if item.get("environmentName") == cloud)
        return next((str(item["id"]) for item in here if item.get("isDefault")), None)
    except (OSError, ValueError, KeyError, TypeError):
        return None
