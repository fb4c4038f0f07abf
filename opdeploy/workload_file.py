"""Reads a workload file, and says of bad input where it is and what to do."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from opdeploy import document
from opdeploy.deploy_settings import Deploy
from opdeploy.errors import InputError, did_you_mean, nearest
from opdeploy.fields import HINTS
from opdeploy.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    from opdeploy.document import Document, Location


def load_workload(path: Path, platforms: Collection[str], *, with_model: bool = True) -> Workload:
    """Read a workload file; `platforms` are the ids that it may name, and the model's file has to be there.

    Raises InputError, in one line with file, line and field, for whatever is wrong with it.
    """
    source = document.read(path)
    if not isinstance(source.value, dict):
        raise source.error((), "is not a mapping; write keys and values, such as `name: my-model`")
    workload = _validate(source)
    for key in ("only", "never"):
        for index, platform in enumerate(getattr(workload.constraints, key)):
            if platform not in platforms:
                problem = f"{document.shown(platform)} is no platform{nearest(platform, sorted(platforms))}"
                raise source.error(("constraints", key, index), problem)
    model = workload.model.path if with_model and not workload.generative else None
    if model and not exists(path.parent / model):
        where = document.shown(model)
        raise source.error(("model", "path"), f"no file {where}; mend the path, which is relative to this file")
    return workload


def model_file(path: Path, workload: Workload) -> Path | None:
    """Return the model file that a workload file names; None where it names none, or there is no such file."""
    model = path.parent / workload.model.path if workload.model.path else None
    return model if model and model.is_file() else None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the workload file; a key may stand without a value wherever it may be absent."""
    schema = Workload.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        for name, field in section["properties"].items():
            if name not in section.get("required", ()) and field.keys() & {"$ref", "type"}:
                about = {key: field.pop(key) for key in ("default", "description", "title") if key in field}
                section["properties"][name] = {"anyOf": [field, {"type": "null"}], **about}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def refusal(value: dict[str, Any]) -> str | None:
    """Return why a workload with these values is refused, without saying where; None when it is accepted."""
    from pydantic import ValidationError

    try:
        Workload.model_validate_json(json.dumps(value))
    except ValidationError as error:
        return _worded(error.errors(include_url=False)[0])
    return None


class Given(NamedTuple):
    """A value that takes the place of one in the file."""

    source: str
    """Where it was given: the name of an option or a variable."""
    value: object
    """Text is read as the field takes it: `8080` as a number where it is one, `a=b,c=d` as a mapping."""


def overridden(deploy: Deploy, given: Mapping[str, Given]) -> Deploy:
    """Return the settings of deployment with what was given instead, by field, such as `local.port`.

    Raises InputError for a value that its field refuses.
    """
    from pydantic import ValidationError

    values = deploy.model_dump(mode="json", exclude_none=True)
    for path, item in given.items():
        *sections, key = path.split(".")
        inner = values
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = _read(item, _field(path))
    try:
        return Deploy.model_validate_json(json.dumps(values))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in problem["loc"])
        source = next((item.source for name, item in given.items() if path.startswith(name)), path)
        problem["loc"] = ("deploy", *problem["loc"])
        raise InputError(f"{source}: {_worded(problem)}") from None


