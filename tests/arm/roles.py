"""Microsoft.Authorization: role assignments, role definitions and permissions."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from tests.arm import engine, lists
from tests.arm.answers import Answer, refused
from tests.arm.kinds import Kind, Resource

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.kinds import Request

PULL = "Microsoft.ContainerRegistry/registries/pull/read"
READ_REPOSITORY = "Microsoft.ContainerRegistry/registries/repositories/content/read"
WRITE_REPOSITORY = "Microsoft.ContainerRegistry/registries/repositories/content/write"
GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
BUILT_IN: dict[str, tuple[str, list[str], list[str]]] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": ("Owner", ["*"], []),
    "b24988ac-6180-42a0-ab88-20f7382dd24c": ("Contributor", ["*"], []),
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": ("Reader", ["*/read"], []),
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": ("AcrPull", [PULL], []),
    "8311e382-0749-4cb8-b61a-304f252e45ec": (
        "AcrPush",
        [PULL, "Microsoft.ContainerRegistry/registries/push/write"],
        [],
    ),
    "b93aa761-3e63-49ed-ac28-beffa264f7ac": (
        "Container Registry Repository Reader",
        [],
        [READ_REPOSITORY, "Microsoft.ContainerRegistry/registries/repositories/metadata/read"],
    ),
    "2a1e307c-b015-4ebd-883e-5b7698a07328": (
        "Container Registry Repository Writer",
        [],
        [READ_REPOSITORY, WRITE_REPOSITORY],
    ),
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": (
        "Role Based Access Control Administrator",
        ["Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "*/read"],
        [],
    ),
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": (
        "User Access Administrator",
        ["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
        [],
    ),
    "f1a07417-d97a-45cb-824c-7a7467783830": (
        "Managed Identity Operator",
        [
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
        ],
        [],
    ),
}
"""Name, actions and data actions by id (learn.microsoft.com/azure/role-based-access-control/built-in-roles)."""


def can(arm: Arm, principal: str, action: str, scope: str, *, data: bool = False) -> bool:
    """Tell whether role assignments let a principal do something; one that is new may need some tries."""
    for each in _assignments(arm):
        role = BUILT_IN[each.properties["roleDefinitionId"].rsplit("/", 1)[1].lower()]
        inside = f"{scope}/".lower().startswith(f"{each.properties['scope']}/".lower().replace("//", "/"))
        patterns = role[2] if data else role[1]
        if each.properties["principalId"] != principal or not inside or not _any(patterns, action):
            continue
        if each.private["reads"] <= 0:
            return True
        each.private["reads"] -= 1
    return False


def _any(patterns: list[str], action: str) -> bool:
    return any(fnmatch(action.lower(), pattern.lower()) for pattern in patterns)


def _assignments(arm: Arm) -> list[Resource]:
    return [each for each in lists.visible(arm) if each.kind is ASSIGNMENT and not each.deleted]


def _check(arm: Arm, old: Resource | None, new: Resource) -> None:
    own = new.properties
    role = own["roleDefinitionId"].rsplit("/", 1)[1].lower()
    if role not in BUILT_IN:
        raise refused(
            400, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{role}' does not exist."
        )
    own["roleDefinitionId"] = f"{arm.scope}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    own["scope"] = re.split("/providers/Microsoft.Authorization/", new.id, flags=re.IGNORECASE)[0]
    same = ("principalId", "roleDefinitionId", "scope")
    if old and any(old.properties[name] != own[name] for name in same):
        message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
        raise refused(400, "RoleAssignmentUpdateNotPermitted", message)
    for each in _assignments(arm):
        if each.id.lower() != new.id.lower() and all(each.properties[name] == own[name] for name in same):
            message = "The role assignment already exists. The ID of the existing role assignment is "
            raise refused(409, "RoleAssignmentExists", f"{message}{each.name.replace('-', '')}.")
    _check_principal(arm, own)
    own.setdefault("principalType", "ServicePrincipal")
    own |= {"createdOn": "2026-11-26T12:00:00.0000000Z", "createdBy": arm.principal}
    new.private["reads"] = old.private["reads"] if old else arm.role_reads


def _check_principal(arm: Arm, own: dict[str, Any]) -> None:
    principal, given = own["principalId"], own.get("principalType")
    identities = [each for each in arm.resources.values() if each.properties.get("principalId") == principal]
    wait = next((each for each in identities if each.private.get("unknown", 0) > 0), None)
    systems = [each for each in arm.resources.values() if each.private.get("principal") == principal]
    if given == "ServicePrincipal":
        return
    if wait or not (identities or systems or principal == arm.principal):
        if wait:
            wait.private["unknown"] -= 1
        raise refused(
            400,
            "PrincipalNotFound",
            f"Principal {principal.replace('-', '')} does not exist in the directory {arm.tenant}. Check that you have "
            "the correct principal ID. If you are creating this principal and then immediately assigning a role, this "
            "error might be related to a replication delay. In this case, set the role assignment principalType "
            "property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
        )
    if given:
        message = (
            f"The PrincipalId '{principal.replace('-', '')}' has type 'ServicePrincipal' , which is different from "
        )
        raise refused(400, "UnmatchedPrincipalType", f"{message}specified PrinciaplType '{given}'.")


def _list(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    """List what holds at a scope: of it and above, and also below it where no filter says `atScope()`."""
    scope, text = names[0].lower(), request.query.get("$filter", "")
    principal = re.search(r"(?:assignedTo\('|principalId eq ')([^']+)'", text)
    if text and not re.fullmatch(r"(atScope\(\)|assignedTo\('[^']+'\)|principalId eq '[^']+')(\s+and\s+.*)?", text):
        raise refused(400, "UnsupportedQuery", f"The filter '{text}' is not supported.")
    found = []
    for each in _assignments(arm):
        own = each.properties["scope"].lower()
        above, below = f"{scope}/".startswith(f"{own}/"), f"{own}/".startswith(f"{scope}/")
        if (above or (below and "atScope()" not in text)) and (
            not principal or each.properties["principalId"] == principal[1]
        ):
            found.append(engine.shown(arm, each))
    return lists.listed(arm, request, found)


def _definition(arm: Arm, name: str) -> dict[str, Any]:
    title, actions, data = BUILT_IN[name]
    permissions = {"actions": actions, "notActions": [], "dataActions": data, "notDataActions": []}
    return {
        "id": f"{arm.scope}/providers/Microsoft.Authorization/roleDefinitions/{name}",
        "name": name,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": title, "type": "BuiltInRole", "assignableScopes": ["/"], "permissions": [permissions]
        },
    }  # fmt: skip


def _definitions(arm: Arm, request: Request, _names: tuple[str, ...]) -> Answer:
    match = re.match(r"roleName eq '([^']+)'", request.query.get("$filter", ""), re.IGNORECASE)
    found = [name for name, (title, _, _) in BUILT_IN.items() if not match or match[1] == title]
    return lists.listed(arm, request, [_definition(arm, name) for name in found])


def _one_definition(arm: Arm, _request: Request, names: tuple[str, ...]) -> Answer:
    if names[-1].lower() not in BUILT_IN:
        message = f"The specified role definition with ID '{names[-1]}' does not exist."
        raise refused(404, "RoleDefinitionDoesNotExist", message)
    return Answer(200, _definition(arm, names[-1].lower()))


def _permissions(arm: Arm, request: Request, names: tuple[str, ...]) -> Answer:
    """Tell what the one who signed in may do at a scope."""
    grants = [((("*"),), ())] if arm.grants is None else [
        (each.actions, each.not_actions)
        for each in arm.grants
        if f"{names[0]}/".lower().startswith(f"{each.scope}/".lower())
    ]  # fmt: skip
    found = [
        {"actions": list(actions), "notActions": list(but), "dataActions": [], "notDataActions": []}
        for actions, but in grants
    ]
    return lists.listed(arm, request, found)


ASSIGNMENT = Kind(
    type="Microsoft.Authorization/roleAssignments",
    versions=("2015-07-01", "2018-09-01-preview", "2020-04-01-preview", "2022-04-01"),
    form={
        "properties!": {
            "roleDefinitionId!": str,
            "principalId!": str,
            "principalType": ("User", "Group", "ServicePrincipal", "ForeignGroup", "Device"),
            "scope-": str,
            "description": str,
            "condition": str,
            "conditionVersion": str,
            "delegatedManagedIdentityResourceId": str,
        }
    },
    name=GUID,
    tracked=False,
    state="",
    check=_check,
)
KINDS = (ASSIGNMENT,)
_BASE = "**/providers/Microsoft.Authorization"
ROUTES = {
    ("GET", f"{_BASE}/roleAssignments"): (_list, "Microsoft.Authorization/roleAssignments/read"),
    ("GET", f"{_BASE}/roleDefinitions"): (_definitions, "Microsoft.Authorization/roleDefinitions/read"),
    ("GET", f"{_BASE}/roleDefinitions/*"): (_one_definition, "Microsoft.Authorization/roleDefinitions/read"),
    ("GET", f"{_BASE}/permissions"): (_permissions, ""),
}
