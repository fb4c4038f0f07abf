"""A server that runs on this machine, however it was started; and how one is asked."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol

from opdeploy.errors import DifferenceError, InputError, OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READY = "/v2/health/ready"
_LOG_LINES = 10
_PROBE_S = 5.0
_BETWEEN_S, _MOST_BETWEEN_S = 0.02, 0.1
_SHOWN = 200
_CODES = {kind.exit_code: kind for kind in (InputError, DifferenceError)}
"""What the exit codes of a server mean; any other is a failure."""


class Address(NamedTuple):
    """Where a server is asked."""

    host: str
    port: int
    key: str | None = None
    """Its API key, where it asks for one."""
    tls: bool = False
    """Whether it is asked over TLS, and has to prove its name."""

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


class Started(Protocol):
    """A server that was started, wherever it runs."""

    started: float
    """When, by `time.monotonic`."""

    @property
    def address(self) -> Address:
        """Where it is asked; raises OpdeployError where it has ended and has no address any more."""

    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""

    def why(self) -> str:
        """Return what is known of its end beyond its code, such as that its memory was used up; else nothing."""

    def log(self) -> list[str]:
        """Return the lines that it wrote, the last ones."""


class Running(Started, Protocol):
    """A server on this machine, which can be measured."""

    def cpu_seconds(self) -> float:
        """Return the processor time that it has taken."""

    def peak_memory_mb(self) -> float:
        """Return the most memory that it was seen to hold, in MB (10^6 bytes)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """With lower-case names."""
    body: bytes

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.status} {' '.join(self.body.decode(errors='replace').split())[:_SHOWN]}".rstrip()


def ask(
    address: Address,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 60.0,
) -> Reply:
    """Send one request over a connection of its own: GET, or POST where there is a body.

    Raises OSError or http.client.HTTPException where no answer comes.
    """
    with closing(_connection(address, seconds)) as connection:
        connection.request("GET" if body is None else "POST", path, body, {**(headers or {}), **address.headers})
        response = connection.getresponse()
        return Reply(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())


def _connection(address: Address, seconds: float) -> http.client.HTTPConnection:
    if address.tls:
        return http.client.HTTPSConnection(
            address.host, address.port, timeout=seconds, context=ssl.create_default_context()
        )
    return http.client.HTTPConnection(address.host, address.port, timeout=seconds)


def wait_until_ready(server: Started, seconds: float) -> float:
    """Wait until a server is ready, and return how many seconds it took from its start.

    Raises what `failure` returns where it ends before, or is not ready in time.
    """
    probe = "got no answer"
    while time.monotonic() < server.started + seconds:
        if server.exit_code() is not None:
            raise failure(server, "ended before it was ready", probe)
        try:
            reply = ask(server.address, READY, seconds=_PROBE_S)
        except (OSError, http.client.HTTPException, OpdeployError):  # it listens not yet, or no more
            reply = None
        waited = time.monotonic() - server.started
        if reply and reply.status == HTTPStatus.OK:
            return waited
        if reply:
            probe = f"was answered with {reply}"
        time.sleep(
            min(_MOST_BETWEEN_S, _BETWEEN_S * (1 + waited))
        )  # often at first, for the time is to be known, and less often later
    raise failure(server, f"was not ready within {seconds:g} s", probe)


def failure(server: Started, what: str, probe: str | None = None) -> OpdeployError:
    """Return the error for a server that failed: of the kind that its exit code means, with the evidence as notes."""
    code = server.exit_code()
    lines = _log(server)
    why = "; ".join(filter(None, (f"exit code {code}" if code is not None else "", server.why())))
    said = _last_error(lines) or (f"the last probe {probe}" if probe else "its log tells no error")
    error = _CODES.get(code or 0, OpdeployError)(f"the server {what}{f' ({why})' if why else ''}: {said}")
    if probe is not None:
        error.add_note(f"the last probe, GET {READY}, {probe}")
    _note_log(error, lines)
    return error


@contextmanager
def explained(server: Started, what: str) -> Iterator[None]:
    """Add the server's log to an error in the block, as notes; where the server has ended, that is the error."""
    try:
        yield
    except OpdeployError as error:
        if server.exit_code() is not None:
            raise failure(server, f"ended while {what}") from None
        _note_log(error, _log(server))
        raise


def _log(server: Started) -> list[str]:
    return [line for line in server.log() if READY not in line]  # without what the probes themselves left there


def _note_log(error: OpdeployError, lines: list[str]) -> None:
    error.add_note("its log ends with:" if lines else "its log is empty")
    for line in lines[-_LOG_LINES:]:
        error.add_note(f"  {line}")


def _last_error(lines: list[str]) -> str:
    """Return the last error that a log tells, as an event; else its last words that are no event; else nothing."""
    words = ""
    for line in reversed(lines):
        try:
            event = json.loads(line)
        except ValueError:
            words = words or line.strip()
            continue
        if isinstance(event, dict) and event.get("level") == "error":
            return str(event.get("message", ""))
    return words