def settings_of_deploy(model: type[BaseModel] = Deploy, above: str = "") -> Iterator[str]:
    """Yield the paths of all settings of deployment, such as `local.port`."""
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        if inner:
            yield from settings_of_deploy(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def _field(path: str) -> str:
    """Return the type of a setting in words: it decides how a text is read."""
    model: type[BaseModel] = Deploy
    *sections, key = path.split(".")
    for section in sections:
        model = _model_of(model.model_fields[section].annotation) or model
    return str(model.model_fields[key].annotation)


def pairs(source: str, words: Iterable[str]) -> dict[str, str]:
    """Return what words such as `team=models` say.

    Raises InputError for one without a value, and for a name that is given two.
    """
    found: dict[str, str] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise InputError(f"{source} {word}: has no value; write it as {source} NAME=VALUE")
        if found.setdefault(name, value) != value:
            raise InputError(f"{source} {word}: {name} has another value, too; leave one out")
    return found


def _read(given: Given, kind: str) -> object:
    source, value = given
    if not isinstance(value, str):
        return value
    if "dict" in kind:
        return pairs(source, value.split(",")) if value else {}
    if "int" in kind or "float" in kind or "bool" in kind:
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def exists(path: Path) -> bool:
    """Tell whether a path exists; one that cannot exist does not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _with_pattern(value: dict[str, Any]) -> dict[str, Any]:
    """Give a generative model's file a pattern: it is out of scope, and its author has no reason to choose one."""
    model, serving = value.get("model", {}), value.get("serving", {})
    if not isinstance(model, dict) or not isinstance(serving, dict):
        return value
    generative = model.get("framework") == "llm" or "tokens" in serving
    return {**value, "serving": {"pattern": "request-response", **serving}} if generative else value


def _validate(source: Document) -> Workload:
    from pydantic import ValidationError

    value = _with_pattern(_without_nulls(source.value, Workload))
    try:
        # Through JSON, whose strict mode takes a list for a tuple but no text for a number.
        return Workload.model_validate_json(json.dumps(value))
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # A key that is missing may just be misspelt, so what is there comes first.
        problems.sort(key=lambda problem: (problem["type"] == "missing", source.line(problem["loc"])))
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise source.error(problems[0]["loc"], _worded(problems[0]) + more) from None


def _without_nulls(value: dict[str, Any], model: type[BaseModel] | None) -> dict[str, Any]:
    """Drop keys without a value, which count as absent; one that the model does not know stays, and is an error."""
    fields = {} if model is None else model.model_fields
    kept = {}
    for key, item in value.items():
        if item is None and (model is None or key in fields):
            continue
        inner = _model_of(fields[key].annotation) if key in fields else None
        kept[key] = _without_nulls(item, inner) if isinstance(item, dict) else item
    return kept


_WANTED = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping of keys to values",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _worded(problem: ErrorDetails) -> str:
    kind, location, given = problem["type"], problem["loc"], document.shown(problem["input"])
    context = problem.get("ctx", {})
    if kind == "extra_forbidden":
        key = document.shown(str(location[-1]))
        text = f"unknown key {key}{nearest(str(location[-1]), _keys_at(location[:-1]))}"
    elif kind == "missing":
        text = "is missing; add it"
    elif kind == "literal_error":
        names = [name.strip("'") for name in str(context["expected"]).replace(" or ", ", ").split(", ")]
        text = f"{given} is not one of {', '.join(names)}{did_you_mean(str(problem['input']), names)}"
    elif kind == "model_type":
        text = f"must be a mapping with keys such as {_keys_at(location)[0]}, not {given}"
    elif kind in _BOUNDS:
        word, bound = _BOUNDS[kind]
        text = f"must be {word} {context[bound]:.15g}, not {given}"
    elif kind == "string_pattern_mismatch":
        text = f"{given} does not fit; {HINTS[context['pattern']]}"
    elif kind == "string_too_short":
        text = "is empty; write it, or leave it out"
    elif kind == "string_too_long":
        text = f"is longer than {context['max_length']} characters; shorten it"
    elif kind == "value_error":
        text = str(context["error"])
    else:
        text = f"{_WANTED.get(kind, problem['msg'])}, not {given}"
    return text


def _keys_at(location: Location) -> list[str]:
    model: type[BaseModel] | None = Workload
    for part in location:
        model = _model_of(model.model_fields[str(part)].annotation) if model else None
    return list(model.model_fields) if model else []


def _model_of(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401  a type expression
    found: type[BaseModel] | None = next(
        (item for item in (annotation, *get_args(annotation)) if hasattr(item, "model_fields")), None
    )
    return found
