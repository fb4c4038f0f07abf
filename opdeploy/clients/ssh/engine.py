"""The Docker engine of a machine."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from opdeploy.clients.docker.engine import through
from opdeploy.clients.ssh.refused import no_engine
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.ssh.connection import Connection

_ASK = "docker context inspect --format '{{.Endpoints.docker.Host}}' && docker version --format '{{.Server.Version}}'"
"""Prints the address that the docker program there uses, be it that of DOCKER_HOST or of a context, and rootless or
not; then whether an engine answers there."""
_SOCKET = re.compile(r"unix://([A-Za-z0-9/._+@-]+)")


_DISK = """df -Pk "$(docker info --format '{{.DockerRootDir}}')\""""
"""Prints the room on the disk of the engine, in KiB."""
_FREE = 3
"""The field with what is available (POSIX.1-2024, df -P)."""


@contextmanager
def engine(connection: Connection) -> Iterator[Engine]:
    """Connect to the engine of a machine.

    Raises OpdeployError where there is none for this user, or the SSH server forwards nothing.
    """
    with ExitStack() as stack:
        socket = connection.socket(_socket(connection))
        with connection.telling():
            found = stack.enter_context(through(socket, connection.open))
        connection.try_forwarding()
        yield found


def free_disk(connection: Connection) -> int | None:
    """Return how many bytes are free on the disk of a machine's engine; None where it does not tell."""
    lines = connection.run(_DISK).out.splitlines()
    fields = lines[-1].split() if lines else []
    return int(fields[_FREE]) * 1024 if len(fields) > _FREE and fields[_FREE].isdigit() else None


def _socket(connection: Connection) -> str:
    """Return the path of the socket of a machine's engine; raises OpdeployError where there is none for this user."""
    ran = connection.run(_ASK)
    if ran.code:
        raise no_engine(connection.to, ran.code, ran.err)
    address = ran.out.splitlines()[0].strip() if ran.out.strip() else ""
    found = _SOCKET.fullmatch(address)
    if not found:
        raise OpdeployError(
            f"{connection.to.shown}: docker asks {address or 'nothing'} there, which is no socket of that machine; "
            "choose its own engine there with docker context use default"
        )
    return found[1]
