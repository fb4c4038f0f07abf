"""Reading YAML that a person wrote: what each scalar means, where each field stands, and what is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from opdeploy.document import Document, parse, read
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SCALARS: dict[str, Any] = {
    "no": "no",
    "yes": "yes",
    "on": "on",
    "off": "off",
    "y": "y",
    "No": "No",
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "tRUE": "tRUE",
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "nULL": "nULL",
    "": None,
    "2024-01-01": "2024-01-01",
    "2024-01-01T10:00:00Z": "2024-01-01T10:00:00Z",
    "1:30": "1:30",
    "12": 12,
    "+12": 12,
    "-12": -12,
    "007": 7,
    "2_000_000": 2_000_000,
    "-1_0": -10,
    "1__0": "1__0",
    "_1": "_1",
    "1_": "1_",
    "0o17": 15,
    "0x1F": 31,
    "0b1": "0b1",
    "-0x1F": "-0x1F",
    "0o8": "0o8",
    "0.5": 0.5,
    ".5": 0.5,
    "5.": 5.0,
    "-1.5": -1.5,
    "1e3": 1000.0,
    "1.5E-3": 0.0015,
    "1_0.5": "1_0.5",
    ".": ".",
    ".e1": ".e1",
    ".inf": math.inf,
    "+.INF": math.inf,
    "-.Inf": -math.inf,
    "inf": "inf",
    "nan": "nan",
    "1e999": math.inf,
    "\u0661": "\u0661",
    "'12'": "12",
    '"true"': "true",
    "'~'": "~",
    '""': "",
    "!!str 12": "12",
    "!!str": "",
    "! 12": "12",
    "4h": "4h",
    "text # with a comment": "text",
}
"""What stands in a file, and the value that it has by YAML 1.2 (and `_` in integers)."""


@pytest.mark.parametrize(("written", "value"), SCALARS.items(), ids=[written or "nothing" for written in SCALARS])
def test_a_scalar_is_read_as_in_yaml_1_2(written: str, value: object) -> None:
    """A plain scalar has the type of YAML 1.2's core schema, and a quoted or tagged one is text."""
    found = parse(f"field: {written}", "file").value["field"]
    assert (type(found), found) == (type(value), value)


def test_not_a_number_is_read() -> None:
    """`.nan` is a float that equals nothing; `+.nan` is text."""
    found = parse("[.nan, .NaN, .NAN, +.nan]", "file").value
    assert [isinstance(item, float) and math.isnan(item) for item in found] == [True, True, True, False]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_directive_changes_no_meaning(version: str) -> None:
    """`%YAML 1.1` does not make `no` a boolean."""
    assert parse(f"%YAML {version}\n---\nfield: no\n", "file").value == {"field": "no"}


def test_block_scalars_are_text() -> None:
    """Block scalars are text whatever stands in them."""
    assert parse("a: |\n  12\nb: >-\n  true\n", "file").value == {"a": "12\n", "b": "true"}


LINES = "# comment\na:\n\n  b: 1\n  c:\n    - d\n    - e: 2\n      f: |\n        x\n        y\n    - [g, h]\nz: 0\n"


@pytest.mark.parametrize(
    ("location", "line"),
    [
        ((), 2),
        (("a",), 2),
        (("a", "b"), 4),
        (("a", "c"), 5),
        (("a", "c", 0), 6),
        (("a", "c", 1, "e"), 7),
        (("a", "c", 1, "f"), 8),
        (("a", "c", 2, 1), 11),
        (("z",), 12),
        (("a", "c", 1, "absent", "deeper"), 7),
        (("absent",), 2),
    ],
    ids=str,
)
def test_a_field_has_the_line_on_which_it_stands(location: tuple[str | int, ...], line: int) -> None:
    """The line of a field is where its key or item starts; that of an absent one is its parent's."""
    assert parse(LINES, "file").line(location) == line


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old-mac"])
def test_lines_are_counted_whatever_ends_them(newline: str) -> None:
    """Every convention for the end of a line counts lines alike."""
    assert parse(newline.join(["a: 1", "b: 2", "c: 3"]), "file").line(("c",)) == 3


