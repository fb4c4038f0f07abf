"""What resources of Azure may be called. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.targets.azure.kinds import KINDS, name_of
from opdeploy.targets.azure.questions import Question, problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.azure.questions import Said
    from opdeploy.targets.azure.shared import Resource


class Rule(NamedTuple):
    """What one kind may be called."""

    shortest: int
    longest: int
    pattern: str
    said: str


_DASHED = "letters, digits and dashes, and a letter or digit at both ends"
_ANY = "letters, digits and any of -_., a letter or digit first, and no dash or period last"
_ANYTHING = r"[A-Za-z0-9]([\w.-]*\w)?"
RULES = {
    "resource group": Rule(1, 90, r"[\w().-]*[\w()-]", "letters, digits and any of -_.(), and no period last"),
    "container registry": Rule(5, 50, "[A-Za-z0-9]+", "letters and digits"),
    "identity": Rule(3, 128, "[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits and any of -_, and none of those first"),
    "container group": Rule(1, 63, "[a-z0-9]+(-[a-z0-9]+)*", "small letters, digits and single dashes between them"),
    "note": Rule(1, 64, r"[\w.()-]+", "letters, digits and any of -_.()"),
    "site": Rule(2, 60, "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", _DASHED),
    "slot": Rule(2, 59, "[A-Za-z0-9-]+", "letters, digits and dashes"),
    "app service plan": Rule(1, 40, "[A-Za-z0-9-]+", "letters, digits and dashes"),
    "container app": Rule(
        2, 32, "[a-z]([a-z0-9]|-(?!-))*[a-z0-9]", "small letters, digits and single dashes, a letter first"
    ),
    "cluster": Rule(
        1, 63, r"[A-Za-z0-9]([\w-]*[A-Za-z0-9])?", "letters, digits and any of -_, none of those at an end"
    ),
    "node pool": Rule(1, 12, "[a-z][a-z0-9]*", "small letters and digits, a letter first"),
    "virtual machine": Rule(1, 64, _ANYTHING, _ANY),
    "disk": Rule(1, 80, _ANYTHING, _ANY),
    "virtual network": Rule(2, 64, _ANYTHING, _ANY),
    "public address": Rule(1, 80, _ANYTHING, _ANY),
    "network interface": Rule(1, 80, _ANYTHING, _ANY),
    "network security group": Rule(1, 80, _ANYTHING, _ANY),
}
"""By the kind of resource (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules; that of a
container app: learn.microsoft.com/azure/container-apps, of at most 32 characters; that of a node pool on Linux:
learn.microsoft.com/azure/aks/create-node-pools; read 2026-11-26)."""
_WITHIN, _FIRST = ("microsoft", "windows"), "login"
_WHOLE = frozenset({
    "access", "azure", "bing", "bizspark", "biztalk", "cortana", "directx", "dotnet", "dynamics", "excel",
    "exchange", "forefront", "groove", "hololens", "hyperv", "kinect", "lync", "msdn", "o365", "office",
    "office365", "onedrive", "onenote", "outlook", "powerpoint", "sharepoint", "skype", "visio", "visualstudio",
    "xbox",
})  # fmt: skip
"""Words that a name may not contain, begin with, or be, of what has an endpoint (learn.microsoft.com/azure/
azure-resource-manager/troubleshooting/error-reserved-resource-name, of 2023-04-05, read 2026-11-26)."""
_REACHED = {"container registry", "site", "container app", "container group"}
"""Kinds whose name is that of an endpoint."""
SHARED = {
    "container registry": ("Microsoft.ContainerRegistry/checkNameAvailability", "name another with --registry"),
    "site": ("Microsoft.Web/checknameavailability", "take another --name"),
}
"""Kinds whose names all of Azure shares: what tells whether one is free, and what to do where it is not."""


def misnamed(resource: Resource) -> Iterator[Said]:
    """Yield what is wrong with the name of a resource."""
    rule, name = RULES.get(resource.kind), name_of(resource.id)
    if rule and not (rule.shortest <= len(name) <= rule.longest and re.fullmatch(rule.pattern, name)):
        said = f"{rule.said}, {rule.shortest} to {rule.longest} of them"
        yield problem(f"{resource.kind} {name}: is no name that Azure takes; write {said}")
    if resource.kind in _REACHED and (word := _reserved(name.lower())):
        yield problem(f"{resource.kind} {name}: Azure keeps the word {word} to itself; take another --name")


def _reserved(name: str) -> str | None:
    """Return the word of a name in small letters that is Azure's own."""
    within = (word for word in _WITHIN if word in name)
    return next(within, _FIRST if name.startswith(_FIRST) else name if name in _WHOLE else None)


def taken(resource: Resource, at: Where) -> Iterator[Question]:
    """Yield the question whether a name is free that all of Azure shares."""
    if resource.kind not in SHARED:
        return
    path, todo = SHARED[resource.kind]
    kind, name = KINDS[resource.kind], name_of(resource.id)

    def judge(answer: dict[str, Any] | None) -> Iterator[Said]:
        if answer and answer.get("nameAvailable") is False:
            said = str(answer.get("message") or answer.get("reason") or "it is taken").rstrip(". ")
            yield problem(f"{resource.kind} {name}: {said}; {todo}")

    where = f"/subscriptions/{at.subscription}/providers/{path}"
    yield Question(f"whether the name {name} is free", where, kind.api, judge, body={"name": name, "type": kind.type})
