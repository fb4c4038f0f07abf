"""Every error that opdeploy shows to a person.

::

    OpdeployError        1  what was asked for failed
    ├── InputError       2  a file, field or option is wrong or missing
    ├── NotFoundError    3  no such deployment or remote resource
    ├── NoPlatformError  4  no viable platform, or out of scope
    ├── MismatchError    5  numbers differ
    ├── ChangesError     6  a plan has changes (with --detailed-exitcode only)
    ├── StalePlanError   7  what exists has changed since the plan was made
    └── ConsentError     8  confirmation is needed

The number is the exit code of the command. 130 is an interrupt.
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
    """A deployment or remote resource does not exist."""

    exit_code = 3


class NoPlatformError(OpdeployError):
    """Nothing in the catalogue can run the workload."""

    exit_code = 4


class MismatchError(OpdeployError):
    """Numbers that must agree differ."""

    exit_code = 5


class ChangesError(OpdeployError):
    """A plan has changes."""

    exit_code = 6


class StalePlanError(OpdeployError):
    """What exists has changed since the plan was made."""

    exit_code = 7


class ConsentError(OpdeployError):
    """A confirmation is needed and could not be had."""

    exit_code = 8


def did_you_mean(name: str, names: list[str]) -> str:
    """Return `; did you mean "…"?` for the nearest valid name, or nothing when none is near."""
    from difflib import get_close_matches

    found = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f'; did you mean "{found[0]}"?' if found else ""


def nearest(name: str, names: list[str]) -> str:
    """Return the nearest valid name as a question, else the list of all."""
    return did_you_mean(name, names) or f"; valid: {', '.join(names)}"
