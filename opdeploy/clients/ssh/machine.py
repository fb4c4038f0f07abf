"""The machine at the other end, as an engine's machine."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from opdeploy.clients.docker.machine import Taken
from opdeploy.clients.ssh.listening import ASK, listening
from opdeploy.deployment import Tunnel
from opdeploy.targets.base import overlap, reached

if TYPE_CHECKING:
    from opdeploy.clients.ssh.connection import Connection


class SshMachine:
    """A machine that is reached over SSH."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection."""
        self._connection = connection

    @property
    def name(self) -> str:
        """Its name, as the settings have it."""
        return self._connection.to.host

    def address(self, host: str, port: int) -> tuple[str, int]:
        """Return the address at which this machine reaches what listens at an address there."""
        return "127.0.0.1", self._connection.port(reached(host), port)

    def taken(self, host: str, port: int) -> Taken | None:
        """Say why a port cannot be had there; None where it can."""
        there = listening(self._connection.run(ASK).out)
        if any(of == port and overlap(address, host) for address, of in there):
            return Taken("something listens there already")
        return None

    def tunnel(self, host: str, port: int) -> Tunnel | None:
        """Return how what listens on its loopback alone is reached from here."""
        if not ip_address(host).is_loopback:
            return None
        inside = f"[{host}]" if ":" in host else host
        command = self._connection.to.command("-N", "-L", f"{port}:{inside}:{port}")
        return Tunnel(command=command, url=f"http://127.0.0.1:{port}")
