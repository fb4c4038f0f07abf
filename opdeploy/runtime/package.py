"""An artefact on disk: a folder or one file, of which every hash is checked before anything in it is used."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime import manifest as manifests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from opdeploy.runtime.manifest import Manifest, Variant
    from opdeploy.runtime.session import Arrays, Session

MANIFEST = "model.yaml"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Golden:
    """Inputs and the outputs that they must give."""

    inputs: Arrays
    outputs: Arrays

    def first(self, records: int | None) -> Golden:
        """Return the first records, or all, with their answers."""
        inputs, outputs = (
            {name: array[:records] if array.ndim else array for name, array in side.items()}
            for side in (self.inputs, self.outputs)
        )
        return Golden(inputs, outputs)

    def save(self, path: Path) -> None:
        """Write them to an `.npz` file, the same bytes for the same arrays."""
        import numpy as np

        arrays = {f"inputs/{name}": array for name, array in self.inputs.items()}
        arrays |= {f"outputs/{name}": array for name, array in self.outputs.items()}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **{name: _plain(array) for name, array in arrays.items()})

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Read them again; raises InputError for a file that `save` did not write."""
        import numpy as np

        sides: dict[str, Arrays] = {"inputs": {}, "outputs": {}}
        try:
            with np.load(path, allow_pickle=False) as archive:
                for key in archive.files:
                    side, _, name = key.partition("/")
                    array = archive[key]
                    sides[side][name] = array.astype(object) if array.dtype.kind == "U" else array
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: holds no golden answers: {error}; package the model again") from None
        return cls(sides["inputs"], sides["outputs"])


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype("U") if array.dtype == object else array


@dataclass(frozen=True, slots=True)
class Package:
    """An artefact whose files are as its manifest says."""

    folder: Path
    manifest: Manifest
    digest: str
    """SHA-256 of the manifest, which holds that of every other file: the same artefact has the same everywhere."""
    shown: Path
    """What stands for it in errors."""

    def verify(self) -> None:
        """Check the hash of every file; raises InputError where one is not as it was packaged."""
        for file, wanted in self.manifest.files.items():
            if sha256(self.path(file)) != wanted:
                raise InputError(f"{self.shown}: the file {file} is not as it was packaged; copy the artefact again")

    def path(self, file: str) -> Path:
        """Return where a file of the artefact is."""
        return self.folder / file

    def golden(self) -> Golden:
        """Return the golden inputs and outputs."""
        return Golden.load(self.path(self.manifest.golden.file))

    def open(self, variant: Variant, *, spin: bool = True) -> Session:
        """Load a variant; raises InputError where ONNX Runtime refuses it here."""
        from opdeploy.runtime.session import Session

        return Session(self.path(variant.file), variant.settings, spin=spin)


@contextmanager
def opened(path: Path, *, verified: bool = True, scratch: Path | None = None) -> Iterator[Package]:
    """Give an artefact, a folder or a file, with every hash checked; what is unpacked is deleted at the end.

    Without `verified`, `Package.verify` is left to the caller, who may use nothing of the artefact before it has ended.
    What is a file is unpacked in `scratch`, or where the system has temporary files.

    Raises InputError for what is no artefact, or is not as it was packaged.
    """
    unpacked = tempfile.TemporaryDirectory(prefix="opdeploy-", dir=scratch) if not path.is_dir() else nullcontext(path)
    with unpacked as folder:
        if not path.is_dir():
            _unpack(path, Path(folder))
        package = _read(Path(folder), path)
        if verified:
            package.verify()
        yield package


def pack(folder: Path, file: Path) -> None:
    """Write a folder to one file, the same bytes for the same content: stored, in order, without times."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                entry.external_attr = 0o644 << 16
                entry.create_system = 3  # Unix, whatever system writes it
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, _CHUNK)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(folder: Path, shown: Path) -> Package:
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{shown}: is no artefact: it has no {MANIFEST}; make one with: opdeploy model package")
    manifest = manifests.read(folder / MANIFEST)
    home = folder.resolve()
    for path in map(folder.joinpath, manifest.files):
        if not path.resolve().is_relative_to(home) or not path.is_file():
            raise InputError(f"{shown}: the file {path.relative_to(folder)} is missing; copy the artefact again")
    return Package(folder, manifest, sha256(folder / MANIFEST), shown)


def _unpack(path: Path, folder: Path) -> None:
    """Unpack what the manifest in a file names, and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            _extract(archive, MANIFEST, folder, manifests.MAX_BYTES)
            room = shutil.disk_usage(folder).free
            for file in manifests.read(folder / MANIFEST, path).files:
                room -= _extract(archive, file, folder, room)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name an artefact that exists") from None
    except KeyError as error:
        raise InputError(f"{path}: is no artefact, or only a part: {error.args[0]}; copy it again") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{path}: is no artefact, or is damaged: {error}; copy it again") from None
    except OSError as error:
        raise OpdeployError(
            f"{path}: cannot be unpacked: {error.strerror or error}; make room in the temporary folder"
        ) from None


def _extract(archive: zipfile.ZipFile, file: str, folder: Path, most: int) -> int:
    """Unpack one file of at most so many bytes, and return its size."""
    entry = archive.getinfo(file)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > most:
        raise zipfile.BadZipFile(f"{file} is compressed, or larger than there is room for")
    target = folder / file
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK)
    return entry.file_size
