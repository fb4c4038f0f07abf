"""A connection to a Docker engine, and what can be asked of it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opdeploy.clients.docker import building, containers, images, transfer
from opdeploy.clients.docker.explained import NoEngineError, explained, reason
from opdeploy.clients.docker.host import Host
from opdeploy.clients.docker.images import silent
from opdeploy.clients.docker.machine import HERE
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from docker import DockerClient

    from opdeploy.clients.docker.building import Built, Order
    from opdeploy.clients.docker.containers import Container, Run
    from opdeploy.clients.docker.images import Image, Watch
    from opdeploy.clients.docker.machine import Machine


@dataclass(frozen=True, slots=True)
class About:
    """What an engine says of its machine."""

    version: str
    architecture: str
    cpus: int
    memory: int
    """Bytes."""
    folder: str
    """Where it keeps images and containers."""
    runtimes: tuple[str, ...] = ()
    """What it can run containers with, such as `runc` and `nvidia`."""

    @property
    def has_gpus(self) -> bool:
        """Whether it says that it can give GPUs to containers."""
        return any("nvidia" in name for name in self.runtimes)


class Engine:
    """A Docker engine."""

    def __init__(self, client: DockerClient, program: str | None = None, address: str | None = None) -> None:
        """Take a connected client; `program` is the docker command line for BuildKit, else the first on the path.

        `address` is where that asks, where it is not the engine that it would take by itself.
        """
        self.client = client
        self._program = program
        self._address = address

    def about(self) -> About:
        """Return what the engine runs on."""
        with explained("the Docker engine does not describe itself", "see that it runs"):
            version, info = self.client.version(), self.client.info()
        facts = info["NCPU"], info["MemTotal"], info["DockerRootDir"]
        return About(version["Version"], version["Arch"], *facts, tuple(sorted(info.get("Runtimes") or ())))

    def build(self, order: Order, watch: Watch = silent) -> Built:
        """Build an image; see `building.build`."""
        return building.build(self.client, order, watch, self._program, self._address)

    def image(self, reference: str) -> Image:
        """Describe an image that the engine has; raises OpdeployError where it has none of that name."""
        return images.inspect(self.client, reference)

    def tag(self, reference: str, name: str) -> None:
        """Give an image another name."""
        with explained(f"{reference}: was not named {name}", "build or pull it first, and check the name"):
            self.client.images.get(reference).tag(name)

    def push(self, reference: str, watch: Watch = silent, login: tuple[str, str] | None = None) -> str:
        """Push an image and return `repository@sha256:…`; see `images.push`."""
        return images.push(self.client, reference, watch, login)

    def pull(self, reference: str, watch: Watch = silent) -> None:
        """Pull an image; see `transfer.pull`."""
        transfer.pull(self.client, reference, watch)

    def send(self, reference: str, to: Engine, watch: Watch = silent) -> None:
        """Have another engine get an image; see `transfer.send`."""
        transfer.send(self.client, to.client, reference, watch)

    def spare(self, target: str, deployment: str) -> list[str]:
        """Return those of a deployment's images that nothing uses; see `images.spare`."""
        return images.spare(self.client, target, deployment)

    def remove_image(self, reference: str) -> None:
        """Remove a name of an image, and the image with its layers where that was the last; none is no error."""
        from docker.errors import ImageNotFound

        with explained(f"{reference}: was not removed", "remove what uses it first"):
            try:
                self.client.images.remove(reference)
            except ImageNotFound:
                return

    def host(self, by: str, machine: Machine = HERE, *, makes: bool = False) -> Host:
        """Return what deployments are made with on its machine; `by` is who makes them, `makes` whether one is made."""
        return Host(self.client, self, by, machine, makes=makes)

    def running(self, run: Run) -> AbstractContextManager[Container]:
        """Run a container until the end of the block; see `containers.running`."""
        return containers.running(self.client, run)


@contextmanager
def connected(program: str | None = None) -> Iterator[Engine]:
    """Connect to the engine that the docker command line would use: that of DOCKER_HOST, else of the docker context.

    Raises NoEngineError where none answers, InputError where the SDK is not installed.
    """
    try:
        import docker
        from docker.errors import DockerException
        from requests.exceptions import RequestException
    except ModuleNotFoundError as error:
        raise InputError(f"the package {error.name} is missing; install opdeploy[docker]") from None
    _require_context()
    where = os.environ.get("DOCKER_HOST") or "the engine of the docker context"
    try:
        client = docker.from_env(version="auto", use_ssh_client=True)
    except (DockerException, RequestException, OSError, ValueError) as error:
        raise NoEngineError(
            f"{where}: no Docker engine answers: {reason(error)}; start it, or name another with DOCKER_HOST "
            "or docker context use"
        ) from error
    try:
        yield Engine(client, program)
    finally:
        client.close()


@contextmanager
def through(socket: Path, before: Callable[[], None], program: str | None = None) -> Iterator[Engine]:
    """Connect to the engine behind a socket; `before` is called before each request, and sees that the socket works.

    Raises NoEngineError where none answers.
    """
    import docker
    from docker.errors import DockerException
    from docker.transport import UnixHTTPAdapter
    from requests.exceptions import RequestException

    class Through(UnixHTTPAdapter):
        """Sends a request once the way is open."""

        def send(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - what requests sends
            before()
            return super().send(*arguments, **more)

    address = f"unix://{socket}"
    try:
        client = docker.DockerClient(base_url=address, version="auto")
    except (DockerException, RequestException, OSError, ValueError) as error:
        raise NoEngineError(f"no Docker engine answers there: {reason(error)}; start it") from error
    client.api.mount("http+docker://", Through(f"http+{address}"))
    try:
        yield Engine(client, program, address)
    finally:
        client.close()


def _require_context() -> None:
    """Raise NoEngineError where a docker context is named that is not there: the SDK would take another engine."""
    from docker.context import ContextAPI
    from docker.errors import DockerException

    name = os.environ.get("DOCKER_CONTEXT")
    if not name or os.environ.get("DOCKER_HOST"):
        return
    try:
        is_there = ContextAPI.get_context(name) is not None
    except (DockerException, OSError, ValueError):
        is_there = False
    if not is_there:
        raise NoEngineError(f"DOCKER_CONTEXT: there is no docker context {name}; see docker context ls")
