"""Whether a port of this machine can be had."""

from __future__ import annotations

import errno
import socket
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from opdeploy.targets.base import overlap
from opdeploy.targets.engine.names import HOST, PORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Found


_ANOTHER_PORT = "choose another with --port or deploy.local.port"
_ANOTHER_HOST = "choose an address of this machine with --host or deploy.local.host"


def place(deploy: Deploy) -> tuple[str, int]:
    """Return address and port that a deployment would be reached at."""
    return deploy.local.host or HOST, deploy.local.port or PORT


def fronts_at(deploy: Deploy, fronts: Iterable[Found]) -> list[Found]:
    """Return the fronts that have that port."""
    host, port = place(deploy)
    return [front for front in fronts if _listens(front, host, port)]


class Taken(NamedTuple):
    """Why a port cannot be had, and what to do."""

    why: str
    todo: str


def taken(deploy: Deploy, own: str | None, fronts: Iterable[Found]) -> Taken | None:
    """Say why a port cannot be had; None where it can, or where the deployment's own front, of that name, has it."""
    host, port = place(deploy)
    there = fronts_at(deploy, fronts)
    if any(front.name == own for front in there):
        return None
    if there:
        return Taken(f"{there[0].name} listens there, which is another deployment", _ANOTHER_PORT)
    with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:  # below 1024, which the engine may have
            return None
        except OSError as error:
            todo = _ANOTHER_HOST if error.errno == errno.EADDRNOTAVAIL else _ANOTHER_PORT
            return Taken(error.strerror or str(error), todo)
    return None


def _listens(front: Found, host: str, port: int) -> bool:
    about = front.properties
    return about["state"] != "stopped" and about.get("port") == port and overlap(str(about.get("host")), host)
