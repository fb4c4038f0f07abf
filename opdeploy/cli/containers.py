"""Finds out whether a server can run in a container here, and of what image."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from opdeploy.cli.test_local_options import RuntimeName
    from opdeploy.image import ImageSettings, Sources
    from opdeploy.local.start import Containers
    from opdeploy.platform import Profile


_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
"""As images name them, by the names that systems give them."""


class Building(NamedTuple):
    """How the image is built."""

    base: str | None
    wheels: Path | None
    kept: bool

    @property
    def option(self) -> str | None:
        """Return the first option that was given."""
        given = {"--base-image": self.base, "--wheels": self.wheels, "--keep-image": self.kept}
        return next((name for name, value in given.items() if value), None)


def containers(
    runtime: RuntimeName | None, building: Building, target: Profile | None, stack: ExitStack
) -> Containers | None:
    """Return what containers are made with; None for a process, which is said where it was not asked for."""
    from opdeploy import ui
    from opdeploy.errors import InputError

    engine = None
    if runtime != "process":
        from opdeploy.clients import docker
        from opdeploy.clients.docker import here

        try:
            here.require(
                "whose containers are not measured from here; take --runtime process, or name an engine of this "
                "machine with DOCKER_HOST"
            )
            engine = stack.enter_context(docker.connected())
        except (docker.NoEngineError, InputError) as error:
            if runtime == "docker":
                raise
            ui.say(f"the server runs as a process: {error}")
    if engine is None:
        if building.option:
            raise InputError(f"{building.option}: is for an image, and the server runs as a process; leave it out")
        return None
    from opdeploy.clients.pip import sources
    from opdeploy.local.start import Containers

    image = image_settings(building, target, sources())
    about = engine.about()
    if not image.platform.endswith(f"/{about.architecture}"):
        ui.warn(f"the image is for {image.platform}, and this machine emulates it: it is slower here than there")
    return Containers(engine, image, building.kept)


def image_settings(building: Building, target: Profile | None, sources: Sources) -> ImageSettings:
    """Return the settings of the image, for the platform of its target.

    Raises InputError for a base that is no name of an image.
    """
    from pydantic import ValidationError

    from opdeploy.errors import InputError
    from opdeploy.image import ImageSettings

    wheels = {"wheels": building.wheels} if building.wheels else {}
    chosen: dict[str, object] = {"sources": sources.model_copy(update=wheels)}
    if building.base is not None:
        chosen["base"] = building.base
    architecture = _ARCHITECTURES.get(platform.machine().lower())
    if target and target.image_platform:
        chosen["platform"] = target.image_platform.value
    elif target and target.id == "local" and architecture:
        chosen["platform"] = f"linux/{architecture}"
    try:
        return ImageSettings.model_validate(chosen)
    except ValidationError:
        raise InputError(
            f"--base-image {building.base}: is no name of an image; write it as docker pull takes it"
        ) from None
