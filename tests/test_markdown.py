"""Markdown from data: whatever the data says, a reader of Markdown finds the same text and no markup in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from opdeploy.markdown import code, line, table, text

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
NASTY = st.text(alphabet="ab1 .)|`*_<>[](){}!#+-=~&;:\\/\"'\n\t", max_size=30)


def tokens(markdown: str) -> list[str]:
    """Return the types of all tokens that a reader finds, but for plain text."""
    found = READER.parse(markdown)
    inner = [child.type for token in found for child in token.children or []]
    return [token.type for token in found if token.type != "inline"] + [
        kind for kind in inner if kind not in {"text", "text_special"}
    ]


def words(markdown: str) -> str:
    """Return the text that a reader sees."""
    return "".join(child.content for token in READER.parse(markdown) for child in token.children or [])


@given(NASTY)
def test_a_line_is_a_paragraph_that_says_the_same(data: str) -> None:
    """Text that begins a line is read as one paragraph of plain text: the data with its white space collapsed."""
    joined = " ".join(data.split())
    if joined:
        assert tokens(line(data)) == ["paragraph_open", "paragraph_close"]
        assert words(line(data)) == joined


@given(NASTY)
def test_text_inside_a_line_says_the_same(data: str) -> None:
    """Text behind other text is plain text too."""
    assert tokens("a " + text(data)) == ["paragraph_open", "paragraph_close"]
    assert words("a " + text(data)) == " ".join(["a", *data.split()])


@given(st.lists(st.tuples(NASTY, NASTY), max_size=3))
def test_a_table_has_as_many_cells_as_there_are(rows: list[tuple[str, str]]) -> None:
    """Nothing in a cell ends it, adds another or ends the table."""
    written = "\n".join(table(("a", "b"), ([text(cell) for cell in row] for row in rows)))
    found = [token for token in READER.parse(written) if token.type == "inline"]
    assert [token.content.replace("\\|", "|") for token in found[:2]] == ["a", "b"]
    shown = ["".join(child.content for child in token.children or []) for token in found[2:]]
    assert shown == [" ".join(cell.split()) for row in rows for cell in row]


@given(NASTY)
def test_code_says_the_same(data: str) -> None:
    """Code is read as one span with the data in it."""
    joined = " ".join(data.split())
    if joined:
        (span,) = [child for token in READER.parse("a " + code(data)) for child in token.children or [] if child.tag]
        assert (span.type, span.content) == ("code_inline", joined)


@pytest.mark.parametrize("plain", ["0.43", "99.95 %", "6,045", "-", "a - b", "2018"])
def test_what_starts_nothing_stays_readable(plain: str) -> None:
    """Figures and dashes inside a line are not escaped."""
    assert re.sub(r"^\\", "", line(plain)) == plain
    assert text(plain) == plain
