"""Another machine, over the user's own OpenSSH program: what that is configured to do, such as jump hosts, counts."""

from __future__ import annotations

from opdeploy.clients.ssh.connection import Connection, connected, version
from opdeploy.clients.ssh.destination import Destination, Known
from opdeploy.clients.ssh.engine import engine, free_disk
from opdeploy.clients.ssh.machine import SshMachine
from opdeploy.clients.ssh.refused import LastingError

__all__ = [
    "Connection",
    "Destination",
    "Known",
    "LastingError",
    "SshMachine",
    "connected",
    "engine",
    "free_disk",
    "version",
]
