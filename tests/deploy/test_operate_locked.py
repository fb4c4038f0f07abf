"""A plan is carried out under the lock of its deployment, by one that still has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opdeploy.deploy.operate import perform
from opdeploy.errors import OpdeployError
from tests.deploy.remembered import Place
from tests.deploy.test_locking import of_another
from tests.deploy.test_operate import deployed, ends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opdeploy.deploy.operate import Work
    from opdeploy.deployment import Lock


def test_what_another_is_at_work_on_is_left_alone(work: Callable[[Place], Work], tmp_path: Path) -> None:
    """Until that lock is broken, which makes no plan stale."""
    place = Place(1, current=1)
    plan = deployed(place, 2)
    other = place.held = of_another()
    with pytest.raises(OpdeployError, match="ann@elsewhere is at work on it"):
        perform(plan, work(place))
    assert (place.log, place.held, ends(tmp_path)) == ([], other, [])
    assert perform(plan, work(place), broken=True).version(2)
    assert not place.held


class Overtaken(Place):
    """Where the lock is another's, or nobody's, as soon as it was taken."""

    def __init__(self, by: Lock | None) -> None:
        super().__init__(1, current=1)
        self.by = by

    def lock(self, deployment: str, lock: Lock) -> Lock:
        """Take the lock, and lose it."""
        taken = super().lock(deployment, lock)
        self.held = self.by
        return taken


@pytest.mark.parametrize(
    ("by", "said"),
    [(of_another(), "ann@elsewhere is at work on it"), (None, "the lock was taken away; run the same command again")],
    ids=["another", "nobody"],
)
def test_a_lock_that_was_lost_is_seen(
    work: Callable[[Place], Work], tmp_path: Path, by: Lock | None, said: str
) -> None:
    """Before anything is done: two may take over the lock of one that is gone. The other's lock stays."""
    place = Overtaken(by)
    with pytest.raises(OpdeployError, match=said):
        perform(deployed(place, 2), work(place))
    assert (place.log, place.held, ends(tmp_path)) == ([], by, [])
