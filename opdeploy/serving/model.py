"""The model that is served: loaded, warmed up, and held against its golden answers before anyone may use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.cpus import usable_cpus
from opdeploy.runtime.golden import Tolerance, compare
from opdeploy.runtime.package import Golden, choose, opened
from opdeploy.runtime.processing import Processor
from opdeploy.runtime.session import CPU, CUDA, NO_GPU, Session, has_cuda
from opdeploy.runtime.session import Settings as Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from opdeploy.runtime.package import Chosen, Package
    from opdeploy.runtime.processing.spec import Processing
    from opdeploy.runtime.tensors import TensorSpec
    from opdeploy.serving.settings import Settings

DEFAULT_BATCH = 32
_ROWS = 2
"""So many records are run one by one, to see whether that is the same as together."""


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
        session, provider = Session(settings.model, Run(threads=settings.threads), spin=False), CPU
    drawn = _drawn(session)
    batch = settings.max_batch or DEFAULT_BATCH
    return Served(
        name=settings.name or settings.model.stem,
        version=settings.version,
        session=session,
        provider=provider,
        parallel=_parallel(settings.threads, provider),
        max_batch=_max_batch(batch, session, drawn, Tolerance()) if drawn and _named_batch(session) else 1,
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
    chosen = choose(package, settings.threads, require_gpu=settings.require_gpu, spin=False)
    manifest, variant, session = package.manifest, chosen.variant, chosen.session
    processing = manifest.processing
    batch = settings.max_batch or _knee(package, chosen) or DEFAULT_BATCH
    return Served(
        name=settings.name or manifest.name,
        version=settings.version,
        session=session,
        provider=variant.settings.provider,
        parallel=_parallel(variant.settings.threads, variant.settings.provider),
        max_batch=_max_batch(batch, session, package.golden(), variant.tolerance),
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


def _max_batch(wanted: int, session: Session, golden: Golden, tolerance: Mapping[str, Tolerance] | Tolerance) -> int:
    return wanted if wanted > 1 and _is_batchable(session, golden, tolerance) else 1


def _is_batchable(session: Session, golden: Golden, tolerance: Mapping[str, Tolerance] | Tolerance) -> bool:
    """Tell whether records alone have the answers that they have in the company of others.

    An axis is free in many graphs whose records are not apart, and INT8 with scales from the data mixes them a little.
    """
    specs = (*session.inputs, *session.outputs)
    if not session.inputs or any(not spec.shape or isinstance(spec.shape[0], int) for spec in specs):
        return False
    counts = {len(array) for array in (*golden.inputs.values(), *golden.outputs.values())}
    if len(counts) > 1 or min(counts) < _ROWS:
        return False
    for row in (slice(at, at + 1) for at in range(_ROWS)):
        try:
            alone = session.run({name: array[row] for name, array in golden.inputs.items()}, list(golden.outputs))
        except OpdeployError:
            return False
        together = {name: array[row] for name, array in golden.outputs.items()}
        if not all(difference.agrees for difference in compare(alone, together, tolerance)):
            return False
    return True


def _named_batch(session: Session) -> bool:
    """Tell whether the first axes of all tensors have one name, without which a bare graph is not trusted to batch."""
    first = {spec.shape[0] if spec.shape else None for spec in (*session.inputs, *session.outputs)}
    return len(first) == 1 and isinstance(first.pop(), str)


def _drawn(session: Session) -> Golden | None:
    """Return records that differ, with the answers to them all; None where the graph refuses them.

    Numbers are between 0 and 1, and free axes but the first have the size 1. Running them readies what the first client
    would otherwise wait for.
    """
    random = np.random.default_rng(0)
    inputs: dict[str, Any] = {}
    for spec in session.inputs:
        shape = [size if isinstance(size, int) else 1 for size in spec.shape]
        if shape and not isinstance(spec.shape[0], int):
            shape[0] = _ROWS
        drawn = random.random(shape)
        if spec.datatype.name == "BYTES":
            inputs[spec.name] = np.full(shape, "", object)
        else:
            array = np.round(drawn) if spec.datatype.dtype.kind in "iub" else drawn
            inputs[spec.name] = array.astype(spec.datatype.dtype)
    try:
        return Golden(inputs, session.run(inputs))
    except OpdeployError:
        return None
