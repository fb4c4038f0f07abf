"""The engine: limits that hold, containers that go whatever happens, pushes with their digests, and plain errors."""

from __future__ import annotations

import gc
import http.client
import json
import os
import warnings
from contextlib import closing
from typing import TYPE_CHECKING

import docker as sdk
import pytest

from opdeploy.clients import docker
from opdeploy.errors import OpdeployError
from tests.image.conftest import BASE, MARK, SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REGISTRY = ("127.0.0.1", 5000)
LISTEN = ("python3", "-u", "-c")
SERVER = """
import http.server, os
print("secret", os.environ["SECRET"])
http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)
"""


@pytest.fixture
def leaking() -> Iterator[None]:
    """Let the garbage collector close what the SDK leaves open where nothing listens (docker 7.2.0)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def container(engine: docker.Engine) -> Iterator[docker.Container]:
    """Run a server of files, under limits."""
    run = docker.Run(
        BASE,
        8000,
        cpus=0.5,
        memory=64_000_000,
        environment={"SECRET": "not-in-a-repr"},
        command=(*LISTEN, SERVER),
        tmpfs={"/scratch": 1_000_000},
        user="65532:65532",
        labels={"opdeploy.test": str(os.getpid())},
    )
    assert "not-in-a-repr" not in repr(run)
    with engine.running(run) as found:
        yield found


def test_limits_are_those_of_the_engine(container: docker.Container, client: sdk.DockerClient) -> None:
    """Processors, memory without swap, a read-only root with one folder to write to, no right, one port of loopback."""
    facts = client.containers.get(container.id).attrs
    limits = facts["HostConfig"]
    assert (limits["NanoCpus"], limits["Memory"], limits["MemorySwap"]) == (500_000_000, 64_000_000, 64_000_000)
    assert (limits["ReadonlyRootfs"], limits["CapDrop"], limits["SecurityOpt"]) == (
        True,
        ["ALL"],
        ["no-new-privileges"],
    )
    assert limits["Tmpfs"] == {"/scratch": "size=1000000,mode=1777"}
    assert not limits["Privileged"]
    assert facts["Config"]["User"] == "65532:65532"
    assert facts["Config"]["Labels"] == {"opdeploy.test": str(os.getpid())}
    (published,) = facts["NetworkSettings"]["Ports"]["8000/tcp"]
    assert published["HostIp"] == "127.0.0.1"


def test_it_is_watched_and_stopped(container: docker.Container) -> None:
    """State, address, use and logs while it runs; then how it ended, and a plain word where nothing is to be had."""
    until(lambda: answers(container.address()))
    state = container.state()
    assert (state.status, state.running, state.exit_code, state.health) == ("running", True, None, None)
    first, second = container.stats(), container.stats()
    assert 0 < first.cpu_seconds <= second.cpu_seconds < SECONDS
    assert 1_000_000 < first.memory <= second.peak < 64_000_000
    assert container.wait(0.1) is None
    assert container.logs()[0] == "secret not-in-a-repr"
    assert len(container.logs(tail=1)) == 1
    ended = container.stop(grace=0)
    assert (ended.running, ended.exit_code, ended.oom_killed) == (False, 137, False)
    with pytest.raises(OpdeployError, match="is not published: it has ended; look at its logs"):
        container.address()
    with pytest.raises(OpdeployError, match="has ended, and uses nothing any more; look at its logs"):
        container.stats()


@pytest.mark.parametrize(
    ("code", "exit_code", "killed"),
    [("raise SystemExit(7)", 7, False), ("bytearray(200_000_000).find(1)", 137, True)],
)
def test_it_tells_how_a_container_ended(engine: docker.Engine, code: str, exit_code: int, *, killed: bool) -> None:
    """By its exit code, and whether its memory was used up."""
    with engine.running(docker.Run(BASE, 8000, memory=32_000_000, command=(*LISTEN, code))) as container:
        state = container.wait(SECONDS)
    assert state is not None
    assert (state.exit_code, state.oom_killed) == (exit_code, killed)


def test_a_container_goes_whatever_happens(engine: docker.Engine, client: sdk.DockerClient) -> None:
    """After an interrupt, and where it was created and cannot be started."""
    with (
        pytest.raises(KeyboardInterrupt),
        engine.running(docker.Run(BASE, 8000, command=("sleep", "60"))) as container,
    ):
        raise KeyboardInterrupt
    with pytest.raises(sdk.errors.NotFound):
        client.containers.get(container.id)
    with (
        pytest.raises(OpdeployError, match=f"^{BASE}: the container was not started: .*no-such-program.*; see"),
        engine.running(
            docker.Run(BASE, 8000, command=("no-such-program",), labels={"opdeploy.test": str(os.getpid())})
        ),
    ):
        pass
    assert not client.containers.list(all=True, filters={"label": MARK})


def test_an_image_that_is_not_there_is_told(engine: docker.Engine) -> None:
    """In one line, whatever is asked of it; to remove it is no error."""
    name = "opdeploy-test-none:1"
    with pytest.raises(
        OpdeployError, match=f"^{name}: the engine does not show this image: .*No such image: {name}; build"
    ):
        engine.image(name)
    with (
        pytest.raises(OpdeployError, match="the container was not started: No such image"),
        engine.running(docker.Run(name, 1)),
    ):
        pass
    engine.remove_image(name)


def test_the_engine_describes_itself(engine: docker.Engine) -> None:
    """Version, platform and machine."""
    about = engine.about()
    assert (about.os, about.architecture) == ("linux", "amd64")
    assert about.version
    assert about.cpus >= 1
    assert about.memory > 1_000_000_000


@pytest.mark.usefixtures("leaking")
@pytest.mark.parametrize("host", ["unix:///no/such/socket", "tcp://127.0.0.1:1", "nonsense://x"])
def test_no_engine_is_one_line(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """It names where it was looked for, and what to do."""
    monkeypatch.setenv("DOCKER_HOST", host)
    with (
        pytest.raises(docker.NoEngineError, match=rf"^{host}: no Docker engine answers: .*; start it") as raised,
        docker.connected(),
    ):
        pass
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("leaking")
def test_the_docker_context_is_followed(engine: docker.Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The engine is that of the current context, unless DOCKER_HOST names another."""
    from docker.context.config import get_context_id

    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "away"}))
    meta = tmp_path / "contexts/meta" / get_context_id("away")
    meta.mkdir(parents=True)
    endpoint = {"docker": {"Host": "unix:///no/such/socket", "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": "away", "Metadata": {}, "Endpoints": endpoint}))
    with (
        pytest.raises(docker.NoEngineError, match=r"^the engine of the docker context: no Docker engine answers"),
        docker.connected(),
    ):
        pass
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    with docker.connected() as found:
        assert found.about() == engine.about()


