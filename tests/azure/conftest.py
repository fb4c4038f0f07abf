"""The stand-in for Azure Resource Manager, and projects that are deployed there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.arm.fixtures import arm, arm_server
from tests.azure.clouded import Clouded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.arm.arm import Arm

__all__ = ["arm", "arm_server", "clouded"]


@pytest.fixture
def clouded(tmp_path: Path, arm: Arm) -> Callable[..., Clouded]:
    """Return a function that makes a project for a platform, with settings."""

    def make(target: str, **settings: object) -> Clouded:
        return Clouded(tmp_path, arm, target, settings)

    return make
