"""Containers of an engine: run under limits, watched, and removed whatever happens."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker.explained import explained
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker import DockerClient
    from docker.models.containers import Container as Raw

_SECOND = 1_000_000_000
_PROCESSES = 4096
"""How many processes and threads a container may have: a server has some for each processor."""


@dataclass(frozen=True, slots=True)
class Run:
    """What to run, and under which limits; it may write nowhere and gain no right."""

    image: str
    port: int
    """That the container listens on; it is published on a free port of 127.0.0.1."""
    cpus: float | None = None
    """Share of the processors' time, in processors."""
    memory: int | None = None
    """Bytes, without swap."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets too: they go to the engine over its socket, and to no command line."""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """How a container stands."""

    exit_code: int | None
    """None while it runs."""
    oom_killed: bool
    """Whether it was ended because its memory was used up."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a container uses."""

    cpu_seconds: float
    """Processor time since its start."""
    peak: int
    """The most bytes of memory that were seen so far, without what the system can drop at once of the files that were
    read, as `docker stats` shows it: not every engine keeps it, so ask often."""


class Container:
    """A container that was started."""

    def __init__(self, client: DockerClient, raw: Raw, port: int) -> None:
        self._client = client
        self._raw = raw
        self._port = port
        self._peak = 0

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
        return State(facts["ExitCode"] if ended else None, facts["OOMKilled"])

    def logs(self, tail: int = 20) -> list[str]:
        """Return the last lines that it wrote, standard output and error together."""
        with self._explained("has no logs"):
            text = self._raw.logs(tail=tail)
        return text.decode("utf-8", "replace").splitlines()

    def stats(self) -> Stats:
        """Return what it uses; raises OpdeployError where it has ended."""
        with self._explained("shows no use of memory"):
            facts = self._client.api.stats(str(self._raw.id), stream=False, one_shot=True)
        memory = facts.get("memory_stats") or {}
        if "usage" not in memory:
            raise OpdeployError("the container has ended, and uses nothing any more; look at its logs")
        files = memory.get("stats", {})
        now = memory["usage"] - files.get("total_inactive_file", files.get("inactive_file", 0))  # cgroups 1, and 2
        self._peak = max(self._peak, now)
        return Stats(facts["cpu_stats"]["cpu_usage"]["total_usage"] / _SECOND, self._peak)

    def _reload(self) -> None:
        with self._explained("is not shown"):
            self._raw.reload()

    def _explained(self, what: str) -> Any:  # noqa: ANN401  a context manager
        return explained(f"the container {self._raw.short_id} {what}", "see that the engine runs, and try again")


@contextmanager
def running(client: DockerClient, run: Run) -> Iterator[Container]:
    """Start a container, and remove it in the end, whatever happens; what it wrote is deleted.

    Raises OpdeployError where the engine refuses: no such image, a limit that it cannot hold.
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
    return hardened(run.cpus, run.memory) | {
        "environment": dict(run.environment),
        "ports": {f"{run.port}/tcp": ("127.0.0.1", None)},
        "labels": dict(run.labels),
    }


def hardened(cpus: float | None, memory: int | None, *, gpu: bool = False) -> dict[str, Any]:
    """Return the options of a container that may write nowhere and gain no right, within limits; memory in bytes.

    `gpu` gives it all GPUs of the machine.
    """
    options: dict[str, Any] = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": _PROCESSES,
        "use_config_proxy": False,  # it serves, and calls nobody
    }
    if cpus is not None:
        options["nano_cpus"] = round(cpus * _SECOND)
    if memory is not None:
        options |= {"mem_limit": memory, "memswap_limit": memory}
    if gpu:
        from docker.types import DeviceRequest

        options["device_requests"] = [DeviceRequest(count=-1, capabilities=[["gpu"]])]  # as `docker run --gpus all`
    return options
