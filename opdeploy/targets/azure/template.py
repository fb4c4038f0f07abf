"""Resources as a template that Azure Resource Manager deploys to a resource group without opdeploy. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.compare import REF, SECRET, secrets
from opdeploy.targets.azure.kinds import GROUP, KINDS, PROVIDERS, group_of, kind_of, names_of, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opdeploy.targets.azure.shared import Resource

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def template(resources: Iterable[Resource]) -> dict[str, Any]:
    """Return the template of the resources of one group; secrets are its parameters.

    learn.microsoft.com/azure/azure-resource-manager/templates/syntax.
    """
    made = [item for item in resources if item.kind != GROUP.name]
    ids = {item.id.lower() for item in made}
    names = sorted({name for item in made for name in secrets(item.body)})
    return {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {_parameter(name): {"type": "secureString"} for name in names},
        "resources": [_resource(item, ids - {item.id.lower()}) for item in made],
    }


def _resource(item: Resource, others: set[str]) -> dict[str, Any]:
    kind = KINDS[item.kind]
    _, *names = names_of(item.id)
    scope = item.id.rpartition(PROVIDERS)[0]
    is_extension = scope.lower() != group_of(item.id).lower()
    above = scope if is_extension else item.id.rsplit("/", 2)[0]
    needed: set[str] = {above} if above.lower() in others else set()
    body = _expressed(item.body, others, needed)
    return {
        "type": kind.type,
        "apiVersion": kind.api,
        "name": "/".join(names),
        **({"scope": _id(scope)} if is_extension else {}),
        **body,
        **({"dependsOn": [_id(name) for name in sorted(needed)]} if needed else {}),
    }


def _expressed(value: Any, others: set[str], needed: set[str]) -> Any:  # noqa: ANN401 - any JSON
    """Return a body in which what stands for something else is an expression; what it needs is added to `needed`."""
    if isinstance(value, dict):
        if SECRET in value:
            return f"[parameters('{_parameter(value[SECRET])}')]"
        if REF in value:
            needed.update({value[REF]} if value[REF].lower() in others else ())
            kind = kind_of(value[REF])
            return f"[reference({_inner(value[REF])}, '{kind.api if kind else ''}', 'full').{value['path']}]"
        return {_expressed(key, others, needed): _expressed(item, others, needed) for key, item in value.items()}
    if isinstance(value, list):
        return [_expressed(item, others, needed) for item in value]
    if isinstance(value, str) and value.lower() in others:
        needed.add(value)
        return _id(value)
    return f"[{value}" if isinstance(value, str) and value.startswith("[") else value  # else it were an expression


def _id(resource: str) -> str:
    return f"[{_inner(resource)}]"


def _inner(resource: str) -> str:
    """Return the expression for the id of a resource of the group."""
    _, *names = names_of(resource)
    return f"resourceId('{type_of(resource)}', {', '.join(map(_quoted, names))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _parameter(secret: str) -> str:
    first, *others = secret.split("-")
    return first + "".join(word.capitalize() for word in others)
