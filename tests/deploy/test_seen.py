"""What an engine shows of a deployment, and the lock that it keeps, asked over its interface."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from opdeploy.clients import docker
from opdeploy.deployment import Lock
from tests.deploy.daemon import Daemon, listening
from tests.deploy.test_locking import of_another

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.clients.docker.host import Host

SERVER = {
    "opdeploy.deployment": "m",
    "opdeploy.role": "server",
    "opdeploy.number": "1",
    "opdeploy.config": "0",
    "opdeploy.artefact": "0",
    "opdeploy.at": "2026-11-25T12:00:00+00:00",
    "opdeploy.by": "ann@elsewhere",
    "opdeploy.front": '{"host": "10.0.0.1", "port": 9000}',
}
FRONT = {"opdeploy.deployment": "m", "opdeploy.role": "front"}
ANY = ("127.0.0.1", 0)


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """Return an engine that answers, and has nothing."""
    with listening() as found:
        yield found


@pytest.fixture
def host(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Return what deployments are made with there."""
    monkeypatch.setenv("DOCKER_HOST", daemon.address)
    with docker.connected() as engine:
        yield engine.host("ann@elsewhere")


def images(host: Host) -> dict[str, object]:
    """Return the images of the deployment, and whether each is pushed."""
    found = host.observe("local", "m", pushed=True).found
    return {item.name: item.properties["pushed"] for item in found if item.kind == "image"}


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        (("opdeploy-m:a",), {"opdeploy-m:a"}),
        (("me.example/opdeploy-m:a",), {"me.example/opdeploy-m:a"}),
        (("127.0.0.1:5000/team/opdeploy-m:a",), {"127.0.0.1:5000/team/opdeploy-m:a"}),
        (("opdeploy-m:a", "me.example/opdeploy-m:a"), {"opdeploy-m:a", "me.example/opdeploy-m:a"}),
        (("opdeploy-m:a", "mine:1"), {"opdeploy-m:a"}),
        (("opdeploy-m2:a",), set()),
        (("opdeploy-m-v1:a",), set()),
        (("other-opdeploy-m:a",), set()),
        (("me.example/x-opdeploy-m:a",), set()),
        (("opdeploy-m/x:a",), set()),
        (("mine:1",), set()),
        ((), set()),
    ],
    ids=lambda value: " ".join(sorted(value)) or "none",
)
def test_images_are_those_of_the_deployment(daemon: Daemon, host: Host, tags: tuple[str, ...], shown: set[str]) -> None:
    """Of its own repository, in any registry; no other deployment's, whose name is like this one's."""
    daemon.image(*tags)
    assert images(host).keys() == shown


def test_an_image_that_opdeploy_did_not_build_is_none_of_the_deployment(daemon: Daemon, host: Host) -> None:
    """Whatever it is called."""
    daemon.image("opdeploy-m:a", deployment=None)
    assert images(host) == {}


def test_what_is_pushed_is_known(daemon: Daemon, host: Host) -> None:
    """The engine has the digest that the registry answered with."""
    daemon.image("me.example/opdeploy-m:a", pushed=("me.example/opdeploy-m",))
    daemon.image("opdeploy-m:b")
    assert images(host) == {"me.example/opdeploy-m:a": True, "opdeploy-m:b": False}


def test_a_server_tells_where_the_front_listened(daemon: Daemon, host: Host) -> None:
    """When it was made: the record is on the engine, and no front has to be there."""
    daemon.container("opdeploy-m.v1", "opdeploy-m:a", ANY, SERVER)
    observed = host.observe("local", "m")
    (found,) = (item for item in observed.found if item.kind == "container")
    assert found.properties["front"] == {"host": "10.0.0.1", "port": 9000}
    assert (observed.front, observed.endpoint, observed.current) == (None, None, None)


@pytest.mark.parametrize(("policy", "is_proven"), [("no", False), ("unless-stopped", True)])
def test_a_version_that_worked_is_one_that_is_started_again(
    daemon: Daemon, host: Host, policy: str, *, is_proven: bool
) -> None:
    """It is made without that policy, and gets it once it has shown that it works."""
    daemon.container("opdeploy-m.v1", "opdeploy-m:a", ANY, SERVER, RestartPolicy={"Name": policy})
    assert [version.proven for version in host.observe("local", "m").versions] == [is_proven]


@pytest.mark.parametrize(
    ("at", "endpoint"),
    [
        (("127.0.0.1", 8000), "http://127.0.0.1:8000"),
        (("0.0.0.0", 8000), "http://127.0.0.1:8000"),  # noqa: S104 - nothing listens there
        (("10.0.0.0", 9000), "http://10.0.0.0:9000"),
        (("fd00::1", 9000), "http://[fd00::1]:9000"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_endpoint_is_an_address(daemon: Daemon, host: Host, at: tuple[str, int], endpoint: str) -> None:
    """One that a client takes."""
    daemon.container("opdeploy-m", "opdeploy-m:a", at, FRONT)
    assert host.observe("local", "m").endpoint == endpoint


def test_a_front_that_gave_way_is_no_front(daemon: Daemon, host: Host) -> None:
    """It is seen, so that it is removed, and answers nobody."""
    daemon.container("opdeploy-m.old", "opdeploy-m:a", ANY, FRONT)
    observed = host.observe("local", "m")
    assert ([item.name for item in observed.found], observed.front) == (["opdeploy-m.old"], None)


def test_what_another_deployment_has_is_not_seen(daemon: Daemon, host: Host) -> None:
    """Nor is that of another taken for its own."""
    daemon.container("opdeploy-n.v1", "opdeploy-n:a", ANY, SERVER | {"opdeploy.deployment": "n"})
    host.lock("n", mine())
    assert host.observe("local", "m").found == ()
    assert host.observe("local", "m").lock is None
    assert host.deployments() == ["n"]


def mine() -> Lock:
    """Return a lock of this process."""
    return Lock(owner="ann@here", since=datetime(2026, 11, 25, 12, tzinfo=UTC), doing="deploy", process="here/1/2/3/4")


def test_a_lock_is_the_first_one_s(daemon: Daemon, host: Host) -> None:
    """Who comes second gets the lock that holds, and is seen to have none; it is no volume of the deployment."""
    other = of_another()
    assert host.lock("m", mine()) == mine()
    assert host.lock("m", other) == mine()
    observed = host.observe("local", "m")
    assert (observed.lock, observed.found) == (mine(), ())
    host.unlock("m", mine())
    assert (host.observe("local", "m").lock, daemon.volumes) == (None, {})


def test_a_lock_is_given_back_by_its_holder_alone(daemon: Daemon, host: Host) -> None:
    """One whose lock was broken frees none that another has taken; that there is none is no error."""
    host.unlock("m", mine())
    other = of_another()
    host.lock("m", other)
    host.unlock("m", mine())
    assert host.observe("local", "m").lock == other
    assert not [change for change in daemon.changes if change.startswith("DELETE")]
