"""What would keep a deployment from being made, looked at before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from opdeploy.clients.docker import ports
from opdeploy.targets.engine.names import base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.clients.docker.machine import Machine
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

    @property
    def has_gpus(self) -> bool:
        """Whether the engine says that it can give GPUs to containers."""


class Place(Protocol):
    """Where deployments live."""

    @property
    def machine(self) -> Machine:
        """The machine that the engine runs on."""

    def about(self) -> Size:
        """Return how large it is."""

    def fronts(self) -> list[Found]:
        """Return the fronts of all deployments."""

    def foreign(self, deployment: str) -> list[str]:
        """Say what somebody else made under a name that the deployment needs."""


def obstacles(wanted: Wanted, place: Place) -> Iterator[str]:
    """Yield what has to be changed first, a sentence each with what to do."""
    settings = wanted.settings
    taken = ports.taken(settings, base(wanted.deployment), place.fronts(), place.machine)
    host, port, cpus = settings.listening
    if taken:
        yield f"port {port} of {host}: {taken.why}; {taken.todo}"
    there = place.about().cpus
    if (cpus or 0) > there:
        yield f"deploy.{settings.target}.cpus: {cpus:g} are wanted, and the engine has {there}; lower it"
    yield from place.foreign(wanted.deployment)


def shortages(wanted: Wanted, place: Place) -> Iterator[str]:
    """Yield what may not be enough."""
    about = place.about()
    there = about.memory / _GB
    if wanted.memory_gb > there:
        yield f"it may take {wanted.memory_gb:g} GB of memory, and the engine has {there:.1f}"
    if wanted.gpu and not about.has_gpus:
        yield (
            "it is to compute on a GPU, and the engine names no runtime of NVIDIA, so that it may give it none: "
            "install the NVIDIA Container Toolkit on its machine"
        )
