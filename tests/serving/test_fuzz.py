"""Thousands of strange bodies: none ends the server, is the server's fault, or stays in its memory."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.serving import servers
from tests.serving.servers import HOST, SECONDS, answered
from tests.serving.test_artefact import COLUMNS, ROWS, packaged
from tests.serving.vectors import ARRAYS, HEADER, binary, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.serving.servers import Answer, Server

BODIES = 10_000
"""Of the long test, for both models."""
DRAWN = 0.2
"""Share of them that is drawn from the OpenAPI document, which takes ten times as long as mutating."""
GROWTH = 4e6
"""Bytes that a server may take more at the end than half-way: 1.6 kB for each body of that half of the long test, so
that what bodies leave behind shows, and what allocators keep of the largest does not."""
TOKENS = [
    b"null", b"true", b"-1", b"1e999", b"NaN", b"18446744073709551616", b"9223372036854775808", b"0.5", b'""', b"[]",
    b"{}", b"[[", b"}", b'"', b"\\ud800", b"\xff", b"\0", b"\r\n", b",", b'"binary_data_size":-1,', b'"shape":[0],',
    b'"data":[],', b"4294967295", b"\xff\xff\xff\xff",
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request that may be mutated."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Client:
    """Sends requests to a server, and judges the answers."""

    server: Server
    sent: int = 0
    good: int = 0

    def __post_init__(self) -> None:
        """Have a connection."""
        self._connection = HTTPConnection(HOST, self.server.port, timeout=SECONDS)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, request: Request) -> None:
        """Send a request, whose answer is good, or blames the client, or says when to come again."""
        try:
            self._connection.request("POST", request.path, request.body, request.headers)
            answer = answered(self._connection.getresponse())
        except ConnectionError as error:
            raise AssertionError(f"no answer to {request}; the log ends with {self.server.log()[-3:]}") from error
        self.sent += 1
        self.good += answer.status == 200
        judge(answer, request)


def judge(answer: Answer, request: Request) -> None:
    """Assert that an answer is as it must be, whatever was asked."""
    assert answer.status in {200, 400, 401, 403, 404, 405, 408, 413, 415, 503}, (answer, request)
    if answer.status != 200:
        assert list(answer.body) == ["error"], (answer, request)
        assert len(answer.body["error"]) < 500, (answer, request)
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) >= 1


def drawn(client: Client, count: int, paths: list[str]) -> None:
    """Send bodies that fit the server's OpenAPI document, and as many that do not."""
    schema = schemathesis.openapi.from_dict(client.server.request("GET", "/openapi.json").body)
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    each = max(1, count // (len(paths) * len(modes)))
    for path, mode in ((path, mode) for path in paths for mode in modes):
        # derandomize: the same bodies each time.
        bounds = settings(
            max_examples=each,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )

        def send(case: schemathesis.Case[Any]) -> None:
            asked = prepared(case)
            if asked is not None:
                client.send(asked)

        bounds(given(case=schema[path]["POST"].as_strategy(generation_mode=mode))(send))()


def prepared(case: schemathesis.Case[Any]) -> Request | None:
    """Return a case as the bytes that are sent; None where it cannot be sent."""
    told = case.as_transport_kwargs(base_url="http://server")
    known = {name: told[name] for name in ("method", "url", "headers", "json", "data", "files") if name in told}
    try:
        made = requests.Request(**known).prepare()
    except (ValueError, requests.RequestException):  # headers that HTTP cannot carry
        return None
    body = made.body.encode() if isinstance(made.body, str) else made.body or b""
    headers = {name: value for name, value in made.headers.items() if name.lower() not in ("content-length", "cookie")}
    assert isinstance(made.path_url, str)
    return Request(made.path_url, headers, body) if isinstance(body, bytes) else None


def mutated(source: random.Random, request: Request) -> Request:
    """Return a request with some of its bytes changed, and its header length told wrongly now and then."""
    body = bytearray(request.body)
    for _ in range(source.randint(1, 3)):
        at, to = sorted(source.randint(0, len(body)) for _ in range(2))
        kind = source.randrange(6)
        if kind == 0 and body:
            body[source.randrange(len(body))] = source.randrange(256)
        elif kind == 1:
            body[at : min(to, at + 8)] = b""
        elif kind == 2:
            body[at:at] = source.choice(TOKENS)
        elif kind == 3:
            body[at:at] = body[at : min(to, at + 200)]
        elif kind == 4:
            del body[to:]
        else:
            body = bytearray(re.sub(rb"-?[0-9]+", lambda _: source.choice(TOKENS), bytes(body), count=1))
    headers = dict(request.headers)
    if HEADER in headers:
        length = int(headers[HEADER]) + len(body) - len(request.body)
        wrong = [length + source.randint(-9, 9), len(body), 0, -1, 10**30, "", "x"]
        headers[HEADER] = str(source.choice(wrong) if source.random() < 0.3 else length)
    return Request(request.path, headers, bytes(body))


def of_rows() -> list[Request]:
    """Return good requests to a model of rows, of every form."""
    rows = [dict(zip(COLUMNS, map(float, row), strict=True)) for row in ROWS[:2]]
    x = ROWS[:2]
    tensor = {"name": "x", "datatype": "FP32", "shape": x.shape}
    text = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": x.nbytes}}]}).encode()
    form = requests.Request("POST", "http://x/score", files=dict.fromkeys(COLUMNS, (None, "1.5"))).prepare()
    assert isinstance(form.body, bytes)
    in_json = {"Content-Type": "application/json"}
    infer = "/v2/models/net/infer"
    return [
        Request("/score", in_json, json.dumps({"data": rows}).encode()),
        Request("/score", in_json, json.dumps([list(row.values()) for row in rows]).encode()),
        Request("/score", {"Content-Type": form.headers["Content-Type"]}, form.body),
        Request(infer, in_json, json.dumps({"inputs": [tensor | {"data": x.tolist()}], "id": "1"}).encode()),
        Request(infer, {HEADER: str(len(text))}, text + x.tobytes()),
    ]


def of_vectors() -> list[Request]:
    """Return good requests to the echo model, in binary and with every datatype in JSON."""
    names = [name for name in ARRAYS if name != "BF16"]
    blobs = [wire(name, ARRAYS[name]) for name in names]
    tensors = [
        binary(f"in_{name}", name, [len(ARRAYS[name])], len(blob)) for name, blob in zip(names, blobs, strict=True)
    ]
    document = {"inputs": tensors, "parameters": {"binary_data_output": True}}
    text = json.dumps(document).encode()
    values = {name: ["a", "ü"] if name == "BYTES" else [True, False] if name == "BOOL" else [1, 2] for name in names}
    data = [{"name": f"in_{name}", "datatype": name, "shape": [2], "data": values[name]} for name in names]
    return [
        Request("/v2/models/echo/infer", {HEADER: str(len(text))}, text + b"".join(blobs)),
        Request("/v2/models/echo/infer", {}, json.dumps({"inputs": data}).encode()),
    ]


@pytest.fixture
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of a server with a model of the kind that the test names."""
    model = packaged(tmp_path_factory.mktemp("net") / "net") if request.param == "net" else None
    with servers.serving(model or request.getfixturevalue("echo_model")) as server:
        client = Client(server)
        yield client
        client.close()


def abuse(client: Client, bodies: int, good: list[Request], paths: list[str]) -> None:
    """Send bodies, and assert that the server is as it was half-way, and does its work."""
    source = random.Random(0)  # noqa: S311 - bodies, no secrets
    for request in good:
        client.send(request)
    assert client.good == len(good)
    half: float = 0
    for _ in range(2):
        half = client.server.figure("process_resident_memory_bytes")
        drawn(client, int(bodies * DRAWN / 2), paths)
        for _ in range(int(bodies * (1 - DRAWN) / 2)):
            client.send(mutated(source, source.choice(good)))
    assert client.server.figure("process_resident_memory_bytes") < half + GROWTH
    assert client.sent >= 0.9 * bodies
    assert client.good > len(good)  # some mutations are good, else they would be too wild to find anything
    for request in good:
        client.send(request)
    assert client.server.process.poll() is None
    assert not [line for line in client.server.log() if line["level"] == "error"]


KINDS = [
    pytest.param("net", of_rows, ["/v2/models/net/infer", "/score"], id="net"),
    pytest.param("echo", of_vectors, ["/v2/models/echo/infer", "/score"], id="echo"),
]


@pytest.mark.parametrize(("client", "good", "paths"), KINDS, indirect=["client"])
def test_strange_bodies_do_no_harm(client: Client, good: Callable[[], list[Request]], paths: list[str]) -> None:
    """Bodies drawn from the OpenAPI document, and mutations of good ones, in JSON, binary and forms."""
    abuse(client, 300, good(), paths)


@pytest.mark.slow
@pytest.mark.parametrize(("client", "good", "paths"), KINDS, indirect=["client"])
def test_thousands_of_strange_bodies_do_no_harm(
    client: Client, good: Callable[[], list[Request]], paths: list[str]
) -> None:
    """The same with 10,000 bodies in all, over which nothing may grow."""
    abuse(client, BODIES // len(KINDS), good(), paths)
