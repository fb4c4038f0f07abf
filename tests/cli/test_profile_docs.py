"""`opdeploy docs ID`: all that a profile holds, for a reader, with every source."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from pydantic import BaseModel

from opdeploy import words
from opdeploy.catalogue import load_catalogue
from opdeploy.platform import EDITIONS, Evidence, Limit, Limits, Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

ON = "--as-of=2026-11-02"
PROFILES = {
    f"{item.id}-{edition}": (edition, item) for edition in EDITIONS for item in load_catalogue(edition).profiles
}
READER = MarkdownIt("commonmark").enable("table")

Printed = dict[str, str]


@pytest.fixture(scope="module")
def printed(many: Callable[[Iterable[list[str]]], list[str]]) -> Printed:
    """Return the Markdown of every profile of both editions."""
    commands = [["docs", profile.id, "--edition", edition, ON] for edition, profile in PROFILES.values()]
    return dict(zip(PROFILES, many(commands), strict=True))


each = pytest.mark.parametrize("key", PROFILES)


def lines(markdown: str) -> list[str]:
    """Return what a reader of Markdown sees, a line for each block."""
    blocks = [token.children or [] for token in READER.parse(markdown) if token.type == "inline"]
    return ["".join(child.content for child in block) for block in blocks]


def figures(value: BaseModel) -> Iterator[tuple[str, Evidence]]:
    """Yield every figure of a profile with its field, however deep."""
    for name, inner in value:
        if isinstance(inner, Evidence):
            yield name, inner
        if isinstance(inner, BaseModel):
            yield from figures(inner)


def numbered(seen: list[str], markdown: str) -> dict[str, str]:
    """Return the sources by their numbers."""
    listed = markdown.split("## Sources\n\n")[1].splitlines()
    return {line.split(".")[0]: text for line, text in zip(listed, seen[-len(listed) :], strict=True)}


@each
def test_every_figure_stands_with_its_reason_and_the_number_of_its_source(printed: Printed, key: str) -> None:
    """Each rating, limit and other figure of the profile has a line with reason, grade and a number that resolves."""
    seen = lines(printed[key])
    sources = numbered(seen, printed[key])
    profile = PROFILES[key][1]
    for name, figure in figures(profile):
        numbers = {
            number
            for line in seen
            for number in re.findall(re.escape(f"{figure.why}") + r".* \(" + figure.grade + r" \[(\d+)\]\)$", line)
        }
        assert f"{figure.source} ({figure.date})" in {sources[number] for number in numbers}, name
        if isinstance(figure, Limit) and figure.lifted_by:
            assert any(f"{figure.why} Lifted by: {figure.lifted_by}." in line for line in seen)


@each
def test_sources_are_numbered_once_and_in_order(printed: Printed, key: str) -> None:
    """The list has each source and date once, numbered from 1 in the order in which they are first named."""
    seen = lines(printed[key])
    sources = numbered(seen, printed[key])
    used = re.findall(r"\[(\d+)\]\)$", "\n".join(seen), re.MULTILINE)
    assert list(dict.fromkeys(used)) == list(sources) == [str(number) for number in range(1, len(sources) + 1)]
    expected = {f"{figure.source} ({figure.date})" for _, figure in figures(PROFILES[key][1])}
    assert sorted(sources.values()) == sorted(expected)


@each
def test_ratings_and_limits_have_their_values(printed: Printed, key: str) -> None:
    """Each rating is written with two digits; each known limit under its name with its unit, the others as unknown."""
    seen = lines(printed[key])
    profile = PROFILES[key][1]
    for name, rating in profile.ratings:
        assert f"{words.plain(name)} {rating.value:.2f}: {rating.why} ({rating.grade}" in "\n".join(seen)
    (unknown,) = [line for line in seen if line.startswith("Not known in this edition")]
    for name, limit in profile.limits:
        label, unit = words.LIMITS[name]
        if limit is None:
            assert label in unknown
        elif name != "name":
            assert any(line.startswith(f"{label} {words.shown(limit.value)} {unit}".strip() + ": ") for line in seen)
        else:
            assert any(f" characters that match {limit.value.pattern}: {limit.why}" in line for line in seen)


@each
def test_it_begins_with_title_state_and_what_it_is_for(printed: Printed, key: str, root: Path) -> None:
    """Title, state, the comment at the head of its file, and what it is best and not for come first."""
    edition, profile = PROFILES[key]
    seen = lines(printed[key])
    head = (root / "profiles" / f"{profile.id}.yaml").read_text().split("\nid: ")[0]
    assert seen[0] == profile.title
    assert seen[1].startswith(f"{profile.id}: ")
    assert f"edition {edition}" in seen[1]
    assert seen[2] == " ".join(line.removeprefix("# ") for line in head.splitlines())
    assert seen[3] == f"Best for {profile.best_for}. Not for:"
    assert tuple(seen[4 : 4 + len(profile.not_for)]) == profile.not_for


@each
def test_nothing_of_the_data_is_markup(printed: Printed, key: str) -> None:
    """A reader finds headings, lists, bold labels, code and one quote; no links, HTML, emphasis or pictures."""
    found = READER.parse(printed[key])
    blocks = {token.type.removesuffix("_open").removesuffix("_close") for token in found}
    assert blocks <= {"heading", "paragraph", "inline", "blockquote", "bullet_list", "list_item", "ordered_list"}
    inside = {child.type for token in found for child in token.children or []}
    assert inside <= {"text", "text_special", "strong_open", "strong_close", "code_inline"}


def test_every_limit_has_a_name() -> None:
    """What a limit is called is said of each, in the order of the profile."""
    assert list(words.LIMITS) == list(Limits.model_fields)


def test_json_is_the_profile(many: Callable[[Iterable[list[str]]], list[str]]) -> None:
    """As JSON it is the profile's own data, with the edition, the day, the state and the note."""
    commands = [["docs", item.id, "--edition", edition, ON, "-o", "json"] for edition, item in PROFILES.values()]
    for out, (edition, profile) in zip(many(commands), PROFILES.values(), strict=True):
        found = json.loads(out)
        asked = {name: found.pop(name) for name in ("edition", "as_of", "state", "about")}
        assert (asked["edition"], asked["as_of"]) == (edition, "2026-11-02")
        assert asked["state"] in {"available", "unmaintained", "retired"}
        assert asked["about"]
        assert Profile.model_validate_json(json.dumps(found)) == profile


