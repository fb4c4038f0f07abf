"""What goes on for long, or is large, on a real engine: builds that do not end, and models of some size."""

from __future__ import annotations

import io
import os
import tarfile
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from opdeploy.clients import docker, pip
from opdeploy.clients.docker.archive import extract
from opdeploy.errors import OpdeployError
from tests.deploy.projects import BASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import docker as sdk

    from opdeploy.clients.docker.host import Host

pytestmark = pytest.mark.slow  # it builds images

NAME = f"opdeploy-test-streams:{os.getpid()}"
MARK = f"opdeploy.test-streams={os.getpid()}"
"""The label of what is built here, which the containers of a build have too."""
MB = 1_000_000
LIMIT_S = 5
STEPS = {"silent": "sleep 60", "chatty": "while :; do echo on; sleep 0.2; done"}


@pytest.fixture
def host() -> Iterator[Host]:
    """Return what deployments are made with here."""
    with docker.connected() as engine:
        yield engine.host("ann@here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder."""
    made = tmp_path / "made"
    made.mkdir()
    return made


def written(folder: Path, step: str) -> docker.Order:
    """Return the order of a build with a step."""
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nLABEL {MARK}\nENV WORD={os.urandom(8).hex()}\nRUN {step}\n")
    return docker.Order(folder, NAME, network="none", builder="classic", timeout_s=LIMIT_S)


@pytest.mark.parametrize("step", STEPS)
def test_a_build_with_the_classic_builder_ends_in_time(client: sdk.DockerClient, tmp_path: Path, step: str) -> None:
    """Whether it says something or not; its container goes, and no image comes later."""
    started = time.monotonic()
    with (
        docker.connected() as engine,
        pytest.raises(docker.BuildError, match=rf"^\S+: the image was not built within {LIMIT_S} s; see the log above"),
    ):
        engine.build(written(tmp_path, STEPS[step]))
    assert time.monotonic() - started < 6 * LIMIT_S
    assert client.containers.list(all=True, filters={"label": MARK}) == []
    assert client.images.list(name=NAME) == []


@pytest.mark.parametrize(
    "lines",
    ["echo begun; exec sleep 600", "trap '' TERM; echo begun; sleep 600 & wait; wait"],
    ids=["one that ends", "one that does not, with a child that keeps the pipe"],
)
def test_a_build_with_the_docker_program_ends_in_time(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    """It has ended then, killed where it has to be, whatever its own programs do."""
    monkeypatch.setattr("opdeploy.clients.docker.program._PATIENCE_S", 0.2)
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\n[ "$2" = --help ] && exit 0\necho $$ >{tmp_path}/runs\n{lines}\n')
    program.chmod(0o755)
    order = docker.Order(folder, NAME, timeout_s=1)
    seen: list[str] = []
    with docker.connected(str(program)) as engine, pytest.raises(docker.BuildError, match=r"was not built within 1 s"):
        engine.build(order, seen.append)
    assert seen == ["begun"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "runs").read_text()), 0)


def test_a_program_that_gives_no_help_is_not_waited_for(
    client: sdk.DockerClient, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classic builder takes its place."""
    monkeypatch.setattr("opdeploy.clients.docker.building._HELP_S", 0.5)
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nLABEL opdeploy.test={os.getpid()}\n")
    with docker.connected(str(program)) as engine:
        assert engine.build(docker.Order(folder, NAME, network="none")).builder == "classic"
    client.images.remove(NAME)


def test_a_pip_that_does_not_list_its_configuration_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.setattr(pip, "_TIMEOUT_S", 0.001)
    with pytest.raises(OpdeployError, match=r"^pip did not list its configuration within 0.001 s; see why: pip config"):
        pip.sources()


def test_a_model_is_written_as_it_comes(client: sdk.DockerClient, host: Host, folder: Path) -> None:
    """No more of it is in memory than some pieces."""
    command = ["sh", "-c", "mkdir /model && head -c 100000000 /dev/zero >/model/weights"]
    container = client.containers.run(BASE, command, name=NAME.replace(":", "-"), detach=True)
    try:
        container.wait()
        tracemalloc.start()
        host.artefact(str(container.name), folder)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        container.remove(force=True)
    assert (folder / "model" / "weights").stat().st_size == 100 * MB
    assert peak < 20 * MB


def archive(size: int) -> bytes:
    """Return an archive with a file of some size."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        about = tarfile.TarInfo("model/weights")
        about.size = size
        file.addfile(about, io.BytesIO(bytes(size)))
    return made.getvalue()


@pytest.mark.parametrize("piece", [1, 511, 512, 10**6])
def test_an_archive_comes_in_pieces_of_any_size(folder: Path, piece: int) -> None:
    """It is the same then, also where some are empty."""
    whole = archive(1000)
    pieces = [whole[start : start + piece] for start in range(0, len(whole), piece)]
    extract([b"", *pieces, b""], folder, 1000)
    assert (folder / "model" / "weights").read_bytes() == bytes(1000)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "too large": (lambda: archive(1001), "there is no room for model/weights; free some space there"),
    "cut off": (lambda: archive(1000)[:700], "the archive cannot be read: .*; try again"),
    "none": (lambda: b"no archive" * 100, "the archive cannot be read: .*; try again"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_archive_that_cannot_be_written_is_told(folder: Path, case: str) -> None:
    """In one line, and before a file that is too large is begun."""
    made, said = REFUSED[case]
    with pytest.raises(OpdeployError, match=said):
        extract([made()], folder, 1000)
    assert case == "cut off" or [*folder.rglob("*")] == []
