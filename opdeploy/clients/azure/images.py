"""What container registries hold: images are read there, and in those of Azure removed."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.refused import RefusedError, unreached
from opdeploy.clients.docker.archive import extract
from opdeploy.clients.docker.registry import HUB, host_of
from opdeploy.errors import OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from requests import Response

    from opdeploy.clients.azure.session import Session

_SECONDS = 60.0
"""For an answer: a choice of ours."""
_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_PIECE = 1 << 20


class Images:
    """Images of registries, by their names, such as me.azurecr.io/opdeploy/net:1."""

    def __init__(self, session: Session) -> None:
        """Take a connection."""
        self._session = session

    def artefact(self, name: str, folder: Path) -> None:
        """Write the artefact that an image holds below a folder: it is its last layer, which alone is fetched.

        Of a registry that is not Azure's it is read as anybody reads it, as Azure does: it is shown no token of Azure.
        """
        server, repository, tag = _parts(name)
        is_ours = self._is_ours(server)
        may = self._may(server, repository, "pull") if is_ours else _anybody(server, repository)
        headers = {**may, "Accept": _MANIFESTS}
        where = f"https://{server}/v2/{repository}"
        with answer("GET", f"{where}/manifests/{tag}", headers=headers) as told:
            digest = told.json()["layers"][-1]["digest"]
        with answer("GET", f"{where}/blobs/{digest}", headers=headers, stream=True) as layer:
            extract(layer.iter_content(_PIECE), folder, shutil.disk_usage(folder).free)

    def has(self, name: str) -> bool | None:
        """Tell whether a registry of Azure has an image; None where it does not tell, or is none of Azure's."""
        server, repository, tag = _parts(name)
        if not self._is_ours(server):
            return None
        try:
            headers = {**self._may(server, repository, "pull"), "Accept": _MANIFESTS}
            with answer("GET", f"https://{server}/v2/{repository}/manifests/{tag}", headers=headers):
                return True
        except RefusedError as error:
            return False if error.status == HTTPStatus.NOT_FOUND else None
        except TransientError:
            return None

    def remove(self, name: str) -> None:
        """Remove an image; its tag alone, where it has others as well. None is no error.

        GET /acr/v1/{name}/_manifests/{digest} and DELETE /acr/v1/{name}/_tags/{reference}, as azure-containerregistry
        has them (its client, read 2026-11-26).
        """
        server, repository, tag = _parts(name)
        headers = self._may(server, repository, "delete,metadata_read")
        try:
            with answer("GET", f"https://{server}/acr/v1/{repository}/_manifests/{tag}", headers=headers) as told:
                found = told.json()["manifest"]
            if found.get("tags") == [tag]:
                path = f"v2/{repository}/manifests/{found['digest']}"
            else:
                path = f"acr/v1/{repository}/_tags/{tag}"
            with answer("DELETE", f"https://{server}/{path}", headers=headers):
                pass
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def refresh_token(self, server: str) -> str:
        """Return a token of a registry for a token of Azure; raises OpdeployError for a registry that is not Azure's.

        github.com/Azure/acr, docs/AAD-OAuth.md, "Calling POST /oauth2/exchange", read 2026-11-26.
        """
        if not self._is_ours(server):  # it could do in all registries of Azure whatever the user may
            cloud = self._session.cloud
            raise OpdeployError(
                f"{server}: is no registry of {cloud.name}, and so is shown no token of it; name one that ends with "
                f".{cloud.registries}"
            )
        token = self._session.token(self._session.cloud.registry_audience)
        asked = {"grant_type": "access_token", "service": server, "access_token": token}
        with answer("POST", f"https://{server}/oauth2/exchange", data=asked) as told:
            return str(told.json()["refresh_token"])

    def _is_ours(self, server: str) -> bool:
        """Tell whether a registry is one of Azure, by its name."""
        return re.fullmatch(rf"[a-z0-9.-]+\.{re.escape(self._session.cloud.registries)}", server.lower()) is not None

    def _may(self, server: str, repository: str, actions: str) -> dict[str, str]:
        """Return the header of a request which does something with a repository."""
        asked = {
            "grant_type": "refresh_token",
            "service": server,
            "scope": f"repository:{repository}:{actions}",
            "refresh_token": self.refresh_token(server),
        }
        with answer("POST", f"https://{server}/oauth2/token", data=asked) as told:
            return {"Authorization": f"Bearer {told.json()['access_token']}"}


def _parts(name: str) -> tuple[str, str, str]:
    """Return the server, the repository and the tag of an image; what names no server is on Docker Hub."""
    path, _, tag = name.removeprefix("docker.io/").rpartition(":")
    server = host_of(path)
    return server, path if server == HUB else path.partition("/")[2], tag


def _anybody(server: str, repository: str) -> dict[str, str]:
    """Return the header of a request which reads a repository that is open to anyone.

    distribution.github.io/distribution/spec/auth/token, read 2026-11-26.
    """
    with _reply("GET", f"https://{server}/v2/") as told:
        asked = told.headers.get("WWW-Authenticate", "") if told.status_code == HTTPStatus.UNAUTHORIZED else ""
    terms = dict(re.findall(r'(\w+)="([^"]*)"', asked))
    if not terms.get("realm", "").startswith("https://"):
        return {}
    query = {"service": terms.get("service", server), "scope": f"repository:{repository}:pull"}
    with answer("GET", terms["realm"], params=query) as told:
        given = told.json()
    return {"Authorization": f"Bearer {given.get('token') or given.get('access_token')}"}


@contextmanager
def answer(method: str, url: str, **more: Any) -> Iterator[Response]:  # noqa: ANN401 - what requests takes
    """Give the answer to a request; raises RefusedError where it is refused, else what `unreached` returns."""
    with _reply(method, url, **more) as told:
        if not told.ok:
            said = " ".join(told.text.split())[:200]
            raise RefusedError(
                f"{method} {url.partition('?')[0]}: {told.status_code} {said}; see that you may use the registry (az "
                f"acr login), or that one which is not Azure's is open to everyone",
                status=told.status_code,
            )
        yield told


@contextmanager
def _reply(method: str, url: str, **more: Any) -> Iterator[Response]:  # noqa: ANN401 - what requests takes
    """Give what comes of a request, also where it is refused; raises what `unreached` returns."""
    import requests

    where = url.partition("?")[0]  # what follows may be a secret
    try:
        with requests.request(method, url, timeout=_SECONDS, **more) as told:
            yield told
    except requests.RequestException as error:
        cause = getattr(error.args[0] if error.args else None, "reason", None)  # which tells no address
        host = f"host {where.split('/')[2]} (see deploy.registry)"
        raise unreached(f"{method} {where}", str(cause or type(error).__name__), host) from None
