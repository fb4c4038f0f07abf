"""A workload file that is right: what it means, what may be absent, and the schema that describes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from opdeploy.document import read
from opdeploy.workload import Workload
from opdeploy.workload_file import json_schema, load_workload, model_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Write = Callable[[str | dict[str, Any]], Path]

PLATFORMS = ("aci", "webapp")
FULL = Path(__file__).with_name("full_workload.yaml")
"""The example of the contract: every field, with its comments."""


def test_the_full_example_is_read_as_it_stands(write: Write) -> None:
    """Every field of the contract's example arrives with its value."""
    path = write(FULL.read_text(encoding="utf-8"))
    path.with_name("model.onnx").touch()
    workload = load_workload(path, PLATFORMS).model_dump(mode="json")
    del workload["serving"]["tokens"]
    assert workload == read(FULL).value


def test_the_full_example_leaves_no_field_out() -> None:
    """The contract's example names every field but `serving.tokens`, which is out of scope."""
    shown = set(_names(read(FULL).value))
    assert set(_names(Workload.model_validate(_as_python(read(FULL).value)).model_dump())) - shown == {"serving.tokens"}


def test_name_and_pattern_are_enough(write: Write) -> None:
    """Everything else is absent, and says so by None or an empty value."""
    workload = load_workload(write("name: a\nserving: {pattern: stream}\n"), PLATFORMS)
    assert set(_values(workload.model_dump(mode="json"))) == {"a", "stream", None, ()}


def test_a_key_without_a_value_counts_as_absent(write: Write) -> None:
    """`stage:` with nothing after it, at any level, is as if it were not there."""
    empty = (
        "model:\n  path:\nserving:\n  pattern: stream\n  latency_ms:\n    p95:\nname: a\nstage: ~\n"
        "deploy: {name: null, azure: {tags: {a: null}}}\n"
    )
    bare = load_workload(write("name: a\nserving: {pattern: stream}\n"), PLATFORMS)
    assert load_workload(write(empty), PLATFORMS) == bare


VALUES: dict[str, tuple[str, object]] = {
    "whole number for a number": ("model: {size_mb: 5}", 5.0),
    "underscores": ("batch: {records: 2_000_000}", 2_000_000),
    "largest weight": ("priorities: {speed: 5}", 5.0),
    "smallest weight": ("priorities: {speed: 0}", 0.0),
    "longest name": ("name: " + "a" * 40, "a" * 40),
    "shortest name": ("name: '0'", "0"),
    "fraction of a time": ("lifetime: 1.5h", "1.5h"),
    "no text": ("stage: 'demo'", "demo"),
    "bursts fill the day": ("serving: {pattern: stream, traffic: {bursts_per_day: 144, burst_minutes: 10}}", 10.0),
    "peak equals average": ("serving: {pattern: stream, requests_per_second: {average: 5, peak: 5}}", 5.0),
    "peak alone": ("serving: {pattern: stream, requests_per_second: {peak: 5}}", 5.0),
    "nearly always available": ("serving: {pattern: stream, availability: 99.999}", 99.999),
}
"""A field just inside what it may be, and the last value in it."""


@pytest.mark.parametrize(("field", "value"), VALUES.values(), ids=list(VALUES))
def test_a_value_just_inside_is_taken(write: Write, field: str, value: object) -> None:
    """What is at the edge of a range is in it."""
    key, _, _ = field.partition(":")
    needed = {"name": "name: a", "serving": "serving: {pattern: stream}"}
    path = write("\n".join((needed | {key: field}).values()))
    workload = load_workload(path, PLATFORMS).model_dump(mode="json", exclude_defaults=True)
    assert list(_values(workload[key]))[-1] == value


def test_the_model_is_sought_beside_the_workload_file(write: Write) -> None:
    """`model.path` is relative to the file that names it."""
    path = write("name: a\nserving: {pattern: stream}\nmodel: {path: models/m.onnx}\n")
    path.with_name("models").mkdir()
    path.with_name("models").joinpath("m.onnx").write_bytes(bytes(1_500_000))
    assert model_file(path, load_workload(path, PLATFORMS)) == path.with_name("models") / "m.onnx"


@pytest.mark.parametrize("model", ["", "model: {path: .}"], ids=["no path", "a folder"])
def test_a_model_that_is_no_file_is_none(write: Write, model: str) -> None:
    """Without a model file there is nothing to measure."""
    path = write(f"name: a\nserving: {{pattern: stream}}\n{model}\n")
    assert model_file(path, load_workload(path, PLATFORMS)) is None


def test_the_schema_is_valid_and_takes_the_full_example() -> None:
    """The published schema is JSON Schema 2020-12, and the contract's example fits it."""
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(read(FULL).value)


WRONG: dict[str, dict[str, Any]] = {
    "unknown key": {"stages": "demo"},
    "unknown key below": {"model": {"sizes": 5}},
    "no such value": {"stage": "later"},
    "text for a number": {"model": {"size_mb": "5"}},
    "fraction": {"batch": {"records": 1.5}},
    "too large": {"priorities": {"speed": 6}},
    "bad name": {"name": "A b"},
    "long name": {"name": "a" * 41},
    "bad time": {"lifetime": "2 hours"},
    "unknown skill": {"team": {"knows": ["cobol"]}},
    "nothing for a list": {"constraints": {"only": "aci"}},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_the_schema_refuses_what_the_command_refuses(wrong: dict[str, Any]) -> None:
    """A validator that holds the schema finds the same faults."""
    validator = jsonschema.Draft202012Validator(json_schema())
    right = {"name": "a", "serving": {"pattern": "stream"}}
    assert validator.is_valid(right)
    assert not validator.is_valid(right | wrong)


@pytest.mark.parametrize("absent", ["name", "serving", "serving.pattern"])
def test_the_schema_demands_name_and_pattern(absent: str) -> None:
    """The two fields that may not be absent are required."""
    file: dict[str, Any] = {"name": "a", "serving": {"pattern": "stream"}}
    section, _, key = absent.rpartition(".")
    del (file[section] if section else file)[key]
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(file)


def test_the_schema_describes_every_field() -> None:
    """Each field has a sentence that an editor can show."""
    fields = dict(_fields(json_schema()))
    assert len(fields) > 50
    assert [name for name, field in fields.items() if not str(field.get("description", "")).endswith(".")] == []


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each field as `section.name`, with what the section that it refers to says."""
    sections = schema["$defs"]
    for section, part in {"Workload": schema, **sections}.items():
        for name, field in part.get("properties", {}).items():
            inner = field.get("$ref") or field.get("anyOf", [{}])[0].get("$ref", "")
            yield f"{section}.{name}", sections.get(inner.removeprefix("#/$defs/"), {}) | field


def _names(value: Any, parent: str = "") -> Iterator[str]:  # noqa: ANN401  any YAML value
    for key, item in value.items() if isinstance(value, dict) else ():
        yield parent + key
        yield from _names(item, f"{parent}{key}.")


def _values(value: Any) -> Iterator[Any]:  # noqa: ANN401  any YAML value
    if isinstance(value, dict | list) and value:
        for item in value.values() if isinstance(value, dict) else value:
            yield from _values(item)
    else:
        yield () if isinstance(value, dict | list) else value


def _as_python(value: Any) -> Any:  # noqa: ANN401  any YAML value
    if isinstance(value, dict):
        return {key: _as_python(item) for key, item in value.items()}
    return tuple(map(_as_python, value)) if isinstance(value, list) else value
