"""What the benchmarks start is ended with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from pathlib import Path

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
BENCH = """
import sys, time
from pathlib import Path
import load
load.end_on_signals()
port = load.free_port()
server = load.Server("x", (sys.executable, "-c", sys.argv[1], str(port)), port, "/", Path(sys.argv[2]))
with load.running(server) as process:
    print(process.pid, flush=True)
    time.sleep(60)
"""
SECONDS = 60.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_benchmark_that_is_ended_leaves_no_server(root: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Servers have sessions of their own, in which no signal of the benchmark's reaches them."""
    (tmp_path / "body").touch()
    command = [sys.executable, "-c", BENCH, SERVER, str(tmp_path / "body")]
    environment = {**os.environ, "PYTHONPATH": str(root / "bench")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as bench:
        assert bench.stdout
        server = psutil.Process(int(bench.stdout.readline()))
        bench.send_signal(number)
        assert bench.wait(SECONDS) != 0
    left = server.is_running()
    if left:
        server.kill()
    assert not left
