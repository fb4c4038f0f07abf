"""The stand-in, tested by itself, through Microsoft's own clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.arm.callers import Caller
from tests.arm.fixtures import arm, arm_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.arm.arm import Arm

__all__ = ["arm", "arm_server"]


@pytest.fixture
def caller(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    """Sign in, and have clients of the cloud, with a group of resources."""
    for name, value in arm.environment().items():
        monkeypatch.setenv(name, value)
    with Caller(arm) as found:
        found.group()
        arm.seen.clear()
        yield found


@pytest.fixture(autouse=True)
def unrecorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write no requests to a file: many of these are wrong, which the stand-in has to see."""
    monkeypatch.delenv("OPDEPLOY_ARM_REQUESTS", raising=False)


@pytest.fixture
def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file to which requests are written."""
    path = tmp_path / "requests.jsonl"
    monkeypatch.setenv("OPDEPLOY_ARM_REQUESTS", str(path))
    return path
