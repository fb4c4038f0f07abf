"""What a body may have: forms are plain data, written after Microsoft's REST reference.

A type (`str`, `int`, `float`, `bool`, `object` for anything), a tuple of words (an enumeration, in any case), a list of
one form, or a mapping. The names of a mapping may end in marks: `!` required, `-` read-only (a body that has it loses
it), `=` cannot be changed, `*` never returned. The name `*` alone stands for any name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.arm.answers import malformed

if TYPE_CHECKING:
    from collections.abc import Callable

Form = Any
MARKS = "!-=*"
READABLE = {str: "String", int: "Int32", float: "Double", bool: "Boolean"}


def fields(form: dict[str, Form]) -> dict[str, tuple[str, Form]]:
    """Return the names of a mapping, each with its marks and form."""
    return {
        name.rstrip(MARKS) or "*": (name[len(name.rstrip(MARKS)) :] if name != "*" else "", each)
        for name, each in form.items()
    }


def taken(value: Any, form: Form, path: str = "", *, lenient: bool = False) -> Any:  # noqa: ANN401 - JSON
    """Return a body without what is read-only; where `lenient`, also without what is unknown.

    Raises Refused for what is unknown, missing, or of a wrong type.
    """
    if value is None or form is object:
        return value
    if isinstance(form, dict):
        if not isinstance(value, dict):
            raise _wrong(value, "Object", path)
        return _mapping(value, form, path, lenient=lenient)
    if isinstance(form, list):
        if not isinstance(value, list):
            raise _wrong(value, "Array", path)
        return [taken(item, form[0], f"{path}[{number}]", lenient=lenient) for number, item in enumerate(value)]
    if isinstance(form, tuple):
        found = next((word for word in form if isinstance(value, str) and word.lower() == value.lower()), None)
        if found is None:
            raise _wrong(value, f"Enum[{','.join(form)}]", path)
        return found
    right = (int, float) if form is float else form
    if not isinstance(value, right) or (isinstance(value, bool) and form is not bool):
        raise _wrong(value, READABLE[form], path)
    return value


def _mapping(value: dict[str, Any], form: dict[str, Form], path: str, *, lenient: bool) -> dict[str, Any]:
    known = fields(form)
    kept = {}
    for name, item in value.items():
        marks, each = known.get(name) or known.get("*") or (None, None)
        if marks is None:
            if lenient:
                continue
            where = f"{path}.{name}".lstrip(".")
            raise malformed(f"Could not find member '{name}' on object of type 'Definition'. Path '{where}', line 1")
        if "-" not in marks:
            kept[name] = taken(item, each, f"{path}.{name}".lstrip("."), lenient=lenient)
    for name, (marks, _) in known.items():
        if "!" in marks and kept.get(name) is None:
            raise malformed(f"Required property '{name}' not found in JSON. Path '{path}', line 1")
    return kept


def _wrong(value: object, expected: str, path: str) -> Exception:
    return malformed(f"Error converting value \"{value}\" to type '{expected}'. Path '{path}', line 1")


def without(value: Any, form: Form, mark: str = "*") -> Any:  # noqa: ANN401 - JSON
    """Return a body without what has a mark: by default what is never returned."""
    return _walk(value, form, lambda marks: mark not in marks)


def only(value: Any, form: Form, mark: str = "=") -> list[Any]:  # noqa: ANN401 - JSON
    """Return in a fixed order what has a mark: by default what cannot be changed; nulls and absent fields are alike."""
    found: list[Any] = []
    if isinstance(form, list) and isinstance(value, list):
        found = [each for item in value if (each := only(item, form[0], mark))]
    if isinstance(form, dict) and isinstance(value, dict | None):
        for name, (marks, each) in fields(form).items():
            item = (value or {}).get(name)
            found += [item] if mark in marks else only(item, each, mark)
    return found if any(item not in (None, []) for item in found) else []


def _walk(value: Any, form: Form, keep: Callable[[str], bool]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(form, list) and isinstance(value, list):
        return [_walk(item, form[0], keep) for item in value]
    if isinstance(form, dict) and isinstance(value, dict):
        known = fields(form)
        found = {name: (item, *(known.get(name) or known.get("*") or ("", object))) for name, item in value.items()}
        return {name: _walk(item, each, keep) for name, (item, marks, each) in found.items() if keep(marks)}
    return value
