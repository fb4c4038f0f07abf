"""A first look at a model, a step in one or two lines; then the platforms that lead, and what to ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from opdeploy import costs
from opdeploy.ui import hanging, new_table, printable, show_table
from opdeploy.ui.inspection import row_of
from opdeploy.ui.model import figure
from opdeploy.ui.recommendation import sizes, tie
from opdeploy.ui.test_local import throughput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from opdeploy.artifact.convert import Converted
    from opdeploy.artifact.inspection import Inspection, Tensor
    from opdeploy.artifact.optimize import Optimised
    from opdeploy.artifact.verify import Verification
    from opdeploy.local.served import Served
    from opdeploy.recommendation import Recommendation
    from opdeploy.trying.next import Question
    from opdeploy.trying.steps import Example

_INDENT = 11
"""Columns of a step's name."""
_ITEMS = 5
"""Of a list in an answer that are shown."""


def show_step(console: Console, name: str, lines: Sequence[str]) -> None:
    """Print what came of a step, its name before the first line."""
    for line in lines:
        hanging(console, f"{name:<{_INDENT}}", line)
        name = ""


def converted(done: Converted) -> list[str]:
    """Say what was made of the source, and how it was verified."""
    told = done.verified
    records = "records given" if told.given else "records drawn at random"
    agrees = f"the same answers to {told.records} {records}, within {told.largest:.2g}"
    return [f"{done.kind} to ONNX, {done.size / 1e6:.3f} MB: {agrees}"]


def model(seen: Inspection) -> list[str]:
    """Say what a model is, and what goes in and out."""
    cost = "cost not counted" if seen.gflops is None else f"{seen.gflops:g} GFLOPs a record"
    kind = seen.framework or "unknown framework"
    return [
        f"{seen.file}: {kind}, {seen.size_mb:,.3f} MB, {cost}",
        f"{_tensors(seen.inputs)} → {_tensors(seen.outputs)}",
    ]


def _tensors(tensors: Sequence[Tensor]) -> str:
    return "; ".join(" ".join(row_of(tensor)) for tensor in tensors)


def verified(found: Mapping[str, Verification]) -> list[str]:
    """Say which variants give the golden answers here."""
    return [f"{name}: {_agreement(item)}" for name, item in found.items()]


def _agreement(item: Verification) -> str:
    if item.failure:
        return f"fails here: {item.failure}"
    largest = max((difference.largest for difference in item.differences), default=0.0)
    right = "right" if item.agrees else "wrong"
    return f"{right} answers to {item.data}; the largest difference is {largest:.2g}"


def optimised(result: Optimised) -> list[str]:
    """Say which variant is kept, how much faster it is, and how right."""
    from opdeploy.artifact.optimize import NOISE

    best, reference = result.best, result.reference
    tried = sum(item.speed_up is not None for item in result.trials) - 1
    how = f"{tried} variants tried in short rounds, judged on {result.judged_on}"
    if (best.speed_up or 0) < NOISE:
        return [f"{best.name} is kept: no variant with right answers is clearly faster than {reference.name}", how]
    return [f"{best.name} is kept, {best.speed_up:.2f} times as fast as {reference.name}: {best.why}", how]


def served(found: Served) -> list[str]:
    """Say what the server carries, and that its answers are right."""
    p95 = "" if found.knee is None else f"; p95 at the rate kept: {figure(found.knee.p95)} ms"
    routes = " and ".join(item.route for item in found.golden)
    return [
        f"right answers of {routes} to {found.golden[0].records}; ready after {found.ready_s:.2g} s{p95}",
        throughput(found),
    ]


def show_example(console: Console, asked: Example, start: str) -> None:
    """Print a request as one pastes it, whole, and its answer, shortened."""
    from rich.text import Text

    about = "" if asked.scores else " (a record is too long to paste: this asks what the model takes)"
    show_step(console, "example", [f"after {start}{about}:"])
    console.print(Text(printable(asked.command)), soft_wrap=True)
    show_step(console, "answers", [json.dumps(_short(asked.answer), ensure_ascii=False)])


def _short(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a part of an answer with lists and figures shortened."""
    match value:
        case dict():
            return {key: _short(item) for key, item in value.items()}
        case list() if len(value) > _ITEMS:
            return [*map(_short, value[:_ITEMS]), "…"]
        case list():
            return [*map(_short, value)]
        case float():
            return float(f"{value:.3g}")
        case _:
            return value


def show_platforms(console: Console, answer: Recommendation, peak: float) -> None:
    """Print the platforms that lead for a load with this peak, in requests a second, and what they cost."""
    console.print(f"\nWhere it should run, taken as a pilot with up to {figure(peak)} requests/s:\n")
    show_table(console, sizes(answer, console.width))
    for sentence in (*((tie(answer),) if answer.ties else ()), *costs.legend(answer), *answer.notes):
        console.print(sentence, markup=False)


def show_questions(console: Console, asked: Sequence[Question]) -> None:
    """Print what to ask next, and which platforms would lead with an answer."""
    table = new_table("what to ask next", "if it is", "then")
    for item in asked:
        first = ", ".join(item.then) or "none is viable"
        table.add_row(item.text, item.answer, first if item.changes else "the same")
    console.print()
    show_table(console, table)


def show_commands(console: Console, again: Sequence[str], commands: Sequence[str]) -> None:
    """Print the commands that come next; first those that make the artefact again, where it was not kept."""
    for title, words in (("The artefact was not kept. To make it:", again), ("Then:" if again else "Next:", commands)):
        if words:
            console.print(f"\n{title}")
        for line in words:
            console.print(f"  {printable(line)}", markup=False, soft_wrap=True)
