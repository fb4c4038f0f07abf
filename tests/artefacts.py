"""Artefacts of the examples, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.artifact.data import declaration, read
from opdeploy.artifact.package import Contents, build
from opdeploy.runtime.session import Session

if TYPE_CHECKING:
    from pathlib import Path


def penguins(folder: Path, root: Path) -> Path:
    """Make the artefact of the penguins in a folder: its processing takes rows of a table."""
    home = root / "examples" / "penguins"
    declared = declaration(home / "processing.yaml")
    found = read(home / "penguins.csv", Session(home / "model.onnx"), declared, "species")
    build(Contents("penguins", home / "model.onnx", found.samples, found.records, declared), folder / "penguins")
    return folder / "penguins"
