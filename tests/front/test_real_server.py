"""The model server behind the front: what its clients get is what they get without it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.front.fronts import fronting
from tests.serving import graphs, servers
from tests.serving.busy import FOR_EVER, begin, in_flight, wait_for
from tests.serving.vectors import HEADER, binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.front.fronts import Front
    from tests.serving.servers import Answer, Server

OWN = {"date", "x-request-id"}
"""Headers that differ from answer to answer."""
INFER = "/v2/models/double/infer"
RECORD = b'{"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}'


@pytest.fixture(scope="module")
def proxy(double: Server) -> Iterator[Front]:
    """Run a front before the server."""
    with fronting(to=double.port) as front:
        yield front


def comparable(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """Return what of an answer has to be the same."""
    return answer.status, {name: value for name, value in answer.headers.items() if name not in OWN}, answer.content


def test_binary_tensors_pass_byte_by_byte(proxy: Front, double: Server) -> None:
    """As tritonclient sends them, with the length of the JSON in a header, and with every byte in the data."""
    records = np.arange(0, 512, dtype=np.uint8).repeat(64).view(np.float32).reshape(-1, 2)
    text = json.dumps({
        "inputs": [binary("x", "FP32", list(records.shape), records.nbytes)],
        "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
    }).encode()  # fmt: skip
    body, headers = text + records.tobytes(), {HEADER: str(len(text)), "Content-Type": "application/octet-stream"}
    through, direct = (one.request("POST", INFER, body, headers) for one in (proxy, double))
    assert comparable(through) == comparable(direct)
    assert through.status == 200
    assert len(through.content) == int(through.headers[HEADER.lower()]) + records.nbytes


@pytest.mark.parametrize(
    "path", ["/", "/v2", "/v2/health/ready", "/v2/models/double", "/openapi.json", "/none", "/score"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_answers_are_the_same(proxy: Front, double: Server, method: str, path: str) -> None:
    """Pages, documents and errors, to the last header."""
    assert comparable(proxy.request(method, path)) == comparable(double.request(method, path))


def test_the_id_of_a_request_passes(proxy: Front) -> None:
    """The server answers with the one that the client gave."""
    assert proxy.request("GET", "/v2", headers={"X-Request-Id": "mine"}).headers["x-request-id"] == "mine"


def test_the_limits_are_the_servers(proxy: Front, double: Server) -> None:
    """A body over the most is refused by the server, with its own words."""
    body = bytes(1_000_001)
    for chunked in (False, True):
        sent = iter([body]) if chunked else body
        with closing(proxy.begin("GET", "/v2")) as connection:
            assert connection.getresponse().read()
            connection.request(
                "POST", INFER, sent, encode_chunked=chunked, headers={"Transfer-Encoding": "chunked"} if chunked else {}
            )
            answer = servers.answered(connection.getresponse())
        assert (answer.status, answer.body) == (413, {"error": "the body is over 1000000 bytes"})
    assert double.request("GET", "/v2/health/ready").status == 200


def test_a_client_that_waits_for_100_is_not_kept_waiting(proxy: Front) -> None:
    """As curl does with large bodies: the server asks for the body, or refuses it before it comes."""
    with proxy.connect() as connection:
        connection.sendall(servers.head(INFER, "Expect: 100-continue", f"Content-Length: {len(RECORD)}"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(RECORD)
        assert servers.answer_on(connection).status == 200
        connection.sendall(servers.head(INFER, "Expect: 100-continue", "Content-Length: 2000000"))
        answer = servers.answer_on(connection)
        assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_a_client_that_goes_ends_the_work_of_the_server(front: Callable[..., Front], tmp_path: Path) -> None:
    """A request that would compute for ever is given up, through the front too."""
    with servers.serving(graphs.saved(graphs.BUSY, tmp_path / "busy.onnx")) as server:
        proxy = front(to=server.port)
        # One that runs, and two that wait: what runs cannot be stopped, what waits is dropped.
        with closing(begin(proxy, FOR_EVER)):
            wait_for(lambda: in_flight(server) == 1)
            with closing(begin(proxy, FOR_EVER)), closing(begin(proxy, FOR_EVER)):
                wait_for(lambda: in_flight(server) == 3)
            wait_for(lambda: in_flight(server) == 1)
        wait_for(lambda: server.figure("opdeploy_requests_total", route="infer", code="499") == 3)
