"""A Docker engine on a machine that is reached over SSH: one that is there, or one that is made in Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.deployment import Found
from opdeploy.errors import OpdeployError
from opdeploy.platform import NameRule
from opdeploy.targets.azure import before_machine, machine
from opdeploy.targets.azure.target import missing, removed
from opdeploy.targets.base import is_beyond
from opdeploy.targets.engine import making
from opdeploy.targets.engine.steps import HERE, cleared_here, step
from opdeploy.targets.engine.target import EngineTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deployment import Observed
    from opdeploy.plan import Step
    from opdeploy.targets.azure.before import Before
    from opdeploy.targets.azure.questions import Question, Said
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
            yield from cleared_here(observed, keep)


class Made(Vm):
    """A Docker engine on a machine that is made in Azure, and removed with the deployment."""

    rule = NameRule(min_length=1, max_length=60, pattern="^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$")
    """Of a Linux machine, 1 to 64 letters, digits and dashes, four of which its network's name takes more
    (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules, read 2026-11-26)."""

    def plan(self, wanted: Wanted, observed: Observed, number: int) -> Iterator[Step]:
        """Yield the steps that make a version current, on a machine that is made first where there is none.

        Where it is there and not reached, the steps lead no further than to it; raises OpdeployError where nothing that
        is known keeps it from being reached.
        """
        first = tuple(machine.steps_to(wanted, observed))
        yield from first
        if observed.unreached is None:
            yield from super().plan(wanted, observed, number)
        elif any(step.action != "check" for step in first):
            yield machine.again(observed)
        else:
            raise OpdeployError(observed.unreached)

    def asks(self, before: Before) -> Iterator[Question | Said]:
        """Yield what is asked of Azure before a machine is made."""
        return before_machine.questions(before)

    def drift(self, observed: Observed) -> Iterator[Found]:
        """Yield what is not as it was made, and what is missing, as it should be."""
        yield from missing(observed)
        found = observed.of(machine.KIND, observed.deployment)
        state = found.properties.get("state") if found else None
        if found and state not in {machine.RUNNING, None}:
            yield Found(
                kind=found.kind, name=found.name, wanted={"state": machine.RUNNING}, properties={"state": state}
            )
        if found and observed.unreached is None:
            yield from super().drift(observed)
        else:
            yield from (item for item in observed.found if item.drift())

    def teardown(self, observed: Observed) -> Iterator[Step]:
        """Yield the steps that delete everything that the deployment made: what is on the machine goes with it."""
        return removed(observed)


TARGET = Vm()
MADE = Made()
"""The same for settings that name no machine, and say where in Azure one is to be."""
