"""A machine of its own on this one: a network of its own with a real SSH server and a real Docker engine in it.

What listens on its 127.0.0.1 is not reached from here but through SSH, and the engine has images, containers and
networks of its own. Its disk, its users and its processes are those of this machine.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Self

import docker as sdk

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDED = ("dockerd", "nsenter", "ssh", "ssh-keygen", "sshd", "unshare")
_SYSTEM = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
_UP = """
import fcntl, socket, struct, sys
with socket.socket() as probe:
    flags = struct.pack("16sH14x", b"lo", 1)  # IFF_UP
    fcntl.ioctl(probe, 0x8914, flags)  # SIOCSIFFLAGS
print("up", flush=True)
sys.stdin.read()
"""
"""Brings up the loopback of a network, and holds the network until standard input ends."""
_CONFIG = """
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized_keys
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""
_CLIENT = """
Host machine
  HostName 127.0.0.1
  Port {port}
  User root
  IdentityFile {folder}/id
  UserKnownHostsFile {folder}/known_hosts
"""


def missing() -> str:
    """Say what such a machine needs and is not here; nothing where all is."""
    programs = [name for name in NEEDED if not shutil.which(name, path=_SYSTEM)]
    if programs:
        return f"no {', '.join(programs)}"
    return "" if os.geteuid() == 0 else "not root"


def _found(program: str) -> str:
    return shutil.which(program, path=_SYSTEM) or program


class Machine:
    """The machine, which ssh knows as `machine` where its folder `bin` is the first on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = {"DOCKER_HOST": f"unix://{folder}/docker.sock"}
        """Of whoever logs in."""
        self.more = ""
        """More lines of the SSH server's configuration."""
        self._stack = ExitStack()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._served: list[subprocess.Popen[bytes]] = []
        self.engine: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.key("host")
        self.key("id")
        self.trust()
        (self.folder / "authorized_keys").write_bytes((self.folder / "id.pub").read_bytes())
        wrapper = self.folder / "bin" / "ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {_found("ssh")} -F {self.folder}/ssh_config "$@"\n')
        wrapper.chmod(0o755)
        (self.folder / "ssh_config").write_text(_CLIENT.format(port=self.port, folder=self.folder))
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd does not start without it
        self._network = self._stack.enter_context(
            subprocess.Popen(
                [_found("unshare"), "--net", sys.executable, "-c", _UP], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
        assert self._network.stdout
        assert self._network.stdout.readline() == b"up\n"
        Thread(target=self._serve, daemon=True).start()
        self._stack.callback(self._listener.close)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop_engine()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        if self._network.stdin:
            self._network.stdin.close()
        for served in self._served:
            served.terminate()
            served.wait(10)
        self._stack.close()

    def key(self, name: str) -> None:
        """Make a key, in place of the one of that name."""
        for file in (self.folder / name, self.folder / f"{name}.pub"):
            file.unlink(missing_ok=True)
        subprocess.run([_found("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name], check=True)

    def trust(self) -> None:
        """Have ssh know the machine by its key."""
        key = (self.folder / "host.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}")

    @property
    def path(self) -> str:
        """The variable PATH with which ssh knows the machine."""
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def inside(self, *command: str) -> list[str]:
        """Return a command that runs in the machine's network."""
        return [_found("nsenter"), f"--target={self._network.pid}", "--net", *command]

    def _serve(self) -> None:
        """Start an SSH server for each connection, as inetd does: it was accepted here, and is served there."""
        with (self.folder / "sshd.log").open("ab") as log, suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                config = self.folder / "sshd_config"
                variables = " ".join(f"{name}={value}" for name, value in self.variables.items())
                config.write_text(f"{_CONFIG.format(folder=self.folder)}SetEnv {variables}\n{self.more}\n")
                with connection:
                    served = subprocess.Popen(
                        self.inside(_found("sshd"), "-i", "-e", "-f", str(config)),
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=log,
                        start_new_session=True,
                    )
                self._served = [each for each in (*self._served, served) if each.poll() is None]

    def start_engine(self) -> sdk.DockerClient:
        """Start the engine, and return a client of it."""
        command = self.inside(
            _found("dockerd"),
            *(f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec", f"--pidfile={self.folder}/pid"),
            *(f"--host=unix://{self.folder}/docker.sock", "--iptables=false"),
        )
        with (self.folder / "dockerd.log").open("ab") as log:
            self.engine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while not self._listens():
            assert time.monotonic() < until, (self.folder / "dockerd.log").read_text()[-2000:]
            time.sleep(0.05)
        return self.client()

    def _listens(self) -> bool:
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            return probe.connect_ex(str(self.folder / "docker.sock")) == 0

    def client(self) -> sdk.DockerClient:
        """Return a client of the engine, which takes no way that the machine's users could."""
        return sdk.DockerClient(base_url=f"unix://{self.folder}/docker.sock", version="auto")

    def stop_engine(self) -> None:
        """Stop the engine."""
        if self.engine:
            self.engine.terminate()
            self.engine.wait(60)
            self.engine = None


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Give a machine, with a folder of its own."""
    with Machine(folder) as made:
        yield made
