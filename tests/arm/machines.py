"""Containers as processes of this machine, each group of them at a loopback address of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.arm.probes import Probe

STEP_S = 0.02
SETPRIV = shutil.which("setpriv") or "setpriv"
"""Of util-linux: has a process end with the thread that started it."""
GRACE_S = 10.0
"""Between the signal to end and the one that kills."""
BACKOFF_S = 10.0
"""Before the second restart; before each further one it is twice as long."""


def now() -> str:
    """Return the time as Azure writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class Spec:
    """What a container is started of."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    image: str
    liveness: Probe | None = None
    readiness: Probe | None = None


@dataclass
class _Watched:
    """A probe in the life of one process."""

    probe: Probe
    due: float
    failed: int = 0
    passed: int = 0


@dataclass
class Container:
    """A container: the process that it is now, and what it was."""

    spec: Spec
    log: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    ready: bool = False
    state: dict[str, Any] = field(default_factory=lambda: {"state": "Waiting", "detailStatus": "Creating"})
    previous: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    again: float | None = None
    """When it is started again."""
    probes: dict[str, _Watched] = field(default_factory=dict)

    def event(self, name: str, message: str, kind: str = "Normal") -> None:
        """Note an event; one that is there already is counted."""
        for each in self.events:
            if each["name"] == name and each["message"] == message:
                each["count"], each["lastTimestamp"] = each["count"] + 1, now()
                return
        self.events.append(
            {
                "count": 1,
                "firstTimestamp": now(),
                "lastTimestamp": now(),
                "name": name,
                "message": message,
                "type": kind,
            }
        )

    def text(self) -> str:
        """Return what it wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


class Machine:
    """A group of containers that share an address."""

    def __init__(self, folder: Path, address: str, specs: Sequence[Spec], policy: str, pace: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.address = address
        self.containers = [Container(spec, folder / f"{spec.name}.log") for spec in specs]
        self._folder = folder
        self._policy = policy
        self._pace = pace
        self._ending = threading.Event()
        self._started = threading.Event()
        self._kill = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        self._started.wait()

    def end(self) -> None:
        """Have all of it end by itself, or be killed after a while."""
        self._ending.set()

    def stop(self, *, kill: bool = False) -> None:
        """End all of it, and wait for that."""
        if kill:
            self._kill.set()
        self._ending.set()
        self._thread.join()

    @property
    def stopped(self) -> bool:
        """Whether it was ended."""
        return self._ending.is_set()

    @property
    def ready(self) -> bool:
        """Whether all of it is."""
        return all(each.ready for each in self.containers)

    def _watch(self) -> None:
        """Start, look, and end: in one thread, with which its processes end whatever happens."""
        for each in self.containers:
            each.event("Pulling", f'pulling image "{each.spec.image}"')
            each.event("Pulled", f'Successfully pulled image "{each.spec.image}"')
            self._start(each)
        self._started.set()
        while not self._ending.wait(STEP_S):
            for each in self.containers:
                self._look(each)
        running = [each for each in self.containers if each.process and each.process.poll() is None]
        for each in running:
            each.event("Killing", f"Killing container with id {each.spec.name}.")
            _signal(each.process, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while any(each.process and each.process.poll() is None for each in running) and time.monotonic() < deadline:
            if self._kill.wait(STEP_S):
                break
        for each in running:
            if each.process:
                _signal(each.process, signal.SIGKILL)
                self._ended(each, each.process.wait())
        for each in self.containers:
            each.again = None

    def _start(self, container: Container) -> None:
        spec = container.spec
        kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        with container.log.open("wb") as log:
            container.process = subprocess.Popen(
                [SETPRIV, "--pdeathsig", "KILL", "--", *spec.words],
                cwd=self._folder,
                env={**kept, "HOME": str(self._folder), **spec.environment},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        container.state = {"state": "Running", "startTime": now(), "detailStatus": ""}
        container.ready = spec.readiness is None
        probes = {"Liveness": spec.liveness, "Readiness": spec.readiness}
        started = time.monotonic()
        container.probes = {name: _Watched(probe, started + probe.delay) for name, probe in probes.items() if probe}
        container.event("Started", f"Started container {spec.name}")

    def _look(self, container: Container) -> None:
        code = container.process.poll() if container.process else None
        if container.process and code is not None:
            self._ended(container, code)
            if self._policy == "Always" or (self._policy == "OnFailure" and code):
                wait = 0.0 if not container.restarts else min(BACKOFF_S * 2.0 ** (container.restarts - 1), 300.0)
                container.again = time.monotonic() + wait * self._pace
                if wait:
                    container.previous = container.state
                    container.state = {
                        "state": "Waiting",
                        "detailStatus": "CrashLoopBackOff: Back-off restarting failed",
                    }
                    container.event("BackOff", "Back-off restarting failed container", "Warning")
        if container.again is not None and time.monotonic() >= container.again:
            container.again = None
            container.restarts += 1
            if container.state["state"] == "Terminated":
                container.previous = container.state
            self._start(container)
        if container.process:
            for name, watched in container.probes.items():
                if time.monotonic() >= watched.due:
                    self._probe(container, name, watched)

    def _probe(self, container: Container, name: str, watched: _Watched) -> None:
        watched.due = time.monotonic() + watched.probe.period
        if watched.probe.passes(self.address, container.spec.environment):
            watched.failed, watched.passed = 0, watched.passed + 1
            if name == "Readiness" and watched.passed >= watched.probe.successes:
                container.ready = True
            return
        watched.failed, watched.passed = watched.failed + 1, 0
        container.event("Unhealthy", f"{name} probe failed", "Warning")
        if watched.failed < watched.probe.failures:
            return
        if name == "Readiness":
            container.ready = False
        elif container.process:
            container.event("Killing", f"Container {container.spec.name} failed liveness probe, will be restarted")
            watched.failed = 0
            _signal(container.process, signal.SIGTERM)

    def _ended(self, container: Container, code: int) -> None:
        started = container.state.get("startTime")
        code = 128 - code if code < 0 else code  # a signal's number is added, as engines do
        status = "Completed" if code == 0 else "Error"
        container.state = {
            "state": "Terminated", "startTime": started, "exitCode": code, "finishTime": now(), "detailStatus": status
        }  # fmt: skip
        container.process, container.ready = None, False


def _signal(process: subprocess.Popen[bytes] | None, number: signal.Signals) -> None:
    if process and process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


class Machines:
    """All that run."""

    def __init__(self) -> None:
        self._all: list[Machine] = []
        self._closers: list[Callable[[], None]] = []

    def address(self) -> str:
        """Return a loopback address that nothing else uses."""
        a, b, c = (secrets.randbelow(254) + 1 for _ in range(3))
        return f"127.{a}.{b}.{c}"

    def start(self, folder: Path, address: str, specs: Sequence[Spec], *, policy: str, pace: float) -> Machine:
        """Start a group of containers."""
        found = Machine(folder, address, specs, policy, pace)
        self._all.append(found)
        return found

    def at_end(self, close: Callable[[], None]) -> None:
        """Have this called in the end."""
        self._closers.append(close)

    def close(self) -> None:
        """End all, at once."""
        for machine in self._all:
            machine.stop(kill=True)
        for close in self._closers:
            close()
