"""Carries out a plan under the lock of its deployment, and returns to what worked where it fails."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from opdeploy.deploy.checks import Checks, Servers
from opdeploy.deploy.execute import execute
from opdeploy.deploy.locking import Locks, at_work, gone, locked
from opdeploy.deploy.locking import require as require_lock
from opdeploy.deploy.planning import left, mark
from opdeploy.errors import InputError, NotFoundError, OpdeployError, StaleError, unknown_key
from opdeploy.targets.azure.names import own_group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from opdeploy.deploy.execute import Progress
    from opdeploy.deploy.journal import Journal
    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan, Step
    from opdeploy.targets.base import Target

    Watch = Callable[[Progress], None]
    Say = Callable[[str], None]


class Place(Servers, Locks, Protocol):
    """Where deployments live."""

    def observe(self, target: str, deployment: str, *, pushed: bool = False) -> Observed:
        """Return everything that belongs to a deployment; on demand, what a plan depends on and others tell."""

    def api_key(self, deployment: str) -> str | None:
        """Return the API key of a deployment, where it has one."""


@dataclass(slots=True)
class Work:
    """What a plan is carried out with."""

    target: Target
    place: Place
    clients: Mapping[str, object]
    """Whose methods steps call, by what the calls begin with, such as `docker`; the checks are added."""
    journal: Journal
    watch: Watch
    say: Say
    artefact: Path | None = None
    """The one that is deployed, where it is at hand."""
    more: str = ""
    """What another command needs beside name and target to find the deployment."""
    ran: int | None = field(default=None, init=False)
    """The version that worked and had the requests, before anything was done."""
    begun: list[Step] = field(default_factory=list, init=False)
    """The steps that were begun."""
    made_key: str | None = field(default=None, init=False, repr=False)
    """An API key that was made; it has been shown."""
    checks: Checks | None = field(default=None, init=False)


def perform(plan: Plan, work: Work, *, broken: bool = False) -> Observed:
    """Carry out a plan, and return what exists then.

    Raises StaleError where what exists is not what the plan was made for; then nothing is done. Where a step fails, the
    version that worked is made current again, and the step's error is raised.
    """
    try:
        _perform(plan, work, broken=broken)
    except (KeyboardInterrupt, SystemExit):
        work.say(_interrupted(plan, work))
        raise
    return work.place.observe(plan.target, plan.deployment)


def _perform(plan: Plan, work: Work, *, broken: bool) -> None:
    name = plan.deployment
    with locked(work.place, name, f"{plan.operation} of {name}", say=work.say, broken=broken) as mine:
        observed = work.place.observe(plan.target, name)
        work.ran = observed.current.number if observed.current and observed.current.proven else None
        require_lock(name, observed.lock, mine)  # two may have taken over the lock of one that is gone
        if mark(observed) != plan.observed:
            raise StaleError(f"{name}: what exists has changed since the plan was made; make the plan again")
        work.journal.begin(plan)
        try:
            failed = _execute(plan, work, work.artefact)
        except Exception as error:
            if plan.operation == "remove":
                work.journal.end("failed")
                raise
            _evidence(error, work.say)
            how = _undone(plan, work)
            if isinstance(error, OpdeployError):
                raise _like(error, f"{error}; {how}") from error
            work.say(how)
            raise
        _left(failed, work)
        work.journal.end("done")


def _interrupted(plan: Plan, work: Work) -> str:
    """Say what an interrupt leaves, and what to do: to remove all of it only where nothing works that would go, too."""
    name, ran = plan.deployment, work.ran
    is_touched = any(step.action in {"change", "delete"} and step.kind != "note" for step in work.begun)
    if not work.begun:
        left = "nothing of it was removed" if plan.operation == "remove" else "nothing of it was changed"
    elif plan.operation == "remove":
        left = "some of it is left"
    elif ran is None:
        left = "it may not answer"
    elif not is_touched:
        left = f"version {ran} answers as before"
    else:
        left = f"version {ran} may not answer" if ran == plan.version else f"version {ran} answers, or {plan.version}"
    todo = "the same command goes on"
    if plan.operation != "remove" and plan.before is None and ran is None and (plan.first or work.begun):
        todo += f", and {_removes(name, plan.target, work.more)} removes what there is of it"
    return f"{name} was interrupted: {left}; {todo}"


def _removes(name: str, target: str, more: str) -> str:
    return f"opdeploy remove {name} --target {target}{more}"


def _execute(plan: Plan, work: Work, artefact: Path | None = None) -> list[str]:
    def watch(progress: Progress) -> None:
        if progress.seconds is None:
            work.begun.append(progress.step)
        work.watch(progress)

    work.checks = Checks(work.place, lambda: _key(plan, work, make=False), artefact)
    return execute(
        plan,
        {**work.clients, "check": work.checks},
        lambda secret: _secret(secret, plan, work),
        work.journal,
        watch,
    )


def _secret(name: str, plan: Plan, work: Work) -> str:
    if name != "api-key":
        raise OpdeployError(f"{name}: no such secret; make the plan again")
    return _key(plan, work, make=True) or ""


def _key(plan: Plan, work: Work, *, make: bool) -> str | None:
    """Return the API key: the one that the deployment has, else, where it is to be made, a new one."""
    key = work.place.api_key(plan.deployment) or work.made_key
    if key is None and make:
        key = work.made_key = secrets.token_urlsafe(32)
        work.say(f"API key: {key} (shown this once: keep it)")
    return key


def _evidence(error: Exception, say: Say) -> None:
    """Say what is known of a failure, before anything is undone."""
    say(f"failed: {error}")
    for note in (*getattr(error, "lines", ()), *getattr(error, "__notes__", ())):
        say(note)


def _undone(plan: Plan, work: Work) -> str:
    """Make the version that worked current again, and say how that ended."""
    try:
        how = _back(plan, work)
    except Exception as another:  # noqa: BLE001 - whatever it is, why the step failed is what counts
        work.journal.end("failed")
        undone = "removal of what was made" if plan.before is None else f"return to version {plan.before}"
        return f"and the {undone} failed too: {another}; see {_status(plan, work)}"
    work.journal.end("returned")
    return how


def _status(plan: Plan, work: Work) -> str:
    return f"opdeploy status {plan.deployment} --target {plan.target}{work.more}"


def _like(error: OpdeployError, message: str) -> OpdeployError:
    try:
        return type(error)(message)
    except TypeError:  # a kind that takes more than a message
        return OpdeployError(message)


def _back(plan: Plan, work: Work) -> str:
    """Carry out what returns to the version that worked, and say how that ended."""
    observed = work.place.observe(plan.target, plan.deployment, pushed=True)
    if plan.before is not None:
        stayed = observed.current is not None and observed.current.number == plan.before
        steps = work.target.back(observed, plan.before, plan)
        how = f"version {plan.before} {'answers as before' if stayed else 'answers again'}"
    elif plan.first:
        steps, how = work.target.teardown(observed), "nothing ran before, and what was made is removed"
        for line in left(observed):
            work.say(line)
    else:
        return f"version {plan.version} is left as it is: there is no other that runs"
    work.say("removes what was made" if plan.before is None else f"returns to version {plan.before}")
    returning = plan.model_copy(update={"operation": "rollback", "version": plan.before, "steps": tuple(steps)})
    _left(_execute(returning, work), work)
    return how


def _left(failed: list[str], work: Work) -> None:
    """Say what could not be cleared away."""
    for line in failed:
        work.say(f"was not cleared away, and the next deploy tries again: {line}")


def require_key(plan: Plan, place: Place) -> None:
    """Raise InputError for a plan that goes back to what asks for an API key, where that is not known."""
    if any(step.args.get("auth") for step in plan.steps) and place.api_key(plan.deployment) is None:
        raise InputError(unknown_key(plan.deployment))


def require(observed: Observed, more: str = "") -> None:
    """Raise NotFoundError where there is nothing of a deployment; `more` is what finds others beside the target."""
    if not observed.found and not observed.lock:
        where = f"{observed.deployment}: no such deployment on {observed.target}"
        if observed.group and observed.group != own_group(observed.deployment, observed.target):  # it was named
            there = "" if "group" in observed.facts else ", which is not there either"
            where += f" in the resource group {observed.group}{there}"
        raise NotFoundError(f"{where}; see opdeploy list --target {observed.target}{more}")


def unfinished(observed: Observed, more: str) -> str | None:
    """Say that no version of a deployment works, and what to do; None where one did once, or that is not known.

    `more` is what another command needs beside name and target to find it.
    """
    if observed.unreached or any(version.proven for version in observed.versions):
        return None
    said = f"{observed.deployment}: no version of it is known to work"
    if observed.lock and not gone(observed.lock):
        return f"{said} yet: {at_work(observed.lock)}"
    removes = _removes(observed.deployment, observed.target, more)
    return f"{said}, as after an interruption; run opdeploy deploy again, or {removes}"
