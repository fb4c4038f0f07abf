"""The journal: what was done, on disk before what it tells goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.deploy.journal import Journal
from opdeploy.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAN = Plan(operation="deploy", target="local", deployment="m", version=2, before=1, observed="0")
TORN = '{"event": "begin", "at": "2026-11-25T12:00:00+00:00", "opera'
"""What a process that was killed had written of a line."""


def begin(journal: Journal) -> None:
    """Begin the plan."""
    journal.begin(PLAN)


def stopped(journal: Journal) -> None:
    """Begin the second step, and get no further."""
    journal.step("a", "make a", "begun")
    journal.step("a", "make a", "done", output=None)
    journal.step("b", "make b", "begun")


def roll_back(journal: Journal) -> None:
    """Begin another operation."""
    journal.begin(PLAN.model_copy(update={"operation": "rollback"}))


def end(how: str) -> Callable[[Journal], None]:
    """Return what ends an operation."""
    return lambda journal: journal.end(how)


def events(folder: Path) -> list[dict[str, Any]]:
    """Return what is on disk."""
    text = (folder / "local" / "m" / "journal.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_what_is_done_is_told_line_by_line(tmp_path: Path) -> None:
    """Each event is on disk when its call returns, with its time, and with what more is known."""
    journal = Journal(tmp_path, "local", "m")
    journal.begin(PLAN)
    assert [event["event"] for event in events(tmp_path)] == ["begin"]
    journal.step("a", "make a", "failed", why="two\nlines, and é")
    assert [event["event"] for event in events(tmp_path)] == ["begin", "step"]
    journal.end("returned")
    begun, step, ended = events(tmp_path)
    assert all(event.pop("at") for event in (begun, step, ended))
    assert begun == {"event": "begin", "operation": "deploy", "version": 2, "before": 1}
    assert step == {"event": "step", "step": "a", "title": "make a", "state": "failed", "why": "two\nlines, and é"}
    assert ended == {"event": "end", "how": "returned"}


def test_nothing_is_written_before_something_is_done(tmp_path: Path) -> None:
    """To ask is not to do: a plan leaves no journal."""
    assert Journal(tmp_path / "state", "local", "m").unfinished() is None
    assert [*tmp_path.iterdir()] == []


def test_the_cache_is_kept_out_of_git(tmp_path: Path) -> None:
    """All of it; a file that a person wrote there stays."""
    Journal(tmp_path / "state", "local", "m").begin(PLAN)
    ignore = tmp_path / "state" / ".gitignore"
    assert ignore.read_text(encoding="utf-8").splitlines()[-1] == "*"
    ignore.write_text("mine\n", encoding="utf-8")
    Journal(tmp_path / "state", "local", "m").begin(PLAN)
    assert ignore.read_text(encoding="utf-8") == "mine\n"


UNFINISHED: dict[str, tuple[tuple[Callable[[Journal], None], ...], tuple[str, str | None] | None]] = {
    "nothing was done": ((), None),
    "begun": ((begin,), ("deploy", None)),
    "a step was begun": ((begin, stopped), ("deploy", "make b")),
    "done": ((begin, stopped, end("done")), None),
    "returned": ((begin, stopped, end("returned")), None),
    "failed": ((begin, stopped, end("failed")), None),
    "begun again": ((begin, stopped, begin), ("deploy", None)),
    "another was begun": ((begin, stopped, roll_back), ("rollback", None)),
    "done, and another was begun": ((begin, end("done"), roll_back, stopped), ("rollback", "make b")),
    "a step of nothing": ((stopped,), None),
}


@pytest.mark.parametrize(("acts", "told"), UNFINISHED.values(), ids=list(UNFINISHED))
def test_what_has_not_ended_is_known(
    tmp_path: Path, acts: tuple[Callable[[Journal], None], ...], told: tuple[str, str | None] | None
) -> None:
    """To another process, too: the operation that was begun last, and the step that it was at."""
    for act in acts:
        act(Journal(tmp_path, "local", "m"))
    found = Journal(tmp_path, "local", "m").unfinished()
    assert (found and (found.operation, found.step)) == told
    if found:
        assert found.at == [event["at"] for event in events(tmp_path) if event["event"] == "begin"][-1]


@pytest.mark.parametrize(("target", "deployment"), [("local", "n"), ("vm", "m")])
def test_deployments_have_journals_of_their_own(tmp_path: Path, target: str, deployment: str) -> None:
    """By target and name."""
    Journal(tmp_path, "local", "m").begin(PLAN)
    assert Journal(tmp_path, target, deployment).unfinished() is None


@pytest.mark.parametrize(
    "rest", [TORN, "\0" * 40, "[1]", '"text"', "{", "null"], ids=["torn", "zeros", "list", "text", "brace", "null"]
)
def test_a_line_that_cannot_be_read_is_left_out(tmp_path: Path, rest: str) -> None:
    """As a process leaves one that is killed while it writes; what came before counts."""
    journal = Journal(tmp_path, "local", "m")
    begin(journal)
    stopped(journal)
    with (tmp_path / "local" / "m" / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write(rest)
    found = journal.unfinished()
    assert found is not None
    assert (found.operation, found.step) == ("deploy", "make b")


def test_what_follows_a_torn_line_counts(tmp_path: Path) -> None:
    """The next process begins a line of its own."""
    journal = Journal(tmp_path, "local", "m")
    begin(journal)
    with (tmp_path / "local" / "m" / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write(TORN)
    journal.end("done")
    assert journal.unfinished() is None


def test_a_journal_that_is_no_text_is_none(tmp_path: Path) -> None:
    """It is a cache: nothing depends on it."""
    journal = Journal(tmp_path, "local", "m")
    begin(journal)
    (tmp_path / "local" / "m" / "journal.jsonl").write_bytes(b"\xff\xfe\x00")
    assert journal.unfinished() is None
