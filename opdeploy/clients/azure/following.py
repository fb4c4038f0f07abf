"""Logs that Azure tells as they are now, followed: what came since they were looked at last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BETWEEN_S = 2.0
"""Seconds between two looks: a choice of ours."""
_WINDOW = 2000
"""Lines of a log that are compared with those seen before: a choice of ours."""


def followed(logs: Callable[[int], list[str]], goes_on: Callable[[], bool], tail: int) -> Iterator[str]:
    """Yield the last lines of a log, and what comes as long as what writes it goes on.

    `logs` gives as many of its last lines as are asked for.
    """
    seen = logs(_WINDOW)
    yield from seen[-tail:] if tail else ()
    while goes_on():
        time.sleep(_BETWEEN_S)
        now = logs(_WINDOW)
        yield from _new(seen, now)
        seen = now


def _new(seen: list[str], now: list[str]) -> list[str]:
    """Return the lines that came since: what follows the longest end of those seen with which those now begin."""
    for start in range(len(seen) + 1):
        known = len(seen) - start
        if now[:known] == seen[start:]:
            return now[known:]
    return now
