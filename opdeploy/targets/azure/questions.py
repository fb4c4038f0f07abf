"""What Azure is asked before anything is made, and what its answers say. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Said(NamedTuple):
    """One thing that was found out."""

    text: str
    """A sentence, with what to do."""
    stops: bool
    """Whether Azure would refuse to make what is planned."""


class Question(NamedTuple):
    """A request that changes nothing, and what is read out of its answer."""

    about: str
    """What is asked for, such as `the quota of westeurope`."""
    path: str
    api: str
    judge: Callable[[Any], Iterator[Said | Question]]
    """Takes the answer: all items of a list, or None where there is no such thing; may ask further."""
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    """Where it is a POST."""
    is_list: bool = False


def problem(text: str) -> Said:
    """Return what keeps it from being made."""
    return Said(text, stops=True)


def note(text: str) -> Said:
    """Return what a person should know."""
    return Said(text, stops=False)
