"""A Docker engine on a machine that is reached over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.targets.base import is_beyond
from opdeploy.targets.engine import making
from opdeploy.targets.engine.steps import HERE, clear_here, step
from opdeploy.targets.engine.target import EngineTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deployment import Observed
    from opdeploy.plan import Step
    from opdeploy.targets.base import Wanted


class Vm(EngineTarget):
    """A Docker engine on a machine that is reached over SSH."""

    ids = ("vm",)
    is_public = staticmethod(is_beyond)

    def image(self, wanted: Wanted, observed: Observed, *, is_needed: bool) -> Iterator[Step]:
        """Yield the steps that bring the image there: it is built there, or here and pulled or streamed."""
        if wanted.settings.vm.build == "there":
            yield from making.image(wanted, observed, is_needed=is_needed)
            return
        name, registry = wanted.image, wanted.settings.registry
        if not is_needed or observed.of("image", name):
            return
        yield making.build(name, f"build the image {name} here", HERE)
        if registry:
            yield making.push(name, registry)
            title, how = f"have the machine pull it from {registry}", "copy.pull"
        else:
            title, how = "stream it to the machine", "copy.stream"
        yield step("image-there", title, "create", ("image", name), how, timeout_s=making.BUILD_S)

    def elsewhere(self, observed: Observed, keep: str | None) -> Iterator[Step]:
        """Yield the step that removes the deployment's images from the engine of this machine, but the one kept."""
        if any(found.kind == "image" for found in observed.found):
            yield clear_here(observed.deployment, keep)


TARGET = Vm()
