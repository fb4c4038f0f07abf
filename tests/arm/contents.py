"""The data plane of container registries, under NAME.azurecr.io: tokens, manifests, blobs and tags.

github.com/Azure/acr, docs/AAD-OAuth.md; learn.microsoft.com/rest/api/containerregistry.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import secrets
import tarfile
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tests.arm import roles
from tests.arm.answers import Answer, Refused
from tests.arm.signin import claims

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.arm.arm import Arm
    from tests.arm.kinds import Resource

AUDIENCE = "https://containerregistry.azure.net"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_NEEDED = {
    "pull": roles.PULL,
    "push": "Microsoft.ContainerRegistry/registries/push/write",
    "delete": "Microsoft.ContainerRegistry/registries/artifacts/delete",
    "metadata_read": roles.PULL,
}
"""What each action of a scope needs."""
_ROUTES = (
    ("GET", "/v2/(.+)/manifests/([^/]+)", "pull", "_manifest"),
    ("HEAD", "/v2/(.+)/manifests/([^/]+)", "pull", "_manifest"),
    ("DELETE", "/v2/(.+)/manifests/([^/]+)", "delete", "_remove"),
    ("GET", "/v2/(.+)/blobs/(sha256:[0-9a-f]{64})", "pull", "_blob"),
    ("GET", "/acr/v1/(.+)/_manifests/([^/]+)", "metadata_read", "_told"),
    ("DELETE", "/acr/v1/(.+)/_tags/([^/]+)", "delete", "_untag"),
)


def registry_of(arm: Arm, host: str) -> Resource | None:
    """Return the registry that has a name."""
    return next((each for each in arm.resources.values() if each.properties.get("loginServer") == host), None)


def contents(arm: Arm, host: str, asked: tuple[str, str], headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer a request, of a method and a path, for what a registry holds."""
    registry = registry_of(arm, host)
    method, path = asked
    if registry is None:
        return _no(404, "NAME_UNKNOWN", f"registry {host} is not there")
    try:
        if path in {"/oauth2/exchange", "/oauth2/token"} and method == "POST":
            form = parse_qs(body.decode())
            return _refresh(arm, host, form) if path.endswith("exchange") else _access(arm, registry, host, form)
        for verb, pattern, action, route in _ROUTES:
            if verb == method and (match := re.fullmatch(pattern, path)):
                _check(arm, host, headers.get("authorization", ""), match[1], action)
                found: Answer = globals()[route](arm, host, match[1], match[2])
                return found
    except Refused as error:
        return error.answer
    return _no(404, "UNSUPPORTED", f"{method} {path}")


def _refresh(arm: Arm, host: str, form: dict[str, list[str]]) -> Answer:
    """Give a token of the registry for one of Entra."""
    token = form.get("access_token", [""])[0]
    good = arm.tokens.get(token, 0.0) > time.time() and claims(token)["aud"] in {AUDIENCE, f"{arm.url}/"}
    if form.get("grant_type") != ["access_token"] or form.get("service") != [host] or not good:
        return _no(401, "UNAUTHORIZED", "authentication required, visit https://aka.ms/acr/authorization")
    arm.allowances[made := secrets.token_urlsafe(24)] = (host, frozenset())
    return Answer(200, {"refresh_token": made})


def _access(arm: Arm, registry: Resource, host: str, form: dict[str, list[str]]) -> Answer:
    """Give a token for some actions: those that the one who signed in may do."""
    known = arm.allowances.get(form.get("refresh_token", [""])[0])
    if form.get("grant_type") != ["refresh_token"] or form.get("service") != [host] or known != (host, frozenset()):
        return _no(401, "UNAUTHORIZED", "authentication required, visit https://aka.ms/acr/authorization")
    wanted = [scope.split(":") for each in form.get("scope", []) for scope in each.split(" ")]
    granted = {
        f"{repository}:{action}"
        for kind, repository, actions in wanted
        for action in actions.split(",")
        if kind == "repository" and action in _NEEDED and arm.may(_NEEDED[action], registry.id)
    }
    arm.allowances[made := secrets.token_urlsafe(24)] = (host, frozenset({"", *granted}))
    return Answer(200, {"access_token": made})


