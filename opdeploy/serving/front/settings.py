"""What the front is told."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.errors import InputError
from opdeploy.serving.settings import Option, Program, parsed, port, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STATE = Option("state", Path, None, "the folder in which it notes where requests go, and takes commands")
_NAME = "python -m opdeploy.serving.front"
SERVE = Program(
    _NAME,
    "Forward every request to one server, and change it for another without a request lost. Two commands speak to a "
    "front that runs: switch --state X --to HOST:PORT, and show --state X.",
    "Each option may be given as an environment variable: --port as OPDEPLOY_PORT.",
    (
        Option("host", ipaddress.ip_address, "127.0.0.1", "the address to listen on"),
        Option("port", port, "8000", "the port to listen on"),
        _STATE,
        Option(
            "timeout",
            seconds,
            "100",
            "seconds in which the server has to begin its answer; more than the server's own deadline",
        ),
        Option(
            "stall",
            seconds,
            "60",
            "seconds in which an answer that has begun has to move on, to the client and from the server",
        ),
        Option("grace", seconds, "20", "seconds that requests have to end after SIGTERM"),
        Option("drain", seconds, "1", "seconds after SIGTERM in which it still accepts"),
    ),
)
_SHOW = Program(f"{_NAME} show", "Print where requests go, and how many are under way.", "", (_STATE,))
_SWITCH = Program(
    f"{_NAME} switch",
    "Send every new request to another server, and wait until those on the one before have ended.",
    "",
    (
        _STATE,
        Option("to", str, None, "the server, as HOST:PORT"),
        Option("grace", seconds, "30", "seconds that requests on the server before have to end"),
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set."""

    host: str
    port: int
    state: Path
    timeout: float
    """Seconds."""
    stall: float
    """Seconds."""
    grace: float
    """Seconds."""
    drain: float
    """Seconds."""


def read(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a command line and an environment; raises InputError."""
    told = parsed(SERVE, argv, environ)
    _require(told, "state")
    if not told["state"].is_dir():
        raise InputError(f"{told['state']}: there is no such folder; make it, or correct --state")
    for name in ("timeout", "stall"):
        if not told[name]:
            raise InputError(f"--{name}: nothing comes in 0 seconds; give more")
    return Settings(**told | {"host": str(told["host"])})


def command(argv: Sequence[str]) -> tuple[Path, dict[str, object]]:
    """Return the folder of the front that a command is for, and the command; raises InputError.

    The environment tells it nothing: in a container that is the front's, whose grace is another.
    """
    told = parsed(_SWITCH if argv[0] == "switch" else _SHOW, argv[1:], {})
    _require(told, *told)
    return told.pop("state"), {"command": argv[0], **told}


def _require(told: Mapping[str, object], *names: str) -> None:
    for name in names:
        if told[name] is None:
            raise InputError(f"--{name} is missing; --help tells of each option")
