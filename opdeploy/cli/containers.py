"""Finds out whether a server can run in a container here, and of what image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from opdeploy.cli.test_local_options import RuntimeName
    from opdeploy.image import ImageSettings
    from opdeploy.local.start import Containers
    from opdeploy.platform import Profile


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

        try:
            engine = stack.enter_context(docker.connected())
        except (docker.NoEngineError, InputError) as error:
            if runtime == "docker":
                raise
            ui.say(f"the server runs as a process: {error}")
    if engine is None:
        if building.option:
            raise InputError(f"{building.option}: is for an image, and the server runs as a process; leave it out")
        return None
    from opdeploy.local.start import Containers

    image = image_settings(building, target)
    about = engine.about()
    if not image.platform.endswith(f"/{about.architecture}"):
        ui.warn(f"the image is for {image.platform}, and this machine emulates it: it is slower here than there")
    return Containers(engine, image, building.kept)


def image_settings(building: Building, target: Profile | None) -> ImageSettings:
    """Return the settings of the image, for the platform of its target.

    Raises InputError for a base that is no name of an image.
    """
    from pydantic import ValidationError

    from opdeploy.clients.pip import sources
    from opdeploy.errors import InputError
    from opdeploy.image import ImageSettings

    wheels = {"wheels": building.wheels} if building.wheels else {}
    chosen: dict[str, object] = {"sources": sources().model_copy(update=wheels)}
    if building.base is not None:
        chosen["base"] = building.base
    if target and target.image_platform:
        chosen["platform"] = target.image_platform.value
    try:
        return ImageSettings.model_validate(chosen)
    except ValidationError:
        raise InputError(
            f"--base-image {building.base}: is no name of an image; write it as docker pull takes it"
        ) from None
