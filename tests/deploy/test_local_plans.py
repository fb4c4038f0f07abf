"""Plans for a Docker engine: cases of what exists and what is wanted, each with the steps that it leads to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from opdeploy import targets
from opdeploy.deploy.planning import to_deploy, to_remove, to_roll_back
from opdeploy.errors import NotFoundError
from opdeploy.plan import Plan
from opdeploy.targets.engine.names import base, server_name
from tests.deploy.imagined import NAME, PORT, Container, Engine, Kept, engine, wanted

if TYPE_CHECKING:
    from opdeploy.deployment import Observed
    from opdeploy.plan import Step

TARGET = targets.find("local")
CASES = Path(__file__).parents[1] / "cases" / "local"


def cases(file: str) -> list[Any]:
    """Return the cases of a file, by their names."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((CASES / f"{file}.yaml").read_text(encoding="utf-8"))
    return [pytest.param(case, id=name) for name, case in found.items()]


def existing(case: dict[str, Any]) -> Engine:
    """Return an engine with what exists in a case."""
    versions = {number: Kept(**kept) for number, kept in case.get("versions", {}).items()}
    made = engine(versions, to=case.get("to"), front=case.get("front"), images=case.get("images", ()))
    if "front of" in case:
        image = made.containers[server_name(NAME, case["front of"])].properties["image"]
        made.containers[base(NAME)].properties["image"] = image
    if "left" in case:
        front = made.containers.get(base(NAME)) or made.containers[server_name(NAME, 1)]
        made.containers[case["left"]] = Container({**front.properties, "role": "front", "state": "stopped"}, {})
    return made


def lines(steps: tuple[Step, ...]) -> list[str]:
    """Return steps in short; of an image that is removed, its name is what counts."""
    return [
        f"{step.action} {step.name if step.action == 'delete' and step.kind == 'image' else step.id}" for step in steps
    ]


def facts(plan: Plan) -> dict[str, Any]:
    """Return what a plan says of versions."""
    return plan.model_dump(include={"version", "before", "first", "unproven"})


def planned(existing: Engine, **chosen: Any) -> Plan:  # noqa: ANN401 - values of settings
    """Return the plan of a deployment."""
    return to_deploy(TARGET, wanted(**chosen), existing.observe(), ())


@pytest.mark.parametrize("case", cases("deploy"))
def test_a_deployment_takes_these_steps(case: dict[str, Any]) -> None:
    """And they can be carried out: they lead to a version that answers, and the same plan has no changes then.

    A new version gets no request before it was checked.
    """
    made = existing(case)
    plan = planned(made, **case["wanted"])
    assert lines(plan.steps) == case["steps"]
    assert facts(plan) == case["plan"]
    for step in plan.steps:
        made.carry_out((step,))
        assert step.id != f"server-{plan.version}" or made.upstream != plan.version
    after = made.observe()
    assert after.current == after.version(case["plan"]["version"])
    assert [version.number for version in after.versions if version.state == "running"] == [plan.version]
    assert not planned(made, **case["wanted"]).changes
    assert {found.name for found in TARGET.drift(after)} & {base(NAME), server_name(NAME, plan.version or 0)} == set()


@pytest.mark.parametrize("case", [case for case in cases("back") if "steps" in case.values[0]])
def test_a_rollback_takes_these_steps(case: dict[str, Any]) -> None:
    """And they can be carried out: the version answers, and no other runs."""
    made = existing({"front": {}} | case)
    plan = to_roll_back(TARGET, made.observe(), case["roll back"])
    assert lines(plan.steps) == case["steps"]
    assert facts(plan) == case["plan"]
    made.carry_out(plan.steps)
    running = [version.number for version in made.observe().versions if version.state == "running"]
    assert (running, made.upstream) == ([plan.version], plan.version)
    where = case.get("listens", {"host": "127.0.0.1", "port": PORT})
    assert made.containers[base(NAME)].properties.items() >= where.items()


@pytest.mark.parametrize("case", [case for case in cases("back") if "refused" in case.values[0]])
def test_there_is_no_rollback_to_what_is_not_kept(case: dict[str, Any]) -> None:
    """It is told what is kept, or where to look."""
    made = existing({"front": {}} | case)
    with pytest.raises(NotFoundError) as caught:
        to_roll_back(TARGET, made.observe(), case["roll back"])
    assert str(caught.value) == case["refused"]


