"""The server for HTTPS: it reads requests, and writes answers or breaks off."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import traceback
import uuid
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import trustme

from tests.arm.answers import Answer, Drop, Ending, Late, Refused, error, malformed
from tests.arm.arm import Arm
from tests.arm.blobs import blob
from tests.arm.contents import contents
from tests.arm.kinds import Request
from tests.arm.paths import parse
from tests.arm.proxy import NAMES, Proxy, is_known
from tests.arm.revisions import stream
from tests.arm.routing import answer
from tests.arm.signin import check_token, signed_in
from tests.arm.vaults import secret

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORD = "OPDEPLOY_ARM_REQUESTS"
"""The variable that names a file to which every request is written."""
NO_BODY = 204
PLANES = {".azurecr.io": contents, ".vault.azure.net": secret}
"""What answers under the names of services."""


class Broken(Exception):  # noqa: N818 - it is none of a request
    """The connection is to end here."""


class Server(ThreadingHTTPServer):
    """Listens on loopback, for one cloud after the other."""

    daemon_threads = True
    request_queue_size = 128
    arm: Arm

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1", "localhost", *NAMES).configure_cert(self.context)
        self.proxy = Proxy(lambda host, port: self.arm.place(host, port))  # noqa: PLW0108 - there is no cloud yet

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return f"https://127.0.0.1:{self.server_port}"

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        """Accept a connection, whose handshake its own thread does."""
        plain, address = self.socket.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base has it
        """Say nothing of connections that end: clients are killed here."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Server

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        arm = self.server.arm
        try:
            found = self._respond(arm, content)
        except Refused as error_:
            found = error_.answer
        except Broken:
            self._break()
            return
        except Exception:  # noqa: BLE001 - a fault of the stand-in is shown to the test that meets it
            found = error(500, "StandInFault", traceback.format_exc())
        self._write(found, cut=False)

    def _respond(self, arm: Arm, content: bytes) -> Answer:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        body = self._read(content)
        self._record(body)
        host = self._host()
        fault = arm.arrived(self.command, f"{f'https://{host}' if host else ''}{unquote(self.path)}", body)
        if isinstance(fault, Answer):
            return fault
        if fault is Drop.BEFORE:
            raise Broken
        found = self._carry_out(arm, path, content, body, fault if isinstance(fault, Ending) else None)
        if fault is Drop.MIDDLE:
            self._write(found, cut=True)
        if isinstance(fault, Drop):
            raise Broken
        return fault.answer if isinstance(fault, Late) else found

    def _carry_out(self, arm: Arm, path: str, content: bytes, body: object, ending: Ending | None) -> Answer:
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        host = self._host()
        with arm.lock:
            try:
                if plane := next((plane for end, plane in PLANES.items() if host.endswith(end)), None):
                    return plane(arm, host, (self.command, path), headers, content)
                if found := signed_in(arm, self.command, path, content) or blob(
                    arm, self.command, path, query, headers, content
                ):
                    return found
                if told := stream(arm, path, query, headers.get("authorization", "")):
                    return told
                check_token(arm, headers.get("authorization", ""))
                if isinstance(body, bytes):
                    raise malformed("Unexpected character encountered while parsing value")
                return answer(arm, Request(self.command, parse(path), query, body, headers, ending))
            except Refused as error_:
                return error_.answer

    def _host(self) -> str:
        """Return the name of the service that is asked; empty where it is the stand-in itself."""
        host = self.headers.get("Host", "").partition(":")[0].lower()
        return host if is_known(host) else ""

    def _read(self, content: bytes) -> Any:  # noqa: ANN401 - JSON, or bytes that are none
        if not content:
            return None
        try:
            return json.loads(content)
        except ValueError:
            return content

    def _record(self, body: object) -> None:
        if (path := os.environ.get(RECORD)) and not self._host():  # the data planes have no published schemas
            line = {"method": self.command, "path": self.path, "body": None if isinstance(body, bytes) else body}
            with Path(path).open("ab", buffering=0) as file:  # one line at once, from several processes
                file.write(f"{json.dumps(line)}\n".encode())

    def _write(self, found: Answer, *, cut: bool) -> None:
        body = (
            found.body
            if isinstance(found.body, bytes)
            else b""
            if found.body is None
            else json.dumps(found.body).encode()
        )
        self.send_response(found.status)
        headers = {"x-ms-request-id": str(uuid.uuid4()), **found.headers}
        if not isinstance(found.body, bytes):
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
        for name, value in headers.items():
            self.send_header(name, value)
        if found.status != NO_BODY and "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and found.status != NO_BODY:
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.wfile.flush()

    def _break(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - as the base has them

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base has it
        """Log nothing."""


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server until the block ends."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.proxy.shutdown()
            server.proxy.server_close()
            server.shutdown()


@contextmanager
def cloud(server: Server) -> Iterator[Arm]:
    """Have a cloud of one's own at a server, until the block ends."""
    server.arm = Arm(server.url, server.authority, server.proxy.url)
    try:
        yield server.arm
    finally:
        server.arm.close()
