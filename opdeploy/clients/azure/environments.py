"""Environments of container apps that were there before, and what regions offer to new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.clients.azure.refused import RefusedError
from opdeploy.targets.azure.kinds import KINDS, name_of
from opdeploy.targets.container_apps.bodies import ENVIRONMENT, OWN
from opdeploy.targets.container_apps.sizes import GPU_REGIONS, profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.deploy_settings import Deploy
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.base import Wanted

_API = KINDS[ENVIRONMENT].api


def facts(arm: Arm, settings: Deploy) -> dict[str, JsonValue]:
    """Return what an environment has that was there before."""
    named = settings.container_apps.environment
    if not named:
        return {}
    found = arm.find(named)
    if found is None:
        return {"environment": None}
    properties = found.get("properties") or {}
    profiles = {item["workloadProfileType"]: item["name"] for item in properties.get("workloadProfiles") or ()}
    return {"environment": {"id": named, "location": found["location"], "profiles": profiles}}


def obstacles(arm: Arm, at: Where, wanted: Wanted) -> Iterator[str]:
    """Yield what would keep an app from being made, a sentence each with what to do."""
    chosen = wanted.settings.container_apps
    name = profile(chosen, gpu=wanted.gpu)
    for key in ("subnet", "workspace"):
        if chosen.environment and getattr(chosen, key):
            yield (
                f"deploy.container_apps.{key}: is of an environment that is made, and "
                f"{name_of(chosen.environment)} is there already; leave one of the two out"
            )
    if chosen.environment:
        yield from _of_environment(arm, at, chosen.environment, name)
    elif at.location:
        yield from _of_region(arm, at, name)
    if chosen.workspace and chosen.workspace != OWN and arm.find(chosen.workspace) is None:
        yield f"deploy.container_apps.workspace: there is no {name_of(chosen.workspace)}; name one that is there"


def _of_environment(arm: Arm, at: Where, resource: str, name: str) -> Iterator[str]:
    found = arm.find(resource)
    if found is None:
        yield f"deploy.container_apps.environment: there is no {name_of(resource)}; name one that is there"
        return
    location = str(found["location"]).lower().replace(" ", "")
    if at.location and location != at.location:
        yield (
            f"deploy.azure.location: {at.location} is not where the environment is: {location}; "
            f"say --location {location}"
        )
    properties = found.get("properties") or {}
    types = [item["workloadProfileType"] for item in properties.get("workloadProfiles") or ()]
    if name not in types:
        shown = ", ".join(types) or "none"
        yield (
            f"deploy.container_apps.profile: {name_of(resource)} has no {name}, it has: {shown}; take one of these, "
            f"or add it: az containerapp env workload-profile add --workload-profile-type {name}"
        )


def _of_region(arm: Arm, at: Where, name: str) -> Iterator[str]:
    """Yield that a region does not have a profile."""
    path = f"/subscriptions/{at.subscription}/providers/Microsoft.App/locations/{at.location}"
    try:
        found = [*arm.every(f"{path}/availableManagedEnvironmentsWorkloadProfileTypes", _API)]
    except RefusedError:  # who may not ask finds out when it is made
        return
    types = [str(item["name"]) for item in found]
    if found and name not in types:
        todo = (
            f"; take another region with --location, such as one of: {GPU_REGIONS[name]}"
            if (name in GPU_REGIONS)
            else f"; take one that it has, {', '.join(types)}, or another region with --location"
        )
        yield f"deploy.container_apps.profile: {at.location} has no {name}{todo}"
