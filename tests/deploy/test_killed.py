"""A deployment that is killed at any step: the same command goes on, makes nothing twice and forgets nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.conftest import environment
from tests.deploy.projects import Project

if TYPE_CHECKING:
    import docker as sdk

pytestmark = pytest.mark.slow  # minutes: it is killed at every step

SCRIPT = Path(__file__).with_name("killed.py")
LEAST = 10
"""Writes of the journal that each scenario has: one at its beginning and its end, and two for each of its steps."""
MOST = 60
EACH = 2
"""Of the writes: what was done is the same before a step's end is noted and before the next one's beginning is."""
AFTER_SWITCH = 7
"""The write of a rollback's journal, from 0, that comes after version was started, checked, and sent requests to."""
AT_ONCE = 4
"""Projects that are killed at the same time: most of it is waiting for the engine."""
MINUTES = 60.0
P = TypeVar("P", bound=Project)
Scenario = Callable[[P, int], bool]
"""Kills a command of a project at a write of its journal, and goes on; tells whether it came so far."""


def at_every_step(
    folder: Path, client: sdk.DockerClient, scenario: Scenario[P], kind: Callable[[Path, sdk.DockerClient], P]
) -> None:
    """Go through a scenario with a project of its own for each step, killed before its end is noted, until the last."""

    def tried(number: int) -> bool:
        place = folder / str(number)
        place.mkdir(parents=True)
        project = kind(place, client)
        try:
            return scenario(project, number)
        finally:
            project.remove()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for start in range(0, MOST, AT_ONCE * EACH):
            came = list(threads.map(tried, range(start, start + AT_ONCE * EACH, EACH)))
            if not all(came):
                assert start + sum(came) * EACH > LEAST, "it was not killed at every step"
                return
    pytest.fail(f"it was still killed at write {MOST} of its journal")


def killed(project: Project, number: int, *command: str) -> bool:
    """Run a command that is killed before a write of its journal; tell whether it came so far."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(number), *command],
        capture_output=True,
        check=False,
        cwd=project.folder,
        env=environment(**project.variables),
        timeout=5 * MINUTES,
    )
    assert done.returncode in {0, -signal.SIGKILL}, done.stderr.decode()
    return done.returncode != 0


def test_an_update_that_is_killed_at_any_step_goes_on(tmp_path: Path, client: sdk.DockerClient) -> None:
    """The next version answers alone, under the next number, and the one before is kept."""

    def scenario(project: Project, number: int) -> bool:
        assert project.deploy().code == 0
        project.model(seed=1)
        was_killed = killed(project, number, "deploy", "--yes", "--base-image", project.base)
        done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("stopped", False), 2: ("running", True)}, number
        assert project.run("diff").code == 0, number
        return was_killed

    at_every_step(tmp_path, client, scenario, Project)


def test_a_first_deployment_that_is_killed_at_any_step_goes_on(tmp_path: Path, client: sdk.DockerClient) -> None:
    """There is one version and one front."""

    def scenario(project: Project, number: int) -> bool:
        was_killed = killed(project, number, "deploy", "--yes", "--base-image", project.base)
        done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("running", True)}, number
        assert project.run("diff").code == 0, number
        return was_killed

    at_every_step(tmp_path, client, scenario, Project)


def test_a_rollback_that_is_killed_ends_where_it_was_to_end(tmp_path: Path, client: sdk.DockerClient) -> None:
    """Requests go to the version by then, before which another is kept: the same command goes back no further."""
    project = Project(tmp_path, client)
    try:
        for seed in range(3):
            project.model(seed=seed)
            assert project.deploy().code == 0
        assert killed(project, AFTER_SWITCH, "rollback", "--yes")
        assert {number for number, (_, current) in project.versions().items() if current} == {2}
        done = project.run("rollback", "--yes")
        assert done.code == 0, done.err
        assert project.versions() == {1: ("stopped", False), 2: ("running", True), 3: ("stopped", False)}
        assert project.run("rollback", "--yes").code == 0
        assert project.versions()[1] == ("running", True)
    finally:
        project.remove()


def test_a_removal_that_is_killed_at_any_step_goes_on(tmp_path: Path, client: sdk.DockerClient) -> None:
    """The same command removes the rest, and nothing is left."""

    def scenario(project: Project, number: int) -> bool:
        assert project.deploy().code == 0
        was_killed = killed(project, number, "remove", "--yes")
        assert project.run("remove", "--yes").code in {0, 3}, number
        assert project.left() == [], number
        return was_killed

    at_every_step(tmp_path, client, scenario, Project)
