"""The server as a container: of the very image that would be deployed, under the limits that it would have."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opdeploy.clients.docker import Run
from opdeploy.deploy.image import build_image
from opdeploy.errors import OpdeployError
from opdeploy.image import bundle
from opdeploy.local.served import Image
from opdeploy.local.signals import held_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.clients.docker import Container, Engine, State
    from opdeploy.image import ImageSettings
    from opdeploy.local.served import Limits
    from opdeploy.runtime.package import Package

GB = 10**9
_LOG_LINES = 200
LABEL = "opdeploy.test-local"
"""Of containers, with the process that made them."""


class ServerContainer:
    """A server in a container."""

    def __init__(self, container: Container, started: float) -> None:
        self.started = started
        self._container = container
        self._address: tuple[str, int] | None = None
        self._cpu = 0.0
        self._peak = 0.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port on this machine; raises OpdeployError where it has ended and has none any more."""
        self._address = self._address or self._container.address()
        return self._address

    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self._container.state().exit_code

    def why(self) -> str:
        """Say whether it was ended because its memory was used up."""
        state: State = self._container.state()
        return "killed: its memory was used up" if state.oom_killed else ""

    def log(self) -> list[str]:
        """Return the lines that it wrote, the last ones."""
        return self._container.logs(_LOG_LINES)

    def cpu_seconds(self) -> float:
        """Return the processor time that it has taken."""
        self._look()
        return self._cpu

    def peak_memory_mb(self) -> float:
        """Return the most memory that it was seen to hold."""
        self._look()
        return self._peak

    def _look(self) -> None:
        try:
            stats = self._container.stats()
        except OpdeployError:  # it has ended: what was seen last stands
            if self.exit_code() is None:
                raise
            return
        self._cpu, self._peak = stats.cpu_seconds, stats.peak / 1e6


@contextmanager
def built_image(
    engine: Engine, package: Package, settings: ImageSettings, *, kept: bool, watch: Callable[[str], None]
) -> Iterator[tuple[str, Image]]:
    """Give the name of an image of an artefact, and what it is; it is removed at the end of the block unless kept.

    The builder's cache stays: to empty it could take from another build what that one works with.

    Raises BuildError, with the last lines of the build, where a step of it fails.
    """
    tag = image_name(package, kept=kept)
    start = time.monotonic()
    try:
        build_image(engine, bundle(package, settings), tag, settings, watch=watch)
        found = engine.image(tag)
        yield tag, Image(found.id, round(found.size / 1e6, 1), round(time.monotonic() - start, 2))
    finally:
        if not kept:
            with held_back():
                engine.remove_image(tag)


def image_name(package: Package, *, kept: bool) -> str:
    """Return the name of an artefact's image: one that a user finds again, or one that no other run has."""
    version = package.digest[:12]
    return f"opdeploy/{package.manifest.name}:{version if kept else f'test-{version}-{os.getpid()}'}"


@contextmanager
def server_container(
    engine: Engine, image: str, port: int, limits: Limits, settings: Mapping[str, str] | None = None
) -> Iterator[ServerContainer]:
    """Run an image until the end of the block, within its limits: as its own user, and it may write nowhere."""
    run = Run(
        image,
        port,
        cpus=limits.cpus,
        memory=None if limits.memory_gb is None else round(limits.memory_gb * GB),
        environment=dict(settings or {}),
        labels={LABEL: str(os.getpid())},
    )
    started = time.monotonic()
    with engine.running(run) as container:
        yield ServerContainer(container, started)
