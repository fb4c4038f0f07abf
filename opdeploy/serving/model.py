"""The model that is served: loaded, warmed up, and held against its golden answers before anyone may use it."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.choosing import answers_apart, choose
from opdeploy.runtime.cpus import usable_cpus
from opdeploy.runtime.package import Golden, opened
from opdeploy.runtime.processing.processor import Processor
from opdeploy.runtime.session import Session, has_cuda
from opdeploy.runtime.settings import CPU, CUDA, NO_GPU
from opdeploy.runtime.settings import Settings as Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from opdeploy.runtime.choosing import Chosen
    from opdeploy.runtime.package import Package
    from opdeploy.runtime.processing.spec import Processing
    from opdeploy.runtime.tensors import TensorSpec
    from opdeploy.serving.settings import Settings

DEFAULT_BATCH = 32
_UNSTEADY = re.compile(
    b"|".join(
        b'"' + bytes([len(name)]) + name.encode()
        for name in ("ConstantOfShape", "Expand", "If", "Loop", "Pad", "Range", "Resize", "Scan", "Tile", "Upsample")
    )
)
"""Operators whose time may depend on values, as nodes of an ONNX file name them: field 4 of NodeProto in onnx.proto."""
_LARGEST_STEADY = 10_000_000
"""Bytes of a graph that is looked through for them: larger ones take too long for it to matter."""
_MEASURES = frozenset({"BOOL", "UINT8", "FP16", "BF16", "FP32", "FP64"})
_CHECKED = 3
"""So many golden records are checked at start: a large network takes as long for eight as for all else. `opdeploy
test-local` and `opdeploy model verify` check them all."""
_DRAWN = 2
"""Records drawn for a graph that has no golden ones."""


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
    steady: bool = False
    """Whether the time of a run depends on the number of records alone."""
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


def load(settings: Settings, scratch: Path | None = None) -> Served:
    """Load, check and warm up the model that the settings name; `scratch` is for what has to be unpacked meanwhile.

    Raises InputError for what cannot be loaded, DifferenceError where no variant gives the golden answers here.
    """
    if settings.model.suffix == ".onnx":
        return _graph(settings)
    with opened(settings.model, verified=False, scratch=scratch) as package, ThreadPoolExecutor(1) as other:
        verified = other.submit(package.verify)
        try:
            return _artefact(settings, package)
        finally:
            verified.result()  # a file that is damaged explains whatever else went wrong


def _graph(settings: Settings) -> Served:
    session, provider = _on_gpu(settings.model, settings)
    if session is None:
        session, provider = Session(settings.model, Run(threads=settings.threads), spin=False), CPU
    drawn = _drawn(session)
    differences = answers_apart(session, drawn, {}) if drawn and _named_batch(session) else []
    apart = bool(differences) and all(difference.agrees for difference in differences)
    batch = settings.max_batch or DEFAULT_BATCH
    return Served(
        name=settings.name or settings.model.stem,
        version=settings.version,
        session=session,
        provider=provider,
        parallel=_parallel(settings.threads, provider),
        max_batch=batch if apart else 1,
        steady=provider == CPU and is_steady(settings.model, session, batches=apart),
    )


def _on_gpu(model: Path, settings: Settings) -> tuple[Session | None, str]:
    """Return the model on a GPU where there is one; raises InputError where one is required and it does not run."""
    if not has_cuda():
        if settings.require_gpu:
            raise InputError(f"{model}: a GPU is required, and this ONNX Runtime has no CUDA; {NO_GPU}")
        return None, CPU
    try:
        return Session(model, Run(CUDA, settings.threads)), CUDA
    except InputError:
        if settings.require_gpu:
            raise
        return None, CPU


def _artefact(settings: Settings, package: Package) -> Served:
    chosen = choose(
        package,
        settings.threads,
        most_threads=max(1, int(usable_cpus())),
        records=_CHECKED,
        require_gpu=settings.require_gpu,
        spin=False,
    )
    manifest, variant, session = package.manifest, chosen.variant, chosen.session
    processing = manifest.processing
    batch = settings.max_batch or _knee(package, chosen) or DEFAULT_BATCH
    return Served(
        name=settings.name or manifest.name,
        version=settings.version,
        session=session,
        provider=variant.settings.provider,
        parallel=_parallel(variant.settings.threads, variant.settings.provider),
        max_batch=batch if chosen.apart else 1,
        steady=variant.settings.provider == CPU
        and is_steady(package.path(variant.file), session, batches=chosen.apart),
        variant=variant.name,
        digest=package.digest,
        processing=processing,
        processor=Processor(processing, session.inputs, session.outputs, package.folder) if processing else None,
        rejected=chosen.rejected,
    )


def is_steady(model: Path, session: Session, *, batches: bool) -> bool:
    """Tell whether no value and no free axis decides about how long a run takes, as far as a look at the file tells."""
    sizes = [size for spec in session.inputs for size in spec.shape[1 if batches else 0 :]]
    if not all(isinstance(size, int) for size in sizes) or {spec.datatype.name for spec in session.inputs} - _MEASURES:
        return False
    return model.stat().st_size <= _LARGEST_STEADY and not _UNSTEADY.search(model.read_bytes())


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
            shape[0] = _DRAWN
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
