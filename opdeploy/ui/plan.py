"""A plan, in lines and as Markdown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from opdeploy import markdown as md
from opdeploy.plan import ACTIONS
from opdeploy.ui import hanging

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from opdeploy.plan import Change, Plan

_STYLES = {"create": "green", "change": "yellow", "delete": "red", "check": ""}
_BLOCKS = "✗"
"""The sign before what stands in the way."""
_WORDS = {"create": "to create", "change": "to change", "delete": "to delete"}


def show_plan(console: Console, plan: Plan) -> None:
    """Print a plan: what stands in the way, what to know first, what exists and stays, and every step in order."""
    for obstacle in plan.blocked:
        hanging(console, f"{_BLOCKS} ", obstacle, "red")
    for note in plan.notes:
        hanging(console, "! ", note, "yellow")
    console.print(headline(plan), style="bold", markup=False)
    for item in plan.keeps:
        hanging(console, "  = ", f"{item.kind} {item.name}", "dim")
    for step in plan.steps:
        hanging(console, f"  {ACTIONS[step.action]} ", step.title, _STYLES[step.action])
        for change in step.changes:
            hanging(console, "      ", _change(change))
    console.print(summary(plan), markup=False)
    if plan.blocked:
        console.print(in_the_way(plan), style="red", markup=False)


def headline(plan: Plan) -> str:
    """Return what a plan is for, in one line."""
    what = {"deploy": "Deploy", "rollback": "Roll back", "remove": "Remove"}[plan.operation]
    version = "" if plan.version is None else f", version {plan.version}"
    before = "" if plan.before is None or plan.operation == "remove" else f" in place of {plan.before}"
    return f"{what} {plan.deployment} on {plan.target}{version}{before}"


def summary(plan: Plan) -> str:
    """Return how much a plan would do, in one line."""
    counts = {word: sum(step.action == action for step in plan.steps) for action, word in _WORDS.items()}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    kept = "it is" if len(plan.keeps) == 1 else "they are"
    return f"Plan: {said or 'nothing to change'}, {len(plan.keeps)} kept as {kept}."


def in_the_way(plan: Plan) -> str:
    """Return how much stands in the way of a plan, in one line."""
    count = len(plan.blocked)
    return f"{count} thing{'s stand' if count > 1 else ' stands'} in the way: it would be refused as it is."


def markdown(plan: Plan) -> str:
    """Return a plan as Markdown, such as for a pull request."""
    return "\n".join(_markdown(plan)) + "\n"


def _markdown(plan: Plan) -> Iterator[str]:
    yield f"## {md.line(headline(plan))}"
    yield ""
    first = [*((_BLOCKS, text) for text in plan.blocked), *(("!", text) for text in plan.notes)]
    for sign, text in first:
        yield f"- {sign} {md.line(text)}"
    if first:
        yield ""
    rows = [("=", f"{item.kind} {item.name}", "") for item in plan.keeps]
    rows += [
        (ACTIONS[step.action], step.title, "; ".join(_change(change) for change in step.changes)) for step in plan.steps
    ]
    yield from md.table(("", "what", "changes"), rows)
    yield ""
    yield md.line(summary(plan))
    if plan.blocked:
        yield ""
        yield md.line(in_the_way(plan))


def _change(change: Change) -> str:
    return f"{change.property}: {json.dumps(change.before)} → {json.dumps(change.after)}"
