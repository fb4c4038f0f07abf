"""What `opdeploy plan` shows of Azure: the requests of a plan, and its resources as a file that others deploy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from opdeploy.cli.deploying import PlanFormat
    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan
    from opdeploy.targets.azure.calls import Call
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.base import Wanted


class Written(NamedTuple):
    """What is shown or written beside a plan."""

    calls: bool
    arm: Path | None
    bicep: Path | None

    def check(self) -> None:
        """Raise InputError where there is no place to write to."""
        from opdeploy import files

        for file in (self.arm, self.bicep):
            if file:
                files.check_place(file)

    def check_plan(self, made: Plan) -> None:
        """Raise InputError where a plan makes nothing through Azure Resource Manager."""
        from opdeploy.deploy.prepare import AZURE
        from opdeploy.errors import InputError

        given = {"--calls": self.calls, "--arm": self.arm, "--bicep": self.bicep}
        named = next((option for option, value in given.items() if value), None)
        is_there = made.target in AZURE or any(step.call.startswith("azure.") for step in made.steps)
        if named and not is_there:
            raise InputError(f"{named}: {made.target} is not made through Azure Resource Manager; leave it out")

    def deliver(self, made: Plan, wanted: Wanted, observed: Observed, output: PlanFormat) -> None:
        """Show the requests, and write the files; where the requests are JSON, nothing else is shown."""
        from opdeploy.targets.azure.before import keeps_in_group
        from opdeploy.targets.azure.calls import calls
        from opdeploy.targets.azure.names import where

        at = where(wanted.settings, wanted.deployment)
        if self.calls:
            _show([*calls(made, at, in_group=keeps_in_group(wanted.settings))], at, output)
        if self.arm or self.bicep:
            self._write(made, at, observed)

    def _write(self, made: Plan, at: Where, observed: Observed) -> None:
        from opdeploy import ui
        from opdeploy.targets.azure.bicep import bicep
        from opdeploy.targets.azure.compare import secrets
        from opdeploy.targets.azure.planned import apart, resources
        from opdeploy.targets.azure.template import template

        inside, outside = apart(resources(made, observed), at.group_id)
        names = sorted({name for item in inside for name in secrets(item.body)})
        if self.arm:
            _file(self.arm, json.dumps(template(inside), indent=2) + "\n", at, names)
        if self.bicep:
            _file(self.bicep, bicep(inside), at, names)
        for item in outside:
            ui.say(f"{item.kind} {item.id}: is no part of group {at.group}, and so not in the file; make it first")


def _file(file: Path, text: str, at: Where, names: Iterable[str]) -> None:
    """Write a file, and say how it is deployed; `names` are those of the secrets that it takes, and `az` asks for.

    As an argument of `az` a secret would be in the list of processes (Azure/azure-cli, command_modules/resource/
    custom.py, `_prompt_for_parameters`, read 2026-11-26).
    """
    from shlex import quote

    from opdeploy import ui
    from opdeploy.targets.azure.az import variable
    from opdeploy.targets.azure.bicep import parameter

    asked = "".join(f"; it asks for {parameter(name)}: the value of {variable(name)}" for name in names)
    ui.deliver(text, file)
    ui.say(
        f"wrote {file}; deploy it with: az deployment group create -g {quote(at.group)} -f {quote(str(file))}{asked}"
    )


def _show(calls: list[Call], at: Where, output: PlanFormat) -> None:
    from opdeploy import ui

    ui.deliver(
        json.dumps([_told(call) for call in calls], indent=2) if output == "json" else "\n".join(_text(calls, at))
    )


def _told(call: Call) -> dict[str, Any]:
    """Return a request as data, with the command that does the same."""
    from opdeploy.targets.azure.az import command
    from opdeploy.targets.azure.calls import masked

    return {
        "why": call.why,
        "method": call.method,
        "path": call.path,
        "api-version": call.api,
        "body": masked(call.body),
        "az": command(call),
    }


def _text(calls: list[Call], at: Where) -> Iterator[str]:
    """Yield requests in lines: each once, and last those for the lock and the record, which are sent many times."""
    from opdeploy.targets.azure.az import CONTEXT

    found = [_told(call) for call in calls]
    own = [call for call in found if call["path"] in {at.lock, at.note}]
    for number, call in enumerate(_once(call for call in found if call not in own), 1):
        yield from ("", f"{number}. {call['why']}", *_lines(call))
        if call["az"].startswith("az acr build "):
            yield f"   (the folder {CONTEXT} is the one that opdeploy render writes)"
    for path, said in (
        (at.lock, "the lock, which is taken before all else but the group, and given back at the end"),
        (at.note, "the record, which is written before and after what it is about"),
    ):
        if sent := [*_once({**call, "why": ""} for call in own if call["path"] == path)]:
            yield from ("", f"Beside these, opdeploy's own: {said}")
            for call in sent:
                yield from _lines(call)


def _once(calls: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield requests, and none again."""
    seen: list[dict[str, Any]] = []
    for call in calls:
        if call not in seen:
            seen.append(call)
            yield call


def _lines(call: dict[str, Any]) -> Iterator[str]:
    """Yield a request, its body, and the command that does the same."""
    version = f"?api-version={call['api-version']}" if call["api-version"] else ""
    yield f"   {call['method']} {call['path']}{version}"
    if call["body"] is not None:
        yield from (f"   {line}" for line in json.dumps(call["body"], indent=2).splitlines())
    if call["az"]:
        yield f"   $ {call['az']}"
