"""When two answers count as the same, and what is said where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from opdeploy.runtime.golden import compare
from opdeploy.runtime.tolerance import Tolerance

EXACT = Tolerance(rtol=0, atol=0)
LOOSE = Tolerance(rtol=0.01, atol=0.1)
INF, NAN = np.inf, np.nan

AGREE: list[tuple[Any, Any, Tolerance]] = [
    ([1.0, 2.0], [1.0, 2.0], EXACT),
    ([1.1, 202.0], [1.0, 200.0], LOOSE),  # atol alone, then rtol with it
    ([INF, -INF, NAN], [INF, -INF, NAN], EXACT),
    ([1, 2], [1, 2], EXACT),
    ([True], [True], EXACT),
    (["a", "b"], ["a", "b"], EXACT),
    ([], [], EXACT),
    ([1, 2, 3, 5], [1, 2, 3, 4], Tolerance(mismatches=0.25)),
]
DIFFER: list[tuple[Any, Any, Tolerance, float, float]] = [
    ([1.0, 2.5], [1.0, 2.0], LOOSE, 0.5, 0.5),
    ([1.0, NAN], [1.0, 2.0], LOOSE, INF, 0.5),
    ([1.0, INF], [1.0, 2.0], LOOSE, INF, 0.5),
    ([INF], [-INF], LOOSE, INF, 1),
    ([7, 2], [1, 2], LOOSE, 6, 0.5),
    ([True, True], [True, False], LOOSE, 1, 0.5),
    (["a", "c"], ["a", "b"], LOOSE, 1, 0.5),
    ([1.0], [1.0, 2.0], LOOSE, INF, 1),
    ([1], [1.0], LOOSE, INF, 1),
    ([1, 2, 9, 5], [1, 2, 3, 4], Tolerance(mismatches=0.25), 6, 0.5),
]


@pytest.mark.parametrize(("answer", "reference", "tolerance"), AGREE)
def test_answers_agree(answer: list[Any], reference: list[Any], tolerance: Tolerance) -> None:
    """Numbers agree within the tolerance, all else where it is equal, but for the share that may differ."""
    (difference,) = compare({"y": np.array(answer)}, {"y": np.array(reference)}, tolerance)
    assert difference.agrees


@pytest.mark.parametrize(("answer", "reference", "tolerance", "largest", "share"), DIFFER)
def test_answers_differ(
    answer: list[Any], reference: list[Any], tolerance: Tolerance, largest: float, share: float
) -> None:
    """What is outside is told: how far, what share, and nothing that is not finite agrees with a number."""
    (difference,) = compare({"y": np.array(answer)}, {"y": np.array(reference)}, tolerance)
    assert not difference.agrees
    assert (difference.largest, difference.mismatches) == (largest, share)


def test_the_element_that_is_farthest_outside_is_told() -> None:
    """Where the answers differ, the worst element is named with both values; not the one that differs most."""
    reference = np.array([[1000.0, 1.0], [0.0, 0.0]])
    answer = np.array([[1009.0, 1.0], [0.0, 3.0]])  # 9 of 1000 is within 1 %
    (difference,) = compare({"y": answer}, {"y": reference}, Tolerance(rtol=0.01, atol=0.1))
    assert str(difference) == "y[1, 1]: differs: 3, not 0 (25.00% of elements)"


def test_each_output_has_its_own_tolerance() -> None:
    """A tolerance is by output, and one that is not named gets the default."""
    arrays = {"a": np.array([1.0]), "b": np.array([1.0])}
    off = {name: array + 0.05 for name, array in arrays.items()}
    found = compare(off, arrays, {"a": Tolerance(atol=0.1)})
    assert [(item.output, item.agrees) for item in found] == [("a", True), ("b", False)]


def test_widths_of_numbers_do_not_matter() -> None:
    """Half precision is compared with single by value."""
    (difference,) = compare({"y": np.array([0.5], np.float16)}, {"y": np.array([0.5], np.float32)}, EXACT)
    assert difference.agrees
