"""The help of each command, held in golden files, and what a command may import to print it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Opdeploy

    Write = Callable[[str | dict[str, Any]], Path]
    Loaded = Callable[..., set[str]]

GOLDEN = Path(__file__).with_name("golden")
COMMANDS = (
    "",
    "init",
    "recommend",
    "heatmap",
    "continuum",
    "compare",
    "platforms",
    "prices",
    "prices show",
    "prices check",
    "prices refresh",
    "docs",
    "schema",
    "try",
    "test-local",
    "doctor",
    "render",
    "plan",
    "deploy",
    "apply",
    "status",
    "list",
    "logs",
    "score",
    "history",
    "diff",
    "rollback",
    "remove",
    "model",
    "model inspect",
    "model convert",
    "model optimize",
    "model verify",
    "model measure",
    "model package",
)
HEAVY = (
    "azure",
    "docker",
    "granian",
    "jinja2",
    "kubernetes",
    "matplotlib",
    "numpy",
    "onnx",
    "onnxruntime",
    "opdeploy.serving",
    "orjson",
    "sklearn",
    "torch",
)
"""What no command of today uses, but for pages, which need jinja2, and pictures."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "opdeploy")
def test_help_is_as_in_the_golden_file(pytestconfig: pytest.Config, opdeploy: Opdeploy, command: str) -> None:
    """`--help` prints what was last looked at and committed; `pytest --update` writes it anew."""
    path = GOLDEN / f"{_golden(command)}.txt"
    ran = opdeploy(*command.split(), "--help", COLUMNS="80")
    assert (ran.code, ran.err) == (0, "")
    if pytestconfig.getoption("--update"):
        path.write_text(ran.out, encoding="utf-8")
    assert ran.out == path.read_text(encoding="utf-8")


def test_every_command_has_a_golden_file(opdeploy: Opdeploy) -> None:
    """A new command needs a golden file of its own."""
    found = {""}
    for group in ("", "model", "prices"):
        listed = opdeploy(*group.split(), "--help", COLUMNS="80").out.split("Commands:\n")[1].splitlines()
        found |= {f"{group} {line.split()[0]}".strip() for line in listed if line[2:3].strip()}
    assert found == set(COMMANDS)
    assert {path.stem for path in GOLDEN.iterdir()} == set(map(_golden, COMMANDS))


def _golden(command: str) -> str:
    return command.replace(" ", "-") or "opdeploy"


def test_help_is_what_a_group_says_without_a_command(opdeploy: Opdeploy) -> None:
    """`opdeploy model` alone prints its help on stdout and ends well."""
    assert opdeploy("model", COLUMNS="80") == opdeploy("model", "--help", COLUMNS="80")


@pytest.mark.parametrize("arguments", [["-h"], [], ["--debug"]], ids=["short", "nothing", "only debug"])
def test_help_is_what_opdeploy_says_without_a_command(opdeploy: Opdeploy, arguments: list[str]) -> None:
    """Without a command, and with `-h`, opdeploy prints its help on stdout and ends well."""
    assert opdeploy(*arguments, COLUMNS="80") == opdeploy("--help", COLUMNS="80")


def test_golden_files_are_not_written_in_ci(root: Path, clean: Callable[..., dict[str, str]]) -> None:
    """`--update` is refused where nobody reads the difference."""
    options = ["--update", "--collect-only", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        capture_output=True,
        check=False,
        cwd=root,
        encoding="utf-8",
        env=clean(CI="1"),
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--update is for a person" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hea", {"heatmap"}),
        ("docs az", {"azure-batch", "aztk"}),
        ("compare aci aks-", {"aks-cpu", "aks-gpu"}),
        ("recommend --why-not batch-", {"batch-ai", "batch-shipyard"}),
        ("heatmap --edition ", {"2018", "2026"}),
    ],
)
def test_the_shell_completes_commands_and_platforms(opdeploy: Opdeploy, words: str, expected: set[str]) -> None:
    """What the shell asks for after Tab is answered with commands, values of options, and ids of platforms."""
    at = str(len(words.split(" ")))
    ran = opdeploy(_OPDEPLOY_COMPLETE="complete_bash", COMP_WORDS=f"opdeploy {words}", COMP_CWORD=at)
    assert (ran.code, set(ran.out.split())) == (0, expected)


LIST_MODULES = """
import json, sys
from opdeploy.cli import main
try:
    main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w") as file:
        json.dump(sorted(sys.modules), file)
"""


