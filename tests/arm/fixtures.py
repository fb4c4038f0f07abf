"""The fixture `arm`, for the conftest of tests that need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.arm.server import cloud, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.arm.arm import Arm
    from tests.arm.server import Server

__all__ = ["arm", "arm_server"]


@pytest.fixture(scope="session")
def arm_server() -> Iterator[Server]:
    """Run the stand-in's server for all tests."""
    with serving() as server:
        yield server


@pytest.fixture
def arm(arm_server: Server) -> Iterator[Arm]:
    """Return a cloud of the test's own."""
    with cloud(arm_server) as found:
        yield found
