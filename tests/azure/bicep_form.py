"""Reads Bicep files, strictly: the part of the language that resources are declared in.

learn.microsoft.com/azure/azure-resource-manager/bicep/file and /data-types; the grammar is that of Azure/bicep
(docs/grammar.md): a line break ends a declaration, a property and an item, and there are whole numbers only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

TOKENS = re.compile(
    r"(?P<space>[ \t]+)|(?P<line>\r?\n)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[0-9]+)"
    r"|(?P<text>'(?:[^'\\\n]|\\(?:[nrt'\\]|\$(?=\{)|u\{[0-9a-fA-F]{1,6}\}))*')|(?P<sign>[{}\[\]():=.@,])"
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "'": "'", "\\": "\\", "$": "$"}


@dataclass(frozen=True)
class Expression:
    """What is no literal: names, with what is asked of them."""

    text: str


@dataclass
class Resource:
    """A declaration."""

    symbol: str
    type: str
    api: str
    existing: bool
    body: dict[Any, Any]


@dataclass
class File:
    """A whole file."""

    scope: str = ""
    parameters: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Type, and whether it is secure."""
    resources: list[Resource] = field(default_factory=list)


def read(text: str) -> File:
    """Return what a file declares; raises ValueError where it is no Bicep, or uses a name that it does not declare."""
    return _Reader(text).file()


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            match = TOKENS.match(text, place)
            if match is None:
                raise ValueError(f"no token at {text[place : place + 40]!r}")
            if match.lastgroup != "space":
                self.tokens.append((str(match.lastgroup), match[0]))
            place = match.end()
        self.tokens.append(("end", ""))
        self.used: set[str] = set()

    def file(self) -> File:
        """Read every declaration."""
        found, secure = File(), False
        while self.tokens[0][0] != "end":
            if self.take("line"):
                continue
            if self.sign("@"):
                self.expect("name", "secure")
                self.signs("()")
                secure = True
                self.expect("line")
                continue
            word = self.expect("name")
            if word == "targetScope":
                self.signs("=")
                found.scope = self.string(self.expect("text"))
            elif word == "param":
                name = self.expect("name")
                found.parameters[name] = (self.expect("name"), secure)
                secure = False
            elif word == "resource":
                found.resources.append(self.resource())
            else:
                raise ValueError(f"no declaration: {word}")
            if self.tokens[0][0] != "end":
                self.expect("line")
        known = {*found.parameters, *(item.symbol for item in found.resources)}
        if len(known) != len(found.parameters) + len(found.resources) or self.used - known:
            raise ValueError(f"declared twice, or not at all: {self.used - known or known}")
        return found

    def resource(self) -> Resource:
        """Read what follows the word `resource`."""
        symbol = self.expect("name")
        kind, _, api = self.string(self.expect("text")).partition("@")
        existing = self.take("name", "existing") is not None
        self.signs("=")
        body = self.value()
        if not isinstance(body, dict) or not api:
            raise ValueError(f"{symbol}: has no body, or no version")
        return Resource(symbol, kind, api, existing, body)

    def value(self) -> Any:  # noqa: ANN401 - any value
        """Read a value."""
        kind, text = self.tokens[0]
        if kind == "text":
            self.tokens.pop(0)
            return self.string(text)
        if kind == "number":
            self.tokens.pop(0)
            return int(text)
        if self.sign("{"):
            return self.mapping()
        if self.sign("["):
            return self.sequence()
        return self.expression()

    def mapping(self) -> dict[Any, Any]:
        """Read properties, each on a line of its own."""
        found: dict[Any, Any] = {}
        while not self.sign("}"):
            self.expect("line")
            if self.sign("}"):
                break
            kind, text = self.tokens.pop(0)
            key = self.key(kind, text)
            self.signs(":")
            if key in found:
                raise ValueError(f"{key}: twice")
            found[key] = self.value()
        return found

    def key(self, kind: str, text: str) -> Any:  # noqa: ANN401 - a text or an expression
        """Return the name of a property; one expression in quotes stands for itself."""
        if kind == "name" and text not in {"true", "false", "null"}:
            return text
        if kind == "text":
            return self.string(text)
        raise ValueError(f"no name of a property: {text!r}")

    def sequence(self) -> list[Any]:
        """Read items, each on a line of its own."""
        found = []
        while not self.sign("]"):
            self.expect("line")
            if self.sign("]"):
                break
            found.append(self.value())
        return found

    def expression(self) -> Any:  # noqa: ANN401 - a word is true, false or null
        """Read a word, or a name with what is asked of it, or a function of texts."""
        name = self.expect("name")
        if name in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[name]
        if name == "resourceGroup" and [text for _, text in self.tokens[:2]] == ["(", ")"]:
            self.signs("().")
            return Expression(f"{name}().{self.expect('name')}")
        if self.sign("("):
            given = [self.string(self.expect("text"))]
            while self.sign(","):
                given.append(self.string(self.expect("text")))
            self.signs(")")
            return Expression(f"{name}({', '.join(given)})")
        self.used.add(name)
        parts = [name]
        while self.sign("."):
            parts.append(self.expect("name") + ("()" if self.sign("(") and self.sign(")") else ""))
        return Expression(".".join(parts))

    def string(self, quoted: str) -> Any:  # noqa: ANN401 - a text or an expression
        """Return what a text says; one that is nothing but an expression is that."""
        inner = quoted[1:-1]
        whole = re.fullmatch(r"\$\{([A-Za-z0-9_.]+)\}((?:/.*)?)", inner)
        if whole:
            self.used.add(whole[1].partition(".")[0])
            return Expression(whole[1] + str(self.string(f"'{whole[2]}'")))
        if re.search(r"(?<!\\)\$\{", inner.replace("\\\\", "")):
            raise ValueError(f"an expression in a text: {quoted}")
        return re.sub(r"\\(u\{([0-9a-fA-F]+)\}|.)", _unescaped, inner)

    def sign(self, text: str) -> bool:
        """Take a sign where it is next."""
        return self.take("sign", text) is not None

    def signs(self, text: str) -> None:
        """Take signs that must be next."""
        for each in text:
            self.expect("sign", each)

    def take(self, kind: str, text: str | None = None) -> str | None:
        """Take a token where it is next."""
        if self.tokens[0][0] != kind or (text is not None and self.tokens[0][1] != text):
            return None
        return self.tokens.pop(0)[1]

    def expect(self, kind: str, text: str | None = None) -> str:
        """Take a token that must be next."""
        found = self.take(kind, text)
        if found is None:
            raise ValueError(f"{text or kind} expected, and found {self.tokens[0][1]!r}")
        return found


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[2], 16)) if match[2] else ESCAPES[match[1]]
