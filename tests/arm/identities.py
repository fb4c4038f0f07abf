"""Microsoft.ManagedIdentity: user-assigned identities."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from tests.arm.answers import refused
from tests.arm.kinds import Kind, Resource

if TYPE_CHECKING:
    from tests.arm.arm import Arm

ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"


def _check(arm: Arm, old: Resource | None, new: Resource) -> None:
    """Give a new identity its principal."""
    made = {"tenantId": arm.tenant, "principalId": str(uuid.uuid4()), "clientId": str(uuid.uuid4())}
    new.body["properties"] = (new.body.get("properties") or {}) | (_own(old.properties) if old else made)
    if old is None:
        new.private["unknown"] = arm.principal_writes


def _own(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: properties[name] for name in ("tenantId", "principalId", "clientId")}


def assigned(body: dict[str, Any]) -> list[str]:
    """Return the ids of the identities that a resource has."""
    return list((body.get("identity") or {}).get("userAssignedIdentities") or {})


def needs(resource: Resource) -> list[tuple[str, str]]:
    """Return what one must be allowed to who gives a resource its identities."""
    return [(ASSIGN, each) for each in assigned(resource.body)]


def attach(arm: Arm, resource: Resource) -> None:
    """Fill in what a resource tells of its identities; raises Refused for one that is not there."""
    identity = resource.body.get("identity")
    if not identity:
        return
    if "SystemAssigned" in identity.get("type", ""):
        resource.private.setdefault("principal", str(uuid.uuid4()))
        identity |= {"principalId": resource.private["principal"], "tenantId": arm.tenant}
    for name in assigned(resource.body):
        found = arm.find(name)
        if found is None:
            text = f"Failed to perform resource identity operation. Response: 'Resource '{name}' was not found.'"
            message = f"Identity operation for resource '{resource.id}' failed with error '{text}'."
            raise refused(400, "FailedIdentityOperation", message)
        own = _own(found.properties)
        identity["userAssignedIdentities"][name] = {key: own[key] for key in ("principalId", "clientId")}


KINDS = (
    Kind(
        type="Microsoft.ManagedIdentity/userAssignedIdentities",
        versions=("2018-11-30", "2023-01-31", "2024-11-30"),
        form={
            "properties": {
                "isolationScope": ("None", "Regional"), "tenantId-": str, "principalId-": str, "clientId-": str
            }
        },
        name=r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}",
        state="",
        check=_check,
    ),
)  # fmt: skip
ROUTES: dict[Any, Any] = {}
