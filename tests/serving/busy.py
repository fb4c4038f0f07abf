"""Requests that a model computes for as long as they say."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPConnection

    from tests.serving.servers import Server

INFER = "/v2/models/busy/infer"
FOR_EVER = 10**15
"""Turns that take 30 years; the server is killed before."""


def body(turns: int) -> bytes:
    """Return a request that the busy model computes for a time that grows with the turns."""
    tensor = {"name": "count", "shape": [1], "datatype": "INT64", "data": [turns]}
    return json.dumps({"inputs": [tensor]}).encode()


def begin(server: Server, turns: int) -> HTTPConnection:
    """Send a request to the busy model."""
    return server.begin("POST", INFER, body(turns))


def wait_for(condition: Callable[[], bool]) -> None:
    """Return when something is so."""
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def in_flight(server: Server) -> int:
    """Return how many requests are under way beside the one that asks."""
    return int(server.figure("opdeploy_requests_in_flight")) - 1
