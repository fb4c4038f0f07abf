"""Images of deployments: built, pushed, and handed over to another engine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.clients.docker.building import BuildError
from opdeploy.clients.docker.image import build_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.images import Watch
    from opdeploy.image import ImageSettings
    from opdeploy.render import Bundle

_LOST = re.compile(
    r"unknown parent image|unable to find image|failed to get digest|layer does not exist"
    r"|[0-9a-f]{12,64}: no such file or directory|No such image: sha256:"
)
"""What the classic builder says where an image or a layer was removed meanwhile that it builds on or finds in its
cache, as by somebody who makes room (moby v20.10.24: image/store.go, image/fs.go, image/cache/cache.go, layer/layer.go
and daemon/images/image.go, read 2026-11-26)."""
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Making:
    """What an image is built of, which is looked for when it is built."""

    made: Callable[[], tuple[Bundle, ImageSettings]]
    watch: Watch


class Maker:
    """Makes the images of deployments; every method names the image, and may be called again."""

    def __init__(self, engine: Callable[[], Engine], making: Making | None) -> None:
        """Take what gives the engine that builds, which is asked for when it is needed, and what is built.

        Where that is None nothing can be built: it is looked alone whether an engine could.
        """
        self._engine = engine
        self._made = making

    def require(self) -> None:
        """Raise NoEngineError where no engine answers that could build."""
        self._engine()

    @property
    def _making(self) -> Making:
        assert self._made  # noqa: S101 - for mypy
        return self._made

    def build(self, name: str) -> dict[str, JsonValue]:
        """Build the image of the bundle; again, where a layer was lost meanwhile that it builds on."""
        bundle, settings = self._making.made()
        for left in reversed(range(_TRIES)):
            try:
                built = build_image(self._engine(), bundle, name, settings, watch=self._making.watch)
            except BuildError as error:
                if not left or not _LOST.search(str(error)):
                    raise
            else:
                return {"id": built.id}
        raise AssertionError

    def push(self, name: str) -> dict[str, JsonValue]:
        """Push an image to its registry, and return the digest that the registry answered with."""
        return {"digest": self._engine().push(name, self._making.watch)}
