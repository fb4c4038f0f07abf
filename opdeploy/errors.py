"""Every error that opdeploy shows to a person.

::

    OpdeployError        1  what was asked for failed
    ├── TransientError   1  a connection failed: the same may succeed a little later
    ├── InputError       2  a file, field or option is wrong or missing
    ├── NotFoundError    3  no such deployment, version or resource
    ├── NoPlatformError  4  no viable platform, out of scope, or retired
    ├── DifferenceError  5  numbers differ from those that they must reproduce
    ├── StaleError       7  what exists is not what a plan was made for
    └── UnconfirmedError 8  nobody could be asked, and --yes was not given

The number is the exit code of the command. 130 is an interrupt; 6 is no error: a plan has changes (with
--detailed-exitcode only, which says with 1 that something stands in the way of the plan).
"""

from __future__ import annotations

from typing import ClassVar


class OpdeployError(Exception):
    """States in one line what failed, why, and what to do."""

    exit_code: ClassVar[int] = 1


class InputError(OpdeployError):
    """Something that the user wrote is wrong or missing."""

    exit_code = 2


class NotFoundError(OpdeployError):
    """Something that was named is not there."""

    exit_code = 3


class NoPlatformError(OpdeployError):
    """Nothing in the catalogue can run the workload."""

    exit_code = 4


class DifferenceError(OpdeployError):
    """A model gives other numbers than those that it must reproduce."""

    exit_code = 5


class TransientError(OpdeployError):
    """A connection failed, or what answers is busy: the same may succeed a little later."""


class StaleError(OpdeployError):
    """What exists is not what a plan was made for."""

    exit_code = 7


class UnconfirmedError(OpdeployError):
    """A question could not be asked."""

    exit_code = 8


def unknown_key(deployment: str) -> str:
    """Say that a deployment asks for an API key which nobody here knows, and what to do."""
    return (
        f"{deployment}: asks for an API key that is not known here; set OPDEPLOY_API_KEY to the one that was shown "
        "when it was made, or to a new one of 16 or more characters, which then takes its place"
    )


def closest(name: str, names: list[str]) -> str | None:
    """Return the name that is nearest to another, in capitals or not; None where none is near."""
    from difflib import get_close_matches

    lowered = {each.lower(): each for each in names}
    found = get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return lowered[found[0]] if found else None


def did_you_mean(name: str, names: list[str]) -> str:
    """Return `; did you mean "…"?` for the nearest valid name, or nothing when none is near."""
    found = closest(name, names)
    return f'; did you mean "{found}"?' if found else ""


def nearest(name: str, names: list[str]) -> str:
    """Return the nearest valid name as a question, else the list of all."""
    return did_you_mean(name, names) or f"; valid: {', '.join(names)}"
