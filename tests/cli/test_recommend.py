"""`opdeploy recommend` as a process: how it ends, and what goes to which stream."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    Write = Callable[[str | dict[str, Any]], Path]
    OneLine = Callable[[Ran], str]

BARE = "name: a\nserving: {pattern: request-response}\n"
NOTHING = BARE + "constraints: {only: [batch-ai]}\n"
LLM = BARE + "model: {framework: llm}\n"
OUTPUTS = ("table", "json", "yaml", "markdown")


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_answer_goes_to_stdout_and_ends_with_0(opdeploy: Opdeploy, write: Write, output: str) -> None:
    """With a viable platform the command prints data on stdout, nothing on stderr, and ends well."""
    ran = opdeploy("recommend", write(BARE), "-o", output)
    assert (ran.code, ran.err) == (0, "")
    assert "container-apps" in ran.out


@pytest.mark.parametrize("output", OUTPUTS)
def test_no_viable_platform_ends_with_4_and_still_prints(
    opdeploy: Opdeploy, write: Write, one_line: OneLine, output: str
) -> None:
    """When nothing is viable the answer is printed all the same, and one line on stderr says so."""
    ran = opdeploy("recommend", write(NOTHING), "-o", output)
    assert ran.code == 4
    assert "2019-03-31" in ran.out
    assert one_line(ran) == f"error: {write(NOTHING)}: no viable platform; the answer says what would have to change"


@pytest.mark.parametrize("extra", ["model: {framework: llm}\n", "  tokens: {per_second: 50}\n"], ids=["llm", "tokens"])
def test_a_generative_model_ends_with_4_and_says_where_to_go(
    opdeploy: Opdeploy, write: Write, one_line: OneLine, extra: str
) -> None:
    """A generative model is out of scope: no platform is ranked, and the user learns where to go instead."""
    ran = opdeploy("recommend", write("name: a\nserving:\n  pattern: request-response\n" + extra), "-o", "json")
    assert (ran.code, ran.json["status"], ran.json["ranked"]) == (4, "out-of-scope", [])
    assert all(place in one_line(ran) for place in ("KAITO", "vLLM", "model API"))


def test_a_platform_of_another_edition_is_no_candidate(opdeploy: Opdeploy, write: Write) -> None:
    """`only` with a platform that came after the chapter leaves nothing in the chapter's edition."""
    ran = opdeploy("recommend", write(BARE + "constraints: {only: [postgres]}"), "--edition", "2018", "-o", "json")
    assert (ran.code, ran.json["status"], ran.json["best"]) == (4, "no-viable-platform", None)


@pytest.mark.parametrize("platform", ["local", "postgres", "container-apps", "azure-batch", "aml-batch"])
def test_never_with_a_platform_of_another_edition_changes_nothing(
    opdeploy: Opdeploy, write: Write, platform: str
) -> None:
    """Excluding what the edition does not have is no mistake, and changes nothing but the hash of the inputs."""
    plain = opdeploy("recommend", write(BARE), "--edition", "2018", "-o", "json")
    never = opdeploy("recommend", write(f"{BARE}constraints: {{never: [{platform}]}}"), "--edition=2018", "-o", "json")
    assert (never.code, never.err) == (0, "")
    assert never.json["inputs"] != plain.json["inputs"]
    assert never.out.replace(never.json["inputs"], plain.json["inputs"]) == plain.out


BAD_INPUT: dict[str, tuple[list[str], str]] = {
    "missing file": (["absent.yaml"], "absent.yaml: no such file; name a file that exists"),
    "directory": (["."], ".: is a directory; name a file in it"),
    "bad day": (["--as-of", "2026-13-01"], "'2026-13-01' does not match"),
    "no day": (["--as-of", "today"], "'today' does not match"),
    "bad edition": (["--edition", "2020"], "'2020' is not one of '2018', '2026'"),
    "bad format": (["-o", "xml"], "'xml' is not one of 'table', 'json', 'yaml', 'markdown'"),
    "unknown option": (["--fast"], "No such option: --fast"),
    "two files": (["workload.yaml", "workload.yaml"], "unexpected extra argument"),
}
"""What follows `recommend`, and what stderr says."""


@pytest.mark.parametrize(("arguments", "said"), BAD_INPUT.values(), ids=list(BAD_INPUT))
def test_bad_input_ends_with_2_and_one_line(
    opdeploy: Opdeploy, write: Write, one_line: OneLine, arguments: list[str], said: str
) -> None:
    """What the user wrote wrong is told in one line on stderr, without a traceback; stdout stays empty."""
    ran = opdeploy("recommend", *arguments, cwd=write(BARE).parent)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith("error: ")
    assert said in one_line(ran)


def test_a_wrong_field_is_told_with_file_line_and_field(opdeploy: Opdeploy, write: Write, one_line: OneLine) -> None:
    """The message of the reader reaches the user as it is."""
    path = write(BARE + "stage: prod\n")
    ran = opdeploy("recommend", path)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran) == (
        f'error: {path}:3: stage: "prod" is not one of demo, pilot, production; did you mean "production"?'
    )


