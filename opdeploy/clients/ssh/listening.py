"""Which addresses of a Linux machine somebody listens on, as its kernel lists them. Pure.

https://docs.kernel.org/networking/proc_net_tcp.html, read 2026-11-26.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK = "cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || true"
_LISTENS = "0A"
_WORD = 8
"""Hexadecimal digits of a part of an address, whose bytes are in the order of the processor: the lowest first."""


def listening(table: str) -> Iterator[tuple[str, int]]:
    """Yield address and port of everything that listens."""
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTENS:  # noqa: PLR2004 - number, local, remote, state
            host, _, port = fields[1].partition(":")
            yield _address(host), int(port, 16)


def _address(digits: str) -> str:
    words = (bytes.fromhex(digits[start : start + _WORD])[::-1] for start in range(0, len(digits), _WORD))
    found = ip_address(b"".join(words))
    return str(found.ipv4_mapped or found) if isinstance(found, IPv6Address) else str(found)
