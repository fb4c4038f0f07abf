"""A package index with a certificate authority of its own, which is reached through a proxy alone."""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "index.test"
"""A name that nobody resolves (RFC 6761): only the proxy knows where it leads."""


@dataclass(frozen=True)
class OwnIndex:
    """Where a build gets packages from."""

    url: str
    proxy: str
    authorities: Path
    asked: list[str]
    """What the proxy was asked to connect to."""


@contextmanager
def serving(wheels: Path, folder: Path) -> Iterator[OwnIndex]:
    """Serve wheels as an index until the end of the block; `folder` gets its files and its certificate."""
    site = folder / "site/simple"
    for wheel in wheels.glob("*.whl"):
        page = site / wheel.name.split("-")[0].replace("_", "-").lower()
        page.mkdir(parents=True)
        (page / wheel.name).symlink_to(wheel)
        (page / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    certificate, key = certify(folder)
    asked: list[str] = []
    with listening(_index(folder / "site", certificate, key)) as index, listening(_proxy(index, asked)) as proxy:
        yield OwnIndex(f"https://{HOST}/simple", f"http://user:secret@127.0.0.1:{proxy}", certificate, asked)


def certify(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for the index, signed by itself, and its key."""
    certificate, key = folder / "own.pem", folder / "own.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={HOST}"]
    command += ["-addext", f"subjectAltName=DNS:{HOST}", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def _index(folder: Path, certificate: Path, key: Path) -> http.server.ThreadingHTTPServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def _proxy(index: int, asked: list[str]) -> http.server.ThreadingHTTPServer:
    class Proxy(http.server.BaseHTTPRequestHandler):
        """Connects whoever asks for the index with it."""

        def do_CONNECT(self) -> None:
            """Pass bytes on, both ways."""
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            with socket.create_connection(("127.0.0.1", index)) as there:
                back = threading.Thread(target=_copy, args=(there, self.connection))
                back.start()
                _copy(self.connection, there)
                back.join()

    return http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # the other side has gone
        pass


@contextmanager
def listening(server: http.server.ThreadingHTTPServer) -> Iterator[int]:
    """Let a server listen until the end of the block, and give its port."""
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
