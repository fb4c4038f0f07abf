"""Containers of an engine: run under limits, watched, and removed whatever happens."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker.explained import explained
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from docker import DockerClient
    from docker.models.containers import Container as Raw

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """What to run, and under which limits; without a change it may write nowhere and gain no right."""

    image: str
    port: int
    """That the container listens on; it is published on a free port of 127.0.0.1."""
    cpus: float | None = None
    """Share of the processors' time, in processors."""
    memory: int | None = None
    """Bytes, without swap."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets too: they go to the engine over its socket, and to no command line."""
    command: Sequence[str] = ()
    """Arguments for the image's entrypoint."""
    read_only: bool = True
    tmpfs: Mapping[str, int] = field(default_factory=dict)
    """Folders in memory that it may write to, with their size in bytes; they count as memory."""
    user: str | None = None
    """Where it is not given, the image's."""
    gpus: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """How a container stands."""

    status: str
    """`created`, `running`, `exited`, …"""
    exit_code: int | None
    """None while it runs."""
    oom_killed: bool
    """Whether it was ended because its memory was used up."""
    health: str | None
    """`starting`, `healthy` or `unhealthy`; None where the image has no health check."""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.exit_code is None


@dataclass(frozen=True, slots=True)
class Stats:
    """What a container uses."""

    cpu_seconds: float
    """Processor time since its start."""
    memory: int
    """Bytes now, without what the system can drop at once of the files that were read: as `docker stats` shows it."""
    peak: int
    """The most of `memory` that was seen so far: not every engine keeps it, so ask often."""


class Container:
    """A container that was started."""

    def __init__(self, client: DockerClient, raw: Raw, port: int) -> None:
        self._client = client
        self._raw = raw
        self._port = port
        self._peak = 0

    @property
    def id(self) -> str:
        """As the engine names it."""
        return str(self._raw.id)

    def address(self) -> tuple[str, int]:
        """Return host and port at which it is reached; raises OpdeployError where it has ended."""
        self._reload()
        found = self._raw.ports.get(f"{self._port}/tcp")
        if not found:
            raise OpdeployError(f"port {self._port} of the container is not published: it has ended; look at its logs")
        return found[0]["HostIp"], int(found[0]["HostPort"])

    def state(self) -> State:
        """Return how it stands now."""
        self._reload()
        facts = self._raw.attrs["State"]
        ended = facts["Status"] in {"exited", "dead"}
        health = (facts.get("Health") or {}).get("Status")
        return State(facts["Status"], facts["ExitCode"] if ended else None, facts["OOMKilled"], health)

    def logs(self, tail: int = 20) -> list[str]:
        """Return the last lines that it wrote, standard output and error together."""
        with self._explained("has no logs"):
            text = self._raw.logs(tail=tail)
        return text.decode("utf-8", "replace").splitlines()

    def stats(self) -> Stats:
        """Return what it uses; raises OpdeployError where it has ended."""
        with self._explained("shows no use of memory"):
            facts = self._client.api.stats(self.id, stream=False, one_shot=True)
        memory = facts.get("memory_stats") or {}
        if "usage" not in memory:
            raise OpdeployError("the container has ended, and uses nothing any more; look at its logs")
        files = memory.get("stats", {})
        now = memory["usage"] - files.get("total_inactive_file", files.get("inactive_file", 0))  # cgroups 1, and 2
        self._peak = max(self._peak, now)
        return Stats(facts["cpu_stats"]["cpu_usage"]["total_usage"] / _SECOND, now, self._peak)

    def wait(self, seconds: float) -> State | None:
        """Wait until it ends, and return how; None where it has not after so many seconds."""
        from requests.exceptions import ConnectionError as Broken
        from requests.exceptions import ReadTimeout

        # Broken where the time passes while the answer's body is read.
        with self._explained("cannot be waited for"), suppress(ReadTimeout, Broken):
            self._raw.wait(timeout=seconds)
        state = self.state()
        return None if state.running else state

    def stop(self, grace: int = 20) -> State:
        """Send the image's stop signal, and SIGKILL after so many seconds; return how it ended."""
        with self._explained("was not stopped"):
            self._raw.stop(timeout=grace)
        return self.state()

    def _reload(self) -> None:
        with self._explained("is not shown"):
            self._raw.reload()

    def _explained(self, what: str) -> Any:  # noqa: ANN401  a context manager
        return explained(f"the container {self._raw.short_id} {what}", "see that the engine runs, and try again")


@contextmanager
def running(client: DockerClient, run: Run) -> Iterator[Container]:
    """Start a container, and remove it in the end, whatever happens; what it wrote is deleted.

    Raises OpdeployError where the engine refuses: no such image, a limit that it cannot hold, no GPU.
    """
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    with explained(f"{run.image}: the container was not started", "see the engine's reason"):
        raw = client.containers.create(run.image, **_options(run))
    try:
        with explained(f"{run.image}: the container was not started", "see the engine's reason"):
            raw.start()
        yield Container(client, raw, run.port)
    finally:
        with suppress(DockerException, RequestException):
            raw.remove(force=True, v=True)


def _options(run: Run) -> dict[str, Any]:
    from docker.types import DeviceRequest

    options: dict[str, Any] = {
        "command": list(run.command),
        "environment": dict(run.environment),
        "ports": {f"{run.port}/tcp": ("127.0.0.1", None)},
        "read_only": run.read_only,
        "tmpfs": {path: f"size={size},mode=1777" for path, size in run.tmpfs.items()},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "labels": dict(run.labels),
        "use_config_proxy": False,  # it serves, and calls nobody
    }
    if run.cpus is not None:
        options["nano_cpus"] = round(run.cpus * _SECOND)
    if run.memory is not None:
        options |= {"mem_limit": run.memory, "memswap_limit": run.memory}
    if run.user is not None:
        options["user"] = run.user
    if run.gpus:
        options["device_requests"] = [DeviceRequest(count=-1, capabilities=[["gpu"]])]
    return options
