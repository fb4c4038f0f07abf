"""The commands with which a person deploys a file of the resources of a plan, in order. Pure."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from opdeploy.targets.azure.az import CONTEXT, command
from opdeploy.targets.azure.calls import REQUESTS
from opdeploy.targets.azure.kinds import GROUP
from opdeploy.targets.azure.names import NO_SUBSCRIPTION
from opdeploy.targets.azure.rights import PUTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.plan import Plan, Step
    from opdeploy.targets.azure.names import Where

_IMAGE = {"image.build", "image.push", "azure.build", "azure.push"}
_REGISTRY = "container registry"


def commands(plan: Plan, at: Where, file: str, platform: str, *, with_image: bool) -> Iterator[str]:
    """Yield the commands: first those for what has to be there before.

    That is the group; and where the file has what runs the image (`with_image`), the registry and the image, for a
    platform such as linux/amd64.
    """
    first = {GROUP.name, _REGISTRY} if with_image else {GROUP.name}
    for step in plan.steps:
        is_made = step.call in PUTS and step.action == "create" and step.kind in first
        if is_made or (with_image and step.call in _IMAGE):
            yield from (_known(text) for text in _of_step(step, at, platform) if text)
    where = f"--resource-group {quote(at.group)} --subscription {at.subscription}"
    yield _known(f"az deployment group create {where} --template-file {quote(file)}")


def _of_step(step: Step, at: Where, platform: str) -> Iterator[str]:
    if step.call == "image.build":
        yield f"docker build --tag {quote(step.name)} --platform {platform} {CONTEXT}"
    elif step.call == "image.push":
        yield f"docker push {quote(step.name)}"
    else:
        yield from map(command, REQUESTS[step.call](step.title, step.args, at))


def _known(text: str) -> str:
    """Return a command without a subscription that is not known, and with a word for a region that is not."""
    return text.replace(f" --subscription {NO_SUBSCRIPTION}", "").replace("--location ''", "--location REGION")