def _check(arm: Arm, host: str, authorization: str, repository: str, action: str) -> None:
    server, granted = arm.allowances.get(authorization.removeprefix("Bearer "), ("", frozenset()))
    if server != host or f"{repository}:{action}" not in granted:
        ask = f'Bearer realm="https://{host}/oauth2/token",service="{host}",scope="repository:{repository}:{action}"'
        detail = [{"Type": "repository", "Name": repository, "Action": action}]
        message = "authentication required, visit https://aka.ms/acr/authorization for more information."
        error = {"code": "UNAUTHORIZED", "message": message, "detail": detail}
        raise Refused(Answer(401, {"errors": [error]}, {"Www-Authenticate": ask}))


def _manifest(arm: Arm, host: str, repository: str, reference: str) -> Answer:
    """Return the manifest of an image: a layer for all that is below, and one for what is copied last."""
    digest = _digest_of(arm, host, repository, reference)
    last = _layer(arm, f"{host}/{repository}@{digest}")
    base = {"mediaType": _LAYER, "size": 1, "digest": f"sha256:{'0' * 64}"}
    layers = [base, {"mediaType": _LAYER, "size": len(last), "digest": _digest(last)}]
    config = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": f"sha256:{'1' * 64}"}
    told = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return Answer(200, json.dumps(told).encode(), {"Content-Type": MANIFEST, "Docker-Content-Digest": digest})


def _blob(arm: Arm, host: str, repository: str, digest: str) -> Answer:
    """Lead to where blobs are kept, with an address that is good for whoever has it."""
    if f"layers/{digest}" not in arm.blobs:
        raise Refused(_no(404, "BLOB_UNKNOWN", f"blob {digest} of {repository} is not found"))
    where = f"{host.partition('.')[0]}mgd.blob.core.windows.net"
    return Answer(307, None, {"Location": f"https://{where}/blobs/layers/{digest}?sig={secrets.token_hex(8)}"})


def _told(arm: Arm, host: str, repository: str, reference: str) -> Answer:
    digest = _digest_of(arm, host, repository, reference)
    own: dict[str, Any] = {"digest": digest, "mediaType": MANIFEST, "tags": _tags(arm, host, repository, digest)}
    return Answer(200, {"registry": host, "imageName": repository, "manifest": own})


def _remove(arm: Arm, host: str, repository: str, digest: str) -> Answer:
    for tag in _tags(arm, host, repository, _digest_of(arm, host, repository, digest)):
        arm.images.remove(f"{host}/{repository}:{tag}")
    arm.images.remove(f"{host}/{repository}@{digest}")
    return Answer(202)


def _untag(arm: Arm, host: str, repository: str, tag: str) -> Answer:
    _digest_of(arm, host, repository, tag)
    arm.images.remove(f"{host}/{repository}:{tag}")
    return Answer(202)


def _digest_of(arm: Arm, host: str, repository: str, reference: str) -> str:
    sign = "@" if reference.startswith("sha256:") else ":"
    found = arm.images.get(f"{host}/{repository}{sign}{reference}")
    if found is None:
        raise Refused(_no(404, "MANIFEST_UNKNOWN", f'manifest tagged by "{reference}" is not found'))
    return found.digest


def _tags(arm: Arm, host: str, repository: str, digest: str) -> list[str]:
    start = f"{host}/{repository}:"
    return [
        name.removeprefix(start)
        for name, image in arm.images.found()
        if name.startswith(start) and image.digest == digest
    ]


def _layer(arm: Arm, name: str) -> bytes:
    """Return the last layer of an image, which is kept as a blob from then on."""
    image = arm.images.get(name)
    packed = _packed(image.last if image else None)
    arm.blobs[f"layers/{_digest(packed)}"] = (packed, {})
    return packed


def _packed(folder: Path | None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path in sorted(folder.iterdir()) if folder else ():
            archive.add(path, path.name)
    return gzip.compress(made.getvalue(), mtime=0)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _no(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"errors": [{"code": code, "message": message}]})
