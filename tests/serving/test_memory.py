"""What a large request took is given back when it is over, however it ended."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.serving import graphs
from tests.serving.busy import wait_for
from tests.serving.servers import answer_on, head
from tests.serving.vectors import HEADER, binary

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.serving.servers import Server

    Start = Callable[..., Server]

RECORDS = 1_000_000
SIZE = 8 * RECORDS
WARM, TIMES = 4, 16
LEFT = 3 * SIZE
"""Bytes that may stay of 16 requests of 8 MB: 128 MB and their tensors if memory waited for garbage to be collected."""
INFER = "/v2/models/lookup/infer"


def request(number: int) -> tuple[bytes, dict[str, str]]:
    """Return the body of a request for many records, and its headers; the model fails on numbers over 3."""
    text = json.dumps({"inputs": [binary("id", "INT64", [RECORDS, 1], SIZE)]}).encode()
    return text + number.to_bytes(8, "little") * RECORDS, {HEADER: str(len(text))}


def fails(server: Server) -> None:
    """Send records on which the model fails."""
    assert server.request("POST", INFER, *request(9)).status == 400


def goes(server: Server) -> None:
    """Send records, and go before the answer comes."""
    before = server.figure("opdeploy_requests_total", route="infer", code="499")
    with closing(server.begin("POST", INFER, *request(1))):
        pass
    wait_for(lambda: server.figure("opdeploy_requests_in_flight") == 1)
    assert server.figure("opdeploy_requests_total", route="infer", code="499") <= before + 1


def is_late(server: Server) -> None:
    """Send all of a body but its last byte until it is too late."""
    body, headers = request(1)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    before = server.figure("opdeploy_requests_total", route="infer", code="408")
    with server.connect() as connection:
        try:
            connection.sendall(head(INFER, f"Content-Length: {len(body)}", *lines) + body[:-1])
        except ConnectionError:  # on a slow machine it is too late before all of it is sent: the server counts it
            pass
        else:
            assert answer_on(connection).status == 408
    wait_for(lambda: server.figure("opdeploy_requests_total", route="infer", code="408") == before + 1)


def is_wrong(server: Server) -> None:
    """Send a body with a byte too many."""
    body, headers = request(1)
    assert server.request("POST", INFER, body + b"!", headers).status == 400


@pytest.mark.parametrize("end", [fails, goes, is_late, is_wrong])
def test_large_requests_leave_nothing(start: Start, models: Path, end: Callable[[Server], None]) -> None:
    """The model fails, the client goes, the body is late or wrong: memory is as before at once."""
    options = ["--deadline=0.5"] if end is is_late else []
    # What is large comes from the system and goes back to it; the C library's own stores grow by chance.
    server = start(graphs.saved(graphs.LOOKUP, models / "lookup.onnx"), *options, MALLOC_MMAP_THRESHOLD_="65536")
    for _ in range(WARM):
        end(server)
    before = server.figure("process_resident_memory_bytes")
    for _ in range(TIMES):
        end(server)
    assert server.figure("process_resident_memory_bytes") < before + LEFT
