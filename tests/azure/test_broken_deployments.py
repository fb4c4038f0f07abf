"""Deployments to platforms of Azure that are killed, or refused, at each of their writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.arm import answers
from tests.azure.breaking import NO, Breaks, killed, refused, stumbling
from tests.azure.clouded import GROUP, MISSING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.azure.clouded import Clouded

pytestmark = pytest.mark.slow  # minutes: they are broken at every write

PASSES = (
    answers.Drop.BEFORE,
    answers.Drop.AFTER,
    answers.Drop.MIDDLE,
    answers.throttled(),
    answers.unavailable(),
)


class Case(NamedTuple):
    """A platform, as it is deployed to."""

    target: str
    settings: dict[str, Any]
    more: tuple[str, ...] = ()
    before: str = "stopped"
    """State of a version once another has taken over."""


CASES = {
    "aci": Case("aci", {}, more=("--allow-plain-http",)),
    "webapp": Case("webapp", {}, before="running"),
    "container-apps": Case("container-apps", {}),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    """Return a platform."""
    return CASES[request.param]


@pytest.fixture
def breaks(case: Case, tmp_path: Path) -> Breaks:
    """Return what runs scenarios there."""
    return Breaks(tmp_path, case.target, case.settings, more=case.more)


def active(project: Clouded) -> list[str]:
    """Return the versions of an app whose revisions are active, such as v1."""
    path = f"resourceGroups/{GROUP}/providers/Microsoft.App/containerApps/net"
    found = project.arm.resource(path).private["revisions"].items()
    return [name.split("--")[1].split("-")[0] for name, each in found if each["active"]]


def check(project: Clouded, versions: dict[int, tuple[str, bool]], number: int, said: str) -> None:
    """Assert that these versions are there, nothing beside them, and all of it as it was made."""
    assert project.versions() == versions, (number, said)
    assert project.run("diff").code == 0, (number, said)
    assert [name for name in project.left() if "trial" in name] == [], (number, said)
    if project.target == "container-apps":
        current = [f"v{version}" for version, (_, is_current) in versions.items() if is_current]
        assert active(project) == current, (number, said)


def test_what_is_killed_goes_on(case: Case, breaks: Breaks) -> None:
    """A first version, an update and a removal: nothing is made twice, and in the end nothing is left.

    Until a version has worked nobody has its key, and another is made; from then on it is asked for.
    """
    deploy = ("deploy", "--yes", *case.more)

    def scenario(project: Clouded, number: int) -> set[str]:
        came = set()
        if killed(project, number, *deploy):
            came.add("first")
            done = project.deploy()
            if done.code:
                assert MISSING in done.err, (number, done.err)
        if project.key is None:
            project.key = "k" * 32
            done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.takes(project.key), number
        if came:
            check(project, {1: ("running", True)}, number, done.err)
        project.model(seed=1)
        if killed(project, number, *deploy):
            came.add("update")
            done = project.deploy()
            assert done.code == 0, (number, done.err)
            check(project, {1: (case.before, False), 2: ("running", True)}, number, done.err)
        if killed(project, number, "remove", "--yes"):
            came.add("removal")
            project.run("remove", "--yes")
        assert project.left() == [], number
        return came

    breaks.at_every_write(scenario, first=15, update=10, removal=8)


def test_an_update_in_place_goes_on_or_ends_as_it_was(tmp_path: Path) -> None:
    """Of a site whose tier has no slots: nothing is beside it while another version takes its place."""
    deploy = ("deploy", "--yes")

    def scenario(project: Clouded, number: int) -> set[str]:
        assert project.deploy().code == 0
        project.model(seed=1)
        was_refused, done = refused(project, number, NO, *deploy)
        if done.code:
            check(project, {1: ("running", True)}, number, done.err)
        project.model(seed=2)
        if killed(project, number, *deploy):
            done = project.deploy()
            assert done.code == 0, (number, done.err)
            assert project.run("diff").code == 0, (number, done.err)
        assert [state for state, current in project.versions().values() if current] == ["running"], number
        return {"update"} if was_refused else set()

    Breaks(tmp_path, "webapp", {"webapp": {"sku": "B1"}}, more=()).at_every_write(scenario, update=9)


def test_what_is_refused_ends_as_it_was(case: Case, breaks: Breaks) -> None:
    """Nothing is left of a first version, and of an update the old one; the line says what to do, and then it works."""
    deploy = ("deploy", "--yes", *case.more)

    def scenario(project: Clouded, number: int) -> set[str]:
        came = set()
        was_refused, done = refused(project, number, NO, *deploy)
        if was_refused:
            came.add("first")
            if done.code:  # what cannot be cleared away, or unlocked, is said, and all is well
                assert done.code == 1, (number, done.err)
                assert "AuthorizationFailed" in done.err, (number, done.err)
                assert "az role assignment create" in done.err, (number, done.err)
                assert project.left() == [], (number, done.err)
            assert project.deploy().code == 0, number
        project.model(seed=1)
        was_refused, done = refused(project, number, NO, *deploy)
        if was_refused:
            came.add("update")
            if done.code:  # what cannot be cleared away, or unlocked, is said, and all is well
                check(project, {1: ("running", True)}, number, done.err)
                assert [name for name in project.left() if "/slots/" in name] == [], (number, done.err)
            assert project.deploy().code == 0, number
        return came

    breaks.at_every_write(scenario, first=15, update=10)


@pytest.mark.parametrize("first", range(len(PASSES)))
def test_what_passes_is_tried_again(case: Case, clouded: Callable[..., Clouded], first: int) -> None:
    """Connections that break off and a service that is busy, at every write: nobody notices."""
    project = clouded(case.target, **case.settings)
    project.more = case.more
    stumbling(project.arm, PASSES, first)
    done = project.deploy()
    assert done.code == 0, done.err
    check(project, {1: ("running", True)}, 0, done.err)
    project.model(seed=1)
    done = project.deploy()
    assert done.code == 0, done.err
    check(project, {1: (case.before, False), 2: ("running", True)}, 0, done.err)
    done = project.run("remove", "--yes")
    assert done.code == 0, done.err
    assert project.left() == []