def test_nesting_by_aliases_is_bad_input(opdeploy: Opdeploy, write: Write, one_line: OneLine) -> None:
    """A file that nests by aliases is refused like one that nests by brackets."""
    opened, closed = "[" * 35, "]" * 35
    lines = [f"a0: &a0 {opened}x{closed}"]
    lines += [f"a{step}: &a{step} {opened}*a{step - 1} {closed}" for step in range(1, 30)]
    ran = opdeploy("recommend", write(BARE + "deploy:\n  " + "\n  ".join(lines)))
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith("error: ")


@pytest.mark.parametrize("place", range(4))
def test_debug_shows_the_traceback_from_any_place(opdeploy: Opdeploy, write: Write, place: int) -> None:
    """`--debug` may stand anywhere on the line; it adds the traceback, and leaves the exit code."""
    arguments = ["recommend", "-o", "json", "absent.yaml"]
    at = (0, 1, 3, 4)[place]
    ran = opdeploy(*arguments[:at], "--debug", *arguments[at:], cwd=write(BARE).parent)
    assert "Traceback (most recent call last)" in ran.err
    assert ran.err.rstrip().endswith("absent.yaml: no such file; name a file that exists")
    assert (ran.code, ran.out) == (2, "")


def test_debug_changes_nothing_when_all_is_well(opdeploy: Opdeploy, write: Write) -> None:
    """`--debug` is about failures only."""
    plain, debug = (opdeploy("recommend", write(BARE), "-o", "json", *more) for more in ([], ["--debug"]))
    assert plain == debug


def test_the_workload_file_is_sought_in_the_current_folder(opdeploy: Opdeploy, write: Write) -> None:
    """Without a name the file is `workload.yaml`, here."""
    path = write(BARE)
    assert opdeploy("recommend", "-o", "json", cwd=path.parent).json["workload"] == "a"
    path.unlink()
    assert opdeploy("recommend", cwd=path.parent).err == (
        "error: workload.yaml: no such file; name a workload file, or write one with: opdeploy init\n"
    )


def test_keys_that_do_not_bear_on_the_pattern_are_named(opdeploy: Opdeploy, write: Write) -> None:
    """`batch` in a service is ignored, each key with a line on stderr and an assumption; `needs` counts."""
    path = write(BARE + "batch: {records: 5, window: 4h, needs: none}\n")
    ran = opdeploy("recommend", path, "-o", "json")
    assert ran.err.splitlines() == [
        f"warning: {path}: batch.{key}: ignored: it does not bear on request-response" for key in ("records", "window")
    ]
    assert {"batch.records", "batch.window"} <= {item["field"] for item in ran.json["assumptions"]}


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_same_question_has_the_same_bytes_for_an_answer(opdeploy: Opdeploy, write: Write, output: str) -> None:
    """Nothing in an answer hangs on the order of a hash table or on chance."""
    path = write(BARE + "team: {knows: [docker, kubernetes, sql]}\nconstraints: {never: [aci, vm, webapp]}\n")
    command = ("recommend", path, "--explain", "--as-of=2026-11-02", "-o", output)
    first = opdeploy(*command)
    assert first.code == 0
    assert [opdeploy(*command, PYTHONHASHSEED=seed) for seed in ("0", "1", "2018")] == [first] * 3


CLOSED = {
    "answer": (BARE, ["-o", "json"]),
    "table": (BARE, []),
    "nothing": (NOTHING, ["-o", "json"]),
    "sentences": (BARE, ["--why-not", "aci"]),
    "llm": (LLM, ["-o", "yaml"]),
    "help": (BARE, ["--help"]),
}


@pytest.mark.parametrize(("text", "options"), CLOSED.values(), ids=list(CLOSED))
def test_a_reader_that_goes_away_is_no_error(
    program: str, write: Write, clean: Callable[..., dict[str, str]], text: str, options: list[str]
) -> None:
    """`opdeploy … | head -1` leaves no traceback and no complaint of the interpreter."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [program, "recommend", str(write(text)), *options]
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(
            command, stdout=out, stderr=subprocess.PIPE, check=False, encoding="utf-8", env=clean(), timeout=60
        )
    assert "Traceback" not in done.stderr
    assert "BrokenPipeError" not in done.stderr
    assert done.returncode in {1, 4}


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let processes that a test starts be interrupted, even where these tests themselves may not be."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_with_130(program: str, tmp_path: Path, clean: Callable[..., dict[str, str]]) -> None:
    """Ctrl-C while the command waits, here for a file without end, is told by the code, without a traceback."""
    path = tmp_path / "workload.yaml"
    os.mkfifo(path)
    command = [program, "recommend", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8", env=clean()) as process:
        with path.open("w"):  # opens when the command has opened its end
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in said
