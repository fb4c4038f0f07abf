"""What was found of something that a deployment needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.errors import OpdeployError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "note", "problem"]
    said: str
    todo: str = ""
    """What to do about it; nothing where all is well."""


def problem(what: str, error: OpdeployError) -> Finding:
    """Return what an error says, apart from what it says to do."""
    said, _, todo = str(error).rpartition("; ")
    return Finding(what, "problem", said or str(error), todo or "start it")


def existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    return next((item for item in (folder, *folder.absolute().parents) if item.exists()), folder)
