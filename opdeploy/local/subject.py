"""What is tried: an artefact, the records to try it with, and the answers that its server must give."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.artifact import graph
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import fixed_batch, synthetic
from opdeploy.artifact.size import is_artefact
from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.package import opened
from opdeploy.runtime.session import Session
from opdeploy.runtime.tensors import BY_ONNX, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opdeploy.runtime.manifest import Tensor, Variant
    from opdeploy.runtime.package import Golden, Package

DRAWN = 8
"""Records that are drawn for a bare ONNX file."""
MOST_BYTES = 200_000_000
"""Of the requests together, which are made before the load."""
_DATATYPES = {datatype.name: datatype for datatype in BY_ONNX.values()}


@dataclass(frozen=True, slots=True)
class Subject:
    """An artefact to try."""

    package: Package
    golden: Golden
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def records(self) -> str:
        """Say where the records come from."""
        about = self.package.manifest.golden
        return f"{about.records} golden records" + (", drawn at random" if about.synthetic else "")

    def variant(self, name: str | None) -> Variant:
        """Return the variant that a server says it runs; raises OpdeployError where there is none of that name."""
        for item in self.package.manifest.variants:
            if item.name == name:
                return item
        raise OpdeployError(f"the server runs the variant {name!r}, which the artefact has not; is it another server?")

    def rows(self, records: int | None) -> list[list[int]]:
        """Return which golden records each request of a load has, with so many in one: they differ as far as they can.

        Raises InputError for a number that the model does not take.
        """
        fixed = fixed_batch(self.inputs)
        name = self.package.manifest.name
        if fixed and records not in (None, fixed):
            raise InputError(f"{name}: takes {fixed} records at a time, and not {records}; say so, or nothing")
        count = len(next(iter(self.golden.inputs.values())))
        size = fixed or records or 1
        one = sum(array.nbytes for array in self.golden.inputs.values()) * size // count
        starts = range(0, count, size if fixed else 1)[: max(1, MOST_BYTES // max(1, one))]
        return [[(start + at) % count for at in range(size)] for start in starts]


@contextmanager
def subject(path: Path, name: str) -> Iterator[Subject]:
    """Give what an artefact holds, a folder or a file; an ONNX file is packaged under a name, with records drawn.

    Raises InputError for what is neither, or is not as it was packaged.
    """
    if is_artefact(path):
        with opened(path) as package:
            yield _subject(package)
        return
    graph.load(path, weights=False)
    session = Session(path)
    samples = synthetic(session, fixed_batch(session.inputs) or DRAWN)
    with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
        artefact = Path(folder) / "artefact"
        build(Contents(name, path, samples), artefact)
        with opened(artefact) as package:
            yield _subject(package)


def _subject(package: Package) -> Subject:
    manifest = package.manifest
    return Subject(package, package.golden(), _specs(manifest.inputs), _specs(manifest.outputs))


def _specs(tensors: Sequence[Tensor]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            tensor.name,
            _DATATYPES[tensor.datatype],
            tuple(None if size == -1 else size for size in tensor.shape),
        )
        for tensor in tensors
    )
