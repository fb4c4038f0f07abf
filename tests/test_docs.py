"""The documentation says what the program does."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advice import catalogue
from matplotlib.image import imread

from opdeploy.serving.settings import options
from opdeploy.workload_file import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.conftest import Opdeploy

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SAMPLES = ROOT / "docs" / "samples"
HASH = re.compile(r"(?<=opdeploy-digits:)[0-9a-f]{12}")
"""Of an image's files, among them golden answers, whose last digits are those of the machine."""
BLOCK = re.compile(r"```console\n(?P<command>\$ opdeploy .+)\n(?P<output>(?:.*\n)*?)```")
FILE = re.compile(r"```yaml\n# (?P<name>\S+\.yaml)\n(?P<text>(?:.*\n)*?)```")


def test_the_readmes_commands_print_what_it_shows(
    opdeploy: Opdeploy, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Each `$ opdeploy` in the README, run on the files that it shows, prints the output below it."""
    text = README.read_text(encoding="utf-8")
    shutil.copy(ROOT / "examples" / "digits" / "model.onnx", tmp_path)
    for file in FILE.finditer(text):
        (tmp_path / file["name"]).write_text(file["text"], encoding="utf-8")

    def real(block: re.Match[str]) -> str:
        ran = opdeploy(*shlex.split(block["command"])[2:], cwd=tmp_path)
        assert ran.code == 0
        lines = "".join(line.rstrip() + "\n" for line in (ran.err + ran.out).splitlines())
        return f"```console\n{block['command']}\n{lines}```"

    assert BLOCK.search(text)
    expected = BLOCK.sub(real, text)
    if pytestconfig.getoption("--update"):
        README.write_text(expected, encoding="utf-8")
    assert HASH.sub("", expected) == HASH.sub("", text) or pytestconfig.getoption("--update")


def test_the_samples_are_what_their_commands_write(
    opdeploy: Opdeploy, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Each command in docs/samples/README.md writes the file that is committed there; pictures by their pixels."""
    shutil.copytree(ROOT / "examples" / "digits", tmp_path / "examples" / "digits")
    folder = tmp_path / "docs" / "samples"
    folder.mkdir(parents=True)
    commands = re.findall(r"^\$ opdeploy (.+)$", (SAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    for command in commands:
        ran = opdeploy(*shlex.split(command), cwd=folder)
        assert (ran.code, ran.out, ran.err) == (0, "", "")
    written = sorted(path.name for path in folder.iterdir())
    assert len(written) == len(commands)
    if pytestconfig.getoption("--update"):
        shutil.copytree(folder, SAMPLES, dirs_exist_ok=True)
    assert sorted(path.name for path in SAMPLES.iterdir() if path.name != "README.md") == written
    for name in written:
        assert content(folder / name) == content(SAMPLES / name), name


def content(path: Path) -> object:
    """Return what a file holds: the pixels of a PNG, the text of anything else."""
    return imread(path).tolist() if path.suffix == ".png" else path.read_text(encoding="utf-8")


def test_the_readmes_make_targets_exist() -> None:
    """What the README tells to make can be made."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^\$ make (\w+)|`make (\w+)`", README.read_text(encoding="utf-8"), re.MULTILINE))
    targets = {target for pair in named for target in pair if target}
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link in a document names a file."""
    for document in (README, ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_published_schema_is_the_schema(pytestconfig: pytest.Config) -> None:
    """docs/workload.schema.json is what `opdeploy schema workload` prints."""
    published = ROOT / "docs" / "workload.schema.json"
    text = json.dumps(json_schema(), indent=2) + "\n"
    if pytestconfig.getoption("--update"):
        published.write_text(text, encoding="utf-8")
    assert published.read_text(encoding="utf-8") == text


def _fields(schema: dict[str, Any], node: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, field in node.get("properties", {}).items():
        target = field.get("$ref") or field.get("anyOf", [{}])[0].get("$ref")
        if target:
            yield from _fields(schema, schema["$defs"][target.rsplit("/", 1)[-1]], f"{path}{name}.")
        else:
            yield f"{path}{name}"


def test_every_field_is_documented() -> None:
    """docs/workload.md has each field of the workload file, and each value that it may have."""
    text = (ROOT / "docs" / "workload.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    schema = json_schema()
    for field in _fields(schema, schema):
        if field != "serving.tokens":
            assert f"`{field}`" in rows or f"`{field.rsplit('.', 1)[-1]}`" in rows, field
    values = set(re.findall(r'"enum": \[([^\]]+)\]', json.dumps(schema)))
    for value in {value.strip('" ') for group in values for value in group.split(",")} - {"llm"}:
        assert f"`{value}`" in text, value


def test_every_platform_is_documented() -> None:
    """docs/platforms.md lists each platform under its title, and the editions in which it stands."""
    text = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line.startswith("| `")]
    listed = {row[1].strip("`"): (row[2], bool(row[3])) for row in rows if len(row) == 6}
    for profile in catalogue("2026").profiles:
        assert listed[profile.id] == (profile.title, profile.id in catalogue("2018").by_id)


def test_every_constraint_is_documented() -> None:
    """docs/scoring.md explains each constraint that an answer may name."""
    code = (ROOT / "opdeploy" / "advisor" / "constraints.py").read_text(encoding="utf-8")
    text = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")
    named = set(re.findall(r'Reason\(\s*"([a-z-]+)"', code))
    assert len(named) >= 20
    assert all(f"`{name}`" in text for name in named)


def test_the_servers_settings_are_documented(pytestconfig: pytest.Config) -> None:
    """The table in docs/serving.md has each option of the server with its default and what it is for."""
    path = ROOT / "docs" / "serving.md"
    text = path.read_text(encoding="utf-8")
    told = [(option, f"`{option.default}`" if option.default else "") for option in options()]
    rows = [f"| `--{option.name}` | {default} | {option.text} |\n" for option, default in told]
    table = re.compile(r"(?<=\| option \| default \| what \|\n\| --- \| --- \| --- \|\n)(?:\|.*\n)+")
    expected = table.sub("".join(rows), text)
    assert rows[0] in expected
    if pytestconfig.getoption("--update"):
        path.write_text(expected, encoding="utf-8")
    assert expected == text or pytestconfig.getoption("--update")
