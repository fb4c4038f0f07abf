"""Why a build did not get the image that it builds on: read from a builder's log, and told in a few words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_GETS_A_BASE = re.compile(r" > \[(internal\] load metadata for|(\S+ )?\d+/\d+\] FROM) .*")
"""How BuildKit names the step that failed, at the end of its log."""
_ERROR = re.compile(r"#\d+ ERROR: (.*)")
"""How it says why; its last line has all the steps that this error came through as well."""
_WORDS = (
    ("no such host|server misbehaving|name resolution", "its registry is not found: no network, or no such host"),
    ("x509|certificate", "its registry has a certificate that the engine does not trust"),
    ("no match for platform|no matching manifest|does not match the specified platform", "it is not for this platform"),
    ("denied|unauthorized|authentication required|forbidden", "its registry has none, or asks for docker login"),
    (r"connect:|timeout|deadline exceeded|\bEOF\b|proxyconnect", "its registry does not answer"),
    ("not found|manifest unknown|does not exist", "its registry does not have it"),
)  # fmt: skip
"""What engines and registries say, by the first pattern that is in it."""


def buildkit_error(log: Iterable[str]) -> str:
    """Return what BuildKit says of a base that it did not get, by the end of its log; nothing where it got that."""
    lines = list(log)
    if not any(_GETS_A_BASE.fullmatch(line) for line in lines):
        return ""
    errors = [match[1] for line in lines if (match := _ERROR.fullmatch(line))]
    return (errors or lines)[-1]


def in_words(error: str) -> str:
    """Return an engine's reason in a few words; its own, on one line, where it is no common one."""
    return next(
        (words for pattern, words in _WORDS if re.search(pattern, error, re.IGNORECASE)), " ".join(error.split())
    )
