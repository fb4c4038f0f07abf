"""Servers on the Docker engine of a machine that was made in Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.runs import Running, Runs
from opdeploy.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.clients.docker.elsewhere import Elsewhere
    from opdeploy.targets.azure.names import Where


class Engines(Runs):
    """The servers of an engine, by their names; Azure itself knows nothing of them."""

    tls = False

    def __init__(self, host: Callable[[], Elsewhere]) -> None:
        """Take what gives the engine."""
        self._host = host

    def running(self, at: Where, there: Mapping[str, dict[str, Any]]) -> Running:  # noqa: ARG002 - of others
        """Return that nothing runs as far as Azure knows."""
        return Running(None, {}, None)

    def state(self, found: Mapping[str, Any]) -> None:
        """Return nothing: no resource tells by itself how it stands."""

    def address(self, at: Where, name: str) -> tuple[str, int]:  # noqa: ARG002 - of others
        """Return host and port at which a server is reached, through SSH."""
        return self._host().address(name)

    def exit_code(self, at: Where, name: str) -> int | None:  # noqa: ARG002 - of others
        """Return how a server ended; None while it runs."""
        return self._host().exit_code(name)

    def out_of_memory(self, at: Where, name: str) -> bool:  # noqa: ARG002 - of others
        """Tell whether a server was ended because its memory was used up."""
        return self._host().out_of_memory(name)

    def logs(self, at: Where, name: str, tail: int) -> list[str]:  # noqa: ARG002 - of others
        """Return the last lines that a server wrote."""
        return self._host().logs(name, tail)

    def follow(self, at: Where, name: str, tail: int) -> Iterator[str]:  # noqa: ARG002 - of others
        """Yield the last lines that a server wrote, and what it writes until it ends."""
        return self._host().follow(name, tail)

    def image(self, at: Where, name: str) -> str:
        """Return the image that a server runs; raises NotFoundError where there is none of that name."""
        for version in self._host().observe("vm", at.deployment).versions:
            if version.resource == name:
                return version.image
        raise NotFoundError(f"container {name}: is not there any more; deploy again")
