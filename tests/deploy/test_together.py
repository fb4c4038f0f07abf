"""A second version under load, and two commands at once."""

from __future__ import annotations

import subprocess
import threading
from http.client import HTTPConnection
from typing import Self

import pytest

from tests.conftest import environment
from tests.deploy.projects import Project

pytestmark = pytest.mark.slow  # it builds images


class Clients:
    """Ask for the version again and again: on connections that are kept, on a fresh one each time, and rarely."""

    def __init__(self, project: Project) -> None:
        self.port = project.port
        self.path = f"/v2/models/{project.name}"
        self.seen: list[list[str]] = []
        self.errors: list[str] = []
        self._over = threading.Event()
        self._started = threading.Barrier(5)
        kinds = ("kept", "kept", "fresh", "rare")
        self._threads = [threading.Thread(target=self._ask, args=(kind,)) for kind in kinds]

    def __enter__(self) -> Self:
        """Begin, and wait until each client has an answer."""
        for thread in self._threads:
            thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask once more, and end."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, kind: str) -> None:
        seen: list[str] = []
        self.seen.append(seen)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        is_first = is_last = True
        while True:
            is_last = self._over.is_set()
            try:
                connection.request("GET", self.path)
                reply = connection.getresponse()
                body = reply.read().decode()
                if reply.status != 200:
                    self.errors.append(f"{kind}: {reply.status} {body}")
                seen.append(body.partition('"versions":["')[2].partition('"')[0])
            except OSError as error:
                self.errors.append(f"{kind}: {error!r}")
                connection.close()
            if is_first:
                self._started.wait()
            is_first = False
            if is_last:
                break
            if kind == "fresh":
                connection.close()
            if kind == "rare":
                self._over.wait()  # idle from before the switch until after it
        connection.close()


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
    with docker.connected() as engine, locked(engine.host(owner()), two[0].name, "deploy of a third"):
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
