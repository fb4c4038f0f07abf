"""What things are called on an engine, and what they are where nothing is said. Pure."""

from __future__ import annotations

RESTART = "unless-stopped"
"""The restart policy of the front, and of servers that were found to be ready and right."""


def base(deployment: str) -> str:
    """Return the name of a deployment's front, network and volume; those of its other resources begin with it."""
    return f"opdeploy-{deployment}"


def repository(deployment: str) -> str:
    """Return the repository of a deployment's images, without its registry."""
    return base(deployment).lower()


def server_name(deployment: str, version: int) -> str:
    """Return the name of a version's container: with a dot, which no name of a deployment has."""
    return f"{base(deployment)}.v{version}"
