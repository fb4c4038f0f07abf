"""What is refused when YAML is read, each with the whole line that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opdeploy.document import MAX_DEPTH, parse, read
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = {
    "duplicate key": ("a: 1\nb: 2\na: 3", "3: a: stands a second time (first on line 1); remove one"),
    "duplicate nested": ("x:\n  a: 1\n  a: 2", "3: x.a: stands a second time (first on line 2); remove one"),
    "duplicate in flow": ("x: [{a: 1, a: 2}]", "1: x[0].a: stands a second time (first on line 1); remove one"),
    "duplicate quoted": ("a: 1\n'a': 2", "2: a: stands a second time (first on line 1); remove one"),
    "integer key": ("1: a", "1: the file: has a key that is not text; quote it"),
    "boolean key": ("x:\n  true: a", "2: x: has a key that is not text; quote it"),
    "null key": ("~: a", "1: the file: has a key that is not text; quote it"),
    "list as key": ("? [a]\n: b", "1: the file: has a key that is not text; quote it"),
    "alias as key": ("a: &x b\n*x : c", "2: the file: has a key that is not text; quote it"),
    "second document": ("a: 1\n---\nb: 2", "2: a second document starts; keep one in a file"),
    "two empty documents": ("---\n---\n", "2: a second document starts; keep one in a file"),
    "empty": ("", " is empty; write a mapping of keys to values"),
    "only a comment": ("# nothing\n", " is empty; write a mapping of keys to values"),
    "alias without anchor": ("a: *x", "1: the alias *x has no anchor before it; write the value out"),
    "alias of itself": ("a: &x [*x]", "1: the alias *x has no anchor before it; write the value out"),
    "python name": (
        "a: !!python/name:os.system ''",
        "1: has the tag tag:yaml.org,2002:python/name:os.system, which is not read here; remove it",
    ),
    "python call": (
        "a: !!python/object/apply:os.system [true]",
        "1: has the tag tag:yaml.org,2002:python/object/apply:os.system, which is not read here; remove it",
    ),
    "python object": (
        "a:\n  b: !!python/object:os.Thing {c: 1}",
        "2: has the tag tag:yaml.org,2002:python/object:os.Thing, which is not read here; remove it",
    ),
    "binary": ("a: !!binary aGk=", "1: has the tag tag:yaml.org,2002:binary, which is not read here; remove it"),
    "own tag": ("a: !mine b", "1: has the tag !mine, which is not read here; remove it"),
    "own tag of a list": ("a: !mine [b]", "1: has the tag !mine, which is not read here; remove it"),
    "long integer": ("a: " + "1" * 31, "1: has an integer of more than 30 digits; write a smaller one"),
    "very long integer": ("a: " + "1" * 100_000, "1: has an integer of more than 30 digits; write a smaller one"),
    "long hexadecimal": ("a: 0x" + "f" * 40, "1: has an integer of more than 30 digits; write a smaller one"),
    "deep lists": ("[" * 100_000, f"1: is nested more than {MAX_DEPTH} deep; flatten it"),
    "deep mappings": ("{a: " * 100_000, f"1: is nested more than {MAX_DEPTH} deep; flatten it"),
    "deep blocks": (
        "".join(" " * level + "a:\n" for level in range(60)),
        f"{MAX_DEPTH + 2}: is nested more than {MAX_DEPTH} deep; flatten it",
    ),
    "many values": ("[" + "1," * 20_001 + "]", "1: holds more than 20000 values; name a file of the right kind"),
    "open list": ("a: [1, 2", "2: is not valid YAML: did not find expected ',' or ']'; mend that line"),
    "open quote": ("a: 'x", "1: is not valid YAML: found unexpected end of stream; mend that line"),
    "two colons": (
        "a: b: c",
        "1: is not valid YAML: mapping values are not allowed in this context; mend that line",
    ),
    "tab": ("a:\n\tb: 1", "2: is not valid YAML: found character that cannot start any token; mend that line"),
    "unknown directive": ("%NO\n---\na: 1", "1: is not valid YAML: found unknown directive name; mend that line"),
    "surrogate escape": (
        '"\\ud800"',
        "1: is not valid YAML: found invalid Unicode character escape code; mend that line",
    ),
    "control character": (
        "a: \x07",
        " is not valid YAML: unacceptable character #x0007: control characters are not allowed; mend the file",
    ),
}
"""What is in a file, and the message after the file's name and a colon."""


