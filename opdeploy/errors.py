"""Every error that opdeploy shows to a person.

::

    OpdeployError        1  what was asked for failed
    ├── InputError       2  a file, field or option is wrong or missing
    ├── NoPlatformError  4  no viable platform, or out of scope
    └── DifferenceError  5  numbers differ from those that they must reproduce

The number is the exit code of the command. 130 is an interrupt. Kept for what is to come: 3 no such deployment or
remote resource, 6 a plan has changes (with --detailed-exitcode only), 7 plan stale, 8 confirmation
needed.
"""

from __future__ import annotations

from typing import ClassVar


class OpdeployError(Exception):
    """States in one line what failed, why, and what to do."""

    exit_code: ClassVar[int] = 1


class InputError(OpdeployError):
    """Something that the user wrote is wrong or missing."""

    exit_code = 2


class NoPlatformError(OpdeployError):
    """Nothing in the catalogue can run the workload."""

    exit_code = 4


class DifferenceError(OpdeployError):
    """A model gives other numbers than those that it must reproduce."""

    exit_code = 5


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
