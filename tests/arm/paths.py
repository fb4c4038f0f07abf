"""Paths of Resource Manager, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Path:
    """What a path names: a subscription, a group, or a resource of a type below a scope."""

    text: str
    scope: str
    """What is before the last `/providers/`."""
    namespace: str = ""
    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def subscription(self) -> str:
        """The id of the subscription; empty where the path has none."""
        found = re.match(r"/subscriptions/([^/]+)", self.text, re.IGNORECASE)
        return found[1] if found else ""

    @property
    def group(self) -> str:
        """The name of the resource group; empty where the path has none."""
        found = re.match(r"/subscriptions/[^/]+/resourcegroups/([^/]+)", self.text, re.IGNORECASE)
        return found[1] if found else ""

    @property
    def segments(self) -> tuple[str, ...]:
        """What is after the provider."""
        pairs = [part for pair in zip(self.types, self.names, strict=False) for part in pair]
        return (*pairs, *self.types[len(self.names) :])


def parse(text: str) -> Path:
    """Take a path apart; a last type without a name is a collection, or an action."""
    text = re.sub(r"/+", "/", text.rstrip("/"))
    text = re.sub(r"^(/subscriptions/[^/]+)/resourcegroups/", r"\1/resourceGroups/", text, flags=re.IGNORECASE)
    match = re.match(r"(.*)/providers/([^/]+)(?:/(.*))?$", text, re.IGNORECASE)
    if not match:
        return Path(text, text)
    rest = (match[3] or "").split("/") if match[3] else []
    return Path(text, match[1], match[2], tuple(rest[0::2]), tuple(rest[1::2]))
