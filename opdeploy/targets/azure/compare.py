"""What of a resource is not as it was made, by its body: what Azure adds to it counts for nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

REF = "$ref"
"""The key of what stands for a property of another resource: its id, with the `path` to the property beside it."""
SECRET = "$secret"  # noqa: S105 - no secret
"""The key of what stands for a secret: its name."""
KEYS = "$keys"
"""The key of what stands for a key of another resource, which it tells who asks: its id, with the `path` beside it."""
_KEPT = {"customData"}
"""Keys of what Azure takes and never returns (Microsoft.Compute/virtualMachines)."""
_GROWS = "agentPoolProfiles"
"""A list to which resources of their own add items."""
_UNTOLD = ".appSettings"
"""How the path to a list begins that may hold secrets, and that is never read: nothing is told of it."""
_MOVES = {"count": "enableAutoScaling"}
"""Numbers that move by themselves, with what has them do so."""
_BY = "name"
"""The key by which the items of a list are told apart, where they have it: Azure returns some in another order."""


def ref(resource: str, path: str) -> dict[str, JsonValue]:
    """Return what stands for a property of another resource, which is known when that has been made."""
    return {REF: resource, "path": path}


def keys(resource: str, path: str) -> dict[str, JsonValue]:
    """Return what stands for a key of another resource, which no plan and no note holds."""
    return {KEYS: resource, "path": path}


def secret(name: str) -> dict[str, JsonValue]:
    """Return what stands for a secret, which no plan and no note holds."""
    return {SECRET: name}


def flat(body: object, path: str = "") -> dict[str, JsonValue]:
    """Return the leaves of a body by their paths, such as `properties.containers[server].properties.image`.

    What stands for something else is left out.
    """
    return dict(_leaves(body, path))


def told(body: object, actual: object, path: str = "") -> dict[str, JsonValue]:
    """Return the leaves of a resource as it is, at the paths of those of a body; None where it has none."""
    pairs = _pairs(body, actual, path)
    return {where: _found(where, value, now) for where, value, now in pairs if _UNTOLD not in where}


def _leaves(value: object, path: str) -> Iterator[tuple[str, Any]]:
    for where, leaf, _ in _pairs(value, None, path):
        yield where, leaf


def _pairs(value: object, actual: object, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, value and actual value of each leaf of a body."""
    if isinstance(value, dict):
        if value.keys() & {REF, SECRET, KEYS}:
            return
        theirs = {str(key).lower(): item for key, item in actual.items()} if isinstance(actual, dict) else {}
        for key, item in value.items():
            if key in _KEPT or value.get(_MOVES.get(key, "")) is True:
                continue
            yield from _pairs(item, theirs.get(key.lower()), f"{path}.{key}" if path else key)
        if not value:
            yield path, {}, {} if isinstance(actual, dict) else None
    elif isinstance(value, list):
        others = actual if isinstance(actual, list) else []
        by_name = {item[_BY]: item for item in others if isinstance(item, dict) and _BY in item}
        for index, item in enumerate(value):
            name = item.get(_BY) if isinstance(item, dict) else None
            other = by_name.get(name) if name else others[index] if index < len(others) else None
            yield from _pairs(item, other, f"{path}[{name or index}]")
        if not path.endswith(_GROWS):
            yield f"{path}.length", len(value), len(others)
    else:
        yield path, value, actual


def _found(where: str, wanted: object, actual: Any) -> JsonValue:  # noqa: ANN401 - any JSON
    """Return a value as it is; as it was made, where only its spelling is another."""
    if isinstance(wanted, str) and isinstance(actual, str) and _spelt(wanted, where) == _spelt(actual, where):
        return wanted
    return actual  # type: ignore[no-any-return]  # JSON


def _spelt(text: str, where: str) -> str:
    """Return a text without what Azure writes in ways of its own: ids in other capitals, regions by their titles."""
    if where.rpartition(".")[2] == "location":
        return text.lower().replace(" ", "")
    return text.lower() if text.startswith("/subscriptions/") else text


def resolved(body: Any, properties: Mapping[str, Mapping[str, Any]], secrets: Mapping[str, str]) -> Any:  # noqa: ANN401
    """Return a body with what stands for something else replaced.

    `properties` has other resources by their ids, and their keys by what is asked for them.
    """
    if isinstance(body, dict):
        if SECRET in body:
            return secrets[body[SECRET]]
        if body.keys() & {REF, KEYS}:
            value: Any = properties[body[REF] if REF in body else asked_for(body[KEYS])]
            for key in body["path"].split("."):
                value = value[key]
            return value
        return {key: resolved(item, properties, secrets) for key, item in body.items()}
    if isinstance(body, list):
        return [resolved(item, properties, secrets) for item in body]
    return body


def asked_for(resource: str) -> str:
    """Return the path at which a resource tells its keys."""
    kind = kind_of(resource)
    assert kind  # noqa: S101 - what has keys is of a kind that is known
    return f"{resource}/{kind.keys}"


def refs(body: object) -> set[str]:
    """Return the ids of the resources that a body has properties of."""
    return _marked(body, REF)


def keyed(body: object) -> set[str]:
    """Return the ids of the resources that a body has keys of."""
    return _marked(body, KEYS)


def secrets(body: object) -> set[str]:
    """Return the names of the secrets that a body has."""
    return _marked(body, SECRET)


def _marked(body: object, mark: str) -> set[str]:
    if isinstance(body, dict):
        return {body[mark]} if mark in body else {name for item in body.values() for name in _marked(item, mark)}
    return {name for item in body for name in _marked(item, mark)} if isinstance(body, list) else set()
