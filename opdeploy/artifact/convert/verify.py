"""Runs a source and its ONNX model on the same inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opdeploy.artifact.convert import inputs
from opdeploy.artifact.convert.exported import Exported, one_line
from opdeploy.artifact.samples import fixed_batch
from opdeploy.errors import DifferenceError, InputError, OpdeployError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from opdeploy.runtime.session import Arrays, Session
    from opdeploy.runtime.tolerance import Tolerance


@dataclass(frozen=True, slots=True)
class Verified:
    """On what source and result agree."""

    records: int
    """Compared, in batches of `batches`."""
    batches: tuple[int, ...]
    given: bool
    """Whether the records were the user's own; else they were drawn from a fixed seed."""
    largest: float
    """The largest absolute difference of any element."""
    mismatches: float
    """The largest share of an output's elements in one batch that differ by more than the tolerance allows."""


def verify(
    source: str, exported: Exported, session: Session, given: tuple[Arrays, Path] | None, tolerance: Tolerance
) -> Verified:
    """Compare source and result, on the user's inputs where there are any, else on some that are drawn.

    Raises DifferenceError that says where they differ by more than the tolerance, InputError for inputs that do not
    fit, OpdeployError where the source fails on them, or gives nothing that could differ.
    """
    import numpy as np

    from opdeploy.runtime.golden import compare

    size = fixed_batch(session.inputs)
    if given is not None:
        batches = inputs.batches(inputs.fitted(given[0], session.inputs, given[1]), size)
    else:
        batches = inputs.drawn(session.inputs, exported, size)
    sizes: list[int] = []
    blank = {spec.name for spec in session.outputs}
    largest = mismatches = 0.0
    for batch in batches:
        answers = session.run(batch)
        references = _references(source, exported, session, batch, answers, tolerance)
        blank -= {name for name, array in references.items() if array.dtype.kind != "f" or np.isfinite(array).any()}
        for difference in compare(answers, references, tolerance):
            if not difference.agrees:
                raise DifferenceError(
                    f"{source}: the ONNX model does not answer as its source does, so nothing was written: {difference}"
                )
            largest = max(largest, difference.largest)
            mismatches = max(mismatches, difference.mismatches)
        sizes.append(len(next(iter(batch.values()))))
    if not sizes:
        raise InputError(f"{given and given[1]}: has fewer records than one batch of the model, {size}; give more")
    if blank:
        raise OpdeployError(
            f"{source}: gives no finite number as {min(blank)!r} on the inputs of the check, which shows nothing; give "
            "others with --data"
        )
    records = sum(sizes) if given is None or size else sum(sizes) - sizes[0]  # the first stands in two of them
    return Verified(records, tuple(sorted(set(sizes))), given is not None, largest, mismatches)


def _references(
    source: str, exported: Exported, session: Session, batch: Arrays, answers: Arrays, tolerance: Tolerance
) -> Arrays:
    """Return the source's answers by the names of the graph's outputs."""
    try:
        made = exported.answer(batch)
    except Exception as error:  # noqa: BLE001 - a model fails in any way
        raise OpdeployError(f"{source}: fails on the inputs of the check: {one_line(error)}; give --data") from None
    if len(made) != len(session.outputs):
        raise OpdeployError(
            f"{source}: cannot be verified: it gives {len(made)} outputs, but its ONNX model {len(session.outputs)}; "
            "its exporter does not know this kind of model"
        )
    named = {spec.name: _shaped(array, answers[spec.name]) for spec, array in zip(session.outputs, made, strict=True)}
    if exported.labelled:
        label, scores = (spec.name for spec in session.outputs)
        tied = _tied(named[scores], tolerance)
        if tied.shape == answers[label].shape == named[label].shape:
            named[label][tied] = answers[label][tied]
    return named


def _shaped(array: NDArray[Any], answer: NDArray[Any]) -> NDArray[Any]:
    """Return one value for each record as the graph has it: a column, or two for the two sides of a decision."""
    import numpy as np

    if array.ndim == 1 and answer.ndim == 2:  # noqa: PLR2004 - a matrix
        return np.column_stack([-array, array]) if answer.shape[1] == 2 else array.reshape(-1, 1)  # noqa: PLR2004
    return array.copy()


def _tied(scores: NDArray[Any], tolerance: Tolerance) -> NDArray[Any]:
    """Return for which records the two highest scores are as good as equal, so that either label is right."""
    import numpy as np

    if scores.ndim < 2 or scores.shape[1] < 2:  # noqa: PLR2004 - a matrix of two classes at least
        return np.zeros(len(scores), bool)
    highest = np.sort(scores, axis=1)[:, -2:]
    return np.asarray(highest[:, 1] - highest[:, 0] <= 2 * (tolerance.atol + tolerance.rtol * np.abs(highest[:, 1])))
