"""Plans for a Docker engine on which other hands have paused something."""

from __future__ import annotations

from tests.deploy.imagined import Kept, engine
from tests.deploy.test_local_plans import TARGET, lines, planned


def test_what_is_paused_goes_on_or_is_stopped() -> None:
    """The current version goes on, another is stopped, and the front is made anew; then there is no drift."""
    versions = {1: Kept("a", state="paused"), 2: Kept("b", state="paused")}
    made = engine(versions, to=2, front={"state": "paused"})
    assert {found.properties["state"] for found in TARGET.drift(made.observe())} == {"paused"}
    plan = planned(made, model="b")
    told = [change.model_dump() for step in plan.steps for change in step.changes]
    assert [line for line in lines(plan.steps) if not line.startswith("check")] == [
        "delete drop-opdeploy-m",
        "change empty",
        "change start-2",
        "create front",
        "change switch",
        "change stop-1",
    ]
    assert [change["before"] for change in told if change["property"] == "state"] == ["paused", "paused"]
    made.carry_out(plan.steps)
    assert [*TARGET.drift(made.observe())] == []
