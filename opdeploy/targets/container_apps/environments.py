"""What is asked before a container app is made: of what is named around it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.azure import offers
from opdeploy.targets.azure.kinds import KINDS, name_of
from opdeploy.targets.azure.questions import Question, problem
from opdeploy.targets.azure.subnets import subnet
from opdeploy.targets.container_apps.bodies import ENVIRONMENT, OWN, WORKSPACE
from opdeploy.targets.container_apps.sizes import CONSUMPTION, profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.targets.azure.before import Before
    from opdeploy.targets.azure.questions import Said

_DELEGATED = "Microsoft.App/environments"
"""What the subnet of an environment with workload profiles is delegated to (learn.microsoft.com/azure/container-apps/
custom-virtual-networks, of 2025-05-01, read 2026-11-26)."""


def questions(before: Before) -> Iterator[Question | Said]:
    """Yield what is asked of Azure, and what is known without asking."""
    chosen = before.wanted.settings.container_apps
    if chosen.environment:
        for key in ("subnet", "workspace"):
            if getattr(chosen, key):
                yield problem(
                    f"deploy.container_apps.{key}: is of an environment that is made, and "
                    f"{name_of(chosen.environment)} is there already; leave one of the two out"
                )
        yield from _of_environment(before, chosen.environment)
    elif any(item.kind == ENVIRONMENT for item in before.makes):
        name = profile(chosen, gpu=before.wanted.gpu)
        if name != CONSUMPTION and before.at.location:  # which every region has, whether it is listed or not
            yield offers.profile(before.at, name, "deploy.container_apps.profile")
        if chosen.subnet:
            yield subnet(chosen.subnet, "deploy.container_apps.subnet", _DELEGATED)
        if chosen.workspace and chosen.workspace != OWN:
            yield _workspace(chosen.workspace)


def _of_environment(before: Before, resource: str) -> Iterator[Said]:
    """Yield why an app cannot be in an environment that was there before."""
    found: Any = before.observed.facts.get("environment")
    if not found:
        yield problem(f"deploy.container_apps.environment: there is no {name_of(resource)}; name one that is there")
        return
    location = str(found["location"]).lower().replace(" ", "")
    if before.at.location and location != before.at.location:
        yield problem(
            f"deploy.azure.location: {before.at.location} is not where the environment is: {location}; "
            f"say --location {location}"
        )
    name = profile(before.wanted.settings.container_apps, gpu=before.wanted.gpu)
    if name not in found["profiles"]:
        shown = ", ".join(found["profiles"]) or "none"
        yield problem(
            f"deploy.container_apps.profile: {name_of(resource)} has no {name}, it has: {shown}; take one of these, "
            f"or add it: az containerapp env workload-profile add --workload-profile-type {name}"
        )


def _workspace(resource: str) -> Question:
    name = name_of(resource)

    def judge(answer: dict[str, Any] | None) -> Iterator[Said]:
        if answer is None:
            yield problem(f"deploy.container_apps.workspace: there is no {name}; name one that is there")

    return Question(f"{WORKSPACE} {name}", resource, KINDS[WORKSPACE].api, judge)
