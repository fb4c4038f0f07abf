"""Blocks of runs that alternate, and figures made of them by hand."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import pytest
from nets import linear, records

from opdeploy.artifact.timing import Block, alternate, block, percentile, speed_ups
from opdeploy.runtime.session import Session

if TYPE_CHECKING:
    from pathlib import Path


def test_a_block_knows_its_records_and_runs(tmp_path: Path) -> None:
    """However short it may be it has two runs, each of which took some time."""
    found = block(Session(linear(tmp_path / "m.onnx")), {"x": records(5)}, seconds=0)
    assert (found.records, len(found.seconds)) == (5, 2)
    assert min(found.seconds) > 0


def test_the_rate_is_that_of_the_whole_block() -> None:
    """Three runs of four records in two seconds make six records a second."""
    assert Block(4, (1.0, 0.5, 0.5)).rate == 6


def test_tasks_take_turns() -> None:
    """A disturbance meets all tasks alike."""
    order: list[str] = []

    def task(name: str) -> Block:
        order.append(name)
        return Block(1, (1.0,))

    blocks = alternate({name: lambda name=name: task(name) for name in "ab"}, rounds=3)  # type: ignore[misc]
    assert order == ["a", "b"] * 3
    assert {name: len(found) for name, found in blocks.items()} == {"a": 3, "b": 3}


def test_the_speed_up_is_the_median_of_pairs() -> None:
    """A disturbed round counts no more than any other."""
    mine = [Block(1, (0.5,)), Block(1, (0.25,)), Block(1, (100.0,))]
    assert median(speed_ups(mine, [Block(1, (1.0,))] * 3)) == 2


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (51, 3), (75, 3), (99, 4), (100, 4), (1, 1)])
def test_percentiles_are_by_nearest_rank(percent: float, value: float) -> None:
    """Each is one of the values, by the definition that needs no interpolation."""
    assert percentile([4, 1, 3, 2], percent) == value
