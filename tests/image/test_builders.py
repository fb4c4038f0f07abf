"""The builders: both build the same, say what fails and leave nothing, and no secret stays or shows."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from opdeploy.clients import docker
from opdeploy.clients.docker import program as program_
from opdeploy.clients.docker.image import build_image, check_platform
from opdeploy.errors import InputError, OpdeployError
from opdeploy.image import ImageSettings
from tests.image.conftest import BASE, MARK, buildkit, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import docker as sdk

pytestmark = pytest.mark.slow  # it builds images

BUILDERS: list[docker.Builder] = ["classic", "buildkit"]


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
    assert not client.containers.list(all=True, filters={"label": MARK}, ignore_removed=True)
    assert not client.images.list(filters={"label": MARK}, all=True)


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_base_that_is_not_to_be_had_is_told(engine: docker.Engine, builder: docker.Builder) -> None:
    """In one line that names it, says why, and what to do; the engine's own words are in the log beside it."""
    base = "127.0.0.1:1/no/python:3"
    files = {"Dockerfile": f"ARG BASE={base}\nFROM ${{BASE}} AS build\nRUN true\nFROM ${{BASE}}\n".encode()}
    tag = f"opdeploy-test-no-base:{os.getpid()}"
    with pytest.raises(docker.BuildError) as caught:
        build_image(engine, files, tag, ImageSettings(base=base), watch=print, builder=builder)
    assert str(caught.value) == (
        f"{base}: the base image was not to be had: its registry does not answer; pull it (docker pull) or load it "
        "(docker load) first, or name another with --base-image"
    )
    assert "connection refused" in caught.value.lines[-1]


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
    until(lambda: not client.containers.list(all=True, filters={"label": MARK}, ignore_removed=True))
    assert not client.images.list(filters={"label": MARK}, all=True)


def test_an_interrupt_at_the_very_end_leaves_nothing(
    engine: docker.Engine, ordered: Callable[..., docker.Order], client: sdk.DockerClient
) -> None:
    """The classic builder has made the image, which has no name yet."""

    def interrupt(line: str) -> None:
        if line.startswith("Successfully built"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.build(ordered(f"ENV A={os.urandom(8).hex()}", builder="classic"), interrupt)
    assert not client.images.list(filters={"label": MARK}, all=True)


def test_an_interrupt_leaves_the_image_of_another_build_of_that_name(
    engine: docker.Engine, ordered: Callable[..., docker.Order], client: sdk.DockerClient
) -> None:
    """The other began later and ended sooner."""
    made = ordered(f"ENV A={os.urandom(8).hex()}", builder="classic")
    others: list[str] = []

    def interrupt(line: str) -> None:
        if line.startswith("Successfully built"):
            others.append(engine.build(made).id)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.build(made, interrupt)
    assert [client.images.get(made.tag).id] == others


def test_what_is_left_of_a_failed_build_is_not_what_others_need(
    engine: docker.Engine, ordered: Callable[..., docker.Order], client: sdk.DockerClient
) -> None:
    """Steps that a failed build shares with an image that stands stay, and so does that image."""
    built = engine.build(ordered("RUN true"))
    with pytest.raises(docker.BuildError):
        engine.build(replace(ordered("RUN true", "RUN false"), tag="opdeploy-test-other:1"))
    assert client.images.get(built.id).id == built.id


def test_a_base_without_a_name_stays_when_a_build_on_it_fails(
    engine: docker.Engine, ordered: Callable[..., docker.Order], client: sdk.DockerClient
) -> None:
    """It was there before, as the cache of another build may be; nothing else keeps the engine from removing it."""
    base = engine.build(ordered("ENV A=1"))
    engine.build(ordered("ENV A=2"))  # takes the name
    assert not client.images.get(base.id).tags
    before = set(client.api.images(quiet=True, all=True, filters={"label": MARK}))
    with pytest.raises(docker.BuildError):
        engine.build(ordered("ENV B=1", "RUN false", base=base.id))
    assert set(client.api.images(quiet=True, all=True, filters={"label": MARK})) == before


@pytest.mark.parametrize(
    ("lines", "tidy"),
    [
        (["trap 'sleep 1; rm \"$0.runs\"; exit 1' TERM", "echo begun; while :; do sleep 0.1; done"], True),
        (["trap '' TERM", "echo begun; exec sleep 60"], False),
    ],
)
def test_an_interrupt_waits_for_the_docker_program(
    ordered: Callable[..., docker.Order],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str],
    *,
    tidy: bool,
) -> None:
    """It has ended before the interrupt goes on, so no image comes after what was built was removed; killed if slow."""
    if not tidy:
        monkeypatch.setattr(program_, "_PATIENCE_S", 0.2)
    program = script(tmp_path / "docker", '[ "$2" = --help ] && exit 0; echo $$ >"$0.runs"', *lines)

    def interrupt(line: str) -> None:
        assert line == "begun"
        raise KeyboardInterrupt

    with docker.connected(program) as engine, pytest.raises(KeyboardInterrupt):
        engine.build(ordered(builder="auto"), interrupt)
    runs = tmp_path / "docker.runs"
    assert runs.exists() != tidy
    if not tidy:
        with pytest.raises(ProcessLookupError):
            os.kill(int(runs.read_text()), 0)


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


def test_an_engine_elsewhere_is_named_on_the_command_line(
    client: sdk.DockerClient, ordered: Callable[..., docker.Order], tmp_path: Path
) -> None:
    """Where the docker program would ask another by itself."""
    seen = tmp_path / "seen"
    program = script(tmp_path / "docker", f'[ "$4" = --help ] && exit 0; echo "$@" >{seen}; exit 1')
    engine = docker.Engine(client, program, "unix:///there.sock")
    with pytest.raises(docker.BuildError):
        engine.build(ordered(builder="auto"))
    assert seen.read_text().startswith("--host unix:///there.sock build --progress=plain ")


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
