"""A server for tests, and how they wait for it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 30.0
CODE = """
import http.server, json, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([os.environ.get("WORD", ""), sys.argv[2]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""
SERVER = [sys.executable, "-u", "-c", CODE, "0.0.0.0", "8000"]  # noqa: S104 - of the address of its group
"""The command of a server that answers with its variable WORD, and its port."""


def until(look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - whatever is looked at
    """Look until it is as wanted, and return it."""
    deadline = time.monotonic() + SECONDS
    while not wanted(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found
