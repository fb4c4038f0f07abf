"""The wheel: what is in it, and that it answers as the checkout does when it is installed elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.catalogue import load_catalogue
from opdeploy.document import read_market, read_profiles
from opdeploy.platform import EDITIONS, Edition, Profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy

MINUTES = 60.0


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel that is built from the checkout, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, check=True, capture_output=True, cwd=root, timeout=5 * MINUTES)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def held(wheel: Path) -> dict[str, bytes]:
    """Return the files of the wheel by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def compiled(held: dict[str, bytes]) -> list[dict[str, Any]]:
    """Return the compiled catalogue of the wheel."""
    sources: list[dict[str, Any]] = json.loads(held["opdeploy/_data/catalogue.json"])
    return sources


@pytest.mark.parametrize("folder", ["profiles", "templates"])
def test_the_wheel_holds_the_data_as_it_is_in_the_checkout(held: dict[str, bytes], root: Path, folder: str) -> None:
    """Every file of the folder is in the wheel, byte for byte, and nothing else is."""
    expected = {
        f"opdeploy/_data/{path.relative_to(root)}": path.read_bytes()
        for path in (root / folder).rglob("*")
        if path.is_file()
    }
    assert expected
    assert {name: data for name, data in held.items() if name.startswith(f"opdeploy/_data/{folder}/")} == expected


def test_the_wheel_holds_every_module_and_no_more(held: dict[str, bytes], root: Path) -> None:
    """The package is whole; tests, examples, benchmarks and the build's own code stay out."""
    modules = {str(path.relative_to(root)) for path in (root / "opdeploy").rglob("*.py")}
    data = "opdeploy/_data/"
    assert {name for name in held if name.endswith(".py") and not name.startswith(data)} == modules
    assert {name.split("/")[0].split("-")[0] for name in held} == {"opdeploy"}


def test_the_wheel_gives_the_command_and_the_licence(held: dict[str, bytes]) -> None:
    """Installing it gives `opdeploy`, and the licence comes along."""
    (entry_points,) = [data.decode() for name, data in held.items() if name.endswith("/entry_points.txt")]
    assert "opdeploy = opdeploy.cli:main" in entry_points
    assert any(name.endswith("/licenses/LICENSE") for name in held)


def test_the_compiled_catalogue_is_what_the_profiles_say(compiled: list[dict[str, Any]], root: Path) -> None:
    """The one JSON file has the same data as all the YAML files, in the same order."""
    assert compiled == read_profiles(root / "profiles")


def test_the_compiled_market_is_what_its_files_say(held: dict[str, bytes], root: Path) -> None:
    """Sizes and meters, as JSON."""
    assert json.loads(held["opdeploy/_data/market.json"]) == read_market(root / "profiles" / "azure")


def test_an_installed_wheel_has_the_same_prices(in_installation: Callable[..., str], opdeploy: Opdeploy) -> None:
    """Of every meter."""
    command = ("prices", "show", "--region", "westeurope", "--as-of", "2026-11-26", "-o", "json")
    assert in_installation("opdeploy", *command) == opdeploy(*command).out


@pytest.mark.parametrize("edition", EDITIONS)
def test_both_editions_come_out_of_it(compiled: list[dict[str, Any]], edition: Edition) -> None:
    """The profiles made from the compiled catalogue equal those of the checkout."""
    profiles = [
        Profile.model_validate_json(json.dumps({"id": item["id"], "title": item["title"], **item["editions"][edition]}))
        for item in compiled
        if edition in item["editions"]
    ]
    assert len(profiles) > 10
    assert tuple(profiles) == load_catalogue(edition).profiles


@pytest.fixture(scope="module")
def installed(wheel: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `bin` of a new environment in which nothing but the wheel and its dependencies is installed."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=5 * MINUTES)
    install = [str(environment / "bin" / "pip"), "install", "--quiet", "--constraint", str(root / "constraints.txt")]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, timeout=5 * MINUTES)
    return environment / "bin"


@pytest.fixture
def in_installation(installed: Path, tmp_path: Path, clean: Callable[..., dict[str, str]]) -> Callable[..., str]:
    """Return a function that runs a program of the new environment in another folder, and gives what it prints."""

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(installed / program), *arguments],
            capture_output=True,
            check=True,
            cwd=tmp_path,
            encoding="utf-8",
            env=clean(),
            stdin=subprocess.DEVNULL,
            timeout=MINUTES,
        )
        return done.stdout

    return run


@pytest.mark.parametrize(
    "options", [["-o", "json"], ["-o", "json", "--edition", "2018"], ["--explain"]], ids=["today", "chapter", "table"]
)
def test_an_installed_wheel_answers_as_the_checkout_does(
    in_installation: Callable[..., str], root: Path, tmp_path: Path, opdeploy: Opdeploy, options: list[str]
) -> None:
    """Installed elsewhere and run from another folder, the command gives the same bytes."""
    command = ["recommend", str(root / "examples" / "digits" / "workload.yaml"), "--as-of=2026-11-02", *options]
    assert in_installation("opdeploy", *command) == opdeploy(*command, cwd=tmp_path).out


@pytest.mark.parametrize(
    "command", [["docs", "batch-ai"], ["compare", "aci", "vm"], ["platforms"]], ids=["docs", "compare", "platforms"]
)
def test_an_installed_wheel_shows_platforms_as_the_checkout_does(
    in_installation: Callable[..., str], opdeploy: Opdeploy, command: list[str]
) -> None:
    """What the compiled catalogue lacks, the note at the head of a profile, is there too."""
    assert in_installation("opdeploy", *command, "--as-of=2026-11-02") == opdeploy(*command, "--as-of=2026-11-02").out


def test_the_installed_command_reads_the_compiled_catalogue(
    in_installation: Callable[..., str], installed: Path
) -> None:
    """What is loaded is the wheel's own JSON file, not the checkout, and no YAML is parsed for it."""
    script = (
        "import sys; from opdeploy import catalogue; found = catalogue.load_catalogue();"
        "print(catalogue.data(catalogue.COMPILED)); print(len(found.profiles), 'yaml' in sys.modules)"
    )
    path, counted = in_installation("python", "-c", script).splitlines()
    assert path.startswith(str(installed.parent))
    assert counted == f"{len(load_catalogue().profiles)} False"


@pytest.mark.parametrize(
    ("command", "package"),
    [(["measure"], "msgspec"), (["optimize", "-o", "out"], "numpy"), (["package", "-o", "out"], "numpy")],
)
def test_an_extra_that_is_missing_is_asked_for_by_name(
    installed: Path, root: Path, command: list[str], package: str
) -> None:
    """Without the packages that work with models, one line says which is missing first, and how to get it."""
    model = root / "examples" / "digits" / "model.onnx"
    done = subprocess.run(
        [str(installed / "opdeploy"), "model", *command, str(model)], capture_output=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 2
    assert done.stderr == f"error: the package {package} is missing; pip install 'opdeploy[model]'\n"


def test_the_installed_command_writes_the_same_file_to_start_from(
    in_installation: Callable[..., str], tmp_path: Path, opdeploy: Opdeploy
) -> None:
    """The template is found in the wheel, and what it needs is among the dependencies."""
    in_installation("opdeploy", "init", "--name", "a", "--pattern", "stream", "--file", "installed.yaml")
    opdeploy("init", "--name", "a", "--pattern", "stream", "--file", "checkout.yaml", cwd=tmp_path)
    assert (tmp_path / "installed.yaml").read_bytes() == (tmp_path / "checkout.yaml").read_bytes()
