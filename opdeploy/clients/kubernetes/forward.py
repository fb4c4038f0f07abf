"""Ports of pods, reached through the API server at ports of this machine."""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from threading import Thread
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.clients.kubernetes.api import Api

HOST = "127.0.0.1"
_PIECE = 65536


class Forward:
    """A port of this machine that leads to a port of a pod, which is looked for at each connection."""

    def __init__(self, api: Api, namespace: str, pod: Callable[[], str], port: int) -> None:
        """Listen; `pod` gives the name of the pod, and may raise OpdeployError where there is none."""
        self._api = api
        self._namespace = namespace
        self._pod = pod
        self._inside = port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening; connections end with those who have them."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes who waits for a connection
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """Carry the bytes of one connection; who has it sees it closed where the pod is not reached."""
        with closing(connection):
            try:
                forward = self._api.portforward(self._namespace, self._pod(), self._inside)
            except OpdeployError:
                return
            inner = forward.socket(self._inside)
            back = Thread(target=_copy, args=(inner, connection), daemon=True)
            back.start()
            _copy(connection, inner)
            back.join()
            forward.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes one way until they end, and close that way."""
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