def test_an_error_names_file_line_and_field() -> None:
    """An error starts with the file, the line, and the field as one writes it."""
    error = parse("a:\n  - b\n  - c: 1\n", "some.yaml").error(("a", 1, "c"), "is wrong")
    assert str(error) == "some.yaml:3: a[1].c: is wrong"


def test_small_aliases_are_followed() -> None:
    """An alias stands for the value of its anchor, the last one of that name."""
    text = "a: &x {k: 1}\nb: *x\nc: &y [*x, *x]\nd: *y\ne: &x 2\nf: *x\n"
    one = {"k": 1}
    assert parse(text, "file").value == {"a": one, "b": one, "c": [one, one], "d": [one, one], "e": 2, "f": 2}


def test_a_merge_key_is_a_key_like_any_other() -> None:
    """`<<` is no part of YAML 1.2, and merges nothing."""
    assert parse("a: &x {k: 1}\nb: {<<: *x}\n", "file").value["b"] == {"<<": {"k": 1}}


def test_a_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    """A file may start with the mark that some editors write."""
    path = tmp_path / "file.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).value == {"a": 1}


def bomb(width: int, depth: int) -> str:
    """Return lists of aliases that would grow to width ** depth values."""
    lines = ["a0: &a0 x"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(("width", "depth"), [(9, 9), (9, 200), (2, 5000)], ids=["classic", "high", "narrow"])
def test_an_anchor_bomb_is_refused_at_once(width: int, depth: int) -> None:
    """Aliases that would grow beyond measure are refused before they do, in one line that names one."""
    with pytest.raises(InputError, match=r"^file:\d+: the aliases grow to more than 20000 values; write the values"):
        parse(bomb(width, depth), "file")


def test_aliases_do_not_nest_deeper_than_brackets_may() -> None:
    """Nesting built from aliases ends where nesting written out does: what reads the value can follow it."""
    opened, closed = "[" * 35, "]" * 35
    text = f"a0: &a0 {opened}x{closed}\n"
    text += "\n".join(f"a{step}: &a{step} {opened}*a{step - 1} {closed}" for step in range(1, 30))
    with pytest.raises(InputError, match=r"^file:\d+: "):
        parse(text, "file")


PRINTABLE = st.text(alphabet="&*!|>'\"%@`{}[],:?-# \n\tabn01.~_xo<", max_size=60)
BYTES = st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode), PRINTABLE.map(str.encode))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for files that are written again and again."""
    return tmp_path_factory.mktemp("fuzz")


@given(content=BYTES)
@example(content=b"a: *x\xe2\x80\xae")
@example(content=b'"\\ud800"')
def test_any_content_is_read_or_refused_in_one_line(folder: Path, content: bytes) -> None:
    """Whatever a file holds, reading it gives a document or an InputError of one printable line; nothing else."""
    path = folder / "file.yaml"
    path.write_bytes(content)
    found = _read_or_error(path)
    assert isinstance(found, Document) or (found.startswith(str(path)) and found.isprintable())


def _read_or_error(path: Path) -> Document | str:
    try:
        return read(path)
    except InputError as error:
        return str(error)


class Quoted(yaml.SafeDumper):
    """Dumps every string in quotes."""


Quoted.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**28), 10**28), st.floats(allow_nan=False), st.text(max_size=20)
)
DATA = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(value=DATA)
def test_what_a_dumper_wrote_is_read_back(value: object) -> None:
    """Plain data dumped with its strings in quotes is read back the same, with the same types."""
    text = yaml.dump(value, Dumper=Quoted, sort_keys=False)
    assert repr(parse(text, "file").value) == repr(value)
