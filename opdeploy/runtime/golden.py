"""Whether two answers are the same: the one comparison that conversion, variants and deployments are held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Difference:
    """How one output compares with its reference."""

    output: str
    agrees: bool
    largest: float
    """The largest absolute difference of numbers; 1 for text that differs; infinite where the shapes differ."""
    mismatches: float
    """Share of the elements that do not agree."""
    where: tuple[int, ...] = ()
    """Index of the element that lies farthest outside; empty where all agree."""
    answer: str = ""
    reference: str = ""

    def __str__(self) -> str:
        """Say in words how they compare."""
        if not self.answer:
            return f"{self.output}: agrees; the largest difference is {self.largest:.2g}"
        at = f"[{', '.join(map(str, self.where))}]" if self.where else ""
        share = f"{self.mismatches:.2%} of elements"
        if self.agrees:
            return f"{self.output}{at}: {self.answer} instead of {self.reference}, as allowed ({share})"
        return f"{self.output}{at}: differs: {self.answer}, not {self.reference} ({share})"


def compare(
    answers: Mapping[str, NDArray[Any]],
    references: Mapping[str, NDArray[Any]],
    tolerances: Mapping[str, Tolerance] | Tolerance,
) -> list[Difference]:
    """Return for each output of the references how the answer compares with it."""
    return [
        _compare(
            name,
            answers[name],
            reference,
            tolerances if isinstance(tolerances, Tolerance) else tolerances.get(name, Tolerance()),
        )
        for name, reference in references.items()
    ]


def _compare(name: str, answer: NDArray[Any], reference: NDArray[Any], tolerance: Tolerance) -> Difference:
    if answer.shape != reference.shape or _kind(answer) != _kind(reference):
        said, wanted = (f"{array.dtype} {list(array.shape)}" for array in (answer, reference))
        return Difference(name, agrees=False, largest=np.inf, mismatches=1, answer=said, reference=wanted)
    if not reference.size:
        return Difference(name, agrees=True, largest=0, mismatches=0)
    excess, distance = _excess(answer, reference, tolerance)
    outside = excess > 0
    share = float(outside.mean())
    if not share:
        return Difference(name, agrees=True, largest=float(distance.max()), mismatches=0)
    where = tuple(map(int, np.unravel_index(int(excess.argmax()), excess.shape)))
    return Difference(
        name,
        agrees=share <= tolerance.mismatches and bool(np.isfinite(excess).all()),
        largest=float(distance.max()),
        mismatches=share,
        where=where,
        answer=_shown(answer[where]),
        reference=_shown(reference[where]),
    )


def _kind(array: NDArray[Any]) -> str:
    """Return what an array holds: `f` for fractions of any width, `i` for whole numbers, `b`, or `t` for text."""
    return {"f": "f", "i": "i", "u": "i", "b": "b"}.get(array.dtype.kind, "t")


def _excess(
    answer: NDArray[Any], reference: NDArray[Any], tolerance: Tolerance
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by how much each element lies outside its tolerance, and how far it is from the reference."""
    if _kind(answer) != "f":
        differs = (answer != reference).astype(np.float64)
        if _kind(answer) == "i":
            return differs, np.abs(answer.astype(np.float64) - reference.astype(np.float64))
        return differs, differs
    a, b = answer.astype(np.float64), reference.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        distance = np.where(same, 0, np.abs(a - b))
        excess = np.where(same, 0, distance - (tolerance.atol + tolerance.rtol * np.abs(b)))
    return np.nan_to_num(excess, nan=np.inf, posinf=np.inf), np.nan_to_num(distance, nan=np.inf, posinf=np.inf)


def _shown(element: Any) -> str:  # noqa: ANN401 - any element of an array
    value = element.item() if isinstance(element, np.generic) else element
    return f"{value:.7g}" if isinstance(value, float) else repr(value)[:60]
