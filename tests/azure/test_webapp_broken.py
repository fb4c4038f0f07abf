"""Web apps of Azure whose deployment is killed or refused at each of its writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.arm import answers
from tests.azure.breaking import Breaks, killed, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.azure.clouded import Clouded

pytestmark = pytest.mark.slow  # minutes: it is broken at every write

DEPLOY = ("deploy", "--yes")
NO = answers.error(403, "AuthorizationFailed", "The client does not have authorization to perform action 'x/y/write'.")


@pytest.fixture
def breaks(tmp_path: Path) -> Breaks:
    """Return what runs scenarios."""
    return Breaks(tmp_path, "webapp", {}, more=())


def test_a_first_site_that_is_killed_goes_on(breaks: Breaks) -> None:
    """Nothing is made twice, and then all of it goes."""

    def scenario(project: Clouded, number: int) -> bool:
        project.key = "k" * 32
        was_killed = killed(project, number, *DEPLOY)
        done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("running", True)}, number
        assert project.run("diff").code == 0, number
        assert project.run("remove", "--yes").code == 0, number
        assert project.left() == [], number
        return was_killed

    breaks.at_every_write(scenario, least=15)


def test_an_update_with_a_swap_that_is_killed_goes_on(breaks: Breaks) -> None:
    """The next version answers, under the next number, and the one before is in the slot: no swap is done twice."""

    def scenario(project: Clouded, number: int) -> bool:
        assert project.deploy().code == 0
        project.model(seed=1)
        was_killed = killed(project, number, *DEPLOY)
        done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("running", False), 2: ("running", True)}, number
        assert project.run("diff").code == 0, number
        return was_killed

    breaks.at_every_write(scenario, least=12)


def test_an_update_in_place_that_is_killed_goes_on(tmp_path: Path) -> None:
    """The next version answers, under the next number."""

    def scenario(project: Clouded, number: int) -> bool:
        assert project.deploy().code == 0
        project.model(seed=1)
        was_killed = killed(project, number, *DEPLOY)
        done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("stopped", False), 2: ("running", True)}, number
        assert project.run("diff").code == 0, number
        return was_killed

    Breaks(tmp_path, "webapp", {"webapp": {"sku": "B1"}}, more=()).at_every_write(scenario, least=10)


def test_a_removal_that_is_killed_goes_on(breaks: Breaks) -> None:
    """Nothing is left."""

    def scenario(project: Clouded, number: int) -> bool:
        assert project.deploy().code == 0
        was_killed = killed(project, number, "remove", "--yes")
        project.run("remove", "--yes")
        assert project.left() == [], number
        return was_killed

    breaks.at_every_write(scenario, least=8)


def test_a_first_site_that_is_refused_leaves_nothing(breaks: Breaks) -> None:
    """The line says what failed, why and what to do; then the same command succeeds."""

    def scenario(project: Clouded, number: int) -> bool:
        was_refused, done = refused(project, number, NO, *DEPLOY)
        if was_refused and done.code and "opdeploy-lock-net was not removed" not in done.err:
            assert done.code == 1, (number, done.err)
            assert "AuthorizationFailed" in done.err, (number, done.err)
            assert "az role assignment create" in done.err, (number, done.err)
            assert project.left() == [], (number, project.left(), done.err)
        assert project.deploy().code == 0, number
        return was_refused

    breaks.at_every_write(scenario, least=15)


def test_an_update_that_is_refused_ends_on_the_old_version(breaks: Breaks) -> None:
    """It answers, and nothing of the new one is left."""

    def scenario(project: Clouded, number: int) -> bool:
        assert project.deploy().code == 0
        project.model(seed=1)
        was_refused, done = refused(project, number, NO, *DEPLOY)
        if was_refused and done.code and "opdeploy-lock-net was not removed" not in done.err:
            assert project.versions() == {1: ("running", True)}, (number, done.err)
            assert project.run("diff").code == 0, (number, done.err)
            assert [name for name in project.left() if "/slots/" in name] == [], (number, done.err)
        assert project.deploy().code == 0, number
        return was_refused

    breaks.at_every_write(scenario, least=12)


@pytest.mark.parametrize(
    "answer", [answers.Drop.BEFORE, answers.Drop.AFTER, answers.Drop.MIDDLE, answers.throttled(), answers.unavailable()]
)
def test_what_passes_is_tried_again(breaks: Breaks, answer: answers.Answer | answers.Drop) -> None:
    """A connection that broke off, a service that was busy, in an update: nobody notices."""

    def scenario(project: Clouded, number: int) -> bool:
        assert project.deploy().code == 0
        project.model(seed=1)
        was_hit, done = refused(project, number, answer, *DEPLOY)
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("running", False), 2: ("running", True)}, number
        assert project.run("diff").code == 0, number
        return was_hit

    breaks.at_every_write(scenario, least=4, step=3)
