"""Reads YAML that a person wrote: YAML 1.2 scalars, the line of every field, and nothing that can hurt."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import yaml

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
"""Values in a file once its aliases are followed: what stops an anchor bomb."""
MAX_DEPTH = 40
_SHOWN = 60

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed file: its value, and the line (from 1) on which each field starts."""

    name: str
    value: Any
    lines: dict[Location, int]

    def line(self, location: Location) -> int:
        """Return the line of a field, or of the nearest parent that stands in the file."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def error(self, location: Location, problem: str) -> InputError:
        """Return an error that names file, line and field."""
        field = dotted(location)
        return InputError(f"{self.name}:{self.line(location)}: {field + ': ' if field else ''}{problem}")


def shown(value: object) -> str:
    """Quote a value for an error: on one line, and short."""
    return _one_line(json.dumps(value, ensure_ascii=False, default=str))


def _one_line(text: str) -> str:
    text = "".join(char if char.isprintable() else " " for char in text[:_SHOWN])
    return text if len(text) < _SHOWN else text[:-1] + "…"


def dotted(location: Location) -> str:
    """Write a location as a person would: `constraints.only[0]`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{_one_line(part)}" if text else _one_line(part)
    return text if len(text) <= 2 * _SHOWN else "…" + text[-2 * _SHOWN :]


def read(path: Path) -> Document:
    """Read a YAML file of at most 1 MB.

    Raises InputError, with file and line, for what cannot be read, is not one YAML document, has a key twice, or grows
    beyond MAX_NODES once its aliases are followed.
    """
    return parse(_text(path), str(path))


def read_profiles(folder: Path) -> list[dict[str, Any]]:
    """Read every profile of a folder as plain data, sorted by id; here, so that building a wheel needs only PyYAML."""
    return sorted((read(path).value for path in folder.glob("*.yaml")), key=lambda source: str(source["id"]))


def read_market(folder: Path) -> dict[str, Any]:
    """Read what a cloud offers, hardware, meters and speeds, as plain data that JSON takes."""
    market = {name: read(folder / f"{name}.yaml").value for name in ("sizes", "meters", "speeds")}
    found: dict[str, Any] = json.loads(json.dumps(market, default=str))  # dates become text
    return found


def parse(text: str, name: str) -> Document:
    """Parse YAML text; `name` stands for the file in errors."""
    import yaml

    # Events, not nodes: PyYAML composes by recursion in C, so that a file of "[[[[…" would end the process.
    events = yaml.parse(text, Loader=yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)
    try:
        builder = _Builder(name, events)
        return Document(name, builder.document(), builder.lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{name}{at}: is not valid YAML: {error.problem or error.context}; mend that line") from error
    except yaml.YAMLError as error:
        raise InputError(f"{name}: is not valid YAML: {str(error).splitlines()[0]}; mend the file") from error


def dump(value: Any) -> str:  # noqa: ANN401  any YAML value
    """Write YAML that readers of version 1.1 and 1.2 understand alike."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    # PyYAML knows 1.1 only, and would leave text plain that 1.2 takes for a number.
    for tag, pattern in (("int", _OCTAL_OR_HEX), ("float", _FLOAT)):
        Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern.pattern})$"), None)
    text: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a file that exists") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory; name a file in it") from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"{path}: cannot be read: {reason}; check the path and its permissions") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: is larger than 1 MB, which no such file needs; name the right file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text (UTF-8); name a YAML file") from None
    if "\0" in text:
        raise InputError(f"{path}: is binary, not text; name a YAML file")
    return text


# The core schema of YAML 1.2.2, section 10.3.2: `no`, `on` and `2024-01-01` are strings. `_` in integers is ours.
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_TAGS = {None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))}
_MAX_DIGITS = 30  # beyond any quantity here, and Python itself refuses very long ones


class _Builder:
    """Turns YAML events into plain values, counting them and noting their lines."""

    def __init__(self, name: str, events: Iterator[yaml.Event]) -> None:
        self._name = name
        self._events = events
        self._count = 0
        self._deepest = 0
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        """The value of each anchor, how many values it holds, and how deep it is."""
        self.lines: dict[Location, int] = {}

    def document(self) -> Any:  # noqa: ANN401  any YAML value
        import yaml

        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error(event, "a second document starts; keep one in a file")
                value = self._value(next(self._events), ())
        if not documents:
            raise InputError(f"{self._name}: is empty; write a mapping of keys to values")
        return value

    def _value(self, event: Any, location: Location) -> Any:  # noqa: ANN401  an event that starts a value, any value
        import yaml

        self._count += 1
        before, outside = self._count, self._deepest
        self.lines.setdefault(location, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, len(location))
        self._deepest = len(location)
        self._check_depth(event)
        value: Any
        if event.tag not in _TAGS:
            raise self._error(event, f"has the tag {_one_line(str(event.tag))}, which is not read here; remove it")
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(location)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(location)
        else:
            value = self._scalar(event)
        if self._count > MAX_NODES:
            raise self._error(event, f"holds more than {MAX_NODES} values; name a file of the right kind")
        if event.anchor:
            self._anchors[event.anchor] = value, self._count - before, self._deepest - len(location)
        self._deepest = max(self._deepest, outside)
        return value

    def _check_depth(self, event: yaml.Event) -> None:
        if self._deepest > MAX_DEPTH:
            raise self._error(event, f"is nested more than {MAX_DEPTH} deep; flatten it")

    def _alias(self, event: yaml.AliasEvent, depth: int) -> Any:  # noqa: ANN401  any YAML value
        if event.anchor not in self._anchors:
            name = _one_line(f"*{event.anchor}")
            raise self._error(event, f"the alias {name} has no anchor before it; write the value out")
        value, size, height = self._anchors[event.anchor]
        self._count += size
        self._deepest = max(self._deepest, depth + height)
        self._check_depth(event)
        if self._count > MAX_NODES:
            raise self._error(event, f"the aliases grow to more than {MAX_NODES} values; write the values out")
        return value

    def _sequence(self, location: Location) -> list[Any]:
        import yaml

        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*location, len(items))))
        return items

    def _mapping(self, location: Location) -> dict[str, Any]:
        import yaml

        items: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else None
            if not isinstance(key, str):
                raise self._error(event, f"{dotted(location) or 'the file'}: has a key that is not text; quote it")
            here = (*location, key)
            if key in items:
                first = self.lines[here]
                raise self._error(event, f"{dotted(here)}: stands a second time (first on line {first}); remove one")
            self.lines[here] = _line(event)
            items[key] = self._value(next(self._events), here)
        return items

    def _scalar(self, event: yaml.ScalarEvent) -> str | int | float | bool | None:
        text: str = event.value
        if event.tag or not event.implicit[0]:
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INT.fullmatch(text) or _OCTAL_OR_HEX.fullmatch(text):
            if len(text) > _MAX_DIGITS:
                raise self._error(event, f"has an integer of more than {_MAX_DIGITS} digits; write a smaller one")
            return int(text) if _INT.fullmatch(text) else int(text, 0)
        if _FLOAT.fullmatch(text):
            return float(re.sub(r"\.(?=[inIN])", "", text))
        return text

    def _error(self, event: yaml.Event, problem: str) -> InputError:
        return InputError(f"{self._name}:{_line(event)}: {problem}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
