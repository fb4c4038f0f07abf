"""Where sites and container apps are reached: ends TLS, and passes bytes on to the process that has its turn."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import trustme

PORT = 8443
"""Of every front; the name of a site or app has it, as 443 is not for everybody."""
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
SECONDS = 60.0


class Front:
    """Listens at an address of its own, until it is closed."""

    def __init__(
        self, authority: trustme.CA, address: str, behind: Callable[[], tuple[str, int] | None], port: int = PORT
    ) -> None:
        self.name = f"{address}:{port}"
        self._behind = behind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(address).configure_cert(self._context)
        self._socket = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain:
            plain.settimeout(SECONDS)
            with self._context.wrap_socket(plain, server_side=True) as client:
                target = self._behind()
                try:
                    if target is None:
                        raise ConnectionRefusedError
                    server = socket.create_connection(target, timeout=SECONDS)
                except OSError:
                    client.recv(65536)  # what was asked, so that the answer is not lost with it
                    client.sendall(UNAVAILABLE)
                    return
                with server:
                    _pass_on(client, server)


def _pass_on(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Copy bytes both ways until one side ends: in one thread, for a connection of OpenSSL is not for two."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(client, selectors.EVENT_READ)
        waiting.register(server, selectors.EVENT_READ)
        while True:
            ready = {client} if client.pending() else {key.fileobj for key, _ in waiting.select(SECONDS)}
            if not ready:
                return
            if client in ready and (part := _read(client)) is not None:
                if not part:
                    return
                server.sendall(part)
            if server in ready:
                part = server.recv(65536)
                if not part:
                    return
                client.sendall(part)


def _read(client: ssl.SSLSocket) -> bytes | None:
    """Return what came; nothing where it has ended, and None where what came is of TLS itself."""
    client.settimeout(0.0)
    try:
        return client.recv(65536)
    except ssl.SSLWantReadError:
        return None
    finally:
        client.settimeout(SECONDS)
