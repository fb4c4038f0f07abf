"""What is scored: one record, its form in JSON, and the words in which a bad one is refused."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from opdeploy.errors import InputError
from opdeploy.runtime.processing.spec import Image, Input, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
    Row = Mapping[str, Json]
    Record = bytes | str | Row
    """The bytes of an image's file, a text, or a row of a table by column."""

MAX_CHARACTERS = 100_000
"""The most that a text may have, be it a record or in a cell of one."""

_LONGEST_SHOWN = 40


def record_of(declared: Input, document: Json) -> Record:
    """Return the record that a JSON document holds: `{"image": base64}`, `{"text": "…"}`, or the row itself.

    Raises InputError where it holds another kind of record than the one declared.
    """
    if isinstance(declared, Table):
        if not isinstance(document, dict):
            raise InputError(f"is {shown(document)}; give an object with a value for each column")
        return document
    key, what = ("image", "its bytes in base64") if isinstance(declared, Image) else ("text", "the text")
    if not isinstance(document, dict) or document.keys() != {key} or not isinstance(value := document[key], str):
        raise InputError(f'is not {{"{key}": "…"}}; give {what} under this one name')
    return _bytes(value) if isinstance(declared, Image) else value


def document_of(record: Record) -> Json:
    """Return the JSON document of a record, from which `record_of` makes the same record."""
    if isinstance(record, bytes):
        return {"image": base64.b64encode(record).decode("ascii")}
    return {"text": record} if isinstance(record, str) else dict(record)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("image is not base64; encode the bytes of the file with the standard alphabet") from None


def refused(index: int, reason: str) -> InputError:
    """Return the error for a record, by its place in the batch."""
    return InputError(f"record {index}: {reason}")


def shown(value: object) -> str:
    """Return a value in words that are short whatever it is."""
    if isinstance(value, str):
        return repr(value) if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]!r}…"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 4 * _LONGEST_SHOWN else f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, float):
        return "null" if value is None else repr(value)
    names: dict[type[object], str] = {list: "a list", dict: "an object", bytes: "bytes"}
    return names.get(type(value), f"of the type {type(value).__name__}")


def unfit(text: str) -> str:
    """Return why a text cannot go to a model, or nothing."""
    if len(text) > MAX_CHARACTERS:
        return f"has {len(text)} characters, where {MAX_CHARACTERS} are the most"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "has half of a surrogate pair, which is no character"
    return ""
