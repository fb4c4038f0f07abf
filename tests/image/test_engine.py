"""The engine: limits that hold, containers that go whatever happens, pushes with their digests, and plain errors."""

from __future__ import annotations

import gc
import http.client
import json
import os
import warnings
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from opdeploy.clients import docker
from opdeploy.errors import OpdeployError
from tests.image.conftest import MARK, SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import docker as sdk
    from docker.models.containers import Container as Raw

REGISTRY = ("127.0.0.1", 5000)
LABELS = {"opdeploy.test": str(os.getpid())}
SERVER = (
    "import http.server, os; print('secret', os.environ['SECRET']); "
    "http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)"
)


@pytest.fixture
def leaking() -> Iterator[None]:
    """Let the garbage collector close what the SDK leaves open where nothing listens (docker 7.2.0)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def image(engine: docker.Engine, ordered: Callable[..., docker.Order]) -> Callable[..., str]:
    """Return a function that builds an image of a command."""
    return lambda *command: engine.build(ordered("USER 65532:65532", f"CMD {json.dumps(command)}")).id


@pytest.fixture
def container(engine: docker.Engine, image: Callable[..., str]) -> Iterator[docker.Container]:
    """Run a server of files, under limits."""
    run = docker.Run(
        image("python3", "-u", "-c", SERVER),
        8000,
        cpus=0.5,
        memory=64_000_000,
        environment={"SECRET": "not-in-a-repr"},
        labels=LABELS,
    )
    assert "not-in-a-repr" not in repr(run)
    with engine.running(run) as found:
        yield found


@pytest.fixture
def raw(container: docker.Container, client: sdk.DockerClient) -> Raw:
    """Return that container as the SDK has it."""
    until(lambda: answers(container.address()))
    (found,) = client.containers.list(filters={"label": MARK})
    return found


def test_limits_are_those_of_the_engine(raw: Raw) -> None:
    """Processors, memory without swap, processes, a read-only root, no right, one port of loopback."""
    limits = raw.attrs["HostConfig"]
    assert (limits["NanoCpus"], limits["Memory"], limits["MemorySwap"]) == (500_000_000, 64_000_000, 64_000_000)
    assert 64 <= limits["PidsLimit"] <= 10_000
    assert (limits["ReadonlyRootfs"], limits["CapDrop"], limits["SecurityOpt"]) == (
        True,
        ["ALL"],
        ["no-new-privileges"],
    )
    assert not limits.get("Tmpfs")
    assert not limits["Privileged"]
    assert raw.attrs["Config"]["User"] == "65532:65532"
    assert raw.labels == LABELS
    (published,) = raw.attrs["NetworkSettings"]["Ports"]["8000/tcp"]
    assert published["HostIp"] == "127.0.0.1"


def test_it_is_watched(container: docker.Container, raw: Raw) -> None:
    """State, use and logs while it runs; then how it ended, and a plain word where nothing is to be had."""
    assert container.state() == docker.State(exit_code=None, oom_killed=False)
    first, second = container.stats(), container.stats()
    assert 0 < first.cpu_seconds <= second.cpu_seconds < SECONDS
    assert 1_000_000 < first.peak <= second.peak < 64_000_000
    assert container.logs()[0] == "secret not-in-a-repr"
    assert len(container.logs(tail=1)) == 1
    raw.kill()
    until(lambda: container.state() == docker.State(exit_code=137, oom_killed=False))
    with pytest.raises(OpdeployError, match="is not published: it has ended; look at its logs"):
        container.address()
    with pytest.raises(OpdeployError, match="has ended, and uses nothing any more; look at its logs"):
        container.stats()


@pytest.mark.parametrize(
    ("code", "exit_code", "killed"),
    [("raise SystemExit(7)", 7, False), ("bytearray(200_000_000).find(1)", 137, True)],
)
def test_it_tells_how_a_container_ended(
    engine: docker.Engine, image: Callable[..., str], code: str, exit_code: int, *, killed: bool
) -> None:
    """By its exit code, and whether its memory was used up."""
    with engine.running(docker.Run(image("python3", "-c", code), 8000, memory=32_000_000)) as container:
        until(lambda: container.state().exit_code is not None)
        assert container.state() == docker.State(exit_code, killed)


def test_a_container_goes_whatever_happens(
    engine: docker.Engine, image: Callable[..., str], client: sdk.DockerClient
) -> None:
    """After an interrupt, and where it was created and cannot be started."""

    def interrupted() -> None:
        with engine.running(docker.Run(image("sleep", "60"), 8000, labels=LABELS)):
            assert client.containers.list(filters={"label": MARK})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not client.containers.list(all=True, filters={"label": MARK})
    broken = image("no-such-program")
    with (
        pytest.raises(OpdeployError, match=f"^{broken}: the container was not started: .*no-such-program.*; see"),
        engine.running(docker.Run(broken, 8000, labels=LABELS)),
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
    """By the machine that it runs on."""
    about = engine.about()
    assert about.architecture == "amd64"
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
