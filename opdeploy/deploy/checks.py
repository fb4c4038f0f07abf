"""Whether what was deployed is ready, right, and quick enough to be used: asked over HTTP, as its users ask."""

from __future__ import annotations

import http.client
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from opdeploy.deploy.example import Example, example
from opdeploy.errors import DifferenceError, OpdeployError
from opdeploy.loadtest import generator
from opdeploy.loadtest.curve import point
from opdeploy.local import answers
from opdeploy.local.requests import requests
from opdeploy.local.server import READY, Address, ask, explained, failure, wait_until_ready
from opdeploy.local.subject import subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import JsonValue

    from opdeploy.deployment import Observed
    from opdeploy.loadtest.curve import Point
    from opdeploy.local.subject import Subject

_LOG_LINES = 200
_ENDPOINT_S = 60.0
"""Seconds within which the endpoint must be ready once the server behind it is."""
_BETWEEN_S = 0.5
_LOAD_S = 1.0
_CONNECTIONS = 4
_PATIENCE_S = 30.0
_PROBE_S = 10.0
_BUSY = str(HTTPStatus.SERVICE_UNAVAILABLE.value)
"""How a server, and the front, answer what they have no room for, with `Retry-After`."""
_PASSES = {_BUSY, generator.UNANSWERED}
"""Failures that are not the version's: others load it as well, or what leads there was just made."""


class Servers(Protocol):
    """Where servers are found and looked at, by name."""

    @property
    def tls(self) -> bool:
        """Whether they are asked over TLS."""

    def address(self, name: str) -> tuple[str, int]:
        """Return host and port at which one is reached from here."""

    def exit_code(self, name: str) -> int | None:
        """Return how one ended; None while it runs."""

    def out_of_memory(self, name: str) -> bool:
        """Tell whether one was ended because its memory was used up."""

    def logs(self, name: str, tail: int) -> list[str]:
        """Return the last lines that one wrote."""

    def artefact(self, name: str, folder: Path) -> None:
        """Write the artefact that one holds below a folder, in one called `model`."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a short load of the endpoint showed."""

    requests_per_second: float
    p50_ms: float
    p95_ms: float
    requests: int
    busy: int
    """Requests that the server had no room for, as others sent theirs."""


class Server:
    """One server of a deployment, by the name that it is found under."""

    def __init__(self, servers: Servers, name: str, key: str | None) -> None:
        self.started = time.monotonic()
        self._servers = servers
        self._name = name
        self._key = key

    @property
    def address(self) -> Address:
        """Where it is asked."""
        return Address(*self._servers.address(self._name), self._key, self._servers.tls)

    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self._servers.exit_code(self._name)

    def why(self) -> str:
        """Say whether it was ended because its memory was used up."""
        is_full = self._servers.out_of_memory(self._name)
        return "killed: its memory was used up; give it more with hardware.memory_gb" if is_full else ""

    def log(self) -> list[str]:
        """Return the lines that it wrote, the last ones."""
        return self._servers.logs(self._name, _LOG_LINES)


class Checks:
    """What steps ask of servers; `artefact` is the one that was deployed, where it is at hand."""

    def __init__(self, servers: Servers, key: Callable[[], str | None], artefact: Path | None) -> None:
        self._servers = servers
        self._key = key
        self._artefact = artefact
        self.load: Load | None = None
        self.example: Example | None = None
        """How to ask the endpoint."""

    def server(self, name: str, ready_s: float, version: int | None = None) -> dict[str, JsonValue]:
        """Wait until a server is ready, and hold its answers against the golden ones.

        `version` is that which is to answer there, where another may do so until it does. Raises DifferenceError where
        the answers differ, else what tells how it failed, with the evidence as notes.
        """
        server = Server(self._servers, name, self._key())
        seconds = wait_until_ready(server, ready_s)
        with explained(server, "it was asked for the golden answers"), self._subject(name) as tried:
            if version is not None:
                _await(server, version, ready_s)
            where = _golden(server, tried)
        return {"ready_s": round(seconds, 2), "golden": where}

    def endpoint(
        self, front: str, name: str, version: int, *, auth: bool, settles_s: float = 0.0
    ) -> dict[str, JsonValue]:
        """See that the endpoint is that of a version, hold its answers against the golden ones, and load it shortly.

        `auth` tells whether the version asks for an API key; what leads there may lead to another for some seconds.
        Raises what `server` raises.
        """
        key = self._key() if auth else None
        asked, server = (Server(self._servers, each, key) for each in (front, name))
        # What the server of the version says is the evidence, and not what the front says that is asked in its place.
        with explained(server, "the endpoint was asked"), self._subject(name) as tried:
            wait_until_ready(asked, _ENDPOINT_S)
            told = answers.about(asked.address)
            until = time.monotonic() + settles_s
            while told.version != str(version) and time.monotonic() < until:
                time.sleep(_BETWEEN_S)
                told = answers.about(asked.address)
            if told.version != str(version):
                raise OpdeployError(f"the endpoint {_others(told.version, version)}")
            where = _golden(asked, tried)
            self.load = _loaded(asked, server, tried, told.name)
            self.example = example(tried, told.name, keyed=auth)
        return {"golden": where, **asdict(self.load)}

    @contextmanager
    def _subject(self, name: str) -> Iterator[Subject]:
        """Give the artefact that was deployed: the one at hand, else that of the server itself."""
        if self._artefact:
            with subject(self._artefact, "model") as found:
                yield found
            return
        with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
            self._servers.artefact(name, Path(folder))
            with subject(Path(folder) / "model", "model") as found:
                yield found


