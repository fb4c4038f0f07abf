"""Starts the server of an artefact, as a container or as a process."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opdeploy.local.process import server_process
from opdeploy.local.signals import shielded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.clients.docker import Engine
    from opdeploy.image import ImageSettings
    from opdeploy.local.served import Image, Limits
    from opdeploy.local.server import Running
    from opdeploy.runtime.package import Package

    Watch = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Containers:
    """What a container is made with."""

    engine: Engine
    image: ImageSettings
    kept: bool
    """Whether the image stays."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a server is started."""

    limits: Limits
    containers: Containers | None
    """None for a process."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of the server."""


@contextmanager
def started(package: Package, how: Start, watch: Watch) -> Iterator[tuple[Running, Image | None]]:
    """Run an artefact's server until the end of the block; what was made for it is removed, whatever happens."""
    if how.containers is None:
        watch("starts the server")
        process = server_process(package.folder, cpus=int(how.limits.cpus), settings=how.settings)
        with shielded(process) as running:
            yield running, None
        return
    from opdeploy.local.container import built_image, server_container

    made = how.containers
    watch("builds the image")
    build = built_image(
        made.engine, package, made.image, kept=made.kept, watch=lambda line: watch(f"builds the image: {line}")
    )
    with build as (tag, image):
        watch("starts the container")
        container = server_container(made.engine, tag, made.image.port, how.limits, how.settings)
        with shielded(container) as running:
            yield running, image
