"""`opdeploy render` as a process: a folder of files, the same every time, or nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.deploy.hostile import NAMES, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    OneLine = Callable[[Ran], str]

RENDER = ("render", "--target", "local", "-d")


@pytest.fixture(scope="module")
def digits(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the digits' workload file and model."""
    folder = tmp_path_factory.mktemp("digits")
    for name in ("workload.yaml", "model.onnx"):
        shutil.copy(root / "examples" / "digits" / name, folder)
    return folder


def files(folder: Path) -> dict[str, tuple[bytes, int, float]]:
    """Return content, mode and time of every file of a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_files_are_written_every_time(opdeploy: Opdeploy, digits: Path, tmp_path: Path) -> None:
    """Byte for byte, whatever the order of hash tables; what was written is told on stderr."""
    for name in ("one", "two"):
        ran = opdeploy(*RENDER, tmp_path / name, cwd=digits, PYTHONHASHSEED=str(len(name) + ord(name[0])))
        count = len(files(tmp_path / name))
        start = tmp_path / name / "README.md"
        assert (ran.code, ran.out) == (0, "")
        assert ran.err == f"wrote {count} files to {tmp_path / name}; start with {start}\n"
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert {"README.md", "compose.yaml", "image/Dockerfile"} <= files(tmp_path / "one").keys()


def test_settings_are_in_the_files(opdeploy: Opdeploy, digits: Path, tmp_path: Path) -> None:
    """Port, address, registry and name; a key is asked for by the name of its variable."""
    options = ("--host", "0.0.0.0", "--port", "9000", "--registry", "me.example", "--name", "forms")  # noqa: S104
    assert opdeploy(*RENDER, tmp_path / "made", *options, cwd=digits).code == 0
    made = yaml.safe_load((tmp_path / "made" / "compose.yaml").read_text(encoding="utf-8"))
    (service,) = made["services"].values()
    assert made["name"] == "forms"
    assert service["image"].startswith("me.example/forms:")
    assert service["ports"] == ["0.0.0.0:9000:8000"]
    assert service["environment"]["OPDEPLOY_API_KEYS"].startswith("${OPDEPLOY_API_KEYS:?")
    readme = (tmp_path / "made" / "README.md").read_text(encoding="utf-8")
    started = readme[readme.index("    export OPDEPLOY_API_KEYS=") :].partition("\n\n")[0]
    assert '="${OPDEPLOY_API_KEYS:?set it to a key of 32 random characters}" &&\n    docker run ' in started
    assert " --env OPDEPLOY_API_KEYS " in started


@pytest.mark.parametrize(
    ("host", "listen", "reached"),
    [
        ("::1", "[::1]", "[::1]"),
        ("fd00::1", "[fd00::1]", "[fd00::1]"),
        ("::", "[::]", "[::1]"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),  # noqa: S104 - nothing listens there
        ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
    ],
)
def test_an_address_is_written_as_docker_reads_it(
    opdeploy: Opdeploy, digits: Path, tmp_path: Path, host: str, listen: str, reached: str
) -> None:
    """One of version 6 has brackets where a port follows; the README asks where it is reached."""
    assert opdeploy(*RENDER, tmp_path / "made", "--host", host, "--port", "9000", cwd=digits).code == 0
    (service,) = yaml.safe_load((tmp_path / "made" / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    assert service["ports"] == [f"{listen}:9000:8000"]
    readme = (tmp_path / "made" / "README.md").read_text(encoding="utf-8")
    assert f"--publish {listen}:9000:8000 " in readme
    assert f"curl --fail http://{reached}:9000/v2/health/ready" in readme


def test_an_empty_folder_is_filled(opdeploy: Opdeploy, digits: Path, tmp_path: Path) -> None:
    """As one that is not there yet."""
    (tmp_path / "made").mkdir()
    assert opdeploy(*RENDER, tmp_path / "made", cwd=digits).code == 0
    assert (tmp_path / "made" / "README.md").is_file()


def with_a_file(folder: Path) -> Path:
    """Return a folder with a file of somebody's."""
    (folder / "made").mkdir()
    (folder / "made" / "mine.txt").write_text("mine", encoding="utf-8")
    return folder / "made"


def a_file(folder: Path) -> Path:
    """Return a file of somebody's."""
    (folder / "made").write_text("mine", encoding="utf-8")
    return folder / "made"


def below_nothing(folder: Path) -> Path:
    """Return a place in a folder that is not there."""
    return folder / "none" / "made"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (with_a_file, "is there already, and not empty; name another folder"),
        (a_file, "is there already, and not empty; name another folder"),
        (below_nothing, "there is no folder"),
    ],
    ids=["a folder with a file", "a file", "no folder"],
)
def test_what_is_there_stays(
    opdeploy: Opdeploy, one_line: OneLine, digits: Path, tmp_path: Path, place: Callable[[Path], Path], said: str
) -> None:
    """With 2 and one line; nothing is written, and nothing is changed."""
    folder = place(tmp_path)
    before = files(tmp_path)
    ran = opdeploy(*RENDER, folder, cwd=digits)
    assert (ran.code, ran.out) == (2, "")
    assert said in one_line(ran)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "option",
    [
        f"--name={NAMES['shell']}",
        f"--registry={WORDS['substitution']}",
        f"--host={WORDS['substitution']}",
        f"--base-image={WORDS['line']}",
    ],
    ids=lambda option: option.partition("=")[0],
)
def test_nothing_hostile_is_written(
    opdeploy: Opdeploy, one_line: OneLine, digits: Path, tmp_path: Path, option: str
) -> None:
    """With 2 and one line, and there is no folder then."""
    ran = opdeploy(*RENDER, tmp_path / "made", option, cwd=digits)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith(f"error: {option.partition('=')[0]}")
    assert [*tmp_path.iterdir()] == []
