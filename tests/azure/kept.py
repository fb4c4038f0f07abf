"""Artefacts of versions, for commands that read them from a registry: the stand-in's tells no layers of images."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.azure.clouded import Clouded


def keep(project: Clouded, number: int) -> None:
    """Keep the artefact of a version."""
    shutil.copytree(project.folder / "net", project.folder / "kept" / str(number))


def registry_of(folder: Path) -> None:
    """Have artefacts read from a folder, by the numbers of their versions with which the names of images end."""
    from opdeploy.clients.azure.registry import Registries

    def artefact(_registries: Registries, name: str, into: Path) -> None:
        shutil.copytree(folder / name.rpartition("-")[2], into / "model")

    Registries.artefact = artefact  # type: ignore[assignment, method-assign]  # in the command's own process
