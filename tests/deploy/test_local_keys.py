"""At no time does anyone who should show an API key reach a version that asks for none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from opdeploy import targets
from opdeploy.deploy.planning import to_deploy, to_roll_back
from opdeploy.targets.base import is_public
from opdeploy.targets.engine.names import base, server_name
from tests.deploy.imagined import NAME, Engine, wanted

if TYPE_CHECKING:
    from opdeploy.plan import Plan, Step

TARGET = targets.find("local")
OPEN: dict[str, Any] = {"host": "0.0.0.0", "keyed": True}  # noqa: S104 - what it is about
CLOSED: dict[str, Any] = {"host": "127.0.0.1", "keyed": False}
MOVES = [
    pytest.param(CLOSED, OPEN, id="opened"),
    pytest.param(OPEN, CLOSED, id="closed"),
    pytest.param(OPEN, OPEN, id="stays open"),
]


def deployed(engine: Engine, model: str, settings: dict[str, Any]) -> Plan:
    """Return the plan of a deployment."""
    return to_deploy(TARGET, wanted(model, **settings), engine.observe(), ())


def is_exposed(engine: Engine) -> bool:
    """Tell whether others reach a version that asks for no key."""
    front = engine.containers.get(base(NAME))
    if front is None or engine.upstream is None:
        return False
    server = engine.containers[server_name(NAME, engine.upstream)]
    return is_public(str(front.properties["host"])) and not server.properties["keyed"]


def exposing(engine: Engine, steps: tuple[Step, ...]) -> list[str]:
    """Carry out steps, and return those after which a version was exposed."""
    found = []
    for step in steps:
        engine.carry_out((step,))
        if is_exposed(engine):
            found.append(step.id)
    return found


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_a_deployment_exposes_nothing(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Neither the first, nor one that opens or closes it to others; and it ends as was asked for."""
    engine = Engine()
    assert exposing(engine, deployed(engine, "a", before).steps) == []
    assert exposing(engine, deployed(engine, "b", after).steps) == []
    front, server = engine.containers[base(NAME)], engine.containers[server_name(NAME, 2)]
    assert (front.properties["host"], server.properties["keyed"], engine.upstream) == (*after.values(), 2)


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_a_return_exposes_nothing(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Whichever step was the last before the failure; the version that worked answers where it did."""
    steps = len(_updated(before, after, 0)[1].steps)
    for done in range(steps + 1):
        engine, plan = _updated(before, after, done)
        assert plan.before == 1
        assert exposing(engine, tuple(TARGET.back(engine.observe(), 1, plan))) == [], f"after {done} steps"
        assert (engine.containers[base(NAME)].properties["host"], engine.upstream) == (before["host"], 1)


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_a_rollback_exposes_nothing(before: dict[str, Any], after: dict[str, Any]) -> None:
    """One without a key does not answer where the newer one did, if others reach that."""
    engine, _ = _updated(before, after, None)
    assert exposing(engine, to_roll_back(TARGET, engine.observe(), 1).steps) == []
    assert engine.upstream == 1


@pytest.mark.parametrize("has_front", [True, False])
def test_a_rollback_tells_who_reaches_the_version(*, has_front: bool) -> None:
    """And whether it asks for a key, as it was made; not what the newer one does, and also where no front is left."""
    engine, _ = _updated(OPEN | {"keyed": False}, OPEN, None)
    if not has_front:
        del engine.containers[base(NAME)]
    notes = to_roll_back(TARGET, engine.observe(), 1).notes
    assert [note.partition(":")[0] for note in notes] == ["it is reached over plain HTTP", "it asks for no API key"]
    assert to_roll_back(TARGET, engine.observe(), 2).notes[1:] == ("clients need an API key",)
    engine, _ = _updated(CLOSED, CLOSED, None)
    assert to_roll_back(TARGET, engine.observe(), 1).notes == ()


def _updated(before: dict[str, Any], after: dict[str, Any], done: int | None) -> tuple[Engine, Plan]:
    """Return an engine on which an update was done up to a step, and the update's plan."""
    engine = Engine()
    engine.carry_out(deployed(engine, "a", before).steps)
    plan = deployed(engine, "b", after)
    engine.carry_out(plan.steps[:done])
    return engine, plan
