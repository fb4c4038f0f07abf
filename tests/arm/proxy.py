"""A proxy for HTTPS, through which clients reach the stand-in under the names of Azure's services.

So their certificates are checked for real names. What answers elsewhere, such as an emulator, is named by a test.
"""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("*.azurecr.io", "*.blob.core.windows.net", "*.vault.azure.net")
"""Of the services whose data planes the stand-in has."""
_PIECE = 1 << 16
_LONGEST = 1 << 14


def is_known(host: str) -> bool:
    """Tell whether a name is one of the services."""
    return any(host.endswith(name[1:]) and host.count(".") == name.count(".") for name in NAMES)


class Proxy(ThreadingTCPServer):
    """Listens on loopback; `place` returns where a name leads, and None for one that leads nowhere."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, place: Callable[[str, int], tuple[str, int] | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.place = place
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        """The address, as HTTPS_PROXY has it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that end: clients are killed here."""


class _Tunnel(BaseRequestHandler):
    """One connection, to whatever it asks for first."""

    server: Proxy
    request: socket.socket

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _LONGEST:
            piece = self.request.recv(_PIECE)
            if not piece:
                return
            head += piece
        method, _, rest = head.partition(b" ")
        host, _, port = rest.split(b" ")[0].decode("latin-1").lower().partition(":")
        place = self.server.place(host, int(port or 443)) if method == b"CONNECT" else None
        try:
            connection = socket.create_connection(place) if place else None
        except OSError:
            self._refuse(b"Connection refused")
            return
        if connection is None:
            self._refuse(b"No such host here")
            return
        with connection as there:
            for end in (there, self.request):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with suppress(OSError):
                _pass(self.request, there)

    def _refuse(self, why: bytes) -> None:
        self.request.sendall(b"HTTP/1.1 502 " + why + b"\r\nContent-Length: 0\r\n\r\n")


def _pass(one: socket.socket, another: socket.socket) -> None:
    """Pass on what each side sends, until one of them ends."""
    others = {one: another, another: one}
    while True:
        ready, _, _ = select.select([one, another], [], [])
        for end in ready:
            piece = end.recv(_PIECE)
            if not piece:
                return
            others[end].sendall(piece)
