"""What would keep a deployment from being made, looked at before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from opdeploy.deploy import ports
from opdeploy.targets.engine.names import base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deployment import Found
    from opdeploy.targets.base import Wanted

_GB = 1e9


class Size(Protocol):
    """How large an engine's machine is."""

    @property
    def cpus(self) -> int:
        """Its processors."""

    @property
    def memory(self) -> int:
        """Its bytes."""


class Place(Protocol):
    """Where deployments live."""

    def about(self) -> Size:
        """Return how large it is."""

    def fronts(self) -> list[Found]:
        """Return the fronts of all deployments."""

    def foreign(self, deployment: str) -> list[str]:
        """Say what somebody else made under a name that the deployment needs."""


def obstacles(wanted: Wanted, place: Place) -> Iterator[str]:
    """Yield what has to be changed first, a sentence each with what to do."""
    settings = wanted.settings
    taken = ports.taken(settings, base(wanted.deployment), place.fronts())
    if taken:
        host, port = ports.place(settings)
        yield f"port {port} of {host}: {taken.why}; {taken.todo}"
    asked, there = settings.local.cpus or 0, place.about().cpus
    if asked > there:
        yield f"deploy.local.cpus: {asked:g} are wanted, and the engine has {there}; lower it"
    yield from place.foreign(wanted.deployment)


def shortages(wanted: Wanted, place: Place) -> Iterator[str]:
    """Yield what may not be enough."""
    there = place.about().memory / _GB
    if wanted.memory_gb > there:
        yield f"it may take {wanted.memory_gb:g} GB of memory, and the engine has {there:.1f}"
