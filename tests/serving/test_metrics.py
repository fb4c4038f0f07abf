"""The figures of a server are right, and no client can make them many."""

from __future__ import annotations

import json
import random
import string
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.busy import wait_for
from tests.serving.servers import JSON, answer_on, head

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.serving.servers import Server

GOOD = json.dumps({"inputs": [{"name": "x", "shape": [3, 2], "datatype": "FP32", "data": [0] * 6}]}).encode()
INFER = "/v2/models/double/infer"
OWN = {
    "opdeploy_requests": "counter",
    "opdeploy_requests_in_flight": "gauge",
    "opdeploy_queue_depth": "gauge",
    "opdeploy_queue_seconds": "histogram",
    "opdeploy_batch_records": "histogram",
    "opdeploy_inference_seconds": "histogram",
    "opdeploy_request_seconds": "histogram",
    "opdeploy_load_seconds": "gauge",
    "opdeploy_ready": "gauge",
}


@pytest.fixture
def server(start: Callable[..., Server], double_model: Path) -> Server:
    """Return a server that nobody has asked for anything but readiness."""
    return start(double_model)


def test_names_and_kinds(server: Server) -> None:
    """The text is Prometheus', with the names that dashboards ask for, each with help, and those of the process."""
    answer = server.request("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.content.decode())}
    assert {name: family.type for name, family in families.items() if name.startswith("opdeploy_")} == OWN
    assert all(family.documentation for family in families.values())
    assert {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"} <= families.keys()


def test_values_after_known_requests(server: Server) -> None:
    """Requests are counted by the kind of their route and their status; runs by their records; times add up."""
    for _ in range(5):
        assert server.request("POST", INFER, GOOD).status == 200
    assert server.request("POST", INFER, b"no JSON").status == 400
    assert server.request("GET", INFER).status == 405
    assert server.request("POST", "/score", b'{"data": [[1, 2]]}', JSON).status == 200
    for path in ("/v2", "/v2/models/double", "/version", "/none", "/"):
        server.request("GET", path)
    labels = [("infer", "200", 5), ("infer", "400", 1), ("score", "200", 1), ("metadata", "200", 3)]
    labels += [("other", "404", 1), ("page", "200", 1), ("other", "405", 1)]
    for route, code, count in labels:
        assert server.figure("opdeploy_requests_total", route=route, code=code) == count, (route, code)
    figures = {name: value for (name, key), value in server.figures().items() if not key}
    assert (figures["opdeploy_batch_records_count"], figures["opdeploy_batch_records_sum"]) == (6, 16)
    assert figures["opdeploy_queue_seconds_count"] == figures["opdeploy_inference_seconds_count"] == 6
    assert 0 < figures["opdeploy_inference_seconds_sum"] < 10
    assert 0 < figures["opdeploy_load_seconds"] < 60
    assert (figures["opdeploy_ready"], figures["opdeploy_queue_depth"]) == (1, 0)
    assert figures["opdeploy_requests_in_flight"] == 1  # this one
    assert server.figure("opdeploy_request_seconds_count", route="infer") == 6
    assert server.figure("opdeploy_batch_records_bucket", le="2.0") == 1
    assert server.figure("opdeploy_batch_records_bucket", le="4.0") == 6


def series(server: Server) -> set[str]:
    """Return names and labels of all series."""
    text = server.request("GET", "/metrics").content.decode()
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


def test_no_client_makes_new_series(server: Server) -> None:
    """A thousand paths, methods and headers are one route: labels are few, whatever is asked for."""
    for method, path in (("GET", "/none"), ("PATCH", "/v2"), ("GET", "/metrics")):
        server.request(method, path)
    before = series(server)
    drawn = random.Random(0)  # noqa: S311 - requests, no secrets
    with server.connect() as connection:
        for number in range(1000):
            method = "".join(drawn.choices(string.ascii_uppercase, k=6)) if number % 2 else "GET"
            path = drawn.choice(["/v2", "/v2/models/double", ""]) + "/" + "".join(drawn.choices(string.hexdigits, k=9))
            connection.sendall(head(path, f"x-request-id: {number}", f"user-agent: {path}", method=method))
            assert answer_on(connection).status in {404, 405}
    assert series(server) == before
    assert server.figure("opdeploy_requests_total", route="other", code="404") > 1000


def test_a_client_that_goes_is_counted(server: Server) -> None:
    """As 499, which no client is told; the request is under way no longer."""
    with server.connect() as connection:
        connection.sendall(head(INFER, "Content-Length: 100") + b"{")
        wait_for(lambda: server.figure("opdeploy_requests_in_flight") == 2)
    wait_for(lambda: server.figure("opdeploy_requests_total", route="infer", code="499") == 1)
    assert server.figure("opdeploy_requests_in_flight") == 1
