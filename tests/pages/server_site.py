"""A site on loopback that shows the server's page, and answers its requests as the server does."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from opdeploy.serving import page, protocol, score
from opdeploy.serving.exchange import RequestError
from opdeploy.serving.settings import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.runtime.session import Arrays
    from opdeploy.serving.settings import Settings
    from tests.serving.scored import Model

KEY = "0123456789abcdef"


def settings(keys: str = "") -> Settings:
    """Return the settings of a server, as they are unless something else is said."""
    return read(["--model=m.onnx"], {"OPDEPLOY_API_KEYS": keys} if keys else {})


@dataclass
class Site:
    """What the site shows, and what was asked of it."""

    model: Model
    outputs: Arrays
    """What the model gives, whatever it is asked."""
    keys: str = ""
    prefix: str = ""
    """Of the path, as of a proxy that takes it away."""
    unready: str = ""
    """Why it is not ready, if so."""
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of each request."""
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    """Content type and body of each that had one."""

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Answer a GET: status, headers, body."""
        if path == f"{self.prefix}/":
            html, policy = page.render(self.model, settings(self.keys))
            return 200, {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}, html
        if path == f"{self.prefix}/v2/health/ready":
            return (503, {}, protocol.render_error(self.unready)) if self.unready else (200, {}, b'{"ready":true}')
        return 404, {}, protocol.render_error("no such path")

    def post(self, path: str, headers: Any, body: bytes) -> bytes:  # noqa: ANN401 - a message of the standard library
        """Answer a POST; raises RequestError."""
        kind = str(headers["Content-Type"])
        self.bodies.append((kind, body))
        if self.keys and headers["Authorization"] != f"Bearer {self.keys}":
            raise RequestError("the API key is none of this server's")
        if path == f"{self.prefix}/v2/models/{quote(self.model.name, safe='')}/infer":
            signature = protocol.Signature(self.model.inputs, self.model.outputs)
            wanted = protocol.parse(body, signature)
            return protocol.render(self.model.name, "1", wanted, list(self.outputs.values()))[0]
        request = score.parse(kind, body, self.model)
        return score.render(request, self.model, score.tensors(request, self.model), self.outputs, 1)

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """What was sent last."""
        return json.loads(self.bodies[-1][1])


@contextmanager
def shown(site: Site) -> Iterator[Site]:
    """Show a site until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(*site.get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                self.answer(200, {}, site.post(self.path, self.headers, body))
            except RequestError as error:
                self.answer(int(error.status), {}, protocol.render_error(str(error)))

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            site.asked.append((self.command, self.path))
            self.send_response(status)
            for name, value in (
                {"Content-Type": "application/json", "Content-Length": str(len(body))} | headers
            ).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_port}{site.prefix}/"
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
