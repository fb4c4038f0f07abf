"""Walks over the bytes of a protobuf message before they are parsed, so that parsing cannot take all memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

MAX_PARTS = 2_000_000
"""The most messages and texts in a file: parsed, each takes some 300 bytes, and two bytes are enough for one."""
_LENGTH = 2
"""The kind of a field whose length stands before it: a message, a text, bytes, or packed numbers."""
_NUMBERS = {
    0: re.compile(b"(?:[\x08\x10\x18\x20\x28\x30\x38\x40\x48\x50\x58\x60\x68\x70\x78][\x80-\xff]{0,9}+[\x00-\x7f])*+"),
    1: re.compile(b"(?:[\x09\x11\x19\x21\x29\x31\x39\x41\x49\x51\x59\x61\x69\x71\x79].{8})*+", re.DOTALL),
    5: re.compile(b"(?:[\x0d\x15\x1d\x25\x2d\x35\x3d\x45\x4d\x55\x5d\x65\x6d\x75\x7d].{4})*+", re.DOTALL),
}
"""Runs of numbers of one kind, of fields below 16: a forest has millions, too many for a step in Python each."""
_MORE = 0x80
"""Set in each byte of a number but its last."""
_WIDTHS = {1: 8, 5: 4}


class WireError(ValueError):
    """The bytes are no such message, or are made of too many parts."""


def check(data: bytes, message: Descriptor) -> None:
    """Raise WireError for bytes that are no message, or hold more than MAX_PARTS parts.

    Source of the encoding: https://protobuf.dev/programming-guides/encoding/ (2026-11-23).
    """
    parts = 0
    stack: list[tuple[int, dict[int, Descriptor | None]]] = []
    kinds: dict[str, dict[int, Descriptor | None]] = {}
    position, end, fields = 0, len(data), _fields(message, kinds)
    while True:
        while position == end:
            if not stack:
                return
            end, fields = stack.pop()
        run = _NUMBERS.get(data[position] & 7)
        found = run.match(data, position, end) if run else None
        if found and found.end() > position:
            position = found.end()
            continue
        tag, position = _varint(data, position, end)
        number, kind = tag >> 3, tag & 7
        if kind != _LENGTH:
            position = _after_number(data, position, end, kind)
            continue
        length, position = _varint(data, position, end)
        parts += 1
        if length > end - position or parts > MAX_PARTS:
            raise WireError
        inner = fields.get(number)
        if inner is None:
            position += length
        else:
            stack.append((end, fields))
            end, fields = position + length, _fields(inner, kinds)


def _fields(message: Descriptor, kinds: dict[str, dict[int, Descriptor | None]]) -> dict[int, Descriptor | None]:
    """Return the message that each field holds; None for one that holds none."""
    if message.full_name not in kinds:
        kinds[message.full_name] = {field.number: field.message_type for field in message.fields}
    return kinds[message.full_name]


def _after_number(data: bytes, position: int, end: int, kind: int) -> int:
    if kind == 0:
        return _varint(data, position, end)[1]
    position += _WIDTHS.get(kind, end)  # groups, which ONNX has none of
    if position > end:
        raise WireError
    return position


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Return a number of at most ten bytes, and where it ends."""
    if position < end and data[position] < _MORE:
        return data[position], position + 1
    value = shift = 0
    for place in range(position, min(position + 10, end)):
        value |= (data[place] & 0x7F) << shift
        if data[place] < _MORE:
            return value, place + 1
        shift += 7
    raise WireError
