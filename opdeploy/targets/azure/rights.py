"""Which rights the steps of a plan need, which of them are missing, and what gives them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.targets.azure.compare import keyed
from opdeploy.targets.azure.kinds import GROUP, KINDS, group_of, kind_of, type_of
from opdeploy.targets.azure.questions import Question, problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from opdeploy.plan import Step
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.questions import Said

API = "2022-04-01"
"""The version of the interface to permissions (learn.microsoft.com/rest/api/authorization/permissions, read
2026-11-26)."""
_GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"
_NOTES = f"{KINDS['note'].type}/write"
_ASSIGN = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_JOINED = (
    "Microsoft.App/managedEnvironments",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.Web/serverFarms",
)
"""Types of which one must be allowed to name one (learn.microsoft.com/azure/role-based-access-control/
resource-provider-operations, read 2026-11-26)."""
PUTS = frozenset({"azure.put", "azure.revise"})
"""The calls that make a resource of a body."""
ACTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "azure.build": (
        "registry",
        (
            "Microsoft.ContainerRegistry/registries/listBuildSourceUploadUrl/action",
            "Microsoft.ContainerRegistry/registries/scheduleRun/action",
            "Microsoft.ContainerRegistry/registries/runs/read",
        ),
    ),
    "azure.serve": ("resource", ("Microsoft.App/containerApps/write",)),
    "azure.activate": ("resource", ("Microsoft.App/containerApps/revisions/activate/action",)),
    "azure.deactivate": ("resource", ("Microsoft.App/containerApps/revisions/deactivate/action",)),
    "azure.start": ("resource", ("Microsoft.Web/sites/start/action",)),
    "azure.swap": ("resource", ("Microsoft.Web/sites/slotsswap/action",)),
    "machine.learn": ("resource", ("Microsoft.Compute/virtualMachines/runCommand/action",)),
    "machine.start": ("resource", ("Microsoft.Compute/virtualMachines/start/action",)),
    "azure.push": (
        "registry",
        (
            "Microsoft.ContainerRegistry/registries/pull/read",
            "Microsoft.ContainerRegistry/registries/push/write",
        ),
    ),
}
"""What steps do that neither make nor remove a resource, by their calls: which argument has the id, and the actions
(learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-directory-reference, read
2026-11-26)."""


_ONCE_MADE = {"cluster": ("Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",)}
"""What is done with a resource once it is made, and is no step of its own: a cluster is asked for the credentials with
which what is in it is made (learn.microsoft.com/answers/questions/543000, which quotes that of Azure Kubernetes Service
Cluster User Role, read 2026-11-26)."""


class Right(NamedTuple):
    """What somebody must be allowed to do."""

    action: str
    resource: str
    """Id of what it is done with."""


class Role(NamedTuple):
    """A role that Azure has for everybody."""

    name: str
    actions: tuple[str, ...]
    but: tuple[str, ...] = ()


ROLES = (
    Role(
        "AcrPush",
        ("Microsoft.ContainerRegistry/registries/pull/read", "Microsoft.ContainerRegistry/registries/push/write"),
    ),
    Role(
        "Managed Identity Operator",
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
            "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
        ),
    ),
    Role("Contributor", ("*",), ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write")),
    Role(
        "Role Based Access Control Administrator",
        ("*/read", "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"),
    ),
    Role("Owner", ("*",)),
)
"""From the one that gives least (learn.microsoft.com/azure/role-based-access-control/built-in-roles, of 2025-06-30,
read 2026-11-26)."""


def needed(steps: Iterable[Step], at: Where, *, is_there: bool, in_group: bool = True) -> list[Right]:
    """Return the rights that steps need, each once.

    `is_there` tells whether the group exists, `in_group` whether notes and lock are kept in it.
    """
    found = [Right(_NOTES, at.group_id)] if in_group else []
    if in_group and not is_there:
        found.append(Right(f"{_GROUPS}/write", at.group_id))
    for step in steps:
        found.extend(_of(step.call, step.args))
    return list(dict.fromkeys(found))


def _of(call: str, args: Mapping[str, Any]) -> Iterator[Right]:
    resource = str(args.get("resource", ""))
    kind = kind_of(resource)
    action = f"{_GROUPS if kind is GROUP else kind.type if kind else ''}"
    if call in PUTS:
        yield Right(f"{action}/write", resource)
        yield from _linked(args["body"])
        yield from (Right(each, resource) for each in _ONCE_MADE.get(kind.name if kind else "", ()))
    elif call == "azure.delete":
        yield Right(f"{action}/delete", resource)
    elif call in ACTIONS:
        argument, actions = ACTIONS[call]
        yield from (Right(each, str(args[argument])) for each in actions if args[argument])


def _linked(body: Mapping[str, Any]) -> Iterator[Right]:
    """Yield the rights to give a resource an identity and keys of others, and to have it in what it names: a subnet."""
    for name in (body.get("identity") or {}).get("userAssignedIdentities") or {}:
        yield Right(_ASSIGN, name)
    for text in _texts(body.get("properties")):
        joined = next(
            (kind for kind in _JOINED if text.startswith("/") and type_of(text).lower() == kind.lower()), None
        )
        if joined:
            yield Right(f"{joined}/join/action", text)
    for name in sorted(keyed(body)):
        if kind := kind_of(name):
            yield Right(f"{kind.type}/{kind.keys}/action", name)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def allowed(permissions: Sequence[Mapping[str, Any]], action: str) -> bool:
    """Tell whether permissions, as Azure lists them, allow an action: one of them has it, and does not leave it out."""
    return any(
        _has(item.get("actions") or (), action) and not _has(item.get("notActions") or (), action)
        for item in permissions
    )


def _has(patterns: Iterable[str], action: str) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) for pattern in patterns)


def roles(actions: Sequence[str]) -> tuple[str, ...]:
    """Return the roles that give actions: one where one of few rights gives all, else the least for each."""
    sufficient = [{action for action in actions if _gives(role, action)} for role in ROLES]
    whole = next((role.name for role, given in zip(ROLES[:-1], sufficient, strict=False) if given == {*actions}), None)
    if whole:
        return (whole,)
    least = (next(role.name for role in ROLES if _gives(role, action)) for action in actions)
    found = tuple(dict.fromkeys(least))
    contributor = "Contributor"
    if contributor in found:  # which has the rights of those before it
        names = [role.name for role in ROLES]
        found = tuple(name for name in found if names.index(name) >= names.index(contributor))
    return found


def _gives(role: Role, action: str) -> bool:
    return _has(role.actions, action) and not _has(role.but, action)


def questions(rights: Iterable[Right], at: Where, *, is_there: bool) -> Iterator[Question]:
    """Yield the questions whether rights are there, one for each scope that they are needed at."""
    by_scope: dict[str, list[str]] = {}
    for right in rights:
        by_scope.setdefault(scope(right, at, is_there=is_there), []).append(right.action)
    for where, actions in by_scope.items():
        yield question(where, actions)


def scope(right: Right, at: Where, *, is_there: bool) -> str:
    """Return the id of what a right is looked up at: a group that is there, or what is in another; else all of it."""
    subscription = f"/subscriptions/{at.subscription}"
    if group_of(right.resource).lower() != at.group_id.lower():
        return right.resource.partition("/providers/Microsoft.Authorization/")[0]
    if not is_there or right.action.startswith(f"{_GROUPS}/write"):
        return subscription
    return at.group_id


def question(where: str, actions: Sequence[str]) -> Question:
    """Return the question whether somebody may do all of something at a scope."""

    def judge(answer: list[dict[str, Any]] | None) -> Iterator[Said]:
        known = answer or []
        lacking = [action for action in dict.fromkeys(actions) if not allowed(known, action)]
        if lacking and answer is not None:  # what is not there is another's to say
            named = " and ".join(f'"{name}"' for name in roles(lacking))
            todo = f"ask for the role {named} there, with: az role assignment create --scope {where}"
            yield problem(f"{shown(where)}: you lack the rights {', '.join(lacking)}; {todo}")

    path = f"{where}/providers/Microsoft.Authorization/permissions"
    return Question(f"what you may do in {shown(where)}", path, API, judge, is_list=True)


def shown(where: str) -> str:
    """Return a scope as a person says it."""
    kind = kind_of(where)
    name = where.rpartition("/")[2]
    if where.count("/") <= 2:  # noqa: PLR2004 - of `/subscriptions/ID`
        return f"subscription {name}"
    return f"{kind.name if kind else type_of(where).rpartition('/')[2]} {name}"
