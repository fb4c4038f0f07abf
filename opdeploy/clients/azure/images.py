"""What container registries of Azure hold: images are read there, and removed."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.refused import RefusedError
from opdeploy.clients.docker.archive import extract
from opdeploy.errors import TransientError

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
        """Write the artefact that an image holds below a folder: it is its last layer, which alone is fetched."""
        server, repository, tag = _parts(name)
        headers = {**self._may(server, repository, "pull"), "Accept": _MANIFESTS}
        where = f"https://{server}/v2/{repository}"
        with answer("GET", f"{where}/manifests/{tag}", headers=headers) as told:
            digest = told.json()["layers"][-1]["digest"]
        with answer("GET", f"{where}/blobs/{digest}", headers=headers, stream=True) as layer:
            extract(layer.iter_content(_PIECE), folder, shutil.disk_usage(folder).free)

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
        """Return a token of a registry for a token of Azure.

        github.com/Azure/acr, docs/AAD-OAuth.md, "Calling POST /oauth2/exchange", read 2026-11-26.
        """
        token = self._session.token(self._session.cloud.registry_audience)
        asked = {"grant_type": "access_token", "service": server, "access_token": token}
        with answer("POST", f"https://{server}/oauth2/exchange", data=asked) as told:
            return str(told.json()["refresh_token"])

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
    """Return the server, the repository and the tag of an image."""
    server, _, path = name.partition("/")
    repository, _, tag = path.rpartition(":")
    return server, repository, tag


@contextmanager
def answer(method: str, url: str, **more: Any) -> Iterator[Response]:  # noqa: ANN401 - what requests takes
    """Give the answer to a request; raises RefusedError where it is refused, TransientError where none comes."""
    import requests

    where = url.partition("?")[0]  # what follows may be a secret
    try:
        with requests.request(method, url, timeout=_SECONDS, **more) as told:
            if not told.ok:
                said = " ".join(told.text.split())[:200]
                raise RefusedError(
                    f"{method} {where}: {told.status_code} {said}; see that you may use the registry: az acr login",
                    status=told.status_code,
                )
            yield told
    except requests.RequestException as error:
        raise TransientError(f"{method} {where}: got no answer: {type(error).__name__}; check the network") from None
