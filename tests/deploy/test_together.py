"""A second version under load, and two commands at once."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import environment
from tests.deploy.asking import Clients
from tests.deploy.projects import Project

pytestmark = pytest.mark.slow  # it builds images


def test_a_second_version_takes_over_without_a_failed_request(project: Project) -> None:
    """Kept, fresh and idle connections all get answers: of the old version, then of the new one, and never back."""
    assert project.deploy().code == 0
    project.model(seed=1)
    with Clients(project) as clients:
        done = project.deploy()
    assert done.code == 0, done.err
    assert clients.errors == []
    for seen in clients.seen:
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == ("1", "2")
    assert max(map(len, clients.seen)) > 100


def test_a_version_that_fails_is_never_seen(project: Project) -> None:
    """Whoever asks meanwhile gets the answers of the version that worked."""
    assert project.deploy().code == 0
    project.model(seed=1, wrong=7)
    with Clients(project) as clients:
        assert project.deploy().code == 5
    assert clients.errors == []
    assert {version for seen in clients.seen for version in seen} == {"1"}


@pytest.fixture
def two(project: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Project]:
    """Return two folders with the same deployment and different models."""
    assert project.deploy().code == 0
    other = Project(tmp_path_factory.mktemp("other"), project.client, name=project.name, port=project.port)
    project.model(seed=1)
    other.model(seed=2)
    return project, other


def test_two_at_once_are_one_after_the_other_or_refused(two: tuple[Project, Project]) -> None:
    """One version wins, and both folders see the same one."""
    commands = [
        subprocess.Popen(
            one.command("deploy", "--yes", "--base-image", one.base),
            cwd=one.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for one in two
    ]
    said = [command.communicate(timeout=300)[1] for command in commands]
    codes = [command.returncode for command in commands]
    assert 0 in codes, said
    assert set(codes) <= {0, 1, 7}, said  # the other held the lock, or had changed what there was
    assert two[0].status()["versions"] == two[1].status()["versions"]
    assert sum(item["current"] for item in two[0].status()["versions"]) == 1
    assert two[0].run("diff").code == 0


def test_while_one_is_at_work_others_are_refused(two: tuple[Project, Project]) -> None:
    """From both folders, with the owner of the lock and what to do, and nothing is changed; then they go on."""
    from opdeploy.clients import docker
    from opdeploy.deploy.locking import locked, owner

    before = two[0].status()["versions"]
    with docker.connected() as engine, locked(engine.host(owner()), two[0].name, "deploy of a third", say=print):
        for one in two:
            refused = one.deploy()
            assert refused.code == 1
            assert f"{owner()} is at work on it (deploy of a third, for " in refused.err
            assert "--break-lock" in refused.err
            assert (one.status()["lock"]["owner"], one.status()["versions"]) == (owner(), before)
    assert two[1].deploy().code == 0
    assert [item["number"] for item in two[0].status()["versions"]] == [1, 2]


def test_the_lock_is_seen_in_status_and_can_be_broken(project: Project) -> None:
    """Who is at work, on what, and since when; a lock of another machine is only taken when it is said so."""
    from opdeploy.clients import docker
    from opdeploy.deployment import Lock

    assert project.deploy().code == 0
    lock = Lock.model_validate_json(
        '{"owner": "ann@elsewhere", "since": "2026-11-25T08:00:00Z", "doing": "deploy", "process": "elsewhere/1/2/3/4"}'
    )
    with docker.connected() as engine:
        engine.host("ann@elsewhere").lock(project.name, lock)
    assert project.status()["lock"]["owner"] == "ann@elsewhere"
    refused = project.run("remove", "--yes")
    assert refused.code == 1
    assert "ann@elsewhere is at work on it (deploy, for " in refused.err
    assert project.run("remove", "--yes", "--break-lock").code == 0
    assert project.left() == []
