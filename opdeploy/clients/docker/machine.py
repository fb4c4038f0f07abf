"""The machine of an engine, as this one sees it."""

from __future__ import annotations

import errno
import socket
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, Protocol

from opdeploy.targets.base import reached

if TYPE_CHECKING:
    from opdeploy.deployment import Tunnel


class Taken(NamedTuple):
    """Why a port cannot be had."""

    why: str
    of_host: bool = False
    """Whether it is the address that cannot be had, whatever the port."""


class Machine(Protocol):
    """Where an engine runs."""

    @property
    def name(self) -> str | None:
        """Its name, as others reach it; None for this machine."""

    def address(self, host: str, port: int) -> tuple[str, int]:
        """Return the address at which this machine reaches what listens at an address there."""

    def taken(self, host: str, port: int) -> Taken | None:
        """Say why a port cannot be had there; None where it can."""

    def tunnel(self, host: str, port: int) -> Tunnel | None:
        """Return how a person reaches from here what listens there; None where no tunnel is needed."""


class Here:
    """The machine that opdeploy runs on."""

    name = None

    def address(self, host: str, port: int) -> tuple[str, int]:
        """Return the address at which this machine reaches what listens at an address here."""
        return reached(host), port

    def taken(self, host: str, port: int) -> Taken | None:
        """Say why a port cannot be had here; None where it can."""
        with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except PermissionError:  # below 1024, which the engine may have
                return None
            except OSError as error:
                return Taken(error.strerror or str(error), error.errno == errno.EADDRNOTAVAIL)
        return None

    def tunnel(self, _host: str, _port: int) -> None:
        """Return nothing: what listens here is reached from here."""


HERE = Here()
