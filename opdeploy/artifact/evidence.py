"""How much a faster variant's answers may be trusted: against those of the graph as it was exported, and labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from opdeploy.runtime.golden import compare
from opdeploy.runtime.manifest import Evidence
from opdeploy.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from opdeploy.artifact.samples import Samples
    from opdeploy.runtime.session import Arrays, Session

Task = Literal["auto", "classification", "other"]
"""Whether the best class of an answer is what counts; `auto` looks at labels and outputs."""

RTOL = 1e-3
"""What two right ways to compute in 32 bits may differ by, of an element or of the output's root mean square.

Graph optimisation changes it by some 1e-6 of the output's size (ResNets of bench/resnet.py, 2026-11-23); TF32 on a GPU
rounds what it multiplies to 10 bits of mantissa, by up to 5e-4 (NVIDIA A100 whitepaper, 2020).
"""
SLACK = 1.5
"""How much farther than on the machine where it was verified a variant may be from the golden answers elsewhere."""
TYPICAL = 0.9
"""Share of the elements that set the tolerance of a lossy variant."""
_SUM_TO_ONE = 1e-3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a variant's answers are good enough, and why."""

    accepted: bool
    why: str
    evidence: Evidence


def answers(session: Session, samples: Samples, batch: int) -> Arrays:
    """Return the outputs for all records, computed in batches.

    Raises OpdeployError where the model fails, or its outputs have no axis for the records.
    """
    import numpy as np

    from opdeploy.errors import OpdeployError

    parts: list[Arrays] = []
    for inputs in samples.batches(batch):
        missing = batch - len(next(iter(inputs.values())))
        # A graph with a fixed batch takes no smaller one, so that the last is filled up.
        full = {name: np.concatenate([array, array[-1:].repeat(missing, 0)]) for name, array in inputs.items()}
        outputs = session.run(full)
        if any(not array.ndim or len(array) != batch for array in outputs.values()):
            raise OpdeployError("the first axis of an output is not the record; opdeploy cannot compare its answers")
        parts.append({name: array[: batch - missing] for name, array in outputs.items()})
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except ValueError as error:
        raise OpdeployError(f"the outputs of two batches do not fit together: {error}") from None


def tolerances(references: Mapping[str, NDArray[Any]]) -> dict[str, Tolerance]:
    """Return what two right ways to compute the answers in 32 bits may differ by, for each output."""
    import numpy as np

    found = {}
    for name, array in references.items():
        if array.dtype.kind == "f":
            finite = array[np.isfinite(array)].astype(np.float64)
            size = float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0
            found[name] = Tolerance(rtol=RTOL, atol=float(f"{RTOL * size:.3g}"))
        else:
            found[name] = Tolerance(rtol=0.0, atol=0.0)
    return found


def widened(
    outputs: Mapping[str, NDArray[Any]],
    references: Mapping[str, NDArray[Any]],
    least: Mapping[str, Tolerance],
) -> dict[str, Tolerance]:
    """Return the tolerances that a variant needs whose answers were found good enough, with some slack.

    Nine elements of ten set it: a few that lie far off would make it so wide that a wrong variant fits.
    """
    import numpy as np

    found = {}
    for difference in compare(outputs, references, least):
        tolerance = least[difference.output]
        if difference.mismatches and references[difference.output].dtype.kind == "f":
            mine, theirs = (arrays[difference.output].astype(np.float64) for arrays in (outputs, references))
            atol = float(f"{SLACK * np.quantile(np.abs(mine - theirs), TYPICAL):.3g}")
            allowed = round(SLACK * (1 - TYPICAL), 3)
            found[difference.output] = Tolerance(tolerance.rtol, max(tolerance.atol, atol), allowed)
        elif difference.mismatches:
            found[difference.output] = Tolerance(rtol=0.0, atol=0.0, mismatches=min(1.0, SLACK * difference.mismatches))
        else:
            found[difference.output] = tolerance
    return found


def judge(outputs: Arrays, references: Arrays, samples: Samples, most: float, task: Task = "auto") -> Verdict:
    """Return whether a variant's outputs for the samples are good enough; `most` is the share it may get wrong."""
    evidence = gather(outputs, references, samples, task)
    wrong = [item for item in compare(outputs, references, tolerances(references)) if not item.agrees]
    if not wrong:
        return Verdict(accepted=True, why="the same answers", evidence=evidence)
    if any(not math.isfinite(item.largest) for item in wrong):
        why = "answers of another shape, or that are not finite numbers"
        return Verdict(accepted=False, why=why, evidence=evidence)
    if samples.synthetic:
        why = "other answers, and no real data to judge them by"
        return Verdict(accepted=False, why=why, evidence=evidence)
    loss, what = _loss(evidence)
    if loss is None:
        why = f"other answers, and no evidence that they are right: the reference {what}"
        return Verdict(accepted=False, why=why, evidence=evidence)
    verb = "within" if loss <= most else "loses more than"
    return Verdict(accepted=loss <= most, why=f"{what}: {verb} {most:.2%}", evidence=evidence)


