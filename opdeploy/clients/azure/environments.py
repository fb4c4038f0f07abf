"""Environments of container apps that were there before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.deploy_settings import Deploy


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
