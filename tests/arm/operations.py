"""Long operations: each moves on whenever somebody looks."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.arm.answers import Answer, Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.arm.kinds import Resource


@dataclass
class Operation:
    """Something that goes on: after a number of looks it ends, as `finish` or as an error has it."""

    left: int
    finish: Callable[[], None]
    ending: Ending | None = None
    result: Callable[[], Answer] = lambda: Answer(204)
    resource: Resource | None = None
    failed: Callable[[], None] = lambda: None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"

    def look(self) -> None:
        """Move on by one step, or end."""
        if self.status != "InProgress" or (self.ending is not None and not self.ending.code):
            return
        if self.left > 0:
            self.left -= 1
            return
        self.status = "Failed" if self.ending else "Succeeded"
        (self.failed if self.ending else self.finish)()

    def document(self) -> dict[str, Any]:
        """Return its state in the form of Resource Manager."""
        found: dict[str, Any] = {"name": self.id, "status": self.status, "startTime": "2026-11-26T12:00:00.0000000Z"}
        if self.status != "InProgress":
            found["endTime"] = "2026-11-26T12:00:01.0000000Z"
        if self.status == "Failed" and self.ending:
            found["error"] = {"code": self.ending.code, "message": self.ending.message}
        return found

    def answer(self) -> Answer:
        """Return what `Location` answers."""
        if self.status == "InProgress":
            return Answer(202)
        if self.status == "Failed" and self.ending:
            return Answer(409, {"error": {"code": self.ending.code, "message": self.ending.message}})
        return self.result()
