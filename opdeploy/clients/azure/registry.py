"""Azure container registries: images are pushed there, built there, and read from there."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker.archive import extract
from opdeploy.errors import OpdeployError, TransientError
from opdeploy.render import write
from opdeploy.targets.azure.requests import BUILD_S, TASKS, arguments, order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import JsonValue
    from requests import Response

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.maker import Making

_ANYBODY = "00000000-0000-0000-0000-000000000000"
"""The name of a user who shows a token (as az acr login does)."""
_REGISTRIES = "https://containerregistry.azure.net"
_SECONDS = 60.0
_BETWEEN_S = 3.0
_RUNNING = {"Queued", "Started", "Running"}
_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_PIECE = 1 << 20
_LAST_LINES = 30


class Registries:
    """Images, by their names; every method may be called again."""

    def __init__(self, arm: Arm, engine: Callable[[], Engine], making: Making | None, *, builds_here: bool) -> None:
        """Take a connection, what gives the engine here, what an image is built of, and whether it is built here."""
        self.builds_here = builds_here
        self._arm = arm
        self._engine = engine
        self._making = making

    def push(self, *, name: str, registry: str) -> dict[str, JsonValue]:  # noqa: ARG002 - for who reads the plan
        """Push an image that was built here."""
        server = name.partition("/")[0]
        watch = self._making.watch if self._making else print
        return {"digest": self._engine().push(name, watch, (_ANYBODY, self._refresh_token(server)))}

    def build(self, *, name: str, registry: str, platform: str) -> None:
        """Have a registry build an image of the bundle, and wait until it has; the log of one that failed is shown."""
        if self._making is None:
            raise OpdeployError(f"{name}: nothing to build it of; run opdeploy deploy again")
        bundle, settings = self._making.made()
        there = self._arm.ask("POST", f"{registry}/listBuildSourceUploadUrl", TASKS)
        with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
            write(bundle, Path(folder, "context"))
            _upload(Path(folder, "context"), Path(folder, "context.tar.gz"), there["uploadUrl"])
        told = arguments(settings.sources.arguments())
        body = order(name, platform, there["relativePath"], told)
        begun = self._arm.ask("POST", f"{registry}/scheduleRun", TASKS, body)
        self._wait(name, f"{registry}/runs/{begun['properties']['runId']}")

    def artefact(self, name: str, folder: Path) -> None:
        """Write the artefact that an image holds below a folder: it is its last layer, which alone is fetched."""
        server, _, path = name.partition("/")
        repository, _, tag = path.rpartition(":")
        headers = {"Authorization": f"Bearer {self._access_token(server, repository)}", "Accept": _MANIFESTS}
        where = f"https://{server}/v2/{repository}"
        with _answer("GET", f"{where}/manifests/{tag}", headers=headers) as told:
            digest = told.json()["layers"][-1]["digest"]
        with _answer("GET", f"{where}/blobs/{digest}", headers=headers, stream=True) as layer:
            extract(layer.iter_content(_PIECE), folder, shutil.disk_usage(folder).free)

    def _wait(self, name: str, run: str) -> None:
        until = time.monotonic() + BUILD_S
        while True:
            found = self._arm.ask("GET", run, TASKS)["properties"]
            if found["status"] not in _RUNNING:
                break
            if time.monotonic() > until:
                raise OpdeployError(f"{name}: was not built within {BUILD_S / 60:g} minutes; run the command again")
            time.sleep(_BETWEEN_S)
        if found["status"] != "Succeeded":
            lines = self._log(run)
            error = OpdeployError(f"{name}: the registry did not build it: {found['status']}; see the log above")
            for line in lines[-_LAST_LINES:]:
                error.add_note(line)
            raise error

    def _log(self, run: str) -> list[str]:
        link = self._arm.ask("POST", f"{run}/listLogSasUrl", TASKS)["logLink"]
        with _answer("GET", link) as told:
            return told.text.splitlines()

    def _refresh_token(self, server: str) -> str:
        """Return a token of a registry for a token of Azure.

        github.com/Azure/acr, docs/AAD-OAuth.md, "Calling POST /oauth2/exchange".
        """
        asked = {"grant_type": "access_token", "service": server, "access_token": self._arm.session.token(_REGISTRIES)}
        with _answer("POST", f"https://{server}/oauth2/exchange", data=asked) as told:
            return str(told.json()["refresh_token"])

    def _access_token(self, server: str, repository: str) -> str:
        asked = {
            "grant_type": "refresh_token",
            "service": server,
            "scope": f"repository:{repository}:pull",
            "refresh_token": self._refresh_token(server),
        }
        with _answer("POST", f"https://{server}/oauth2/token", data=asked) as told:
            return str(told.json()["access_token"])


def _upload(context: Path, archive: Path, url: str) -> None:
    """Pack a folder, and send it to where a registry takes what it builds of."""
    with tarfile.open(archive, "w:gz") as made:
        made.add(context, ".", filter=_nobody)
    with archive.open("rb") as file, _answer("PUT", url, data=file, headers={"x-ms-blob-type": "BlockBlob"}):
        pass


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member of an archive without who has it here."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


@contextmanager
def _answer(method: str, url: str, **more: Any) -> Iterator[Response]:  # noqa: ANN401 - what requests takes
    """Give the answer to a request; raises OpdeployError where it is refused, TransientError where none comes."""
    import requests

    where = url.partition("?")[0]  # what follows may be a secret
    try:
        with requests.request(method, url, timeout=_SECONDS, **more) as answer:
            if not answer.ok:
                said = " ".join(answer.text.split())[:200]
                raise OpdeployError(
                    f"{method} {where}: {answer.status_code} {said}; see that you may use the registry: az acr login"
                )
            yield answer
    except requests.RequestException as error:
        raise TransientError(f"{method} {where}: got no answer: {type(error).__name__}; check the network") from None
