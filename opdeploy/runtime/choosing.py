"""Which variant of an artefact is served here: the first that runs, and gives the golden answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from opdeploy.errors import DifferenceError, InputError, OpdeployError
from opdeploy.runtime.golden import Difference, compare
from opdeploy.runtime.session import Session, has_cuda
from opdeploy.runtime.settings import CPU, CUDA, NO_GPU
from opdeploy.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.runtime.manifest import Manifest, Variant
    from opdeploy.runtime.package import Golden, Package

_FEWEST = 2
"""Golden records by which it shows whether they are apart."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The variant that is served here, and why those before it are not."""

    variant: Variant
    session: Session
    differences: list[Difference]
    apart: bool
    """Whether records have the same answers alone and in one run with others."""
    rejected: dict[str, str]


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
    from opdeploy.runtime.processing.processor import Processor
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