@pytest.fixture
def loaded(tmp_path: Path, clean: Callable[..., dict[str, str]]) -> Loaded:
    """Return a function that runs a command, and gives the modules that it had loaded at its end."""

    def modules(*arguments: str | Path) -> set[str]:
        listed = tmp_path / "modules.json"
        command = [sys.executable, "-c", LIST_MODULES, str(listed), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, env=clean())
        return set(json.loads(listed.read_text()))

    return modules


def of(packages: tuple[str, ...], modules: set[str]) -> set[str]:
    """Return the modules that belong to the packages."""
    return {module for module in modules if any(f"{module}.".startswith(f"{package}.") for package in packages)}


@pytest.fixture
def workload(write: Write) -> Path:
    """Return a workload file that has a viable platform."""
    return write({"name": "a", "serving": {"pattern": "stream"}})


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "opdeploy")
def test_help_loads_little(loaded: Loaded, command: str) -> None:
    """Help is quick: it needs neither the model of the workload, nor YAML, nor tables."""
    modules = loaded(*command.split(), "--help")
    assert "opdeploy.cli" in modules
    assert of((*HEAVY, "pydantic", "rich", "yaml"), modules) == set()


@pytest.mark.parametrize("output", ["table", "json", "yaml", "markdown", "html"])
def test_recommend_loads_nothing_heavy(loaded: Loaded, workload: Path, output: str) -> None:
    """A recommendation needs no SDK and no numbers; only tables need rich, and only pages need templates."""
    modules = loaded("recommend", workload, "-o", output)
    assert "opdeploy.advisor" in modules
    assert of(HEAVY, modules) - of(("jinja2",), modules) == set()
    assert bool(of(("jinja2",), modules)) == (output == "html")
    assert bool(of(("rich",), modules)) == (output == "table")


LOOKING = {
    "platforms": (["platforms"], {"table": True, "json": False}),
    "docs": (["docs", "aci"], {"text": False, "markdown": False, "json": False}),
    "compare": (["compare", "aci", "vm"], {"table": True, "markdown": False, "json": False}),
}
"""What looks at platforms: the command, and which of its formats needs rich where there is no terminal."""


@pytest.mark.parametrize(
    ("command", "output", "rich"),
    [(command, output, rich) for command, forms in LOOKING.values() for output, rich in forms.items()],
    ids=[f"{name}-{output}" for name, (_, forms) in LOOKING.items() for output in forms],
)
def test_looking_at_platforms_loads_nothing_heavy(
    loaded: Loaded, command: list[str], output: str, *, rich: bool
) -> None:
    """Looking at platforms needs no advisor and nothing heavy; only tables need rich."""
    modules = loaded(*command, "-o", output)
    assert "opdeploy.catalogue" in modules
    assert of((*HEAVY, "opdeploy.advisor"), modules) == set()
    assert bool(of(("rich",), modules)) == rich


LOOKS = {"table": ("rich",), "json": (), "csv": (), "html": ("jinja2",), "svg": ("matplotlib", "numpy")}
"""What each format of a heatmap or continuum needs."""


@pytest.mark.parametrize("command", ["heatmap", "continuum"])
@pytest.mark.parametrize(("output", "needed"), LOOKS.items(), ids=list(LOOKS))
def test_a_look_loads_what_its_format_needs(
    loaded: Loaded, tmp_path: Path, command: str, output: str, needed: tuple[str, ...]
) -> None:
    """Data needs none of the heavy packages, a table only rich, a page only jinja2, a picture only matplotlib."""
    modules = loaded(command, "--file", tmp_path / "look", "-o", output)
    found = {package for package in (*HEAVY, "rich") if of((package,), modules)}
    assert "opdeploy.catalogue" in modules
    assert found == set(needed)


def test_schema_loads_nothing_heavy(loaded: Loaded) -> None:
    """The schema comes from the model of the workload alone."""
    modules = loaded("schema", "workload")
    assert "opdeploy.workload" in modules
    assert of((*HEAVY, "opdeploy.advisor", "opdeploy.catalogue", "rich", "yaml"), modules) == set()


def test_the_schema_command_prints_the_schema(opdeploy: Opdeploy) -> None:
    """`opdeploy schema workload` prints JSON Schema on stdout."""
    ran = opdeploy("schema", "workload")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert ran.json["required"] == ["name", "serving"]
