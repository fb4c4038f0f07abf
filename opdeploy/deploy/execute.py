"""Carries out the steps of a plan, in order, and notes each before and after."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.errors import OpdeployError, TransientError
from opdeploy.plan import Ref, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opdeploy.deploy.journal import Journal
    from opdeploy.plan import Plan, Step

    Secrets = Callable[[str], str]
    """Gives the value of a secret by its name."""
    Sleep = Callable[[float], None]

_TRIES = 8
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 4.0


class Progress(NamedTuple):
    """Where the work stands."""

    number: int
    steps: int
    step: Step
    seconds: float | None
    """How long it took; None while it goes on."""
    failed: bool = False
    interrupted: bool = False


def execute(
    plan: Plan,
    clients: Mapping[str, object],
    secrets: Secrets,
    journal: Journal,
    watch: Callable[[Progress], None],
    sleep: Sleep = time.sleep,
) -> list[str]:
    """Carry out every step of a plan, and say which cleaning up failed; `clients` by the first part of a step's call.

    Raises what any other step raises; the steps before it stay done.
    """
    outputs: dict[str, Any] = {}
    failed = []
    for number, step in enumerate(plan.steps, 1):
        watch(Progress(number, len(plan.steps), step, None))
        journal.step(step.id, step.title, "begun")
        started = time.monotonic()
        try:
            outputs[step.id] = _tried(step, _bound(step, clients, outputs, secrets), sleep)
        except BaseException as error:
            seconds, stopped = time.monotonic() - started, not isinstance(error, Exception)
            watch(Progress(number, len(plan.steps), step, seconds, failed=not stopped, interrupted=stopped))
            journal.step(step.id, step.title, "failed", why=str(error) or type(error).__name__)
            if not (step.cleanup and isinstance(error, OpdeployError)):
                raise
            failed.append(f"{step.title}: {error}")
            continue
        seconds = time.monotonic() - started
        journal.step(step.id, step.title, "done", seconds=round(seconds, 3), output=outputs[step.id])
        watch(Progress(number, len(plan.steps), step, seconds))
    return failed


def method(step: Step, clients: Mapping[str, object]) -> Callable[..., Any]:
    """Return what a step calls."""
    client, _, name = step.call.partition(".")
    found: Callable[..., Any] = getattr(clients[client], name)
    return found


def _bound(
    step: Step, clients: Mapping[str, object], outputs: Mapping[str, Any], secrets: Secrets
) -> Callable[[], Any]:
    called = method(step, clients)
    arguments = {name: _value(value, outputs, secrets) for name, value in step.args.items()}
    return lambda: called(**arguments)


def _value(value: object, outputs: Mapping[str, Any], secrets: Secrets) -> object:
    if isinstance(value, Ref):
        step, _, key = value.ref.partition(".")
        return outputs[step][key]
    return secrets(value.secret) if isinstance(value, Secret) else value


def _tried(step: Step, call: Callable[[], Any], sleep: Sleep) -> Any:  # noqa: ANN401 - what a client's method returns
    """Call, and again after a pause where the connection failed and doing it twice is doing it once."""
    until = time.monotonic() + step.timeout_s
    for attempt in range(_TRIES):
        try:
            return call()
        except TransientError:
            pause = min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)
            if not step.repeatable or attempt == _TRIES - 1 or time.monotonic() + pause > until:
                raise
            sleep(pause)
    raise AssertionError
