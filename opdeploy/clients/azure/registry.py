"""Azure container registries: images are pushed there, and built there."""

from __future__ import annotations

import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.clients.azure.images import Images, answer
from opdeploy.errors import OpdeployError
from opdeploy.render import write
from opdeploy.targets.azure.requests import BUILD_S, TASKS, arguments, order

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.maker import Making

_ANYBODY = "00000000-0000-0000-0000-000000000000"
"""The name of a user who shows a token (as az acr login does)."""
_BETWEEN_S = 3.0
_RUNNING = {"Queued", "Started", "Running"}
_LAST_LINES = 30


class Registries:
    """Images, by their names; every method may be called again."""

    def __init__(self, arm: Arm, engine: Callable[[], Engine], making: Making | None, *, builds_here: bool) -> None:
        """Take a connection, what gives the engine here, what an image is built of, and whether it is built here."""
        self.builds_here = builds_here
        self._arm = arm
        self._engine = engine
        self._making = making
        self._images = Images(arm.session)
        self.artefact = self._images.artefact
        self.remove = self._images.remove

    def push(self, *, name: str, registry: str) -> dict[str, JsonValue]:  # noqa: ARG002 - for who reads the plan
        """Push an image that was built here."""
        server = name.partition("/")[0]
        watch = self._making.watch if self._making else print
        return {"digest": self._engine().push(name, watch, (_ANYBODY, self._images.refresh_token(server)))}

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
        with answer("GET", link) as told:
            return told.text.splitlines()


def _upload(context: Path, archive: Path, url: str) -> None:
    """Pack a folder, and send it to where a registry takes what it builds of."""
    with tarfile.open(archive, "w:gz") as made:
        made.add(context, ".", filter=_nobody)
    with archive.open("rb") as file, answer("PUT", url, data=file, headers={"x-ms-blob-type": "BlockBlob"}):
        pass


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return a member of an archive without who has it here."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
