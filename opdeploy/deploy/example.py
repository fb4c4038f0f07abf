"""A request that a person can paste into a shell, with a record that the model is known to take."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.local import inference
from opdeploy.local.requests import SCORE, examples

if TYPE_CHECKING:
    from pydantic import JsonValue

    from opdeploy.local.subject import Subject

_LONGEST = 1000
"""Characters of a body that one still pastes: ten lines of a terminal."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request: a POST where it has a body."""

    route: str
    body: str | None
    keyed: bool
    """Whether it has to show an API key."""


def example(tried: Subject, name: str, *, keyed: bool) -> Example:
    """Return a request with the first golden record, to a server that has the model under this name.

    Where a record is too long to be pasted, it asks what the model takes.
    """
    manifest = tried.package.manifest
    try:
        if manifest.processing and manifest.golden.examples:
            route = SCORE
            document: dict[str, object] = {"records": examples(tried)[:1]}
        else:
            route = inference.path(name)
            document = {"inputs": _tensors(tried)}
        body = json.dumps(document, allow_nan=False, separators=(",", ":"))
    except ValueError:  # not a number is none in JSON either
        body = ""
    if 0 < len(body) <= _LONGEST:
        return Example(route, body, keyed)
    return Example(inference.path(name).removesuffix("/infer"), None, keyed)


def curl(endpoint: str, asked: Example) -> str:
    """Return the command that sends a request; a key is taken from the environment."""
    words = ["curl"]
    if asked.keyed:
        words.append('-H "Authorization: Bearer $OPDEPLOY_API_KEY"')
    if asked.body is not None:
        words.append(f"-H 'Content-Type: application/json' -d {shlex.quote(asked.body)}")
    return " ".join([*words, shlex.quote(endpoint + asked.route)])


def _tensors(tried: Subject) -> list[dict[str, JsonValue]]:
    rows = tried.rows(None)[0]
    found: list[dict[str, JsonValue]] = []
    for spec in tried.inputs:
        array = tried.golden.inputs[spec.name][rows]
        values = [_short(value) for value in array.ravel().tolist()]
        found.append(
            {"name": spec.name, "shape": list(array.shape), "datatype": spec.datatype.name, "data": values},
        )
    return found


def _short(value: JsonValue) -> JsonValue:
    """Return a number with three digits, which is enough to try a model."""
    return float(f"{value:.3g}") if isinstance(value, float) else value
