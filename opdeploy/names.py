"""Names that fit the rules of a platform: what does not fit is shortened, with a hash that keeps it apart."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.deploy_settings import Deploy
    from opdeploy.platform import NameRule, Profile

_HASH = 8
"""Hexadecimal digits: two of a thousand names have the same with a chance of one in 8,000."""


def fit(name: str, rule: NameRule) -> str:
    """Return a name as it is where a rule allows it; else one that is made of it, another for every other name.

    Raises InputError where the rule allows none that can be made so.
    """
    if _fits(name, rule):
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    for text in _spellings(name):
        for sign in ("-", ""):
            room = rule.max_length - len(sign) - len(mark)
            short = f"{text[:room].rstrip('-_')}{sign}{mark}"
            if _fits(short, rule):
                return short
    raise InputError(f"{name}: no name of this kind can be made of it ({rule.pattern}); take one that fits")


def _fits(name: str, rule: NameRule) -> bool:
    return rule.min_length <= len(name) <= rule.max_length and re.fullmatch(rule.pattern, name) is not None


def _spellings(name: str) -> Iterator[str]:
    """Yield ways to write a name, from the one that is nearest to it to the one that any rule takes."""
    single = re.sub("[-_]+", "-", name).strip("-")
    for text in (name, single, single.lower(), re.sub("[^a-z0-9]+", "", name.lower())):
        if text:
            yield text
            yield f"m{text}" if not text[0].isalpha() else f"m-{text}"


def deployment_name(settings: Deploy, workload: str, profile: Profile, own: NameRule | None = None) -> str:
    """Return the name of a deployment as its platform allows it, or by a rule of its own."""
    name = settings.name or workload
    rule = own or (profile.limits.name.value if profile.limits.name else None)
    return fit(name, rule) if rule else name
