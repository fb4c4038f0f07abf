"""The model that is served: loaded, warmed up, and held against its golden answers before anyone may use it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.cpus import usable_cpus
from opdeploy.runtime.golden import Tolerance, compare
from opdeploy.runtime.package import choose, opened
from opdeploy.runtime.processing import Processor
from opdeploy.runtime.session import CPU, CUDA, NO_GPU, Session, has_cuda
from opdeploy.runtime.session import Settings as Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from opdeploy.runtime.package import Chosen, Package
    from opdeploy.runtime.processing.spec import Processing
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec
    from opdeploy.serving.settings import Settings

DEFAULT_BATCH = 32
_ROWS = 2
"""So many records are run one by one and together, to see whether that is the same."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that is ready."""

    name: str
    version: str
    session: Session
    provider: str
    """ONNX Runtime's name of what computes."""
    parallel: int
    """So many runs at a time use all processors."""
    max_batch: int
    """Records of one run at most; 1 where the model does not take several, or gives other answers then."""
    variant: str | None = None
    """Of an artefact."""
    digest: str | None = None
    """Of an artefact, SHA-256."""
    processing: Processing | None = None
    processor: Processor | None = None
    rejected: Mapping[str, str] | None = None
    """Variants that would have come first, and why they do not run here."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that the model takes."""
        return self.session.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that it gives."""
        return self.session.outputs

    def facts(self) -> dict[str, str | int]:
        """Return what a log line or a page tells of it."""
        about = {key: getattr(self, key) for key in ("name", "version", "variant", "digest", "provider")}
        batches = {"max_batch": self.max_batch, "parallel": self.parallel}
        return {f"model_{key}": value for key, value in (about | batches).items() if value is not None}


def load(settings: Settings) -> Served:
    """Load, check and warm up the model that the settings name.

    Raises InputError for what cannot be loaded, DifferenceError where no variant gives the golden answers here.
    """
    if settings.model.suffix == ".onnx":
        return _graph(settings)
    with opened(settings.model) as package:
        return _artefact(settings, package)


def _graph(settings: Settings) -> Served:
    session, provider = _on_gpu(settings.model, settings)
    if session is None:
        session, provider = Session(settings.model, Run(threads=settings.threads)), CPU
    rows = _drawn(session.inputs)
    _try(session, rows)
    return Served(
        name=settings.name or settings.model.stem,
        version=settings.version,
        session=session,
        provider=provider,
        parallel=_parallel(settings.threads, provider),
        max_batch=_max_batch(settings, DEFAULT_BATCH, session, rows, Tolerance()) if _named_batch(session) else 1,
    )


def _on_gpu(model: Path, settings: Settings) -> tuple[Session | None, str]:
    """Return the model on a GPU where there is one; raises InputError where one is required and it does not run."""
    if not has_cuda():
        if settings.require_gpu:
            raise InputError(f"{model}: a GPU is required, and {NO_GPU}")
        return None, CPU
    try:
        return Session(model, Run(CUDA, settings.threads)), CUDA
    except InputError:
        if settings.require_gpu:
            raise
        return None, CPU


def _artefact(settings: Settings, package: Package) -> Served:
    chosen = choose(package, settings.threads, require_gpu=settings.require_gpu)
    manifest, variant, session = package.manifest, chosen.variant, chosen.session
    processing = manifest.processing
    most = _knee(package, chosen) or DEFAULT_BATCH
    return Served(
        name=settings.name or manifest.name,
        version=settings.version,
        session=session,
        provider=variant.settings.provider,
        parallel=_parallel(variant.settings.threads, variant.settings.provider),
        max_batch=_max_batch(settings, most, session, package.golden().inputs, variant.tolerance),
        variant=variant.name,
        digest=package.digest,
        processing=processing,
        processor=Processor(processing, session.inputs, session.outputs, package.folder) if processing else None,
        rejected=chosen.rejected,
    )


def _parallel(threads: int, provider: str) -> int:
    return max(1, int(usable_cpus()) // threads) if threads and provider == CPU else 1


def _knee(package: Package, chosen: Chosen) -> int | None:
    """Return the smallest batch with nearly the best throughput, as it was measured for this variant."""
    sha = package.manifest.files[chosen.variant.file]
    for file in package.manifest.measurements:
        try:
            found = json.loads(package.path(file).read_text(encoding="utf-8"))
            if found["sha256"] == sha:
                return int(found["knee"]["batch"])
        except (ValueError, KeyError, TypeError):  # another kind of measurement
            continue
    return None


def _max_batch(
    settings: Settings, most: int, session: Session, rows: Arrays, tolerance: Mapping[str, Tolerance] | Tolerance
) -> int:
    wanted = settings.max_batch or most
    return wanted if wanted > 1 and _is_batchable(session, rows, tolerance) else 1


def _is_batchable(session: Session, rows: Arrays, tolerance: Mapping[str, Tolerance] | Tolerance) -> bool:
    """Tell whether records that share a run have the answers that each has alone.

    An axis is free in many graphs whose records are not apart, and INT8 with scales from the data mixes them a little.
    """
    specs = (*session.inputs, *session.outputs)
    if not session.inputs or any(not spec.shape or isinstance(spec.shape[0], int) for spec in specs):
        return False
    counts = {len(array) for array in rows.values()}
    if counts == {1}:
        rows = {name: np.concatenate([array] * _ROWS) for name, array in rows.items()}
    elif len(counts) > 1 or not min(counts):
        return False
    try:
        together = session.run({name: array[:_ROWS] for name, array in rows.items()})
        alone = [session.run({name: array[at : at + 1] for name, array in rows.items()}) for at in range(_ROWS)]
    except OpdeployError:
        return False
    if any(len(array) != 1 for answer in alone for array in answer.values()):
        return False
    joined = {name: np.concatenate([answer[name] for answer in alone]) for name in together}
    return all(difference.agrees for difference in compare(together, joined, tolerance))


def _named_batch(session: Session) -> bool:
    """Tell whether the first axes of all tensors have one name, without which a bare graph is not trusted to batch."""
    first = {spec.shape[0] if spec.shape else None for spec in (*session.inputs, *session.outputs)}
    return len(first) == 1 and isinstance(first.pop(), str)


def _drawn(specs: tuple[TensorSpec, ...]) -> Arrays:
    """Return records that differ, numbers between 0 and 1; free axes but the first have the size 1."""
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for spec in specs:
        shape = [size if isinstance(size, int) else 1 for size in spec.shape]
        if shape and not isinstance(spec.shape[0], int):
            shape[0] = _ROWS
        drawn = random.random(shape)
        array = np.round(drawn) if spec.datatype.dtype.kind in "iub" else drawn
        arrays[spec.name] = (
            np.full(shape, "", object) if spec.datatype.name == "BYTES" else array.astype(spec.datatype.dtype)
        )
    return arrays


def _try(session: Session, rows: Arrays) -> None:
    """Run once, so that the first client need not wait for what is made ready then; a graph may refuse the records."""
    with suppress(OpdeployError):
        session.run(rows)