def _await(server: Server, version: int, seconds: float) -> None:
    """Wait until a version answers; raises OpdeployError where another does so to the end, or none."""
    while True:
        try:
            found = answers.about(server.address).version
        except (OSError, http.client.HTTPException, OpdeployError):  # the one has ended, and the other not begun
            found = "none"
        if found == str(version):
            return
        if time.monotonic() > server.started + seconds:
            raise OpdeployError(f"the server {_others(found, version)}")
        time.sleep(_BETWEEN_S)


def _others(found: str, version: int) -> str:
    return f"answers with version {found}, and not {version}; deploy again"


def _golden(server: Server, tried: Subject) -> str:
    told = answers.about(server.address)
    for asked in (found := answers.check(server.address, told, tried, tried.variant(told.variant))):
        if not asked.agrees:
            raise DifferenceError(
                f"{tried.package.manifest.name}: {asked.route}: the server gives other answers than the golden ones: "
                f"{asked.where}; verify the model with opdeploy model verify --golden"
            )
    return "; ".join(f"{asked.route}: {asked.records}: {asked.where}" for asked in found)


def _loaded(asked: Server, server: Server, tried: Subject, name: str) -> Load:
    """Send golden records for a moment to what is asked, and once more where what failed may pass.

    Raises OpdeployError, with the evidence of that server, where it fails.
    """
    address = asked.address
    made = requests(tried, "tensors", None).on_the_wire(name, address.headers, address.host)
    target = generator.Server(address.host, address.port, made, tls=address.tls)

    def load() -> Point:
        return point(generator.closed(target, _CONNECTIONS, _LOAD_S, _PATIENCE_S), _CONNECTIONS, None, 0.0)

    found = load()
    if found.failures and {*found.failures} <= _PASSES:
        found = load()
    if {*found.failures} - {_BUSY} or found.errors > found.requests / 2:
        why = ", ".join(f"{reason}: {count}" for reason, count in found.failures.items())
        raise failure(server, f"failed {found.errors} of {found.requests} requests of a short load ({why})")
    return Load(found.requests_per_second, found.latency_ms["p50"], found.p95, found.requests, found.errors)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an endpoint is ready, and what its probe said."""

    is_ready: bool
    said: str


def readiness(servers: Servers, observed: Observed) -> Readiness:
    """Ask an endpoint once whether it is ready."""
    if observed.front is None:
        return Readiness(is_ready=False, said="has no endpoint")
    current = observed.current
    if current and current.state == "stopped":
        named = (item.kind for item in observed.found if item.name == current.resource and item.shown)
        kind = next(named, "server")
        return Readiness(is_ready=False, said=f"the {kind} {current.resource} is stopped; deploy again to start it")
    try:
        reply = ask(Server(servers, observed.front, None).address, READY, seconds=_PROBE_S)
    except (OSError, http.client.HTTPException, OpdeployError) as error:
        return Readiness(is_ready=False, said=f"does not answer: {error or type(error).__name__}")
    return Readiness(reply.status == HTTPStatus.OK, f"GET {READY}: {reply}")
