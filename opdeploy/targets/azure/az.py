"""Requests as commands of `az`, each as a shell takes it. Pure.

Everybody on a machine sees the arguments of its processes. So what is secret is piped to `az`, by a command that the
shell has built in. `az` reads an argument `@-` from there (Azure/azure-cli, azure/cli/core/commands/__init__.py), and
any file that it opens, as the one of a secret (azure/cli/command_modules/keyvault/_validators.py; read 2026-11-26).
"""

from __future__ import annotations

import json
from shlex import quote
from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure.compare import KEYS, REF, SECRET, keyed, secrets
from opdeploy.targets.azure.kinds import KINDS, kind_of, name_of, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.targets.azure.calls import Call

CONTEXT = "image"
"""The folder that an image is built of, as opdeploy render writes it."""


class _Expression(str):
    """A piece that the shell replaces."""

    __slots__ = ()


def command(call: Call) -> str:
    """Return the command that does what a request does; nothing where none is needed. Secrets are variables."""
    kind = kind_of(call.path)
    if call.path.endswith("/listBuildSourceUploadUrl") or (kind and kind.name == "note"):
        return ""  # the command that builds does it; a note is for opdeploy alone
    if not call.api:
        return _of_data(call)
    if call.method == "DELETE":
        return _deleted(call.path)
    if call.path.endswith("/scheduleRun"):
        return _built(call)
    has_own = call.method == "PUT" and kind and kind.name in _MADE and _are_plain(call.body or {})
    return (_MADE[kind.name](call.path, call.body or {}) if kind and has_own else "") or _rest(call)


def variable(secret: str) -> str:
    """Return the variable of the shell that has a secret."""
    return f"OPDEPLOY_{secret.upper().replace('-', '_')}"


def _words(*words: str) -> str:
    return " ".join(word if isinstance(word, _Expression) else quote(word) for word in words)


def _deleted(resource: str) -> str:
    kind = kind_of(resource)
    if kind and kind.name == "resource group":
        return _words("az", "group", "delete", "--name", name_of(resource), *_subscription(resource), "--yes")
    return _words("az", "resource", "delete", "--ids", resource, "--api-version", kind.api if kind else "")


def _subscription(resource: str) -> tuple[str, str]:
    return ("--subscription", resource.split("/")[2])


def _tags(body: Mapping[str, Any]) -> list[str]:
    tags = body.get("tags") or {}
    return ["--tags", *(f"{key}={value}" for key, value in tags.items())] if tags else []


def _are_plain(body: Mapping[str, Any]) -> bool:
    """Tell whether `az` takes tags as they are: it parts each at its first `=`, and looks for a file after `@`."""
    tags: Mapping[str, str] = body.get("tags") or {}
    return not any("=" in key or value.startswith("@") for key, value in tags.items())


def _group(resource: str, body: Mapping[str, Any]) -> str:
    where = ("--name", name_of(resource), "--location", str(body["location"]))
    return _words("az", "group", "create", *where, *_subscription(resource), *_tags(body))


def _registry(resource: str, body: Mapping[str, Any]) -> str:
    if body.keys() - {"location", "tags", "sku", "properties"} or body["properties"] != {"adminUserEnabled": False}:
        return ""
    group, name = names_of(resource)
    where = ("--resource-group", group, "--name", name, "--location", str(body["location"]))
    how = ("--sku", str(body["sku"]["name"]), "--admin-enabled", "false")
    return _words("az", "acr", "create", *where, *how, *_subscription(resource), *_tags(body))


def _identity(resource: str, body: Mapping[str, Any]) -> str:
    group, name = names_of(resource)
    where = ("--resource-group", group, "--name", name, "--location", str(body["location"]))
    return _words("az", "identity", "create", *where, *_subscription(resource), *_tags(body))


def _role(resource: str, body: Mapping[str, Any]) -> str:
    own = body["properties"]
    scope = resource.rpartition("/providers/")[0]
    return _words(
        *("az", "role", "assignment", "create", "--name", name_of(resource), "--scope", scope),
        *("--role", name_of(own["roleDefinitionId"]), "--assignee-object-id"),
        _Expression(
            f'"{_value(own["principalId"])}"' if isinstance(own["principalId"], dict) else quote(own["principalId"])
        ),
        *("--assignee-principal-type", str(own["principalType"])),
    )


