"""Projects that are deployed to another machine over SSH."""

from __future__ import annotations

import shlex
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.conftest import environment
from tests.deploy.projects import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker as sdk

    from tests.conftest import Ran
    from tests.deploy.machines import Machine


@dataclass
class Remote(Project):
    """A project that is deployed to another machine, whose engine its client is of."""

    machine: Machine | None = None
    here: sdk.DockerClient | None = None

    def workload(self, **deploy: Any) -> None:  # noqa: ANN401 - any setting
        """Write the workload file, with more settings of the deployment."""
        vm = {"host": "machine", "port": self.port, **deploy.pop("vm", {})}
        super().workload(**{"target": "vm", "local": {}, "vm": vm, **deploy})

    def __post_init__(self) -> None:
        """Take the ssh that knows the machine."""
        assert self.machine
        self.variables = {"PATH": self.machine.path}
        super().__post_init__()

    def deploy(self, *more: str, base: str | None = None) -> Ran:
        """Deploy what is in the folder; the machine keeps the layers that all images have, under another name."""
        done = super().deploy(*more, base=base)
        for image in self.client.images.list() if done.code == 0 else ():
            if any(self.name in tag for tag in image.tags):
                image.tag("kept:layers")
        return done

    def images_here(self) -> list[str]:
        """Return the names of the images that this machine's engine has of it."""
        assert self.here
        tags = (tag for image in self.here.api.images() for tag in image["RepoTags"] or ())
        return sorted(str(tag) for tag in tags if self.name in str(tag))

    def remove(self) -> None:
        """Remove whatever is there and here."""
        super().remove()
        assert self.here
        for container in self.here.api.containers(all=True):
            if self.name in str(container["Names"]):
                self.here.api.remove_container(container["Id"], force=True)
        for name in self.images_here():
            self.here.api.remove_image(name)

    @contextmanager
    def tunnel(self) -> Iterator[None]:
        """Open what `status` says that has to be open for the endpoint to be reached from here."""
        command = shlex.split(self.status()["tunnel"]["command"])
        with subprocess.Popen(command, env=environment(**self.variables), stdin=subprocess.DEVNULL) as process:
            try:
                self._until_open()
                yield
            finally:
                process.terminate()

    def _until_open(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
                return
            time.sleep(0.02)
        raise AssertionError(self.port)
