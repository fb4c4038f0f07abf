"""The server as a container: of the very image that would be deployed, under the limits that it would have."""

from __future__ import annotations

import re
import secrets
import threading
import time
from contextlib import contextmanager, nullcontext, suppress
from http.client import HTTPException
from typing import TYPE_CHECKING

from opdeploy.clients.docker import Run
from opdeploy.clients.docker.image import build_image
from opdeploy.errors import OpdeployError
from opdeploy.image import bundle
from opdeploy.local.served import Image
from opdeploy.local.server import Address, ask
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
"""Of containers, with the run that made them."""
RUN = secrets.token_hex(4)
"""This run: process numbers of two machines, or of two jobs in containers, may be the same on one engine."""
_CPU = re.compile(rb"^process_cpu_seconds_total (\S+)$", re.MULTILINE)
_PATIENCE_S = 5.0
_BETWEEN_S = 0.2
"""How often a container's memory is looked at: engines do not keep its peak without files that can be dropped."""


class ServerContainer:
    """A server in a container."""

    def __init__(self, container: Container, started: float) -> None:
        self.started = started
        self._container = container
        self._address: Address | None = None
        self._cpu = 0.0
        self._peak = 0.0
        self._looking = threading.Lock()

    @property
    def address(self) -> Address:
        """Host and port on this machine; raises OpdeployError where it has ended and has none any more."""
        self._address = self._address or Address(*self._container.address())
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
        """Return the processor time that it has taken, as it tells itself: an engine answers but once a second."""
        with suppress(OSError, HTTPException, OpdeployError):
            if found := _CPU.search(ask(self.address, "/metrics", seconds=_PATIENCE_S).body):
                self._cpu = float(found[1])
                return self._cpu
        self._look()
        return self._cpu

    def peak_memory_mb(self) -> float:
        """Return the most memory that it was seen to hold."""
        self._look()
        return self._peak

    def _look(self) -> None:
        with self._looking:
            try:
                stats = self._container.stats()
            except OpdeployError:  # it has ended: what was seen last stands
                if self.exit_code() is None:
                    raise
                return
            self._cpu, self._peak = stats.cpu_seconds, stats.peak / 1e6

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at its memory again and again until the end of the block: what a request takes is given back after it.

        What is held for less than a fifth of a second may be missed.
        """
        over = threading.Event()

        def look() -> None:
            while not over.wait(_BETWEEN_S):
                with suppress(OpdeployError):  # who asks for a figure is told
                    self._look()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@contextmanager
def built_image(
    engine: Engine, package: Package, settings: ImageSettings, *, kept: bool, watch: Callable[[str], None]
) -> Iterator[tuple[str, Image]]:
    """Give the name of an image of an artefact, and what it is; it is removed at the end of the block unless kept.

    An error of the block has the name of one that is kept as a note. The builder's cache stays: to empty it could take
    from another build what that one works with.

    Raises BuildError, with the last lines of the build, where a step of it fails.
    """
    tag = image_name(package, kept=kept)
    start = time.monotonic()
    with nullcontext() if kept else _removed(engine, tag):
        build_image(engine, bundle(package, settings), tag, settings, watch=watch)
        found = engine.image(tag)
        seconds = round(time.monotonic() - start, 2)
        try:
            yield tag, Image(found.id, round(found.size / 1e6, 1), seconds, tag if kept else None)
        except BaseException as error:
            if kept:
                error.add_note(kept_image(tag))
            raise


def kept_image(tag: str) -> str:
    """Return the line that tells of an image that stays."""
    return f"kept the image {tag}; docker image rm {tag} removes it"


@contextmanager
def _removed(engine: Engine, tag: str) -> Iterator[None]:
    """Remove an image at the end of the block; an error of the block is not lost when that fails too."""
    try:
        yield
    except BaseException as error:
        with held_back():
            try:
                engine.remove_image(tag)
            except OpdeployError as another:
                error.add_note(str(another))
        raise
    with held_back():
        engine.remove_image(tag)


def image_name(package: Package, *, kept: bool) -> str:
    """Return the name of an artefact's image: one that a user finds again, or one that no other run has."""
    version = package.digest[:12]
    return f"opdeploy/{package.manifest.name}:{version if kept else f'test-{version}-{RUN}'}"


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
        labels={LABEL: RUN},
    )
    started = time.monotonic()
    with engine.running(run) as container:
        server = ServerContainer(container, started)
        with server.watched():
            yield server