def gather(outputs: Arrays, references: Arrays, samples: Samples, task: Task = "auto") -> Evidence:
    """Return how a variant's outputs compare with the reference's."""
    import numpy as np

    output = class_output(references, samples, task)
    mine, theirs = (np.empty(0) if output is None else classes(arrays[output]) for arrays in (outputs, references))
    told = len(np.unique(theirs)) > 1
    labels = samples.labels if told and samples.labels is not None and samples.labels.dtype.kind != "f" else None
    return Evidence(
        data=samples.source,
        records=len(samples),
        synthetic=samples.synthetic,
        agreement=float(np.mean(mine == theirs)) if told else None,
        cosine=centred_cosine(outputs, references),
        accuracy=None if labels is None else _share(mine, labels),
        reference_accuracy=None if labels is None else _share(theirs, labels),
        classes=output is not None,
    )


def _share(found: NDArray[Any], labels: NDArray[Any]) -> float:
    return float((found == labels.ravel()).mean())


def _loss(evidence: Evidence) -> tuple[float | None, str]:
    """Return the share of accuracy that is lost, and how that is known; None where nothing tells."""
    if evidence.accuracy is not None and evidence.reference_accuracy is not None:
        said = f"accuracy {evidence.accuracy:.2%} where the reference has {evidence.reference_accuracy:.2%}"
        return max(0.0, evidence.reference_accuracy - evidence.accuracy), said
    if evidence.agreement is not None:
        return 1 - evidence.agreement, f"the same class in {evidence.agreement:.2%} of {evidence.records} records"
    if evidence.classes:
        return None, "gives one class for all records"
    if evidence.cosine is None:
        return None, "gives one answer for all records"
    return 1 - evidence.cosine, f"cosine {evidence.cosine:.4f} about the mean answer"


def at_least(share: float, records: int) -> float:
    """Return what the share is at least with 95 % confidence, by Wilson's interval (1927)."""
    z2 = 1.6449**2  # one-sided
    centre = share + z2 / (2 * records)
    spread = math.sqrt(z2 * (share * (1 - share) / records + z2 / (4 * records**2)))
    return (centre - spread) / (1 + z2 / records)


def class_output(references: Arrays, samples: Samples, task: Task) -> str | None:
    """Return the output of which the class is the answer; None where there is none.

    It is one that holds a label, else one that is made of probabilities, or of any scores where the user says so or
    gives labels.
    """
    import numpy as np

    if task == "other":
        return None
    for name, array in references.items():
        if array.dtype.kind in "iOU" and array.size == len(array):
            return name
    for name, array in references.items():
        if array.dtype.kind == "f" and array.size > len(array):
            flat = array.reshape(len(array), -1)
            probable = flat.min() >= 0 and bool((np.abs(flat.sum(axis=1) - 1) <= _SUM_TO_ONE).all())
            if probable or task == "classification" or samples.labels is not None:
                return name
    return None


def classes(array: NDArray[Any]) -> NDArray[Any]:
    """Return the class of each record: the label, or the number of the largest score."""
    import numpy as np

    flat = array.reshape(len(array), -1)
    return flat[:, 0] if flat.shape[1] == 1 else np.asarray(flat.argmax(axis=1))


def centred_cosine(outputs: Arrays, references: Arrays) -> float | None:
    """Return the least cosine of an output with its reference, the reference's mean answer subtracted from both.

    What all answers share says nothing about how one differs from the next. None where all answers are alike.
    """
    import numpy as np

    found = []
    for name, reference in references.items():
        if reference.dtype.kind != "f" or outputs[name].shape != reference.shape:
            continue
        mean = reference.astype(np.float64).mean(axis=0)
        a, b = (array.astype(np.float64) - mean for array in (outputs[name], reference))
        scale = float(np.abs(reference).max(initial=0))
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        if np.linalg.norm(b) > 1e-6 * scale * np.sqrt(b.size) and size and np.isfinite(size):
            found.append(float((a * b).sum() / size))
    return min(found, default=None)
