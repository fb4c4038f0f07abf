"""A Docker engine on this machine."""

from __future__ import annotations

from opdeploy.targets.engine.target import EngineTarget


class Local(EngineTarget):
    """A Docker engine on this machine."""

    ids = ("local",)
    rule = None


TARGET = Local()
