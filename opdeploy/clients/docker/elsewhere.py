"""Deployments on the engine of another machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.clients.docker.explained import NoEngineError
from opdeploy.clients.docker.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.machine import Machine
    from opdeploy.targets.base import Wanted


class Elsewhere(Host):
    """What deployments are made of on the engine of another machine."""

    def __init__(self, engine: Engine, here: Callable[[], Engine], by: str, machine: Machine, *, makes: bool) -> None:
        """Take the engine, what gives the engine here, who is at work, the machine, and whether something is made."""
        super().__init__(engine.client, engine, by, machine, makes=makes)
        self._here = here

    def shortages(self, wanted: Wanted) -> Iterator[str]:
        """Yield what may not be enough, and whether the processor here is another than there."""
        yield from super().shortages(wanted)
        if wanted.settings.vm.build == "there":
            return
        try:
            here = self._here().about().architecture
        except NoEngineError:
            return
        if not wanted.platform.endswith(f"/{here}"):
            yield (
                f"the image is for {wanted.platform}, and the engine here is {here}, which has to emulate it to build: "
                "slowly, or not at all; --set vm.build=there builds it on the machine"
            )