def test_a_push_gives_the_digest_that_the_registry_has(
    engine: docker.Engine, ordered: Callable[..., docker.Order]
) -> None:
    """Not one that was made up: the registry knows it, and so does the engine."""
    name = f"{REGISTRY[0]}:{REGISTRY[1]}/opdeploy/test"
    with closing(http.client.HTTPConnection(*REGISTRY, timeout=SECONDS)) as connection:
        try:
            connection.connect()
        except OSError:
            pytest.skip(f"needs a registry on {REGISTRY[0]}:{REGISTRY[1]}")
        built = engine.build(ordered(base="scratch"))
        engine.tag(built.id, f"{name}:1")
        lines: list[str] = []
        digest = engine.push(f"{name}:1", lines.append)
        accept = {"accept": "application/vnd.docker.distribution.manifest.v2+json"}
        connection.request("HEAD", "/v2/opdeploy/test/manifests/1", headers=accept)
        assert digest == f"{name}@{connection.getresponse().headers['docker-content-digest']}"
    assert lines
    assert digest in engine.image(built.id).digests


def test_a_registry_that_refuses_is_told(engine: docker.Engine, ordered: Callable[..., docker.Order]) -> None:
    """In one line, with what to do."""
    built = engine.build(ordered(base="scratch"))
    engine.tag(built.id, "127.0.0.1:1/opdeploy/test:1")
    with pytest.raises(OpdeployError, match=r"^127\.0\.0\.1:1/opdeploy/test:1: was not pushed: .*; log in") as raised:
        engine.push("127.0.0.1:1/opdeploy/test:1")
    assert "\n" not in str(raised.value)


def answers(address: tuple[str, int]) -> bool:
    """Tell whether a server answers."""
    connection = http.client.HTTPConnection(*address, timeout=SECONDS)
    try:
        connection.request("HEAD", "/")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
