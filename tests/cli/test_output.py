"""The other formats of an answer: YAML, Markdown, and tables on terminals and off them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from opdeploy.document import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy

    Write = Callable[[str | dict[str, Any]], Path]
    Terminal = Callable[..., str]

Answers = dict[tuple[str, str], "Asked"]
ESCAPE = "\x1b"
RED = "\x1b[31m"
SAME_DAY = "--as-of=2026-11-02"
SOME = [("heavy", "2026"), ("stream", "2026"), ("nothing", "2026"), ("llm", "2018")]


def command(asked: Asked, *options: str) -> list[str]:
    """Return the arguments that ask the same question again."""
    return ["recommend", str(asked.path), "--edition", asked.edition, SAME_DAY, *options]


@pytest.mark.parametrize("key", SOME, ids="-".join)
def test_yaml_is_the_same_data_as_json(opdeploy: Opdeploy, answers: Answers, key: tuple[str, str]) -> None:
    """The two formats hold the same values, for readers of YAML 1.1 and of YAML 1.2."""
    printed = opdeploy(*command(answers[key], "-o", "yaml")).out
    assert yaml.safe_load(printed) == answers[key].answer
    assert parse(printed, "answer").value == answers[key].answer


@pytest.mark.parametrize("name", ["1e5", "0o17", "no", "123"])
def test_a_name_that_reads_like_a_number_stays_text_in_yaml(opdeploy: Opdeploy, write: Write, name: str) -> None:
    """What YAML 1.1 takes for text and YAML 1.2 for a number is quoted, so that both read text."""
    printed = opdeploy("recommend", write({"name": name, "serving": {"pattern": "stream"}}), "-o", "yaml").out
    assert yaml.safe_load(printed)["workload"] == name
    assert parse(printed, "answer").value["workload"] == name


@pytest.mark.parametrize("options", [[], ["--explain"], ["--why-not", "aci"]], ids=["table", "explain", "why-not"])
def test_no_colour_codes_leave_a_terminal(opdeploy: Opdeploy, answers: Answers, options: list[str]) -> None:
    """What goes to a file or a pipe is plain text."""
    ran = opdeploy(*command(answers["bare", "2026"], *options))
    assert ESCAPE not in ran.out + ran.err
    assert answers["bare", "2026"].answer["best"] in ran.out


def test_a_table_on_a_terminal_is_styled(terminal: Terminal, answers: Answers) -> None:
    """On a terminal the headline stands out."""
    assert f"{ESCAPE}[1m" in terminal(*command(answers["bare", "2026"]))


@pytest.mark.parametrize(
    ("variables", "red"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)],
    ids=["plain", "no colour", "empty: not set"],
)
def test_an_error_is_red_on_a_terminal_unless_colours_are_refused(
    terminal: Terminal, tmp_path: Path, variables: dict[str, str], *, red: bool
) -> None:
    """Errors are red on a terminal; NO_COLOR with any value makes them plain (https://no-color.org)."""
    line = f"error: {tmp_path / 'absent.yaml'}: no such file; name a file that exists"
    found = terminal("recommend", tmp_path / "absent.yaml", COLUMNS="200", **variables)
    assert found == (f"{RED}{line}{ESCAPE}[0m\n" if red else line + "\n")


def test_colours_are_refused_in_tables_too(terminal: Terminal, answers: Answers) -> None:
    """With NO_COLOR a table has no colour; bold and dim are none."""
    found = terminal(*command(answers["bare", "2026"], "--explain"), NO_COLOR="1")
    assert {code for code in re.findall(r"\x1b\[([0-9;]*)m", found) if code not in {"0", "1", "2"}} == set()


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_a_table_fits_its_width_and_names_every_platform(opdeploy: Opdeploy, answers: Answers, columns: int) -> None:
    """At every usual width no line is wider, and every platform's id can be read in one piece."""
    ran = opdeploy(*command(answers["bare", "2026"]), COLUMNS=str(columns))
    assert max(map(len, ran.out.splitlines())) <= columns
    words = set(re.findall(r"[a-z0-9-]+", ran.out))
    assert {item["platform"] for item in answers["bare", "2026"].answer["ranked"]} - words == set()
    assert {item["platform"] for item in answers["bare", "2026"].answer["excluded"]} - words == set()


@pytest.mark.parametrize("columns", ["0", "1", "", "wide"])
def test_a_width_that_is_none_still_prints(opdeploy: Opdeploy, answers: Answers, columns: str) -> None:
    """A senseless COLUMNS loses no answer."""
    ran = opdeploy(*command(answers["bare", "2026"]), COLUMNS=columns)
    assert ran.code == 0
    assert ran.out.strip()


def test_explain_adds_every_figure_and_assumption(opdeploy: Opdeploy, answers: Answers) -> None:
    """`--explain` shows the points of every ranked platform, and every assumption."""
    asked = answers["bare", "2026"]
    short, full = (opdeploy(*command(asked, *more), COLUMNS="250").out for more in ([], ["--explain"]))
    points = [part["points"] for item in asked.answer["ranked"] for part in item["contributions"]]
    assert "--explain lists them" in short
    assert all(f" {value:.1f} " in full for value in points)
    assert all(item["field"] in full and item["why"] in full for item in asked.answer["assumptions"])
