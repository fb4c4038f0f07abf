"""What takes the place of a machine in Azure: an SSH server on loopback, whose user finds the engine of this machine.

The stand-in for Azure tells its address and its host key; that it was made and that it runs is what the stand-in says.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.azure.clouded import GROUP, Clouded
from tests.deploy.projects import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker as sdk

    from tests import warm
    from tests.arm.arm import Arm

NEEDED = ("docker", "ssh", "ssh-keygen", "sshd")
_SYSTEM = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
PidFile none
HostKey {folder}/host
AuthorizedKeysFile {folder}/id.pub
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH={folder}/there:{path}
"""
_CLOUD_INIT = """#!/bin/sh
echo "status: $(cat {folder}/cloud-init)"
"""
_SSH = """#!/bin/sh
exec {ssh} -o User=root "$@"
"""
"""Logs in as the user that is there, in the place of the one that Azure would have made."""
SIZE = "Standard_D2s_v3"


def missing() -> str:
    """Say what such a machine needs and is not here; nothing where all is."""
    programs = [name for name in NEEDED if not shutil.which(name, path=_SYSTEM)]
    if programs:
        return f"no {', '.join(programs)}"
    return "" if os.geteuid() == 0 else "not root"


def _port() -> int:
    """Return a port that no connection of this machine takes meanwhile: their own are above 32767."""
    while True:
        port = 20000 + secrets.randbelow(12000)
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


@dataclass
class Box:
    """The machine: where its SSH server listens, and what its first start has come to."""

    folder: Path
    port: int = field(default_factory=_port)
    server: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Make the keys, and the programs that are found there and here."""
        for name in ("host", "id", "other"):
            self._key(name)
        self.first_start("done")
        for folder, name, text in (
            ("there", "cloud-init", _CLOUD_INIT.format(folder=self.folder)),
            ("here", "ssh", _SSH.format(ssh=_found("ssh"))),
        ):
            program = self.folder / folder / name
            program.parent.mkdir()
            program.write_text(text)
            program.chmod(0o755)

    def first_start(self, status: str) -> None:
        """Say how far cloud-init is."""
        (self.folder / "cloud-init").write_text(f"{status}\n")

    @property
    def host_key(self) -> str:
        """What the file of the machine has, which its agent is asked for."""
        return (self.folder / "host.pub").read_text()

    @property
    def path(self) -> str:
        """The variable PATH of who logs in."""
        return f"{self.folder}/here:{os.environ['PATH']}"

    def start(self) -> None:
        """Have its SSH server listen."""
        config = self.folder / "sshd_config"
        config.write_text(_CONFIG.format(port=self.port, folder=self.folder, path=os.environ["PATH"]))
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd does not start without it
        with (self.folder / "sshd.log").open("ab") as log:
            self.server = subprocess.Popen([_found("sshd"), "-D", "-e", "-f", str(config)], stdout=log, stderr=log)
        until = time.monotonic() + 20
        while not self._listens():
            assert time.monotonic() < until, (self.folder / "sshd.log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """Have its SSH server listen no longer."""
        if self.server:
            self.server.terminate()
            self.server.wait(20)
            self.server = None

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _key(self, name: str) -> None:
        command = [_found("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)]
        subprocess.run(command, check=True)


def _found(program: str) -> str:
    return shutil.which(program, path=_SYSTEM) or program


@contextmanager
def box(folder: Path) -> Iterator[Box]:
    """Give a machine that is reached."""
    with ExitStack() as stack:
        made = Box(folder)
        stack.callback(made.stop)
        made.start()
        yield made


@dataclass
class OnMachine(Clouded):
    """A project whose machine is made in Azure, and stands here."""

    box: Box | None = None
    engine: Project | None = None
    """What is found of it on the engine."""
    nowhere: bool = False
    """Whether no engine answers here."""

    @property
    def name(self) -> str:
        """The name of the deployment, which no other has on the engine."""
        assert self.engine
        return self.engine.name

    def workload(self, **deploy: Any) -> None:  # noqa: ANN401 - any setting
        """Write the workload file, with more settings of the deployment."""
        assert self.box
        assert self.engine
        own = {"identity_file": str(self.box.folder / "id"), "ssh_port": self.box.port, "port": self.engine.port}
        vm = {"size": SIZE, "ssh_from": "203.0.113.7", **own, **deploy.pop("vm", {})}
        chosen = {name: value for name, value in vm.items() if value is not None}
        super().workload(**{"name": self.name, "vm": chosen, **deploy})

    def begin(self, *arguments: str, cwd: Path | None = None, before: Callable[[], Any] | None = None) -> warm.Command:
        """Begin a command, which logs in as the user that is there."""
        assert self.box
        self.variables = {"PATH": self.box.path, **({"DOCKER_HOST": "unix:///nowhere"} if self.nowhere else {})}
        return super().begin(*arguments, cwd=cwd, before=before)

    def machine(self) -> str:
        """Return the path of the machine below its subscription."""
        return f"resourceGroups/{GROUP}/providers/Microsoft.Compute/virtualMachines/{self.name}"


def on_machine(folder: Path, arm: Arm, made: Box, client: sdk.DockerClient) -> OnMachine:
    """Return a project; the stand-in tells the machine's address and host key."""
    arm.machines.address = lambda: "127.0.0.1"  # type: ignore[method-assign]
    arm.run_command = lambda _name, _script: (made.host_key, "")
    (folder / "engine").mkdir()
    engine = Project(folder / "engine", client, port=_port())
    return OnMachine(folder, arm, "vm", box=made, engine=engine)