_MADE: dict[str, Callable[[str, Mapping[str, Any]], str]] = {
    "resource group": _group,
    "container registry": _registry,
    "identity": _identity,
    "role assignment": _role,
}
"""What makes resources of a kind with a command of their own; an empty one where that cannot say all of a body."""


def _built(call: Call) -> str:
    body = call.body or {}
    system = body["platform"]
    return _words(
        *("az", "acr", "build", "--registry", name_of(call.path.rpartition("/")[0]), *_subscription(call.path)),
        *("--image", body["imageNames"][0], "--platform", f"{system['os']}/{system['architecture']}".lower()),
        *("--timeout", str(body["timeout"]), CONTEXT),
    )


def _of_data(call: Call) -> str:
    """Return the command for an image in a registry, or for a secret in a vault: Resource Manager has neither."""
    host, _, path = call.path.removeprefix("https://").partition("/")
    name = host.partition(".")[0]
    is_delete = call.method == "DELETE"
    if path.startswith("secrets/"):
        own = ("--vault-name", name, "--name", path.removeprefix("secrets/"))
        if is_delete:
            return _words("az", "keyvault", "secret", "delete", *own)
        sets = _words("az", "keyvault", "secret", "set", *own, "--file", "/dev/stdin")
        return _piped(f'"{_value(_secret(call))}"', sets)
    repository, _, tag = path.removeprefix("v2/").rpartition("/manifests/")
    image = f"{repository}:{tag}"
    if is_delete:
        return _words("az", "acr", "repository", "delete", "--name", name, "--image", image, "--yes")
    return f"{_words('az', 'acr', 'login', '--name', name)} && {_words('docker', 'push', f'{host}/{image}')}"


def _secret(call: Call) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (call.body or {})["value"]
    return found


def _rest(call: Call) -> str:
    words = ["az", "rest", "--method", call.method.lower(), "--url", f"{call.path}?api-version={call.api}"]
    if call.body is None:
        return _words(*words)
    body = _joined(_pieces(call.body))
    if secrets(call.body) | keyed(call.body):
        return _piped(body, _words(*words, "--body", "@-"))
    return f"{_words(*words, '--body')} {body}"


def _piped(word: str, command: str) -> str:
    """Return the command that is given a word of the shell at its input."""
    return f"printf %s {word} | {command}"


def _joined(pieces: Iterator[str]) -> str:
    """Return pieces as one word of the shell."""
    found: list[str] = []
    for piece in pieces:
        if isinstance(piece, _Expression) or not found or isinstance(found[-1], _Expression):
            found.append(piece)
        else:
            found[-1] += piece
    return "".join(f'"{piece}"' if isinstance(piece, _Expression) else quote(piece) for piece in found)


def _pieces(value: object) -> Iterator[str]:
    """Yield JSON, in which what the shell replaces stands alone."""
    if isinstance(value, dict) and value.keys() & {SECRET, REF, KEYS}:
        yield '"'
        yield _Expression(_value(value))
        yield '"'
    elif isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            yield f"{', ' if index else '{'}{json.dumps(key)}: "
            yield from _pieces(item)
        yield "}" if value else "{}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield ", " if index else "["
            yield from _pieces(item)
        yield "]" if value else "[]"
    else:
        yield json.dumps(value)


def _value(mark: Mapping[str, Any]) -> str:
    """Return what the shell replaces by a secret, or by a property or a key of another resource."""
    if SECRET in mark:
        return f"${variable(mark[SECRET])}"
    resource = str(mark.get(REF) or mark[KEYS])
    kind = kind_of(resource)
    does = ("show",) if REF in mark else ("invoke-action", "--action", str(kind and kind.keys))
    words = ("az", "resource", *does, "--ids", resource, "--api-version", kind.api if kind else KINDS["note"].api)
    return f"$({_words(*words, '--query', mark['path'], '--output', 'tsv')})"