@pytest.mark.parametrize(
    ("day", "said"), [("2019-03-30", "available until 2019-03-31"), ("2019-03-31", "retired since 2019-03-31")]
)
def test_the_state_is_that_of_the_day(opdeploy: Opdeploy, day: str, said: str) -> None:
    """A platform can be had until the day of its end; its heirs are named on any day."""
    out = opdeploy("docs", "batch-ai", "--as-of", day).out
    assert f"`batch-ai`: {said} (edition 2026, as of {day})." in out
    assert f"- **{said}**" in out
    assert "- **successors** `aml-batch`, `azure-batch`" in out


def test_text_off_a_terminal_is_markdown(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """In a pipe and in a file the text is the Markdown itself, without a code of a terminal."""
    text = opdeploy("docs", "aci", ON).out
    assert text == opdeploy("docs", "aci", ON, "-o", "markdown").out
    assert "\x1b" not in text
    for name in ("aci.md", "aci.txt", "aci"):
        assert opdeploy("docs", "aci", ON, "--file", tmp_path / name).out == ""
        assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("columns", [40, 80, 300])
def test_text_on_a_terminal_is_rendered(terminal: Callable[..., str], columns: int) -> None:
    """On a terminal there are no marks of Markdown but styles, in lines that fit and can be read."""
    shown = terminal("docs", "aci", ON, COLUMNS=str(columns))
    assert "\x1b[1m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "**" not in plain
    assert "## " not in plain
    assert max(map(len, plain.splitlines())) <= min(columns, 100)
    assert "Azure Container Instances" in plain


def test_colours_are_refused(terminal: Callable[..., str]) -> None:
    """With NO_COLOR the rendered text has no colour; bold, dim, italics and underlines are none."""
    codes = re.findall(r"\x1b\[([0-9;]*)m", terminal("docs", "aci", ON, NO_COLOR="1"))
    assert {part for found in codes for part in found.split(";")} <= {"0", "1", "2", "3", "4"}


def test_markdown_on_a_terminal_stays_markdown(terminal: Callable[..., str], opdeploy: Opdeploy) -> None:
    """Who asks for Markdown gets it, on a terminal too."""
    assert terminal("docs", "aci", ON, "-o", "markdown") == opdeploy("docs", "aci", ON).out


MISTAKES = {
    "misspelt": (["azure-bacth"], "no platform 'azure-bacth'; did you mean \"azure-batch\"?"),
    "in capitals": (["ACI"], "no platform 'ACI'; did you mean \"aci\"?"),
    "nothing like it": (["zzz"], "no platform 'zzz'; valid: aci, aks-cpu, "),
    "a path": (["../aci"], "no platform '../aci'; did you mean \"aci\"?"),
    "empty": ([""], "no platform ''; valid: aci, "),
    "only today": (["local", "--edition=2018"], "local is not in edition 2018; ask with --edition 2026"),
    "none": ([], "Missing argument 'ID'"),
    "two": (["aci", "vm"], "Got unexpected extra argument"),
    "a suffix that names no format": (["aci", "--file=a.yaml"], "--file a.yaml: no format is called .yaml"),
    "a file that cannot be written": (["aci", "--file=absent/a.md"], "absent/a.md: cannot be written"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=list(MISTAKES))
def test_bad_input_ends_with_2_and_one_line(
    opdeploy: Opdeploy, one_line: Callable[[Ran], str], tmp_path: Path, arguments: list[str], said: str
) -> None:
    """What is wrong is said in one line, and nothing is printed."""
    ran = opdeploy("docs", *arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith(f"error: {said}")
    assert list(tmp_path.iterdir()) == []
