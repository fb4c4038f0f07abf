"""What is in a cloud beside what opdeploy made there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.arm.kinds import Request
from tests.arm.paths import parse
from tests.arm.routing import answer

if TYPE_CHECKING:
    from tests.arm.arm import Arm


def made(arm: Arm, path: str, version: str, body: dict[str, Any]) -> None:
    """Have a resource, as somebody else has made it."""
    with arm.lock:
        found = answer(arm, Request("PUT", parse(path), {"api-version": version}, body, {}))
    assert found.status < 300, found.body
