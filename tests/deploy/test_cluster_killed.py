"""A deployment to a cluster that is killed at any step: the same command goes on, and makes nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deploy.clusters import ClusterProject
from tests.deploy.test_killed import at_every_step, killed

if TYPE_CHECKING:
    from pathlib import Path

    import docker as sdk

pytestmark = pytest.mark.slow  # minutes: it is killed at every step


@pytest.mark.usefixtures("cluster_project")
def test_an_update_that_is_killed_at_any_step_goes_on(tmp_path: Path, client: sdk.DockerClient) -> None:
    """The next version answers, under the next number, and the one before is kept; and then all of it goes."""

    def scenario(project: ClusterProject, number: int) -> bool:
        assert project.deploy().code == 0
        project.model(seed=1)
        was_killed = killed(project, number, "deploy", "--yes", "--base-image", project.base)
        done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("stopped", False), 2: ("running", True)}, number
        assert project.run("diff").code == 0, number
        return was_killed

    at_every_step(tmp_path / "update", client, scenario, ClusterProject)


@pytest.mark.usefixtures("cluster_project")
def test_a_first_deployment_and_a_removal_that_are_killed_go_on(tmp_path: Path, client: sdk.DockerClient) -> None:
    """There is one version; and the same command removes the rest."""

    def scenario(project: ClusterProject, number: int) -> bool:
        was_killed = killed(project, number, "deploy", "--yes", "--base-image", project.base)
        done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("running", True)}, number
        killed(project, number, "remove", "--yes")
        assert project.run("remove", "--yes").code in {0, 3}, number
        assert project.left() == [], number
        return was_killed

    at_every_step(tmp_path / "first", client, scenario, ClusterProject)
