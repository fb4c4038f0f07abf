"""Finds what a model's files are and take, quickly: without onnx, and without reading large files."""

from __future__ import annotations

import os
import re
from pathlib import Path

_IN_MEMORY = "_ORT_MEM_ADDR_"
"""Part of a location that ONNX Runtime takes for an address in its own memory."""


_LOCATION = re.compile(b"\x0a\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x7f])")
"""An entry of a tensor's external data: the key, as protobuf writes it, and the length of the value."""
_SEARCHED = 64_000_000
"""Bytes of an ONNX file beyond which it is taken to hold its weights itself, as exporters write all of them or none."""


def is_artefact(path: Path) -> bool:
    """Tell whether a path is meant to be an artefact, a folder or one file."""
    return path.is_dir() or path.suffix.lower() == ".zip"


def size_on_disk(model: Path) -> int:
    """Return the bytes of a model's file, with those of the files beside it that an ONNX file names for its weights.

    Raises OSError for what there is not.
    """
    size = model.stat().st_size
    if model.suffix.lower() != ".onnx" or size > _SEARCHED:
        return size
    try:
        data = model.read_bytes()
    except OSError:  # it is there, and its size is known
        return size
    return size + sum(file.stat().st_size for file in _named(data, model.parent))


def _named(data: bytes, folder: Path) -> set[Path]:
    locations = set()
    for found in _LOCATION.finditer(data):
        length = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found[1]))
        locations.add(data[found.end() : found.end() + length])
    files = {within(folder, location.decode(errors="replace")) for location in locations}
    return {file for file in files if file and is_there(file)}


def within(folder: Path, location: str) -> Path | None:
    """Return the file that a location names, links followed; None where it leads out of the folder, or to no file."""
    if not location or "\0" in location or _IN_MEMORY in location:
        return None
    home = folder.resolve()
    file = Path(os.path.realpath(home / location))
    return file if file.is_relative_to(home) and file != home else None


def is_there(file: Path) -> bool:
    """Tell whether there is such a file; one that the system cannot even name is not there."""
    try:
        return file.is_file()
    except OSError:
        return False
