"""Deployments to a Docker engine that end at some step: what worked answers where it did, and nothing more is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from opdeploy import targets
from opdeploy.deploy.planning import to_deploy
from opdeploy.targets.engine.names import base, server_name
from tests.deploy.imagined import NAME, PORT, Engine, Kept, engine, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan

TARGET = targets.find("local")


class Case(NamedTuple):
    """What exists, and what is wanted."""

    versions: Mapping[int, Kept]
    to: int | None
    front: Mapping[str, Any] | None
    wanted: Mapping[str, Any]

    def engine(self) -> Engine:
        """Return an engine with what exists; the front is of the image of the oldest version."""
        made = engine(self.versions, to=self.to, front=self.front)
        if self.front is not None:
            oldest = made.containers[server_name(NAME, min(self.versions))]
            made.containers[base(NAME)].properties["image"] = oldest.properties["image"]
        return made

    def plan(self, made: Engine, **other: Any) -> Plan:  # noqa: ANN401 - values of settings
        """Return the plan of what is wanted, or of something else."""
        return to_deploy(TARGET, wanted(**{**self.wanted, **other}), made.observe(), ())


RUNS = {1: Kept("a", state="running")}
TWO = {1: Kept("a"), 2: Kept("b", state="running")}
STOPPED = {1: Kept("a"), 2: Kept("b")}
CASES = {
    "a new model": Case(RUNS, 1, {}, {"model": "b"}),
    "a new model, in a registry": Case(RUNS, 1, {}, {"model": "b", "registry": "me.example"}),
    "a new model on another port": Case(RUNS, 1, {}, {"model": "b", "port": 9000}),
    "a new model at another address": Case(RUNS, 1, {}, {"model": "b", "host": "10.0.0.1"}),
    "a new model, where only that is kept": Case(TWO, 2, {}, {"model": "c", "keep": 1}),
    "a kept model on another port": Case(TWO, 2, {}, {"model": "a", "port": 9000}),
    "the front is gone, and all is stopped": Case(STOPPED, None, None, {"model": "c"}),
    "the front is gone, and all is stopped but what never worked": Case(
        {**STOPPED, 3: Kept("c", state="running", proven=False)}, None, None, {"model": "c"}
    ),
    "the front is gone, and the port was another": Case(
        {1: Kept("a", port=9000), 2: Kept("b", port=9001)}, None, None, {"model": "c", "port": 9001}
    ),
    "the front is stopped": Case(RUNS, 1, {"state": "stopped"}, {"model": "b"}),
}


def until_proof(case: Case) -> int:
    """Return how many steps of a plan come before the endpoint has been asked."""
    return [step.id for step in case.plan(case.engine()).steps].index("check")


def each(ends: Iterable[tuple[str, range]]) -> pytest.MarkDecorator:
    """Return cases, each with how many steps of its plan are done."""
    return pytest.mark.parametrize(
        ("case", "done"),
        [pytest.param(CASES[name], done, id=f"{name}-{done}") for name, steps in ends for done in steps],
    )


FAILS = each((name, range(until_proof(case) + 1)) for name, case in CASES.items())
IS_KILLED = each((name, range(len(case.plan(case.engine()).steps) + 1)) for name, case in CASES.items())


def proven(observed: Observed) -> dict[int, str]:
    """Return the versions that worked, each with its configuration."""
    return {version.number: version.config for version in observed.versions if version.proven}


def unused(made: Engine) -> set[str]:
    """Return the images that no container is of."""
    return made.images.keys() - {item.properties["image"] for item in made.containers.values()}


def returned(case: Case, done: int) -> tuple[Plan, Engine]:
    """Return a plan, and an engine where so many of its steps were done, the next one failed, and it was undone."""
    made = case.engine()
    plan = case.plan(made)
    made.carry_out(plan.steps[:done])
    assert plan.before is not None
    made.carry_out(tuple(TARGET.back(made.observe(), plan.before, plan)))
    return plan, made


@FAILS
def test_what_fails_ends_on_the_newest_version_that_worked(case: Case, done: int) -> None:
    """It alone runs and answers; no version that worked is lost, and what never did is gone, with every image of it."""
    plan, made = returned(case, done)
    after = made.observe()
    assert after.current
    assert after.current.number == (case.to or max(proven(case.engine().observe())))
    assert [version.number for version in after.versions if version.state == "running"] == [plan.before]
    assert {version.number: version.config for version in after.versions} == proven(case.engine().observe())
    assert unused(made) == set()


@FAILS
def test_what_fails_ends_where_it_listened(case: Case, done: int) -> None:
    """The front is where it was before, else where it is wanted now, else where it was when the version was made."""
    plan, made = returned(case, done)
    is_made = "front" in [step.id for step in plan.steps[:done]]
    recorded = case.versions[plan.before or 0].port
    port = PORT if case.front is not None else case.wanted.get("port", PORT) if is_made else recorded
    assert made.containers[base(NAME)].properties.items() >= {"host": "127.0.0.1", "port": port}.items()


@FAILS
def test_what_fails_leaves_nothing_to_do(case: Case, done: int) -> None:
    """What ran before is as it was made: the plan for it changes nothing."""
    plan, made = returned(case, done)
    kept = case.versions[plan.before or 0]
    port = made.containers[base(NAME)].properties["port"]
    again = case.plan(made, model=kept.model, registry=kept.registry, host=None, port=port, keep=3)
    assert (again.version, [step.id for step in again.steps if step.action != "check"]) == (plan.before, [])
    assert [*TARGET.drift(made.observe())] == []


@IS_KILLED
def test_what_is_killed_leaves_no_image(case: Case, done: int) -> None:
    """The same command again, or one for another model, removes every image that nothing uses any more."""
    for model in (case.wanted["model"], "d"):
        made = case.engine()
        made.carry_out(case.plan(made).steps[:done])
        made.carry_out(case.plan(made, model=model).steps)
        assert unused(made) == set()
        assert not case.plan(made, model=model).changes


@IS_KILLED
def test_what_is_killed_ends_as_what_is_not(case: Case, done: int) -> None:
    """The same command again makes nothing twice, and takes no other version away."""
    whole, made = case.engine(), case.engine()
    steps = case.plan(whole).steps
    whole.carry_out(steps)
    made.carry_out(steps[:done])
    made.carry_out(case.plan(made).steps)
    assert made.observe() == whole.observe()
    assert made.made == whole.made
