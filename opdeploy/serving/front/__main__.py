"""Own a port: `python -m opdeploy.serving.front --state FOLDER`, and its commands `switch` and `show`."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from opdeploy.errors import OpdeployError
from opdeploy.serving.front import settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import FrameType

COMMANDS = ("switch", "show")
_PATIENCE = 60
"""Seconds beyond the grace that was given, for a switch before this one."""

_log = logging.getLogger("opdeploy.serving.front")


def main(argv: list[str]) -> int:
    """Run a command, or the front.

    The front returns 0 after SIGTERM or SIGINT, 1 where a request was cut off or it ends by itself, and 2 where it
    cannot start. A command returns 1 where the front is not there or refuses, and 2 for a wrong option.
    """
    return _command(argv) if argv and argv[0] in COMMANDS else _serve(argv)


def _command(argv: list[str]) -> int:
    try:
        answer = _ask(*settings.command(argv))
    except OpdeployError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def _ask(folder: Path, command: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the front answers to a command; raises OpdeployError where it is not there, or refuses."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(command.get("grace", 0) + _PATIENCE)
        try:
            connection.connect(str(folder / "control"))
            connection.sendall(json.dumps(command).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except OSError as error:
            why = error.strerror or str(error)
            raise OpdeployError(f"{folder}: no front answers there: {why}; start it, or correct --state") from None
    if not line.endswith(b"\n"):
        raise OpdeployError(f"{folder}: the front ended before it answered; see its log")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        raise OpdeployError(f"the front refuses: {answer['error']}")
    return answer


def _serve(argv: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    from opdeploy.serving import logs

    logs.configure()
    try:
        told = settings.read(argv)
        from opdeploy.serving.front import server

        return server.run(told)
    except ModuleNotFoundError as error:
        _log.error("the package %s is missing; install opdeploy[serve]", error.name)
    except (OpdeployError, OSError) as error:
        _log.error("%s", error)
    return 2


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    logging.shutdown()
    os._exit(code)  # at once, whatever a thread still does
