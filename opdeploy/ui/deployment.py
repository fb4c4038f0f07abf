"""A deployment: what was reached, how it stands, and what it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from opdeploy.deploy.example import curl
from opdeploy.deploy.locking import at_work, gone
from opdeploy.ui import new_table, printable, show_table
from opdeploy.ui.model import figure
from opdeploy.words import shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from opdeploy.deploy.checks import Checks, Readiness
    from opdeploy.deployment import Found, Observed

_SHOWN = {"state", "role", "front"}
"""Properties that have a column of their own, or none."""
_NOBODYS = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""A name that says nothing to anybody, where other words do: that of a role assignment is an id."""
_DEEPEST = 1
"""Dots in the names of properties that are shown; `diff` looks at all."""


def show_done(
    console: Console, after: Observed, checks: Checks | None, more: str = "", *, has_key: bool = False
) -> None:
    """Print where a deployment is reached, how to ask it, where its logs are, and how to remove it.

    `more` is what a command needs beside its name and target to find it; `has_key` tells whether the environment has
    its API key already.
    """
    current = after.current
    name = after.deployment
    lines = [f"{name}, version {current.number if current else '?'}, answers at {after.endpoint}"]
    if checks and checks.load:
        load = checks.load
        rate, p50, p95 = figure(load.requests_per_second), figure(load.p50_ms), figure(load.p95_ms)
        errors = f"{load.busy} of {load.requests} came when it was busy" if load.busy else "no errors"
        lines.append(f"  a short load: {rate} requests/s with 4 clients, p50 {p50} ms, p95 {p95} ms, {errors}")
    reached = after.tunnel.url if after.tunnel else after.endpoint
    if after.tunnel:
        lines.append(f"  reach it: {after.tunnel.command}")
    if checks and checks.example and reached:
        lines.append(f"  try it:  {curl(reached, checks.example)}")
        if checks.example.keyed and not has_key:
            lines.append(f"  key:     export OPDEPLOY_API_KEY={_key(after)}")
    lines += [
        f"  logs:    opdeploy logs {name} --target {after.target}{more}",
        f"  remove:  opdeploy remove {name} --target {after.target}{more}",
    ]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _key(after: Observed) -> str:
    """Return where a client finds the API key: what reads it from the Key Vault, where one has it."""
    told = after.facts.get("key")
    vault = told.get("vault") if isinstance(told, dict) else None
    if not (isinstance(told, dict) and vault):
        return "..., the key that was shown when it was made"
    name = str(vault).removeprefix("https://").partition(".")[0]
    return f'"$(az keyvault secret show --vault-name {name} --name {told["secret"]} --query value -o tsv)"'


def show_status(console: Console, observed: Observed, ready: Readiness) -> None:
    """Print how a deployment stands."""
    current = observed.current
    which = f"version {current.number}{'' if current.proven else ', unproven'}" if current else "no version answers"
    at = f" at {observed.endpoint}" if observed.endpoint else ""
    on = f"{observed.target} in {observed.group}" if observed.group else observed.target
    says = "ready" if ready.is_ready else "NOT READY"
    console.print(
        printable(f"{observed.deployment} on {on}: {which}{at}: {says}"),
        style="" if ready.is_ready else "red",
        markup=False,
    )
    if not ready.is_ready:
        console.print(f"  {printable(ready.said)}", markup=False)
    if observed.tunnel:
        console.print(f"  reach it: {printable(observed.tunnel.command)}", markup=False, soft_wrap=True)
    if observed.lock:
        over = ", and was interrupted: the next command goes on" if gone(observed.lock) else ""
        console.print(f"  {printable(at_work(observed.lock) + over)}", markup=False)
    if observed.versions:
        console.print()
        show_versions(console, observed)
    if observed.found:
        console.print()
        _show_found(console, observed)
    if observed.events:
        console.print("\nwhat went wrong of late:")
    for event in observed.events:
        console.print(f"  {printable(event)}", markup=False, soft_wrap=True)


def _show_found(console: Console, observed: Observed) -> None:
    table = new_table("what", "name", "state", "as it is")
    for found in observed.found:
        if found.shown:
            name = "" if found.about and _NOBODYS.fullmatch(found.name) else found.name
            _add(table, found.kind, name, str(found.properties.get("state") or ""), _about(found))
    show_table(console, table)


def show_versions(console: Console, observed: Observed) -> None:
    """Print the versions that are kept, the newest first."""
    table = new_table("version", "", "state", "made", "by", "artefact", "image", right=("version",))
    for version in reversed(observed.versions):
        mark = "unproven" if not version.proven else "current" if version.current else ""
        is_begun = version.proven or version.state != "stopped"  # of any other nothing may have been started
        made = version.at.astimezone().strftime("%Y-%m-%d %H:%M")
        state = version.state if is_begun else "not running"
        row = (str(version.number), mark, state, made, version.by, version.artefact[:12], version.image)
        _add(table, *row, style="bold" if version.current else "")
    show_table(console, table)


def show_drift(console: Console, observed: Observed, drift: tuple[Found, ...]) -> None:
    """Print what is not as it was made, property by property."""
    if not drift:
        console.print(f"{observed.deployment}: everything is as it was made", markup=False)
        return
    table = new_table("what", "name", "property", "made as", "is")
    for found in drift:
        for change in found.drift():
            before, after = (_shown(change.property, value) for value in (change.before, change.after))
            _add(table, found.kind, found.name, change.property, before, after)
    show_table(console, table)


def show_list(console: Console, target: str, found: list[Observed]) -> None:
    """Print the deployments of a target."""
    if not found:
        console.print(f"no deployments on {target}", markup=False)
        return
    in_groups = any(observed.group for observed in found)
    group = ("group",) if in_groups else ()
    table = new_table("name", *group, "version", "state", "endpoint", "made", "by", right=("version",))
    for observed in found:
        current = observed.current
        made = current.at.astimezone().strftime("%Y-%m-%d %H:%M") if current else ""
        _add(
            table,
            observed.deployment,
            *((observed.group or "",) if in_groups else ()),
            str(current.number) if current else "none",
            current.state if current else "",
            observed.endpoint or "",
            made,
            current.by if current else "",
        )
    show_table(console, table)


def _add(table: Table, *cells: str, style: str = "") -> None:
    """Add a row of words that anyone may have written, who can make things on the target."""
    from rich.text import Text

    table.add_row(*(Text(printable(cell)) for cell in cells), style=style)


def _about(found: Found) -> str:
    """Return what a resource is: in its own words, else as its properties tell."""
    if found.about is not None:
        return found.about
    properties = {name: value for name, value in found.properties.items() if _is_shown(name)}
    return ", ".join(f"{name} {_shown(name, value)}" for name, value in properties.items() if value is not None)


def _is_shown(name: str) -> bool:
    return name not in _SHOWN and name.count(".") <= _DEEPEST and not name.startswith(("identity.", "tags."))


def _shown(name: str, value: object) -> str:
    return str(value) if name == "port" else shown(value)
