"""A Docker engine: builds images, pushes them, and runs them under limits."""

from __future__ import annotations

from opdeploy.clients.docker.building import Builder, BuildError, Built, NoBaseError, Order
from opdeploy.clients.docker.containers import Container, Run, State, Stats
from opdeploy.clients.docker.engine import About, Engine, connected
from opdeploy.clients.docker.explained import NoEngineError
from opdeploy.clients.docker.images import Image, Layer

__all__ = [
    "About",
    "BuildError",
    "Builder",
    "Built",
    "Container",
    "Engine",
    "Image",
    "Layer",
    "NoBaseError",
    "NoEngineError",
    "Order",
    "Run",
    "State",
    "Stats",
    "connected",
]