@pytest.mark.parametrize(("text", "message"), TEXTS.values(), ids=list(TEXTS))
def test_text_is_refused_with_the_line_and_what_to_do(text: str, message: str) -> None:
    """What is no single YAML 1.2 document of plain data is refused, in one line."""
    with pytest.raises(InputError) as caught:
        parse(text, "file")
    assert str(caught.value) == f"file:{message}"


@pytest.mark.parametrize(
    "text",
    [
        "a: *" + "x" * 2000,
        "a: !" + "x" * 2000 + " b",
        "a: !x%0Ay%1B[31m b",
        "? " + "k" * 5000 + "\n: 1\n? " + "k" * 5000 + "\n: 2",
        f"{{{'k' * 100}: " * 20 + "{a: 1, a: 2}" + "}" * 20,
        '{"a\\n\\e[31m": 1, "a\\n\\e[31m": 2}',
    ],
    ids=["alias", "tag", "escapes in a tag", "long key", "deep keys", "escapes in a key"],
)
def test_a_message_stays_one_short_line_whatever_it_quotes(text: str) -> None:
    """Names from the file are cut in a message, and nothing in them moves the cursor."""
    with pytest.raises(InputError) as caught:
        parse(text, "file")
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 300, message[:300]


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit on nesting leaves alone what is just inside it."""
    value = parse("[" * MAX_DEPTH + "]" * MAX_DEPTH, "file").value
    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == []


FILES = {
    "nul": (b"a: \0b", "is binary, not text; name a YAML file"),
    "utf-16": ("a: b".encode("utf-16"), "is not text (UTF-8); name a YAML file"),
    "latin-1": (b"a: caf\xe9", "is not text (UTF-8); name a YAML file"),
    "an image": (b"\x89PNG\r\n\x1a\n\0\0", "is not text (UTF-8); name a YAML file"),
    "50 MB": (b"a: b\n" * 10_000_000, "is larger than 1 MB, which no such file needs; name the right file"),
    "just too large": (b"#" * 1_000_001, "is larger than 1 MB, which no such file needs; name the right file"),
    "empty": (b"", "is empty; write a mapping of keys to values"),
    "only a byte order mark": (b"\xef\xbb\xbf", "is empty; write a mapping of keys to values"),
}
"""What is in a file, and the message after the file's name."""


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=list(FILES))
def test_a_file_is_refused_that_is_not_short_text(tmp_path: Path, content: bytes, message: str) -> None:
    """A file that is no text, or too much of it, is refused."""
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_file_just_small_enough_is_read(tmp_path: Path) -> None:
    """The limit on size leaves alone what is just inside it."""
    path = tmp_path / "file.yaml"
    path.write_bytes(b"a: 1 #".ljust(1_000_000, b"#"))
    assert read(path).value == {"a": 1}


UNREADABLE = {
    "missing": ("missing.yaml", "no such file; name a file that exists"),
    "in a missing folder": ("missing/file.yaml", "no such file; name a file that exists"),
    "a directory": ("folder", "is a directory; name a file in it"),
    "below a file": ("file/inner.yaml", "cannot be read: Not a directory; check the path and its permissions"),
    "a name too long": ("x" * 300, "cannot be read: File name too long; check the path and its permissions"),
    "links in a circle": (
        "circle",
        "cannot be read: Too many levels of symbolic links; check the path and its permissions",
    ),
    "a name that no file has": ("a\0b", "cannot be read: embedded null byte; check the path and its permissions"),
}
"""The name of what is to be read, and the message after the whole path."""


@pytest.mark.parametrize(("name", "message"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_cannot_be_opened_is_refused_with_the_reason(tmp_path: Path, name: str, message: str) -> None:
    """A path that leads to no readable file is refused with the system's reason, also for the superuser."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(InputError) as caught:
        read(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: {message}"
