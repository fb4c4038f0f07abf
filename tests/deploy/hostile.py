"""What a user may say that is meant to do harm."""

from __future__ import annotations

NAMES = {
    "shell": 'a"; rm -rf /',
    "substitution": "$(id)",
    "template": "{{ name }}",
    "line": "a\nb",
    "return": "a\rb",
    "folder": "../x",
    "absolute": "/etc",
    "unicode": "ünï",
    "look-alike": "\N{FULLWIDTH LATIN SMALL LETTER D}igits",
    "escape": "\x1b[31mred",
    "option": "-x",
    "space": " ",
    "nothing": "",
    "dots": "a.b",
    "long": "a" * 201,
}
"""None of them names a deployment."""
WORDS = {
    key: NAMES[key] for key in ("shell", "substitution", "template", "line", "unicode", "escape", "option", "space")
}
"""None of them names a registry, an address, or an image."""
