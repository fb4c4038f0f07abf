"""The front's end of its Unix socket: one command in a line of JSON, and one line that answers it."""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError
from opdeploy.serving.front import state

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.serving.front.proxy import Proxy

NAME = "control"
_MOST_GRACE = 86_400.0


def bind(folder: Path) -> socket.socket:
    """Return the socket in a folder, which nobody but its owner may open.

    Raises InputError where another front has it, and OSError where it cannot be made.
    """
    path = folder / NAME
    if _answers(path):
        raise InputError(f"{path}: another front runs with this folder; give each its own with --state")
    # What a front left that was killed; anything but a socket is not ours to remove.
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
    bound = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
        bound.listen()
    except OSError:
        bound.close()
        raise
    finally:
        os.umask(before)
    return bound


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


async def listen(proxy: Proxy, bound: socket.socket) -> asyncio.Server:
    """Answer commands."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.LimitOverrunError, ValueError):
                line = await reader.readline()
                writer.write(json.dumps(await _answer(proxy, line)).encode() + b"\n")
                await writer.drain()
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, sock=bound)


async def _answer(proxy: Proxy, line: bytes) -> dict[str, Any]:
    try:
        match json.loads(line):
            case {"command": "show"}:
                return proxy.show()
            case {"command": "switch", "to": str(to), "grace": int() | float() as grace}:
                return await proxy.switch(state.address(to), _seconds(grace))
            case _:
                return {"error": "the front knows no such command; use the same version of opdeploy"}
    except (InputError, OSError, ValueError) as error:
        return {"error": str(error)}


def _seconds(grace: float) -> float:
    if not (math.isfinite(grace) and 0 <= grace <= _MOST_GRACE):
        raise InputError(f"a grace of {grace:g} s is none; give 0 to {_MOST_GRACE:g}")
    return grace
