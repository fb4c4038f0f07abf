"""A small HTTP server in a thread, which is told what to answer."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

REQUEST = b"POST /score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"


class Told(NamedTuple):
    """What a small server is to answer."""

    status: int = 200
    body: bytes = b'{"ok": true}'
    headers: dict[str, str] | None = None
    hang_up: bool = False
    """End the connection instead of answering."""
    raw: bytes | None = None
    """Bytes to send as they are, and then end the connection."""


Answer = Callable[[str, int], Told]
"""What to answer, given the path and the number of the request, from 1."""


class Small:
    """A server whose answers are told; it counts requests, and how many were under way at once."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.count = 0
        self.paths: Counter[str] = Counter()
        self.under_way = 0
        self.most = 0
        self._lock = threading.Lock()
        small = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _reply(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                told = small.told(self.path)
                if told.raw is not None:
                    self.wfile.write(told.raw)
                if told.hang_up or told.raw is not None:
                    self.close_connection = True
                    return
                self.send_response(told.status)
                for name, value in (told.headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body)

            do_GET = do_POST = _reply  # noqa: N815 - the base class names them

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients may go whenever they like."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def told(self, path: str) -> Told:
        """Return the answer to one more request."""
        with self._lock:
            self.count += 1
            self.paths[path] += 1
            number = self.count
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        try:
            return self.answer(path, number)
        finally:
            with self._lock:
                self.under_way -= 1

    def stop_listening(self) -> None:
        """Take no more connections."""
        self._server.socket.close()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