@pytest.mark.parametrize("case", cases("failed"))
def test_a_failure_takes_these_steps_back(case: dict[str, Any]) -> None:
    """The version that worked answers again; one that never worked is gone, any other is kept."""
    made = existing({"front": {}} | case)
    undone = Plan(
        operation="deploy",
        target="local",
        deployment=NAME,
        version=case["failed"],
        before=case["back to"],
        unproven=case["failed"] is not None,
        observed="",
    )
    steps = tuple(TARGET.back(made.observe(), case["back to"], undone))
    assert lines(steps) == case["steps"]
    before = {version.number for version in made.observe().versions}
    made.carry_out(steps)
    after = made.observe()
    assert {version.number for version in after.versions} == before - {case["failed"]}
    assert after.current == after.version(case["back to"])


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_an_image_that_is_gone_is_built_again_where_something_is_made_of_it(state: str) -> None:
    """As a front is; what runs needs none."""
    made = engine({1: Kept("a")}, to=1, front={"state": state})
    made.images.clear()
    steps = planned(made, model="a").steps
    expected = [] if state == "running" else ["image", "front"]
    assert [step.id for step in steps if step.id in {"image", "front"}] == expected
    made.carry_out(steps)
    assert made.upstream == 1


FRESH = planned(Engine(), registry="me.example").steps


@pytest.mark.parametrize("done", range(len(FRESH) + 1))
def test_what_was_interrupted_goes_on(done: int) -> None:
    """Whatever steps of a first deployment were done: the rest follows, and nothing is made twice."""
    whole, made = Engine(), Engine()
    whole.carry_out(FRESH)
    made.carry_out(FRESH[:done])
    rest = planned(made, registry="me.example")
    assert [step.id for step in rest.steps if step.action == "create"] == [
        step.id for step in FRESH[done:] if step.action == "create"
    ]
    made.carry_out(rest.steps)
    assert made.observe() == whole.observe()
    assert made.made == whole.made


UPDATE = {1: Kept("a"), 2: Kept("b"), 3: Kept("c", state="running")}


@pytest.mark.parametrize("done", range(10))
def test_what_was_interrupted_goes_on_where_a_version_ran_before(done: int) -> None:
    """Whatever steps of an update were done, the removal of an image among them: it ends as one never interrupted."""
    whole, made = (engine(UPDATE, to=3, front={}) for _ in range(2))
    steps = planned(whole, model="d").steps
    assert len(steps) == 9
    whole.carry_out(steps)
    made.carry_out(steps[:done])
    made.carry_out(planned(made, model="d").steps)
    assert made.observe() == whole.observe()
    assert made.made == whole.made


def state(**front: Any) -> Observed:  # noqa: ANN401 - values of properties
    """Return two versions, of which the second is current."""
    return engine({1: Kept("a"), 2: Kept("b", state="running")}, to=2, front=front).observe()


def test_everything_is_removed_the_front_first() -> None:
    """The front, then the servers, then what they use; what others made is not touched."""
    plan = to_remove(TARGET, state())
    assert [(step.kind, step.name) for step in plan.steps] == [
        ("container", base(NAME)),
        ("container", server_name(NAME, 1)),
        ("container", server_name(NAME, 2)),
        ("network", base(NAME)),
        ("volume", base(NAME)),
        ("image", "opdeploy-m:aaaaaaaaaaaa"),
        ("image", "opdeploy-m:bbbbbbbbbbbb"),
    ]
    assert (plan.version, plan.keeps) == (None, ())
    assert {step.action for step in plan.steps} == {"delete"}


def test_what_is_removed_leaves_nothing() -> None:
    """In the order of the plan no step finds what it removes still in use."""
    made = engine(UPDATE, to=3, front={})
    made.carry_out(to_remove(TARGET, made.observe()).steps)
    assert made.observe().found == ()


@pytest.mark.parametrize(
    ("now", "property_", "before", "after"),
    [({"port": 1234}, "port", 1234, PORT), ({"host": "0.0.0.0"}, "host", "0.0.0.0", "127.0.0.1")],  # noqa: S104
    ids=["port", "host"],
)
def test_what_a_front_changes_is_shown(now: dict[str, Any], property_: str, before: object, after: object) -> None:
    """Before and after, and nothing that stays."""
    (front,) = (step for step in to_deploy(TARGET, wanted("b"), state(**now), ()).steps if step.id == "front")
    assert [(change.property, change.before, change.after) for change in front.changes] == [(property_, before, after)]


def test_what_stays_is_listed() -> None:
    """What is there and no step touches."""
    plan = to_deploy(TARGET, wanted("b"), state(), ())
    assert {(item.kind, item.name) for item in plan.keeps} == {(item.kind, item.name) for item in state().found}
