"""What was found of what a deployment needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.ui import printable

if TYPE_CHECKING:
    from rich.console import Console

    from opdeploy.deploy.finding import Finding

_LOOKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "red")}


def show_findings(console: Console, target: str, findings: list[Finding]) -> None:
    """Print what was found, a line each, with what to do."""
    console.print(f"For {target}:", style="bold", markup=False)
    wide = max(len(item.what) for item in findings)
    for item in findings:
        word, style = _LOOKS[item.state]
        todo = f"; {item.todo}" if item.todo else ""
        console.print(
            f"  {word:<8}{printable(item.what):<{wide}}  {printable(item.said + todo)}",
            style=style if item.state != "ok" else "",
            markup=False,
            soft_wrap=True,
        )
