"""Azure container registries: images are pushed there, and built there."""

from __future__ import annotations

import tarfile
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.clients.azure.images import Images, answer
from opdeploy.errors import OpdeployError, TransientError
from opdeploy.render import write
from opdeploy.targets.azure.kinds import name_of
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
        self.has = self._images.has
        self.remove = self._images.remove

    def push(self, *, name: str, registry: str) -> dict[str, JsonValue]:  # noqa: ARG002 - for who reads the plan
        """Push an image that was built here."""
        server = name.partition("/")[0]
        watch, token = self._made_of(name).watch, self._images.refresh_token(server)
        return {"digest": self._engine().push(name, watch, (_ANYBODY, token))}

    def build(self, *, name: str, registry: str, platform: str) -> None:
        """Have a registry build an image of the bundle, and wait until it has; the log of one that failed is shown."""
        bundle, settings = self._made_of(name).made()
        there = self._arm.told(f"{registry}/listBuildSourceUploadUrl", TASKS)
        with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
            write(bundle, Path(folder, "context"))
            _upload(Path(folder, "context"), Path(folder, "context.tar.gz"), there["uploadUrl"])
        told = arguments(settings.sources.arguments())
        body = order(name, platform, there["relativePath"], told)
        begun = self._arm.ask("POST", f"{registry}/scheduleRun", TASKS, body)
        self._wait(name, f"{registry}/runs/{begun['properties']['runId']}")

    def _made_of(self, name: str) -> Making:
        """Return what an image is built of; raises OpdeployError where nothing is."""
        if self._making is None:
            raise OpdeployError(f"{name}: nothing to build it of; run opdeploy deploy again")
        return self._making

    def _wait(self, name: str, run: str) -> None:
        """Wait for a build, however often it cannot be looked at: who ordered it again would have two of them."""
        until = time.monotonic() + BUILD_S
        while (status := self._status(run)) in _RUNNING:
            if time.monotonic() > until:
                raise OpdeployError(f"{name}: was not built within {BUILD_S / 60:g} minutes; run the command again")
            time.sleep(_BETWEEN_S)
        if status != "Succeeded":
            lines = self._log(run)
            registry = run.partition("/runs/")[0]
            see = f"az acr task logs --registry {name_of(registry)} --run-id {name_of(run)}"
            todo = "see the log above" if lines else f"see its log: {see}"
            error = OpdeployError(f"{name}: the registry did not build it: {status}; {todo}")
            for line in lines[-_LAST_LINES:]:
                error.add_note(line)
            raise error

    def _status(self, run: str) -> str:
        """Return how a build stands: as it was, where no answer comes."""
        with suppress(TransientError):
            return str(self._arm.ask("GET", run, TASKS)["properties"]["status"])
        return "Running"

    def _log(self, run: str) -> list[str]:
        """Return what a build wrote; nothing where it cannot be had."""
        with suppress(OpdeployError):
            link = self._arm.told(f"{run}/listLogSasUrl", TASKS)["logLink"]
            with answer("GET", link) as told:
                return told.text.splitlines()
        return []


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
