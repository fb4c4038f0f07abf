"""An artefact on disk: a folder or one file, of which every hash is checked before anything in it is used."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from opdeploy.errors import DifferenceError, InputError, OpdeployError
from opdeploy.runtime import manifest as manifests
from opdeploy.runtime.golden import Difference, Tolerance, compare
from opdeploy.runtime.session import CPU, CUDA, NO_GPU, Session, has_cuda

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from opdeploy.runtime.manifest import Manifest, Variant
    from opdeploy.runtime.session import Arrays

MANIFEST = "model.yaml"
_CHUNK = 1 << 20
_FEWEST = 2
"""Golden records by which it shows whether they are apart."""


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
        arrays = {f"inputs/{name}": array for name, array in self.inputs.items()}
        arrays |= {f"outputs/{name}": array for name, array in self.outputs.items()}
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **{name: _plain(array) for name, array in arrays.items()})

    @classmethod
    def load(cls, path: Path) -> Golden:
        """Read them again; raises InputError for a file that `save` did not write."""
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
    return array.astype(np.str_) if array.dtype == object else array


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
        return Session(self.path(variant.file), variant.settings, spin=spin)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The variant that is served here, and why those before it are not."""

    variant: Variant
    session: Session
    differences: list[Difference]
    apart: bool
    """Whether records have the same answers alone and in one run with others."""
    rejected: dict[str, str]


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


def check(package: Package, variant: Variant, session: Session) -> list[Difference]:
    """Return how a variant's answers here compare with the golden ones.

    Raises OpdeployError where the variant fails.
    """
    golden = package.golden()
    return compare(session.run(golden.inputs, list(golden.outputs)), golden.outputs, variant.tolerance)


def check_processing(package: Package) -> list[Difference]:
    """Return how the tensors that are made here of the golden records compare with the golden inputs.

    Empty where no processing is declared. Raises InputError where a package is missing that the processing needs.
    """
    manifest = package.manifest
    if manifest.processing is None or manifest.golden.examples is None:
        return []
    from opdeploy.runtime.processing import Processor
    from opdeploy.runtime.processing.records import record_of

    session = package.open(manifest.variants[-1])
    processor = Processor(manifest.processing, session.inputs, session.outputs, package.folder)
    try:
        pairs = json.loads(package.path(manifest.golden.examples).read_text(encoding="utf-8"))
        records = [record_of(manifest.processing.input, pair["record"]) for pair in pairs]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InputError(f"{package.folder}: holds no golden records; package the model again") from None
    return compare(processor.tensors(records), package.golden().inputs, Tolerance())


def answers_apart(session: Session, golden: Golden, tolerance: Mapping[str, Tolerance]) -> list[Difference]:
    """Return how answers compare with the golden ones, for the first record alone, and for the others together.

    Empty where the model does not take records so, or does not give one answer for each. In many graphs with a free
    axis the records are not apart, and INT8 with scales from the data mixes them a little.
    """
    counts = {len(array) for array in (*golden.inputs.values(), *golden.outputs.values()) if array.ndim}
    axes = [spec.shape[0] if spec.shape else 0 for spec in (*session.inputs, *session.outputs)]
    if len(counts) != 1 or any(isinstance(axis, int) for axis in axes) or counts.pop() < _FEWEST:
        return []
    try:
        pieces = [
            session.run({name: array[row] for name, array in golden.inputs.items()}, list(golden.outputs))
            for row in (slice(1), slice(1, None))
        ]
        answers = {name: np.concatenate([piece[name] for piece in pieces]) for name in golden.outputs}
    except (OpdeployError, ValueError):  # ValueError: what they give does not go together
        return []
    return compare(answers, golden.outputs, tolerance)


def choose(
    package: Package,
    threads: int = 0,
    *,
    most_threads: int | None = None,
    records: int | None = None,
    require_gpu: bool = False,
    spin: bool = True,
) -> Chosen:
    """Return the first variant that runs here and reproduces the golden answers.

    A variant of INT8 may saturate on a processor without VNNI, so what was right elsewhere is checked again, on the
    first `records`, or all. `threads` of a run are those of the variant where it is 0, at most `most_threads`; `spin`
    is that of `Session`.

    Raises InputError where a GPU is required and there is none, DifferenceError where no variant is right.
    """
    rejected: dict[str, str] = {}
    ran = False
    for variant in _candidates(package.manifest, threads, most_threads, require_gpu=require_gpu):
        try:
            session = package.open(variant, spin=spin)
            ran = True
            differences = answers_apart(session, package.golden().first(records), variant.tolerance)
            apart = bool(differences) and all(difference.agrees for difference in differences)
            if not apart:
                differences = check(package, variant, session)
        except OpdeployError as error:
            rejected[variant.name] = str(error)
            continue
        wrong = next((difference for difference in differences if not difference.agrees), None)
        if wrong is None:
            return Chosen(variant, session, differences, apart, rejected)
        rejected[variant.name] = str(wrong)
    reasons = "; ".join(f"{name}: {reason}" for name, reason in rejected.items())
    if require_gpu and not ran:
        raise InputError(f"{package.manifest.name}: a GPU is required, and none runs it ({reasons}); {NO_GPU}")
    where = "on a GPU of this machine" if require_gpu else "on this machine"
    raise DifferenceError(
        f"{package.manifest.name}: no variant reproduces the golden answers {where} ({reasons}); "
        "verify the model on a machine of this kind, and package it again"
    )


def _candidates(manifest: Manifest, threads: int, most_threads: int | None, *, require_gpu: bool) -> list[Variant]:
    """Return the variants to try, in order: where there is a GPU that none is for, the reference on it before all."""
    found = list(manifest.variants)
    if has_cuda() and all(variant.settings.provider == CPU for variant in found):
        reference = found[-1]
        settings = msgspec.structs.replace(reference.settings, provider=CUDA)
        found.insert(0, msgspec.structs.replace(reference, name=f"{reference.name}-cuda", settings=settings))
    if require_gpu:
        found = [variant for variant in found if variant.settings.provider != CPU]
    if not found:
        raise InputError(f"{manifest.name}: a GPU is required, and this ONNX Runtime has no CUDA; {NO_GPU}")

    def threaded(variant: Variant) -> Variant:
        count = threads or variant.settings.threads
        count = count if most_threads is None else min(count, most_threads)
        return msgspec.structs.replace(variant, settings=msgspec.structs.replace(variant.settings, threads=count))

    return [threaded(variant) for variant in found]


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
