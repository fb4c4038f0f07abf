"""What `opdeploy plan` shows of Azure: the requests of a plan, and its resources as a file that others deploy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opdeploy.cli.deploying import PlanFormat
    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan
    from opdeploy.targets.azure.calls import Call
    from opdeploy.targets.azure.names import Where
    from opdeploy.targets.base import Wanted


STDOUT = Path("-")
_SSH_KEY, _API_KEY = "ssh-key", "api-key"
"""Names of what the files take."""


class Written(NamedTuple):
    """What is shown or written beside a plan."""

    calls: bool
    arm: Path | None
    bicep: Path | None

    def check(self) -> None:
        """Raise InputError where there is no place to write to, or more than one thing would be on stdout."""
        from opdeploy import files
        from opdeploy.errors import InputError

        for file in (self.arm, self.bicep):
            if file and file != STDOUT:
                files.check_place(file)
        if self.is_alone and [self.calls, self.arm == STDOUT, self.bicep == STDOUT].count(True) > 1:
            raise InputError("--calls, --arm, --bicep: only one of them is written to standard output; name a file")

    @property
    def is_alone(self) -> bool:
        """Whether a file is written to stdout, where nothing else is to be then."""
        return STDOUT in {self.arm, self.bicep}

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
            self._write(made, wanted, at, observed)

    def _write(self, made: Plan, wanted: Wanted, at: Where, observed: Observed) -> None:
        from opdeploy import ui
        from opdeploy.targets.azure.bicep import bicep
        from opdeploy.targets.azure.compare import secrets
        from opdeploy.targets.azure.planned import apart, resources
        from opdeploy.targets.azure.template import template

        inside, outside = apart(resources(made, observed), at.group_id)
        names = sorted({name for item in inside for name in secrets(item.body)})
        if self.arm:
            ui.deliver(json.dumps(template(inside), indent=2), None if self.arm == STDOUT else self.arm)
        if self.bicep:
            ui.deliver(bicep(inside), None if self.bicep == STDOUT else self.bicep)
        for line in self._how(made, wanted, at, names):
            ui.say(line)
        for item in outside:
            ui.say(f"{item.kind} {item.id}: is no part of group {at.group}, and so not in the file; make it first")

    def _how(self, made: Plan, wanted: Wanted, at: Where, secrets: list[str]) -> Iterator[str]:
        """Yield how the files are deployed; `secrets` are the names of those that they take, and `az` asks for.

        As an argument of `az` a secret would be in the list of processes (Azure/azure-cli, command_modules/resource/
        custom.py, `_prompt_for_parameters`, read 2026-11-26).
        """
        from shlex import quote

        from opdeploy.clients.azure.reached import USUAL
        from opdeploy.deploy.prepare import AZURE, CLUSTER
        from opdeploy.targets.azure.bicep import parameter
        from opdeploy.targets.azure.by_hand import commands

        files = [str(file) for file in (self.arm, self.bicep) if file and file != STDOUT]
        runs_image = made.target in AZURE
        found = [*commands(made, at, files[0] if files else "FILE", wanted.platform, with_image=runs_image)]
        if _SSH_KEY in secrets:
            named = wanted.settings.vm.identity_file
            file = quote(str(Path(named).expanduser())) if named else USUAL
            found[-1] += f' --parameters {parameter(_SSH_KEY)}="$(cat {file}.pub)"'
        yield f"wrote {' and '.join(files)}; deploy it with:" if files else "deploy it with:"
        yield from found
        if any(line.endswith(" image") for line in found):
            yield "the folder image is one of those that opdeploy render writes"
        if _API_KEY in secrets:
            yield f"az asks for {parameter(_API_KEY)}: one of 32 random characters, which clients show"
        if made.target in CLUSTER:
            yield "that makes the cluster alone, without pods: opdeploy render writes their manifests, and how to go on"
        elif not runs_image:
            yield "that makes the machine alone: opdeploy render writes what runs there, and how to go on"


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
