"""Builds a model's image, for the platform of its target and no other."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.clients.docker.building import BuildError, NoBaseError, Order
from opdeploy.errors import InputError
from opdeploy.render import write

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.clients.docker.building import Builder, Built
    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.images import Image
    from opdeploy.image import ImageSettings
    from opdeploy.render import Bundle


def build_image(
    engine: Engine,
    bundle: Bundle,
    tag: str,
    settings: ImageSettings,
    *,
    watch: Callable[[str], None],
    builder: Builder = "auto",
) -> Built:
    """Build an image of a bundle of `opdeploy.image`, and leave nothing but the image and the builder's cache.

    Raises BuildError where a step fails, and InputError where the image is for another platform than the settings say.
    """
    with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
        write(bundle, Path(folder))
        order = Order(
            Path(folder), tag, settings.platform, settings.sources.arguments(), settings.sources.build_network, builder
        )
        try:
            built = engine.build(order, watch)
        except NoBaseError as error:
            raise BuildError(
                f"{settings.base}: the base image was not to be had: {error.why}; pull it (docker pull) or load it "
                "(docker load) first, or name another with --base-image",
                error.lines,
            ) from error
    try:
        check_platform(engine.image(built.id), tag, settings.platform)
    except InputError:
        engine.remove_image(tag)
        raise
    return built


def check_platform(image: Image, name: str, wanted: str) -> None:
    """Raise InputError where an image is for another platform than its target, `linux/amd64` or the like."""
    if f"{image.os}/{image.architecture}" != wanted:
        raise InputError(
            f"{name}: the image is for {image.platform}, but the target runs {wanted}; "
            f"build it on a base for {wanted}, or set the platform that is meant"
        )
