"""The page of the server: what runs here, and a form to try it; one file, which loads nothing."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from opdeploy import __version__
from opdeploy.runtime.processing.spec import Boolean, Category, Classification, Image, Number, Table, category_key
from opdeploy.serving.score import IMAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opdeploy.runtime.processing.spec import Column
    from opdeploy.runtime.tensors import TensorSpec
    from opdeploy.serving.score import Model
    from opdeploy.serving.settings import Settings

_MOST_FIELDS = 100
"""Columns that have a field each; more are written as JSON."""
_MOST_CHOICES = 1000
_MOST_LABELS = 100


def render(model: Model, settings: Settings) -> tuple[bytes, str]:
    """Return the page and its Content-Security-Policy, by which it runs its own script and nothing else.

    Its addresses are relative, so that it works behind a proxy that takes a prefix away.
    """
    script, style = _own("page.js"), _own("page.css")
    facts = _facts(model, settings)
    text = Template(_own("page.html")).substitute(
        about=escape(_about(model)),
        facts=_listed(model),
        json=_in_script(facts),
        metadata=escape(_path(model)),
        name=escape(model.name),
        path=escape(facts["path"]),
        script=script,
        server=escape(__version__),
        style=style,
        tensors=_tensors("takes", model.inputs) + _tensors("gives", model.outputs),
        verb="Run" if model.processing is None else "Score",
    )
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; "
        "img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text.encode(), policy


def _path(model: Model) -> str:
    return f"v2/models/{quote(model.name, safe='')}"


def _own(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _in_script(value: object) -> str:
    """Return JSON that cannot end the script in which it stands."""
    return orjson.dumps(value).decode().replace("<", "\\u003c")


def _facts(model: Model, settings: Settings) -> dict[str, Any]:
    """Return what the script works with."""
    processing = model.processing
    facts: dict[str, Any] = {
        "kind": "json",
        "output": None,
        "path": f"{_path(model)}/infer" if processing is None else settings.score_route.lstrip("/"),
        "ready": settings.ready_route.lstrip("/"),
        "keys": bool(settings.keys),
    }
    if processing is None:
        return facts | {"inputs": [spec.metadata() for spec in model.inputs]}
    facts["output"] = _kind(processing.output)
    declared = processing.input
    if isinstance(declared, Table):
        columns = [_column(column) for column in declared.columns]
        return facts | {"kind": "table" if len(columns) <= _MOST_FIELDS else "json", "columns": columns}
    if isinstance(declared, Image):
        return facts | {"kind": "image", "types": [kind for kind in IMAGES if kind.startswith("image/")]}
    return facts | {"kind": "text"}


def _column(column: Column) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": column.name, "type": _kind(column), "missing": column.missing is not None}
    if isinstance(column, Boolean):
        return facts | {"values": ["false", "true"], "sample": False}
    if isinstance(column, Category):
        values = [category_key(category) for category in column.categories[:_MOST_CHOICES]]
        suggested = column.unknown != "refuse" or len(column.categories) > _MOST_CHOICES
        return facts | {"values": values, "open": suggested, "sample": values[0]}
    return facts | {"sample": 0 if isinstance(column, Number) else ""}


def _kind(part: object) -> str:
    return str(type(part).__struct_config__.tag)  # type: ignore[attr-defined]


def _about(model: Model) -> str:
    version = f"Version {model.version}" + (f", variant {model.variant}" if model.variant else "")
    if model.processing is None:
        return f"{version}: tensors to tensors."
    return f"{version}: {_kind(model.processing.input)} to {_kind(model.processing.output)}."


def _tensors(verb: str, specs: Sequence[TensorSpec]) -> str:
    rows = "".join(
        f"<tr><td>{escape(spec.name)}</td><td>{spec.datatype.name}</td><td>{_shape(spec)}</td></tr>" for spec in specs
    )
    return f'<tbody><tr><th scope="rowgroup" colspan="3">{verb}</th></tr>{rows}</tbody>'


def _shape(spec: TensorSpec) -> str:
    return " &times; ".join("any" if size is None else escape(str(size)) for size in spec.shape) or "scalar"


def _listed(model: Model) -> str:
    processing = model.processing
    if processing is None or not isinstance(processing.output, Classification) or not processing.output.labels:
        return ""
    labels = processing.output.labels
    if isinstance(labels, str):
        return f"<dl><dt>labels</dt><dd>those of {escape(labels)}</dd></dl>"
    more = f", … ({len(labels)} in all)" if len(labels) > _MOST_LABELS else ""
    return f"<dl><dt>labels</dt><dd>{escape(', '.join(labels[:_MOST_LABELS]))}{more}</dd></dl>"
