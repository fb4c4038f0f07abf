"""Images that are built on the engine here, for that of another machine: brought there, and cleared away here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.clients.docker.explained import NoEngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.images import Watch


class Spare:
    """Clears away what was built here, and runs elsewhere."""

    def __init__(self, here: Callable[[], Engine], target: str) -> None:
        """Take what gives the engine here, which is asked for when it is needed, and the platform of the images."""
        self._here = here
        self._target = target

    def clear(self, deployment: str, keep: str | None) -> dict[str, JsonValue]:
        """Remove the images of a deployment from the engine here that nothing uses there, but one.

        Where no engine answers here there is nothing to remove.
        """
        try:
            engine = self._here()
        except NoEngineError:
            return {"removed": []}
        removed: list[JsonValue] = [name for name in engine.spare(self._target, deployment) if name != keep]
        for name in removed:
            engine.remove_image(str(name))
        return {"removed": removed}


class Copies(Spare):
    """Brings images to another engine; every method may be called again."""

    def __init__(self, here: Callable[[], Engine], there: Callable[[], Engine], watch: Watch) -> None:
        """Take what gives the engine here, and what gives the one that images are for."""
        super().__init__(here, "vm")
        self._there = there
        self._watch = watch

    def pull(self, name: str) -> None:
        """Have the other engine pull an image from its registry."""
        self._there().pull(name, self._watch)

    def stream(self, name: str) -> None:
        """Stream an image to the other engine."""
        self._here().send(name, self._there(), self._watch)
