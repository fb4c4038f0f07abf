"""Finds out whether a server can run in a container here, and of what image."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from opdeploy.cli.test_local_options import RuntimeName
    from opdeploy.image import ImageSettings
    from opdeploy.local.start import Containers
    from opdeploy.platform import Profile


_SOCKETS = {"unix", "http+unix", "npipe", "fd"}
"""Schemes of the addresses of engines that can only be on this machine."""


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
            _require_here(_engine_address())
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


def _engine_address() -> str:
    """Return where the engine is asked that is chosen by DOCKER_HOST, else by the docker context; nothing for none."""
    host = os.environ.get("DOCKER_HOST")
    if host:
        return host
    try:
        from docker.context import ContextAPI
        from docker.errors import DockerException
    except ModuleNotFoundError:  # which is told when it is connected to
        return ""
    try:
        return str(ContextAPI.kwargs_from_context(environment=os.environ).get("base_url") or "")
    except (DockerException, OSError, ValueError):  # likewise
        return ""


def _require_here(address: str) -> None:
    """Raise InputError where an engine is on another machine: the port of its container is not one of this machine."""
    from opdeploy.errors import InputError

    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host = parts.hostname or ""
    except ValueError:  # which is told when it is connected to
        return
    if parts.scheme in _SOCKETS or host in {"", "localhost"}:
        return
    try:
        here = ip_address(host).is_loopback
    except ValueError:  # a name
        here = False
    if not here:
        raise InputError(
            f"{address}: this engine is on another machine, whose containers are not measured from here; "
            "take --runtime process, or name an engine of this machine with DOCKER_HOST"
        )


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
