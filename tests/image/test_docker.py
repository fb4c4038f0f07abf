"""The engine: builds with both builders, limits that hold, containers that go whatever happens, and plain errors."""

from __future__ import annotations

import gc
import http.client
import json
import os
import time
import warnings
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import docker as sdk
import pytest

from opdeploy.clients import docker
from opdeploy.deploy.image import build_image, check_platform
from opdeploy.errors import InputError, OpdeployError
from opdeploy.image import ImageSettings
from tests.image.conftest import BASE, buildkit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 30.0
BUILDERS: list[docker.Builder] = ["classic", "buildkit"]
LABEL = f"opdeploy.test={os.getpid()}"
REGISTRY = ("127.0.0.1", 5000)
LISTEN = ("python3", "-u", "-c")
SERVER = """
import http.server, os
print("secret", os.environ["SECRET"])
http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)
"""


@pytest.fixture
def client() -> Iterator[sdk.DockerClient]:
    """Connect as the SDK does, to see what opdeploy's own client did."""
    found = sdk.from_env()
    yield found
    found.close()


@pytest.fixture
def leaking() -> Iterator[None]:
    """Let the garbage collector close what the SDK leaves open where nothing listens (docker 7.2.0)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture
def ordered(client: sdk.DockerClient, tmp_path: Path) -> Iterator[Callable[..., docker.Order]]:
    """Return a function that writes a Dockerfile and orders its build, and remove what was built in the end."""

    def write(*lines: str, builder: docker.Builder = "classic", base: str = BASE) -> docker.Order:
        (tmp_path / "Dockerfile").write_text("\n".join([f"FROM {base}", f"LABEL {LABEL}", *lines]))
        return docker.Order(tmp_path, f"opdeploy-test-docker:{os.getpid()}", builder=builder, network="none")

    yield write
    for image in client.images.list(filters={"label": LABEL}):
        client.images.remove(str(image.id), force=True)


@pytest.mark.parametrize("builder", BUILDERS)
def test_it_builds_and_says_with_what(
    engine: docker.Engine, ordered: Callable[..., docker.Order], builder: docker.Builder
) -> None:
    """The log comes line by line, the image is there by its id and its name, and arguments reach the steps."""
    lines: list[str] = []
    word = f"heard-{os.urandom(8).hex()}"  # another one each time, or the step comes from the cache
    made = replace(
        ordered("ARG WORD", 'RUN ["python3", "-c", "import os; print(os.environ[\'WORD\'])"]', builder=builder),
        arguments={"WORD": word},
    )
    built = engine.build(made, lines.append)
    assert built.builder == builder
    assert any(line.endswith(word) for line in lines)
    image = engine.image(built.id)
    assert image == engine.image(made.tag)
    assert (image.platform, image.labels) == ("linux/amd64", {"opdeploy.test": str(os.getpid())})
    assert image.history[0].size == 0


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_step_that_fails_is_told_by_its_last_words(
    engine: docker.Engine, ordered: Callable[..., docker.Order], builder: docker.Builder, client: sdk.DockerClient
) -> None:
    """In one line, with the end of the log beside it; neither a container nor an image is left."""
    wrong = ordered('RUN ["python3", "-c", "raise SystemExit(\'no luck\')"]', "RUN true", builder=builder)
    with pytest.raises(docker.BuildError, match=r"^\S+: the image was not built: .*no luck.*; see the log") as raised:
        engine.build(wrong)
    assert "\n" not in str(raised.value)
    assert any("no luck" in line for line in raised.value.lines)
    assert not client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
    assert not client.images.list(filters={"label": LABEL}, all=True)


@pytest.mark.parametrize("builder", BUILDERS)
def test_an_interrupt_leaves_nothing(
    engine: docker.Engine, ordered: Callable[..., docker.Order], builder: docker.Builder, client: sdk.DockerClient
) -> None:
    """The engine stops what runs, and what was built until then goes."""
    word = os.urandom(8).hex()

    def interrupt(line: str) -> None:
        if line.rsplit(maxsplit=1)[-1] == word:  # the output of the step, not its head
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.build(ordered(f"ENV A={word}", "RUN echo $A; exec sleep 60", builder=builder), interrupt)
    until(lambda: not client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True))
    assert not client.images.list(filters={"label": LABEL}, all=True)


def test_what_is_left_of_a_failed_build_is_not_what_others_need(
    engine: docker.Engine, ordered: Callable[..., docker.Order], client: sdk.DockerClient
) -> None:
    """Steps that a failed build shares with an image that stands stay, and so does that image."""
    built = engine.build(ordered("RUN true"))
    with pytest.raises(docker.BuildError):
        engine.build(replace(ordered("RUN true", "RUN false"), tag="opdeploy-test-other:1"))
    assert client.images.get(built.id).id == built.id


def test_a_line_that_steers_the_terminal_steers_none(
    engine: docker.Engine, ordered: Callable[..., docker.Order]
) -> None:
    """Control characters of the log are left out."""
    lines: list[str] = []
    engine.build(ordered('RUN ["python3", "-c", "print(\'\\\\x1b]0;title\\\\x07\\\\x1b[31mred\')"]'), lines.append)
    assert "]0;titlered" in lines


@pytest.mark.parametrize(("builder", "used"), [("auto", "classic"), ("buildkit", None)])
def test_a_program_without_buildkit_is_found_out(
    ordered: Callable[..., docker.Order], tmp_path: Path, builder: docker.Builder, used: str | None
) -> None:
    """Newer programs need buildx for it: then the classic builder does, and who insists is told."""
    program = script(
        tmp_path / "docker", 'echo "ERROR: BuildKit is enabled but the buildx component is missing"; exit 1'
    )
    with docker.connected(program) as engine:
        if used:
            assert engine.build(ordered(builder=builder)).builder == used
        else:
            with pytest.raises(InputError, match=r"^BuildKit needs the docker program with buildx"):
                engine.build(ordered(builder=builder))


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_proxy_of_dockers_configuration_reaches_the_steps(
    ordered: Callable[..., docker.Order], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builder: docker.Builder
) -> None:
    """As with the docker program alone; that of the environment counts more, and no history keeps either."""
    proxies = {"httpProxy": "http://of.config", "httpsProxy": "http://of.config"}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": proxies}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    proxy = "http://of.environment"
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    lines: list[str] = []
    with docker.connected(buildkit()) as engine:
        made = ordered(
            f"ENV A={os.urandom(8).hex()}", "RUN echo $HTTP_PROXY $HTTPS_PROXY $https_proxy", builder=builder
        )
        image = engine.image(engine.build(made, lines.append).id)
    assert any(line.endswith(f"http://of.config {proxy} {proxy}") for line in lines)
    assert "of.config" not in str(image)
    assert "of.environment" not in str(image)


@pytest.mark.parametrize(("help_text", "loads"), [("--load  --tag", True), ("--tag", False)])
def test_buildx_loads_what_it_builds_elsewhere(
    ordered: Callable[..., docker.Order], tmp_path: Path, help_text: str, *, loads: bool
) -> None:
    """A program that knows the option gets it."""
    seen = tmp_path / "seen"
    program = script(
        tmp_path / "docker", f'[ "$2" = --help ] && echo " {help_text}" && exit 0; echo "$@" >{seen}; exit 1'
    )
    with docker.connected(program) as engine, pytest.raises(docker.BuildError):
        engine.build(ordered(builder="auto"))
    assert (" --load " in seen.read_text()) == loads


def test_no_value_stands_on_a_command_line(
    ordered: Callable[..., docker.Order], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The docker program gets names of arguments, and their values by its environment: those of proxies too."""
    seen = tmp_path / "seen"
    program = script(
        tmp_path / "docker",
        f'[ "$2" = --help ] && exit 0; echo "$@" >{seen}; env >>{seen}; '
        'for each in "$@"; do case $each in --iidfile=*) echo sha256:0a >"${each#*=}";; esac; done',
    )
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example")
    with docker.connected(program) as engine:
        made = replace(
            ordered(builder="auto"), arguments={"PIP_INDEX_URL": "https://token.example"}, platform="linux/arm64"
        )
        assert engine.build(made) == docker.Built("sha256:0a", "buildkit")
    line, *environment = seen.read_text().splitlines()
    assert "secret" not in line
    assert "token" not in line
    assert "--build-arg HTTPS_PROXY --build-arg https_proxy --build-arg PIP_INDEX_URL" in line
    assert "--platform=linux/arm64" in line
    assert {"HTTPS_PROXY=http://me:secret@proxy.example", "PIP_INDEX_URL=https://token.example"} <= set(environment)


def script(path: Path, *lines: str) -> str:
    """Write a program."""
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)
    return str(path)


def test_an_image_of_another_platform_is_refused(engine: docker.Engine) -> None:
    """In one line that names both, and it does not stay: the classic builder makes one without a word."""
    files = {"Dockerfile": f"FROM {BASE}\n".encode()}
    settings = ImageSettings(platform="linux/arm64")
    tag = f"opdeploy-test-platform:{os.getpid()}"
    with pytest.raises(
        InputError, match=rf"^{tag}: the image is for linux/amd64, but the target runs linux/arm64; build"
    ):
        build_image(engine, files, tag, settings, watch=print, builder="classic")
    with pytest.raises(OpdeployError, match="No such image"):
        engine.image(tag)


def test_a_variant_of_a_processor_is_no_other_platform(engine: docker.Engine) -> None:
    """Engines name the usual one of arm64 or do not."""
    for variant in ("", "v8"):
        check_platform(replace(engine.image(BASE), architecture="arm64", variant=variant), "x", "linux/arm64")


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
    assert not client.containers.list(all=True, filters={"label": LABEL})


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


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
