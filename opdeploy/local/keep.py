"""Keeps a measurement in the artefact that was measured."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy import files
from opdeploy.artifact.package import written
from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.package import MANIFEST, opened, pack, sha256

if TYPE_CHECKING:
    from opdeploy.runtime.package import Package

_FOLDER = "measurements"
_SHORT = 8
"""Characters of the hash in a measurement's file name."""


def check_writable(path: Path) -> None:
    """Raise InputError where an artefact cannot be changed, before anything is measured."""
    where = path if path.is_dir() else path.parent
    if not os.access(where, os.W_OK):
        raise InputError(f"{path}: the measurement cannot be kept in it: {where} is write-protected; give --no-save")


def keep(path: Path, digest: str, name: str, text: str) -> str:
    """Put a measurement into an artefact, in the place of an older one of that name, and return its new digest.

    At every moment the artefact is whole, as before or with the measurement: the file has a name of its own, and counts
    from when the manifest names it. Raises OpdeployError where the artefact has another digest than the one that was
    measured, or cannot be written.
    """
    target = path.resolve()
    try:
        with opened(target) as package:
            if package.digest != digest:
                raise OpdeployError(f"{path}: was changed meanwhile; nothing was kept in it: test it again")
            _put(package, name, text)
            if target.is_file():
                _replace(target, package.folder)
            return sha256(package.folder / MANIFEST)
    except OSError as error:
        why = error.strerror or error
        raise OpdeployError(f"{path}: the measurement was not kept: {why}; make room, or give --no-save") from error


def _put(package: Package, name: str, text: str) -> None:
    import hashlib

    import msgspec

    manifest = package.manifest
    content = text.encode()
    file = f"{_FOLDER}/{name}.{hashlib.sha256(content).hexdigest()[:_SHORT]}.json"
    older = [item for item in manifest.measurements if _is_of(item, name) and item != file]
    (package.folder / _FOLDER).mkdir(exist_ok=True)
    files.write(package.path(file), content)
    hashes = {item: known for item, known in manifest.files.items() if item not in older}
    hashes[file] = hashlib.sha256(content).hexdigest()
    kept = {*manifest.measurements, file}.difference(older)
    changed = msgspec.structs.replace(manifest, files=dict(sorted(hashes.items())), measurements=tuple(sorted(kept)))
    files.write(package.folder / MANIFEST, written(changed).encode())
    for item in older:
        package.path(item).unlink(missing_ok=True)


def _is_of(file: str, name: str) -> bool:
    stem = f"{_FOLDER}/{name}."
    return file.startswith(stem) and len(file) == len(stem) + _SHORT + len(".json")


def _replace(target: Path, folder: Path) -> None:
    """Pack a folder in the place of an artefact's file."""
    with tempfile.TemporaryDirectory(prefix=".opdeploy-", dir=target.parent) as temporary:
        packed = Path(temporary) / "artefact.zip"
        pack(folder, packed)
        packed.chmod(target.stat().st_mode & 0o7777)
        packed.replace(target)
