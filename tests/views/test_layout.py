"""The layout of the continuum: whatever there is to draw, nothing lies over anything else."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from opdeploy.platform import GROUPS
from opdeploy.views.continuum import LABEL_INDENT, SHORTEST_AXIS, Continuum, Layout, Point, layout

POINTS = st.builds(
    Point,
    platform=st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
    title=st.just("a platform"),
    place=st.floats(0, 1) | st.sampled_from([0, 0.25, 0.745, 1]),
    group=st.sampled_from(sorted(GROUPS)),
    grade=st.sampled_from(["book", "judgement"]),
    ended=st.booleans(),
)
VIEWS = st.lists(POINTS, min_size=1, max_size=24, unique_by=lambda point: point.platform).map(
    lambda points: Continuum(
        "2026", "2026-11-02", tuple(sorted(points, key=lambda point: (point.place, point.platform))), (), own=None
    )
)
COLUMNS = st.integers(1, 200)


def cells(found: Layout) -> Counter[tuple[int, int]]:
    """Count what stands in each cell: stems down to their last label, and labels from stem to end with a space."""
    taken: Counter[tuple[int, int]] = Counter()
    for stack in found.stacks:
        taken.update((row, stack.column) for row in range(stack.bottom + 1))
        for row, point in enumerate(stack.points, stack.top):
            end = stack.column + LABEL_INDENT + len(point.label)
            taken.update((row, column) for column in range(stack.column + 1, end + 1))
    return taken


@given(view=VIEWS, columns=COLUMNS)
def test_no_label_meets_a_label_or_a_stem(view: Continuum, columns: int) -> None:
    """Every cell holds one thing at most, and a space parts a label from what follows."""
    assert max(cells(layout(view, columns)).values()) == 1


@given(view=VIEWS, columns=COLUMNS)
def test_every_point_has_one_label_in_its_column(view: Continuum, columns: int) -> None:
    """All points are there, in their order, each below the column of its place."""
    found = layout(view, columns)
    assert [point for stack in found.stacks for point in stack.points] == list(view.points)
    assert all(found.column(point.place) == stack.column for stack in found.stacks for point in stack.points)
    assert all(0 <= stack.column < found.axis for stack in found.stacks)


@given(view=VIEWS, columns=COLUMNS)
def test_columns_grow_with_place(view: Continuum, columns: int) -> None:
    """What lies further towards real time never stands further to the left."""
    found = layout(view, columns)
    assert all(left.column < right.column for left, right in pairwise(found.stacks))
    assert (found.column(0), found.column(1)) == (0, found.axis - 1)


@given(view=VIEWS, columns=COLUMNS)
def test_a_layout_is_no_wider_than_asked_where_that_is_possible(view: Continuum, columns: int) -> None:
    """The axis is the longest with which everything has room; only the shortest may need more than was asked."""
    found = layout(view, columns)
    assert found.columns <= columns or found.axis == SHORTEST_AXIS
    longest = max(len(point.label) for point in view.points)
    if columns >= SHORTEST_AXIS + LABEL_INDENT + longest:
        assert found.columns <= columns
        assert found.axis >= columns - LABEL_INDENT - longest
