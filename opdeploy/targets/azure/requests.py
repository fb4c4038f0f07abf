"""Bodies of requests that are no resource's own. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTE = "note"
"""The output that keeps a text."""
TASKS = "2019-06-01-preview"
"""The version of the interface to builds of registries."""
BUILD_S = 3600
"""Seconds within which a build ends."""
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def kept(text: str) -> dict[str, Any]:
    """Return the deployment of an empty template that keeps a text as its output."""
    template = {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "resources": [],
        "outputs": {NOTE: {"type": "string", "value": text}},
    }
    return {"properties": {"mode": "Incremental", "template": template}}


def arguments(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what a build is told, which is not shown afterwards."""
    return [{"name": key, "value": value, "isSecret": True} for key, value in values.items()]


def order(name: str, platform: str, source: object, told: object) -> dict[str, Any]:
    """Return the order to build an image of what was uploaded; `source` says where that is, `told` are its arguments.

    learn.microsoft.com/rest/api/containerregistry/registries/schedule-run, version 2019-06-01-preview.
    """
    system, _, architecture = platform.partition("/")
    return {
        "type": "DockerBuildRequest",
        "imageNames": [name.partition("/")[2]],
        "isPushEnabled": True,
        "sourceLocation": source,
        "dockerFilePath": "Dockerfile",
        "platform": {"os": system.capitalize(), "architecture": architecture},
        "timeout": BUILD_S,
        "arguments": told,
    }
