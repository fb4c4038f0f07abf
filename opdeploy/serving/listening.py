"""The socket that the server accepts connections from."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTERNET = (socket.AF_INET, socket.AF_INET6)


def require_free(host: str, port: int) -> None:
    """Raise InputError where another process listens on a port: the two would share its requests without a word.

    Also where this one may not listen there, or the machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while attempting ")[0]  # which repeats the address
        advice = "choose another with --host and --port, or OPDEPLOY_HOST and OPDEPLOY_PORT"
        if error.errno == errno.EADDRINUSE:
            advice = "choose another with --port or OPDEPLOY_PORT, or stop what listens there"
        raise InputError(f"{host} port {port}: cannot listen there: {why}; {advice}") from None


def stop_accepting(port: int) -> None:
    """Refuse new connections from now on, and leave those that were accepted as they are.

    granian knows only one end, at which it closes connections whose first request it has not read yet as well. So a
    socket that nobody knows, and that nothing ever comes from, takes the place of the one that it listens on.
    """
    with socket.create_server(("127.0.0.1", 0)) as unknown:
        unknown.settimeout(0)
        for descriptor in _listening(port):
            os.dup2(unknown.fileno(), descriptor, inheritable=False)


def _listening(port: int) -> Iterator[int]:
    """Yield the file descriptors of this process that listen on a port; none where the system does not tell."""
    with suppress(FileNotFoundError):
        for path in Path("/dev/fd").iterdir():
            with suppress(OSError):  # the folder's own, which is closed by now
                if _listens(int(path.name), port):
                    yield int(path.name)


def _listens(descriptor: int, port: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    found = socket.socket(fileno=descriptor)
    try:
        accepts = found.family in _INTERNET and found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return bool(accepts) and found.getsockname()[1] == port
    finally:
        found.detach()
