"""Where requests go, as it is written down: the front finds it again after a restart."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_ADDRESS = re.compile(r"([A-Za-z0-9_]([A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})")
_LAST_PORT = 65535
_LONGEST = 300

_log = logging.getLogger("opdeploy.serving.front")


class Address(NamedTuple):
    """Of a server: a name or an IP address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """Return the address that a text such as model-2:8000 or [::1]:8000 is; raises InputError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found[3]) <= _LAST_PORT:
        raise InputError(f"{text[:_LONGEST]!r} is no address; give HOST:PORT, such as model-2:8000")
    return Address(found[1].strip("[]"), int(found[3]))


def read(folder: Path) -> Address | None:
    """Return the address that is written down; None, and a line in the log, where there is none that can be read."""
    try:
        return address((folder / "upstream").read_text(encoding="ascii").removesuffix("\n"))
    except FileNotFoundError:
        _log.info("no upstream is written down yet", extra={"state": str(folder)})
    except (OSError, UnicodeDecodeError, InputError) as error:
        _log.error("the upstream that is written down cannot be read: %s", error, extra={"state": str(folder)})
    return None


def write(folder: Path, upstream: Address) -> None:
    """Write an address down, durably and whole or not at all; raises OSError."""
    new = folder / "upstream.new"
    with new.open("w", encoding="ascii") as file:
        file.write(f"{upstream}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / "upstream")
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
