"""Resources as a Bicep file that is deployed to a resource group without opdeploy. Pure.

learn.microsoft.com/azure/azure-resource-manager/bicep/file, and data-types, read 2026-11-26.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.compare import KEYS, REF, SECRET, keyed, refs, secrets
from opdeploy.targets.azure.kinds import GROUP, KINDS, PROVIDERS, group_of, kind_of, name_of, names_of
from opdeploy.targets.azure.planned import waits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opdeploy.targets.azure.shared import Resource

_PLAIN = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_WORDS = {"true", "false", "null"}
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INDENT = "  "
ITS_LOCATION = "resourceGroup().location"
"""The location of what is made where no region is known: that of its group, in both languages (learn.microsoft.com/
azure/azure-resource-manager/templates/template-functions-resource, "resourceGroup", read 2026-11-26)."""


def bicep(resources: Iterable[Resource]) -> str:
    """Return the file of the resources of one group; secrets are its parameters, and what is there is looked up."""
    made = [item for item in resources if item.kind != GROUP.name]
    symbols = _symbols(made)
    parts = ["targetScope = 'resourceGroup'"]
    known = sorted({name for item in made for name in secrets(item.body)})
    parts.extend(f"@secure()\nparam {parameter(name)} string" for name in known)
    existing = _existing(made, symbols)
    parts.extend(_lookup(name, symbol) for name, symbol in existing.items())
    whole = {**symbols, **existing}
    parts.extend("\n".join(_resource(item, whole, waits(item, made))) for item in made)
    return "\n\n".join(parts) + "\n"


def parameter(secret: str) -> str:
    """Return the name of the parameter that has a secret."""
    first, *others = secret.split("-")
    return first + "".join(word.capitalize() for word in others)


def _symbols(made: list[Resource]) -> dict[str, str]:
    """Return the name of each resource in the file, by its id in small letters: that of its kind, and a number."""
    found: dict[str, str] = {}
    for item in made:
        stem = parameter(item.kind.replace(" ", "-"))
        number = 1 + sum(KINDS[other.kind] is KINDS[item.kind] for other in made if other.id.lower() in found)
        found[item.id.lower()] = stem if number == 1 else f"{stem}{number}"
    return found


def _existing(made: list[Resource], symbols: Mapping[str, str]) -> dict[str, str]:
    """Return the names of what is only looked up: what others have properties of, or belong to."""
    needed = [name for item in made for name in sorted(refs(item.body) | keyed(item.body))]
    needed += [scope for item in made if (scope := _scope(item))]
    found: dict[str, str] = {}
    for name in needed:
        kind = kind_of(name)
        if kind and name.lower() not in {*symbols, *found}:
            found[name.lower()] = parameter(f"existing-{kind.name}".replace(" ", "-")) + (
                str(len(found) + 1) if found else ""
            )
    return {name: found[name.lower()] for name in dict.fromkeys(needed) if name.lower() in found}


def _lookup(resource: str, symbol: str) -> str:
    kind = kind_of(resource)
    _, *names = names_of(resource)
    group = group_of(resource)
    scope = f"  scope: resourceGroup({_text(group.split('/')[2])}, {_text(name_of(group))})\n"
    type_ = f"{kind.type}@{kind.api}" if kind else ""
    return f"resource {symbol} '{type_}' existing = {{\n  name: {_text('/'.join(names))}\n{scope}}}"


def _scope(item: Resource) -> str | None:
    """Return the id of what a resource belongs to that is no part of it, such as the registry of a role."""
    scope = item.id.rpartition(PROVIDERS)[0]
    return scope if PROVIDERS in scope else None


def _resource(item: Resource, symbols: Mapping[str, str], before: list[Resource]) -> Iterator[str]:
    kind = KINDS[item.kind]
    own = symbols[item.id.lower()]
    others = {name.lower(): symbol for name, symbol in symbols.items() if symbol != own}
    _, *names = names_of(item.id)
    yield f"resource {own} '{kind.type}@{kind.api}' = {{"
    scope = _scope(item)
    parent = others.get(item.id.rsplit("/", 2)[0].lower())
    if scope:
        yield f"  scope: {others[scope.lower()]}"
    elif parent:
        yield f"  parent: {parent}"
    yield f"  name: {_text(names[-1] if parent and not scope else '/'.join(names))}"
    for key, value in item.body.items():
        told = ITS_LOCATION if key == "location" and not value else _value(value, others, 1)
        yield f"  {_key(key, others)}: {told}"
    if before:
        yield f"  dependsOn: {_lines('[', [symbols[each.id.lower()] for each in before], ']', 1)}"
    yield "}"


def _value(value: Any, others: Mapping[str, str], depth: int) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return _object(value, others, depth)
    if isinstance(value, list):
        return _lines("[", [_value(item, others, depth + 1) for item in value], "]", depth)
    return _single(value, others)


def _object(value: Mapping[str, Any], others: Mapping[str, str], depth: int) -> str:
    if SECRET in value:
        return parameter(value[SECRET])
    if REF in value:
        return f"{others[value[REF].lower()]}.{value['path']}"
    if KEYS in value:
        return f"{others[value[KEYS].lower()]}.listKeys().{value['path']}"
    items = [f"{_key(key, others)}: {_value(item, others, depth + 1)}" for key, item in value.items()]
    return _lines("{", items, "}", depth)


def _single(value: str | float | None, others: Mapping[str, str]) -> str:
    if isinstance(value, str):
        owner = next((name for name in others if f"{value.lower()}/".startswith(f"{name}/")), None)
        if owner is None:
            return _text(value)
        part = value[len(owner) :]  # of what is made with it, such as a subnet with its network
        return f"'${{{others[owner]}.id}}{_text(part)[1:]}" if part else f"{others[owner]}.id"
    if isinstance(value, float):
        return f"json({_text(json.dumps(value))})"  # Bicep has no other numbers than whole ones
    return json.dumps(value)  # true, false, null and whole numbers are the same


def _lines(begin: str, items: list[str], end: str, depth: int) -> str:
    """Return items in brackets, each on a line of its own, as Bicep tells them apart."""
    inner = "".join(f"{_INDENT * (depth + 1)}{item}\n" for item in items)
    return f"{begin}\n{inner}{_INDENT * depth}{end}" if items else f"{begin}{end}"


def _key(key: str, others: Mapping[str, str]) -> str:
    if key.lower() in others:
        return f"'${{{others[key.lower()]}.id}}'"
    return key if _PLAIN.fullmatch(key) and key not in _WORDS else _text(key)


def _text(text: str) -> str:
    """Return a text in quotes; in it, nothing is an expression."""
    return "'" + "".join(map(_character, text)).replace("${", "\\${") + "'"


def _character(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    return sign if sign.isprintable() else f"\\u{{{ord(sign):x}}}"
