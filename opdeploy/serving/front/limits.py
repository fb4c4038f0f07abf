"""What the front holds at most: docs/serving.md has the memory that it comes to."""

from __future__ import annotations

import socket

CONNECTIONS = 512
"""Of clients, idle ones too; the server takes 256 requests at a time."""
SOCKET_BUFFER = 1 << 16
"""Bytes that the system holds of each connection, each way; Linux doubles it. By itself it takes 4 MB for a client that
reads nothing, and a container's limit counts that."""
WRITE_BUFFER = 1 << 15
"""Bytes that wait to be written, at which no more is read; one read goes beyond it."""
MOST_HEAD = 1 << 15
"""Bytes of a head, and bytes that may come without any of a body."""
MOST_HEADERS = 100
"""Of a request: as many as the server takes."""
HELD = 1 << 16
"""Bytes of a body that are held until its answer begins, so that it can be sent once more."""
AHEAD = 16
"""Requests that a client may send before they are answered; then its connection is closed, and it comes again."""
IDLE = 256
"""Connections to the server that are kept without a request."""
BUFFER = memoryview(bytearray(1 << 16))
"""Where every connection reads to, in one event loop: between a read and the parser's end, no other one reads."""


def bound(connection: socket.socket) -> None:
    """Have the system hold no more of a connection, or of those that a listener accepts."""
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        connection.setsockopt(socket.SOL_SOCKET, buffer, SOCKET_BUFFER)
