"""`opdeploy init` on a terminal: a dialogue that waits for each prompt before it answers."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml

from opdeploy import workload
from opdeploy.cli.questions import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 20.0
PRESSES = 10
ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes its stdin the terminal from which keys such as Ctrl-C come, and becomes the command."""
INTERRUPT, END = b"\x03", b"\x04"

NAME, PATTERN, STAGE = "Name [", "How is the model called? [", "How serious is it? ["
REQUESTS, P95 = "Requests per second, on average over the day [", "95 of 100 answers must come ["
RECORDS, EVERY = "Records in one run [", "such as 15m, 24h or 7d ["
LOCATION, SENSITIVITY = "Where is the data? [", "How sensitive is the data? ["
TEAM, REGION = "What does the team know? One or more, with commas [", "Azure region, such as westeurope ["


class Dialogue:
    """The command on a terminal, with somebody who reads what is shown, and types."""

    def __init__(self, process: subprocess.Popen[bytes], keys: int) -> None:
        self.process = process
        self._keys = keys
        self._read = 0
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Wait until a text is shown after what was last waited for."""
        while (found := self.shown.find(text, self._read)) < 0:
            assert self._more(), self.shown
        self._read = found + len(text)

    def answer(self, prompt: str, answer: str | bytes = "") -> None:
        """Wait for a prompt, and type an answer: text and Enter, or keys."""
        self.wait_for(prompt)
        self.wait_for("]: ")
        os.write(self._keys, f"{answer}\n".encode() if isinstance(answer, str) else answer)

    def leave(self, key: bytes) -> None:
        """Wait for a prompt, and press a key that ends it."""
        self.wait_for("]: ")
        # Python loses an interrupt in the instant between its prompt and its reading: as a person would, press again.
        for _ in range(PRESSES):
            os.write(self._keys, key)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
                return
        pytest.fail(f"it goes on after {PRESSES} keys: {self.shown}")

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        while self._more():
            pass
        return self.process.wait(SECONDS)

    def _more(self) -> bool:
        ready, _, _ = select.select([self._keys], [], [], SECONDS)
        assert ready, f"nothing more came after: {self.shown}"
        try:
            chunk = os.read(self._keys, 65536)
        except OSError:  # what Linux says when the last writer has gone
            return False
        self.shown += chunk.decode(errors="replace").replace("\r\n", "\n")
        return bool(chunk)


@pytest.fixture
def start(program: str, clean: Callable[..., dict[str, str]], tmp_path: Path) -> Iterator[Callable[..., Dialogue]]:
    """Return a function that starts `opdeploy init` in an own folder on a terminal; stdout can be elsewhere."""
    with ExitStack() as open_:

        def begin(*arguments: str | Path, **streams: Any) -> Dialogue:  # noqa: ANN401  those of Popen
            parent, child = pty.openpty()
            open_.callback(os.close, parent)
            process = subprocess.Popen(
                [sys.executable, "-c", ON_TERMINAL, program, "init", *map(str, arguments)],
                cwd=tmp_path,
                env=clean(),
                start_new_session=True,
                **{"stdin": child, "stdout": child, "stderr": child, **streams},
            )
            open_.enter_context(process)
            open_.callback(process.kill)
            os.close(child)
            return Dialogue(process, parent)

        yield begin


def says(value: object) -> bool:
    """Tell whether a part of the file says something: a section may hold others that are empty."""
    return any(map(says, value.values())) if isinstance(value, dict) else value is not None


def written(folder: Path) -> dict[str, Any]:
    """Return the sections of the file that say something."""
    value: dict[str, Any] = yaml.safe_load((folder / "workload.yaml").read_text(encoding="utf-8"))
    return {key: item for key, item in value.items() if says(item)}


def test_answers_are_set(start: Callable[..., Dialogue], tmp_path: Path) -> None:
    """Choices are taken by name or by number, several of them with commas or blanks."""
    dialogue = start()
    dialogue.answer(NAME, "churn")
    dialogue.answer(PATTERN, "2")
    dialogue.answer(STAGE, "pilot")
    dialogue.answer(REQUESTS, "2.5")
    dialogue.answer(P95, " 300 ")
    dialogue.answer(LOCATION, "blob")
    dialogue.answer(SENSITIVITY, "4")
    dialogue.answer(TEAM, "docker, 4 spark")
    dialogue.answer(REGION, "westeurope")
    assert dialogue.end() == 0
    assert dialogue.shown.endswith("wrote workload.yaml\nnext: opdeploy recommend\n")
    found = written(tmp_path)
    assert found.pop("serving") == {
        "pattern": "stream",
        "requests_per_second": {"average": 2.5},
        "traffic": None,
        "latency_ms": {"p95": 300},
    }
    assert found == {
        "name": "churn",
        "stage": "pilot",
        "data": {"location": "blob", "sensitivity": "regulated"},
        "team": {"knows": ["docker", "sql", "spark"]},
        "region": "westeurope",
    }


@pytest.mark.parametrize(
    ("pattern", "asked"),
    [
        ("request-response", [REQUESTS, P95]),
        ("scheduled-batch", [RECORDS, EVERY]),
        ("in-database", [RECORDS, EVERY]),
        ("on-device", []),
    ],
)
def test_enter_takes_the_default_and_leaves_the_rest_open(
    start: Callable[..., Dialogue], tmp_path: Path, pattern: str, asked: list[str]
) -> None:
    """Each pattern has its own questions; without an answer the file is the one that is written in a pipe."""
    dialogue = start("--pattern", pattern, "--name", "a")
    for prompt in (STAGE, *asked, LOCATION, SENSITIVITY, TEAM, REGION):
        dialogue.answer(prompt)
    assert dialogue.end() == 0
    assert dialogue.shown.count("]: ") == 5 + len(asked)
    assert written(tmp_path).keys() == {"name", "serving"}
    assert (NAME not in dialogue.shown, PATTERN not in dialogue.shown) == (True, True)


def test_the_defaults_are_shown(start: Callable[..., Dialogue], tmp_path: Path, root: Path) -> None:
    """The name comes from the model; what needs no answer says so."""
    dialogue = start(root / "examples" / "digits" / "model.onnx")
    for prompt in (NAME, PATTERN, STAGE, REQUESTS, P95, LOCATION, SENSITIVITY, TEAM, REGION):
        dialogue.answer(prompt)
    assert dialogue.end() == 0
    assert "Name [digits]: " in dialogue.shown
    assert "How is the model called? [request-response]: " in dialogue.shown
    assert dialogue.shown.count("[leave open]: ") == 7
    assert written(tmp_path)["model"]["gflops"] == 0.002245


BAD = [
    (NAME, "My Model", '"My Model" does not fit; write a DNS label', "my-model"),
    (PATTERN, "streem", 'did you mean "stream"?', "stream"),
    (PATTERN, "7", '"7" is not one of request-response', "1"),
    (STAGE, "0", '"0" is not one of demo, pilot, production', "1"),
    (REQUESTS, "many", 'must be a number, not "many"', "5"),
    (REQUESTS, "-1", "must be at least 0, not -1", "5"),
    (REQUESTS, "nan", "must be a finite number, not NaN", "5"),
    (P95, "inf", "must be a finite number, not Infinity", "5"),
    (P95, "0", "must be more than 0, not 0", "5"),
    (TEAM, "docker go", '"go" is not one of docker', "docker"),
    (REGION, "West Europe", '"West Europe" does not fit; write an Azure region', "westeurope"),
    (REGION, "{{ x }}", '"{{ x }}" does not fit', "westeurope"),
    (NAME, b"\xff\xfe\n", "does not fit; write a DNS label", "a"),
]


@pytest.mark.parametrize(("prompt", "bad", "why", "good"), BAD)
def test_a_bad_answer_is_asked_again(
    start: Callable[..., Dialogue], prompt: str, bad: str | bytes, why: str, good: str
) -> None:
    """One line says what is wrong, and the question stands again."""
    dialogue = start()
    for each in (NAME, PATTERN, STAGE, REQUESTS, P95, LOCATION, SENSITIVITY, TEAM, REGION):
        if each == prompt:
            dialogue.answer(each, bad)
            dialogue.wait_for(why)
            dialogue.wait_for("\n")
            dialogue.answer(each, good)
        else:
            dialogue.answer(each)
    assert dialogue.end() == 0


def test_batch_answers_are_checked_too(start: Callable[..., Dialogue], tmp_path: Path) -> None:
    """Records are whole, times have their unit."""
    dialogue = start("--pattern=triggered-batch", "--name=a")
    dialogue.answer(STAGE)
    dialogue.answer(RECORDS, "1e6")
    dialogue.wait_for("must be a whole number, not 1000000.0\n")
    dialogue.answer(RECORDS, "1_000_000")
    dialogue.answer(EVERY, "1 day")
    dialogue.wait_for("write a time such as 90s, 15m, 4h or 7d\n")
    dialogue.answer(EVERY, "1d")
    for prompt in (LOCATION, SENSITIVITY, TEAM, REGION):
        dialogue.answer(prompt)
    assert dialogue.end() == 0
    assert written(tmp_path)["batch"] == {"records": 1_000_000, "every": "1d"}


@pytest.mark.parametrize("key", [INTERRUPT, END], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("answered", [[], [NAME], [NAME, PATTERN, STAGE, REQUESTS]], ids=len)
def test_an_interrupt_writes_nothing(
    start: Callable[..., Dialogue], tmp_path: Path, key: bytes, answered: list[str]
) -> None:
    """Ctrl-C and Ctrl-D end it with 130, one line of its own, and no file."""
    dialogue = start()
    for prompt in answered:
        dialogue.answer(prompt)
    dialogue.leave(key)
    assert dialogue.end() == 130
    assert dialogue.shown.splitlines()[-1] == "\x1b[31merror: interrupted\x1b[0m"
    assert list(tmp_path.iterdir()) == []


def test_what_would_fail_is_not_asked_about(start: Callable[..., Dialogue], tmp_path: Path) -> None:
    """A file that is there already ends it before the first question."""
    (tmp_path / "workload.yaml").touch()
    dialogue = start()
    assert dialogue.end() == 2
    assert "]: " not in dialogue.shown


def test_a_generative_model_is_not_asked_about(start: Callable[..., Dialogue], tmp_path: Path) -> None:
    """It is out of scope whatever the answers are."""
    (tmp_path / "chat.gguf").write_bytes(bytes(10))
    dialogue = start("chat.gguf")
    assert dialogue.end() == 0
    assert "]: " not in dialogue.shown


def test_prompts_go_to_stderr(start: Callable[..., Dialogue], tmp_path: Path) -> None:
    """With stdout elsewhere the dialogue is on the terminal all the same, and stdout stays empty."""
    with (tmp_path / "out").open("wb") as out:
        dialogue = start("--name=a", stdout=out)
    for prompt in (PATTERN, STAGE, REQUESTS, P95, LOCATION, SENSITIVITY, TEAM, REGION):
        dialogue.answer(prompt)
    assert dialogue.end() == 0
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize("stream", ["stdin", "stderr"])
def test_nobody_is_asked_who_is_not_there(
    program: str, clean: Callable[..., dict[str, str]], tmp_path: Path, stream: str
) -> None:
    """When answers come from a pipe, or prompts go to one, nothing is asked."""
    parent, child = pty.openpty()
    streams: dict[str, Any] = {"stdin": child, "stdout": child, "stderr": child, stream: subprocess.PIPE}
    with ExitStack() as open_:
        open_.callback(os.close, parent)
        process = open_.enter_context(subprocess.Popen([program, "init"], cwd=tmp_path, env=clean(), **streams))
        os.close(child)
        process.communicate(timeout=SECONDS)
        assert process.returncode == 0
    assert written(tmp_path)["serving"]["pattern"] == "request-response"


def test_every_choice_of_the_workload_file_is_offered() -> None:
    """No choice is missing, and none is invented."""
    kinds: dict[str, Any] = {
        "serving.pattern": workload.Pattern,
        "stage": workload.Stage,
        "data.location": workload.Location,
        "data.sensitivity": workload.Sensitivity,
        "team.knows": workload.Skill,
    }
    offered = {
        question.field: tuple(choice.name for choice in question.choices) for question in QUESTIONS if question.choices
    }
    assert offered == {field: get_args(kind) for field, kind in kinds.items()}
