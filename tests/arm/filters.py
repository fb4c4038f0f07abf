"""The `$filter` of lists of resources and groups."""

from __future__ import annotations

import re
from typing import Any

from tests.arm.answers import refused

_TERM = re.compile(r"\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
FIELDS = {"name": "name", "resourcetype": "type", "location": "location", "kind": "kind"}


def chosen(items: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return what a filter chooses: a tag by name and value, or fields, and not both; raises Refused.

    What is chosen by a tag is told without its tags (azure-mgmt-resource 26.0.0, resources.list).
    """
    if not text:
        return items
    terms = {}
    for term in re.split(r"\s+and\s+", text):
        match = _TERM.fullmatch(term)
        if not match:
            raise _invalid(text)
        terms[match[1].lower()] = match[2].replace("''", "'")
    tag, value = terms.pop("tagname", None), terms.pop("tagvalue", None)
    if (tag and terms) or (value is not None and not tag) or set(terms) - {*FIELDS, "resourcegroup"}:
        raise _invalid(text)
    found = [item for item in items if _tagged(item, tag, value) and _has(item, terms)]
    return [{name: each for name, each in item.items() if name != "tags"} for item in found] if tag else found


def _tagged(item: dict[str, Any], tag: str | None, value: str | None) -> bool:
    tags = {
        name.lower(): each for name, each in (item.get("tags") or {}).items()
    }  # names of tags are alike in any case
    return tag is None or (tag.lower() in tags and value in {None, tags[tag.lower()]})


def _has(item: dict[str, Any], terms: dict[str, str]) -> bool:
    group = item["id"].split("/")[4] if item["id"].count("/") > 4 else ""
    told = {name: str(item.get(field, "")) for name, field in FIELDS.items()} | {"resourcegroup": group}
    return all(told[name].lower() == wanted.lower() for name, wanted in terms.items())


def _invalid(text: str) -> Exception:
    return refused(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")
