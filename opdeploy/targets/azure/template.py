"""Resources as a template that Azure Resource Manager deploys to a resource group without opdeploy. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.bicep import ITS_LOCATION, parameter
from opdeploy.targets.azure.compare import KEYS, REF, SECRET, secrets
from opdeploy.targets.azure.kinds import GROUP, KINDS, PROVIDERS, group_of, kind_of, names_of, type_of
from opdeploy.targets.azure.planned import waits
from opdeploy.targets.azure.requests import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opdeploy.targets.azure.shared import Resource


def template(resources: Iterable[Resource]) -> dict[str, Any]:
    """Return the template of the resources of one group; secrets are its parameters.

    learn.microsoft.com/azure/azure-resource-manager/templates/syntax.
    """
    made = [item for item in resources if item.kind != GROUP.name]
    ids = {item.id.lower() for item in made}
    names = sorted({name for item in made for name in secrets(item.body)})
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {parameter(name): {"type": "secureString"} for name in names},
        "resources": [_resource(item, ids - {item.id.lower()}, waits(item, made)) for item in made],
    }


def _resource(item: Resource, others: set[str], before: list[Resource]) -> dict[str, Any]:
    kind = KINDS[item.kind]
    _, *names = names_of(item.id)
    scope = item.id.rpartition(PROVIDERS)[0]
    is_extension = scope.lower() != group_of(item.id).lower()
    above = scope if is_extension else item.id.rsplit("/", 2)[0]
    needed: set[str] = {above} if above.lower() in others else set()
    body = _expressed(item.body, others, needed)
    if body.get("location") == "":
        body["location"] = f"[{ITS_LOCATION}]"
    return {
        "type": kind.type,
        "apiVersion": kind.api,
        "name": "/".join(names),
        **({"scope": _id(scope)} if is_extension else {}),
        **body,
        **({"dependsOn": [*map(_id, sorted(needed)), *map(_whole, before)]} if needed or before else {}),
    }


def _expressed(value: Any, others: set[str], needed: set[str]) -> Any:  # noqa: ANN401 - any JSON
    """Return a body in which what stands for something else is an expression; what it needs is added to `needed`."""
    if isinstance(value, dict):
        if SECRET in value:
            return f"[parameters('{parameter(value[SECRET])}')]"
        if value.keys() & {REF, KEYS}:
            return _told(value, others, needed)
        return {_expressed(key, others, needed): _expressed(item, others, needed) for key, item in value.items()}
    if isinstance(value, list):
        return [_expressed(item, others, needed) for item in value]
    if isinstance(value, str) and (owner := _owner(value, others)):
        needed.add(value[: len(owner)])
        return _id(value)
    return _literal(value) if isinstance(value, str) else value


def _literal(text: str) -> str:
    """Return a text as no expression.

    learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions, "Escape characters", read
    2026-11-26: one that ends otherwise is none, and keeps what it begins with.
    """
    return f"[{text}" if text.startswith("[") and text.endswith("]") else text


def _whole(item: Resource) -> str:
    """Return the expression for the id of a resource that belongs to another."""
    scope, _, own = item.id.rpartition(PROVIDERS)
    return f"[extensionResourceId({_inner(scope)}, '{KINDS[item.kind].type}', {_quoted(own.rpartition('/')[2])})]"


def _told(value: dict[str, str], others: set[str], needed: set[str]) -> str:
    """Return the expression for a property, or a key, of another resource, which may be in another group."""
    resource = value.get(REF) or value[KEYS]
    is_made = resource.lower() in others
    needed.update({resource} if is_made else ())
    kind = kind_of(resource)
    api = kind.api if kind else ""
    place = _inner(resource) if is_made else _quoted(resource)
    if REF in value:
        return f"[reference({place}, '{api}', 'full').{value['path']}]"
    return f"[listKeys({place}, '{api}').{value['path']}]"


def _owner(resource: str, others: set[str]) -> str | None:
    """Return the id of the resource that one is, or is a part of, such as a network of a subnet."""
    return next((item for item in others if f"{resource.lower()}/".startswith(f"{item}/")), None)


def _id(resource: str) -> str:
    return f"[{_inner(resource)}]"


def _inner(resource: str) -> str:
    """Return the expression for the id of a resource of the group."""
    _, *names = names_of(resource)
    return f"resourceId('{type_of(resource)}', {', '.join(map(_quoted, names))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
