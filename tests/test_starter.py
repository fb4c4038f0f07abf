"""The file to start from: every field is in it, and whatever a person uncomments works."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from opdeploy import document
from opdeploy.catalogue import load_catalogue
from opdeploy.errors import InputError
from opdeploy.starter import Known, label, refusal, starter
from opdeploy.workload import Pattern, Workload
from opdeploy.workload_file import json_schema, load_workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATTERNS = get_args(Pattern)
LINE = re.compile(r"(?P<indent> *)(?P<off># )?(?P<key>[a-z0-9_]+):(?: (?P<value>.*?))? *(?: # (?P<comment>.*))?")
"""A line with a field, set or commented; the talk in the file has no such line."""

KNOWN: dict[str, Known] = {
    **{pattern: {"name": "a", "serving.pattern": pattern} for pattern in PATTERNS},
    "busy": {
        "name": "a",
        "serving.pattern": "stream",
        "serving.requests_per_second.average": 10**9,
        "serving.latency_ms.p95": 0.5,
        "data.location": "postgres",
        "stage": "pilot",
        "team.knows": ["docker", "sql"],
        "region": "westeurope",
    },
    "hourly": {
        "name": "a",
        "serving.pattern": "scheduled-batch",
        "batch.every": "1h",
        "batch.records": 5,
        "model.path": "model.onnx",
        "model.size_mb": 0.0000001,
        "model.gflops": 2e-9,
    },
}


def fields(text: str) -> Iterator[tuple[int, str, re.Match[str]]]:
    """Give the number of each line with a field, the field's path, and the match."""
    path: list[str] = []
    for number, line in enumerate(text.splitlines()):
        if found := LINE.fullmatch(line):
            path[len(found["indent"]) // 2 :] = [found["key"]]
            yield number, ".".join(path), found


def leaves(schema: dict[str, Any], node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each field of a JSON Schema that has no fields of its own."""
    for name, field in node["properties"].items():
        section = field.get("$ref") or field.get("anyOf", [{}])[0].get("$ref")
        if section:
            yield from leaves(schema, schema["$defs"][section.rsplit("/", 1)[-1]], f"{path}{name}.")
        else:
            yield f"{path}{name}", field


LEAVES = {path: field for path, field in leaves(json_schema(), json_schema()) if path != "serving.tokens"}


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Workload]:
    """Return a function that reads text as a workload file that lies beside a model."""
    (tmp_path / "model.onnx").touch()
    platforms = load_catalogue().all_ids

    def accepted(text: str) -> Workload:
        path = tmp_path / "workload.yaml"
        path.write_text(text, encoding="utf-8")
        return load_workload(path, platforms)

    return accepted


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_every_field_stands_in_the_file_once(known: Known) -> None:
    """All leaves of the schema are there: those that are known are set, all others are commented."""
    found = {path: match for _, path, match in fields(starter(known)) if match["value"]}
    assert found.keys() == LEAVES.keys()
    assert {path for path, match in found.items() if not match["off"]} == known.keys()


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_the_file_is_valid_as_it_is_written(load: Callable[[str], Workload], known: Known) -> None:
    """It reads as exactly the fields that are known."""
    set_ = load(starter(known)).model_dump(exclude_defaults=True)
    assert flat(set_) == {path: tuple(value) if isinstance(value, list) else value for path, value in known.items()}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_an_editor_that_holds_the_schema_marks_nothing_in_it(known: Known) -> None:
    """The file is valid by the published schema too, also where a section has no line that counts."""
    jsonschema.validate(document.parse(starter(known), "workload.yaml").value, json_schema())


def flat(value: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return the fields of nested sections by their whole path."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= flat(item, f"{path}{key}.") if isinstance(item, dict) else {f"{path}{key}": item}
    return found


def uncommented(text: str, wanted: set[int]) -> str:
    """Take the "# " from the lines with these numbers."""
    lines = text.splitlines()
    return "".join(
        (line.replace("# ", "", 1) if number in wanted else line) + "\n" for number, line in enumerate(lines)
    )


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_each_example_works_when_its_line_is_uncommented(load: Callable[[str], Workload], known: Known) -> None:
    """Nothing but the "# " of one line has to go for its field to count."""
    text = starter(known)
    examples = {number: path for number, path, match in fields(text) if match["off"]}
    for number, path in examples.items():
        changed = flat(load(uncommented(text, {number})).model_dump(exclude_unset=True))
        assert any(field == path or field.startswith(f"{path}.") for field in changed)
    assert len(examples) == len(LEAVES) - len(known)


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_all_examples_work_together(load: Callable[[str], Workload], known: Known) -> None:
    """No example contradicts another, or an answer."""
    text = starter(known)
    load(uncommented(text, {number for number, _, match in fields(text) if match["off"]}))


def test_the_comment_of_a_field_names_its_values() -> None:
    """Whoever edits a line sees what may stand there."""
    comments = {path: match["comment"] for _, path, match in fields(starter(KNOWN["stream"])) if match["value"]}
    for path, field in LEAVES.items():
        choices = set(re.findall(r"'enum': \[([^\]]+)\]", str(field)))
        for choice in {choice.strip("' ") for group in choices for choice in group.split(",")} - {"llm"}:
            assert choice in re.split("[ ;:,]+", comments[path]), path


def test_the_file_says_that_azure_needs_a_region() -> None:
    """It is left out at first, and a deployment there has none without it."""
    (line,) = (line for line in starter(KNOWN["stream"]).splitlines() if "region:" in line)
    assert "# of Azure, which deployments there need" in line


def test_the_file_is_not_too_wide() -> None:
    """Lines fit a usual editor, but for those with ids of Azure, which alone are as long."""
    lines = [line for known in KNOWN.values() for line in starter(known).splitlines()]
    assert [line for line in lines if len(line) > 120 and "/subscriptions/" not in line] == []


def test_a_generative_model_is_said_to_be_out_of_scope() -> None:
    """The line that says so says what it means."""
    text = starter({**KNOWN["stream"], "model.framework": "llm"})
    assert re.search("^  framework: llm +# a generative model, which is out of scope", text, re.MULTILINE)


@pytest.mark.parametrize(("pattern", "line"), [("stream", "  # record_mb: 0.5"), ("in-database", "  record_mb: 0.5")])
def test_the_size_of_a_record_is_set_where_it_counts(pattern: str, line: str) -> None:
    """In patterns that ignore it, it is an example."""
    assert any(found.startswith(line) for found in starter(KNOWN[pattern], record_mb=0.5).splitlines())


NASTY = [
    """it's "quoted": yes.onnx""",
    "a\nname: b",
    "{{ known }}{% raw %}",
    "modèle/Größe 模型 😀.onnx",
    "a # b.onnx",
    "../up.onnx",
    "- a",
    "no",
    "Null",
    "1e5",
    "24h",
    "0o17",
    "\x7f\x85\u2028\ufeff\ufffe\t\\x",
    " ",
    "'",
    "*a",
    "a" * 500,
]


@pytest.mark.parametrize("path", NASTY)
def test_a_path_comes_back_as_it_was(path: str) -> None:
    """Whatever a file is called, the name stays a name, for readers of YAML 1.1 and of YAML 1.2."""
    text = starter({**KNOWN["stream"], "model.path": path})
    assert document.parse(text, "file").value["model"]["path"] == path
    assert yaml.safe_load(text)["model"]["path"] == path


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_path_comes_back_as_it_was(path: str) -> None:
    """So does every other text."""
    assert document.parse(starter({**KNOWN["stream"], "model.path": path}), "file").value["model"]["path"] == path


@given(st.floats(1e-9, 1e12))
def test_a_number_comes_back_as_it_was(size: float) -> None:
    """Twelve digits of a number are written without an exponent, and read as a number by every reader."""
    text = starter({**KNOWN["stream"], "model.size_mb": size})
    assert document.parse(text, "file").value["model"]["size_mb"] == pytest.approx(size, rel=1e-11)
    assert yaml.safe_load(text)["model"]["size_mb"] == pytest.approx(size, rel=1e-11)


LABELS = {
    "model": "model",
    "My Model (v2)": "my-model-v2",
    "Modèle d'été": "modele-d-ete",
    "__init__": "init",
    "resnet50.v1": "resnet50-v1",
    "x" * 39 + "-y": "x" * 39,
    "模型": "my-model",
    "": "my-model",
    "..": "my-model",
}


@pytest.mark.parametrize(("text", "name"), LABELS.items())
def test_a_name_is_made_of_any_text(text: str, name: str) -> None:
    """Letters lose their marks, whatever else is no letter or digit becomes a dash."""
    assert label(text) == name


@given(st.text())
def test_a_name_that_is_made_is_valid(text: str) -> None:
    """Whatever it is made of, it is accepted."""
    assert refusal("name", label(text)) is None


REFUSED: list[tuple[str, Any, str]] = [
    ("name", "a" * 41, "is longer than 40 characters; shorten it"),
    ("serving.pattern", "streem", f'"streem" is not one of {", ".join(PATTERNS)}; did you mean "stream"?'),
    ("batch.records", 1.5, "must be a whole number, not 1.5"),
    ("team.knows", ["dokcer"], '"dokcer" is not one of docker, kubernetes'),
]


@pytest.mark.parametrize(("field", "value", "why"), REFUSED)
def test_a_refusal_is_the_one_of_the_workload_file(field: str, value: Any, why: str) -> None:  # noqa: ANN401  any value
    """The rules of the file are the rules of the answers."""
    assert (refusal(field, value) or "").startswith(why)


def test_fields_that_make_no_file_are_refused() -> None:
    """A file that would not be read is not written."""
    with pytest.raises(InputError, match="no workload file can be made of this: must be more than 0, not 0"):
        starter({**KNOWN["stream"], "model.size_mb": 0.0})
