"""A plan as it is shown: what stands in the way has a sign of its own, comes first, and is counted last."""

from __future__ import annotations

import io

from rich.console import Console

from opdeploy.plan import Plan, Step
from opdeploy.ui.plan import markdown, show_plan

STEP = Step(id="a", title="make a", action="create", kind="thing", name="a", call="place.make")
PLAN = Plan(operation="deploy", target="aci", deployment="m", version=1, before=None, observed="0", steps=(STEP,))
BLOCKED = PLAN.model_copy(update={"blocked": ("no region is named", "[b] is taken"), "notes": ("no owner", "a key")})


def shown(plan: Plan) -> list[str]:
    """Return the lines of a plan."""
    console = Console(file=io.StringIO(), width=110, force_terminal=False)
    show_plan(console, plan)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_what_stands_in_the_way_is_told_apart_from_what_is_to_be_known() -> None:
    """By its sign and its place, and the last line counts it."""
    assert shown(BLOCKED) == [
        "✗ no region is named",
        "✗ [b] is taken",
        "! no owner",
        "! a key",
        "Deploy m on aci, version 1",
        "  + make a",
        "Plan: 1 to create, 0 kept as they are.",
        "2 things stand in the way: it would be refused as it is.",
    ]
    assert shown(PLAN)[-1] == "Plan: 1 to create, 0 kept as they are."
    one = BLOCKED.model_copy(update={"blocked": ("no region is named",)})
    assert shown(one)[-1] == "1 thing stands in the way: it would be refused as it is."


def test_what_comes_first_is_a_list_in_markdown() -> None:
    """Each in a line of its own, and not in one paragraph."""
    lines = markdown(BLOCKED).splitlines()
    assert lines[2:7] == ["- ✗ no region is named", "- ✗ \\[b\\] is taken", "- ! no owner", "- ! a key", ""]
    assert lines[-1] == "2 things stand in the way: it would be refused as it is."
