"""The questions that `opdeploy init` asks on a terminal."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import TextIOWrapper
from typing import TYPE_CHECKING, NamedTuple

import typer

from opdeploy import ui
from opdeploy.starter import refusal
from opdeploy.workload import BATCH, ONLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from opdeploy.starter import Known, Value

OPEN = "leave open"
"""What stands where others have their default, in questions that need no answer."""


class Choice(NamedTuple):
    """An answer to choose, and half a line on what it means."""

    name: str
    meaning: str


def _text(answer: str) -> Value:
    return answer


def _number(answer: str) -> Value:
    """Read a number; what is none stays text, which the field then refuses."""
    for read in (int, float):
        try:
            return read(answer)
        except ValueError:
            continue
    return answer


def _list(answer: str) -> Value:
    return answer.replace(",", " ").split()


@dataclass(frozen=True)
class Question:
    """A question, and the field of the workload file that it fills."""

    field: str
    prompt: str
    choices: tuple[Choice, ...] = ()
    read: Callable[[str], Value] = _text
    patterns: Collection[str] | None = None
    """The patterns in which it is asked; None for all."""


QUESTIONS = (
    Question("name", "Name"),
    Question(
        "serving.pattern",
        "How is the model called?",
        (
            Choice("request-response", "somebody sends a request, and waits for the answer"),
            Choice("stream", "records arrive without end, and are scored as they come"),
            Choice("scheduled-batch", "many records in one run, at set times"),
            Choice("triggered-batch", "many records in one run, when something happens"),
            Choice("in-database", "in the database in which the data is"),
            Choice("on-device", "on a device, also without a network"),
        ),
    ),
    Question(
        "stage",
        "How serious is it?",
        (
            Choice("demo", "to show it, for a short time"),
            Choice("pilot", "a few users try it"),
            Choice("production", "users rely on it"),
        ),
    ),
    Question(
        "serving.requests_per_second.average",
        "Requests per second, on average over the day",
        read=_number,
        patterns=ONLINE,
    ),
    Question(
        "serving.latency_ms.p95",
        "Milliseconds within which 95 of 100 answers must come",
        read=_number,
        patterns=ONLINE,
    ),
    Question("batch.records", "Records in one run", read=_number, patterns=BATCH),
    Question("batch.every", "Time from one run to the next, such as 15m, 24h or 7d", patterns=BATCH),
    Question(
        "data.location",
        "Where is the data?",
        (
            Choice("client", "with the caller: it comes with the request"),
            Choice("blob", "in object storage"),
            Choice("files", "on a file share"),
            Choice("sql-server", "in SQL Server, or its services on Azure"),
            Choice("postgres", "in PostgreSQL"),
            Choice("spark", "in tables that Spark reads"),
            Choice("device", "on the device"),
        ),
    ),
    Question(
        "data.sensitivity",
        "How sensitive is the data?",
        (
            Choice("public", "anybody may see it"),
            Choice("internal", "for the organisation only"),
            Choice("confidential", "for a few in the organisation"),
            Choice("regulated", "the law protects it, as it does health records"),
        ),
    ),
    Question(
        "team.knows",
        "What does the team know? One or more, with commas",
        (
            Choice("docker", "containers"),
            Choice("kubernetes", "clusters of containers"),
            Choice("spark", "Spark, Databricks"),
            Choice("sql", "databases"),
            Choice("azure-ml", "Azure Machine Learning"),
            Choice("service-fabric", "Azure Service Fabric"),
            Choice("iot-edge", "Azure IoT Edge"),
        ),
        read=_list,
    ),
    Question("region", "Azure region, such as westeurope"),
)


def on_terminal() -> bool:
    """Tell whether there is somebody to ask: questions go to stderr, answers come from stdin."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def ask(given: Known, defaults: Known) -> Known:
    """Return the answers to the questions that are not answered by what is given; prompts go to stderr.

    A default is taken on Enter; without one, Enter leaves the field out. Raises typer.Abort on Ctrl-C and Ctrl-D.
    """
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # what cannot be read is refused as any wrong answer is
    typer.echo("Enter takes what stands in brackets; what is left open is assumed, and can be set later.", err=True)
    known = dict(given)
    for question in QUESTIONS:
        wanted = question.patterns is None or known["serving.pattern"] in question.patterns
        if question.field in given or not wanted:
            continue
        answer = _answer(question, defaults.get(question.field))
        if answer is not None:
            known[question.field] = answer
    return known


def _answer(question: Question, default: Value | None) -> Value | None:
    typer.echo(err=True)
    width = max((len(choice.name) for choice in question.choices), default=0)
    for number, choice in enumerate(question.choices, 1):
        typer.echo(f"  {number} {choice.name:{width}}  {choice.meaning}", err=True)
    while True:
        text = _prompt(f"{question.prompt} [{OPEN if default is None else default}]")
        if not text:
            return default
        answer = _chosen(question, question.read(text))
        why = refusal(question.field, answer)
        if why is None:
            return answer
        ui.say(why)


def _prompt(text: str) -> str:
    try:
        with redirect_stdout(sys.stderr):  # typer's prompt leaves a blank on stdout, which may be a file
            answer: str = typer.prompt(text, default="", show_default=False, err=True)
    except typer.Abort:
        typer.echo(err=True)  # the error has a line of its own
        raise
    return answer.strip()


def _chosen(question: Question, answer: Value) -> Value:
    """Replace numbers by the names of the choices."""
    if isinstance(answer, list):
        return list(dict.fromkeys(_name(question, item) for item in answer))
    return _name(question, answer) if isinstance(answer, str) else answer


def _name(question: Question, answer: str) -> str:
    numbers = {str(number): choice.name for number, choice in enumerate(question.choices, 1)}
    return numbers.get(answer, answer)
