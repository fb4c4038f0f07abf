"""Markdown from data: what is written stays text, and starts no markup of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STARTS_BLOCK = re.compile(r"(?:[-+]|#{1,6}|-{2,}|=+)(?=\s|$)|\d{1,9}(?=[.)](?:\s|$))")
"""What would start a list, a heading or a rule at the beginning of a line."""


def text(words: str) -> str:
    """Escape text for a place inside a line, such as the cell of a table, and bring it on one line."""
    return " ".join(re.sub(r"([\\|`*_<>\[\]&~])", r"\\\1", words).split())


def line(words: str) -> str:
    """Escape text that begins a line, such as an item of a list, and bring it on one line."""
    escaped = text(words)
    start = _STARTS_BLOCK.match(escaped)
    if not start:
        return escaped
    # A number stays as it is: what makes it a list is the mark behind it.
    at = start.end() if start[0].isdigit() else 0
    return f"{escaped[:at]}\\{escaped[at:]}"


def code(words: str) -> str:
    """Write text as code, for a place outside tables: what looks like markup in it stays as it is."""
    joined = " ".join(words.split())
    fence = "`" * (1 + max(map(len, re.findall("`+", joined)), default=0))
    pad = " " if joined.startswith("`") or joined.endswith("`") else ""
    return f"{fence}{pad}{joined}{pad}{fence}"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a table; its cells are Markdown already."""
    heads = list(columns)
    for cells in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cells)} |"
