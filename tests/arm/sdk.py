"""Forms of types with hundreds of properties, read from Microsoft's own models, which are made of the reference."""

from __future__ import annotations

import inspect
import types
from enum import Enum
from functools import cache
from typing import Any, ForwardRef, Union, get_args, get_origin

PLAIN = {str: str, int: int, float: float, bool: bool}


@cache
def form(model: type) -> dict[str, Any]:
    """Return the form of a model of a new-generation package: its names on the wire, with their marks."""
    found: dict[str, Any] = _model(model, ())
    return found


def _model(model: type, inside: tuple[type, ...]) -> Any:  # noqa: ANN401 - a form
    if model in inside:
        return object
    found, known = {}, _fields(model)
    for name, annotation in _annotations(model).items():
        if field := known.get(name):
            marks = "-" if field._visibility == ["read"] else "" if _optional(annotation) else "!"  # noqa: SLF001 - it tells nobody
            found[field._rest_name + marks] = _form(annotation, model, (*inside, model))  # noqa: SLF001 - likewise
    return found


def _fields(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a model
    if "_attr_to_rest_field" not in vars(model):
        model()  # which is when the package collects them
    found: dict[str, Any] = model._attr_to_rest_field  # noqa: SLF001 - likewise
    return found


def _annotations(model: type) -> dict[str, Any]:
    return {name: each for base in reversed(model.__mro__) for name, each in inspect.get_annotations(base).items()}


def _optional(annotation: object) -> bool:
    return type(None) in get_args(annotation)


def _form(annotation: Any, model: type, inside: tuple[type, ...]) -> Any:  # noqa: ANN401, PLR0911 - a form
    if isinstance(annotation, ForwardRef | str):
        text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
        annotation = _named(text.rsplit(".", 1)[-1], model)
    origin, parts = get_origin(annotation), [each for each in get_args(annotation) if each is not type(None)]
    if origin in {Union, types.UnionType}:
        enums = [each for each in (_form(part, model, inside) for part in parts) if isinstance(each, tuple)]
        return enums[0] if enums else _form(parts[0], model, inside)
    if origin is list:
        return [_form(parts[0], model, inside)]
    if origin is dict:
        return {"*": _form(parts[1], model, inside)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(str(each.value) for each in annotation)
    if annotation in PLAIN:
        return PLAIN[annotation]
    if isinstance(annotation, type) and hasattr(annotation, "as_dict"):
        return _model(annotation, inside)
    return str if isinstance(annotation, type) and annotation.__module__ in {"datetime", "builtins"} else object


def _named(name: str, model: type) -> Any:  # noqa: ANN401 - a class
    import importlib

    package = importlib.import_module(model.__module__.rsplit(".", 1)[0])
    return getattr(package, name)
