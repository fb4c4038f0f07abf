"""The folder of journals and caches: it can be deleted, and belongs into no repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_IGNORE = "# What opdeploy keeps here is a cache: it can be deleted.\n*\n"


def made(root: Path, *below: str) -> Path:
    """Return a folder below the cache's, after making it."""
    folder = root.joinpath(*below)
    folder.mkdir(parents=True, exist_ok=True)
    ignore = root / ".gitignore"
    if not ignore.exists():
        ignore.write_text(_IGNORE)
    return folder
