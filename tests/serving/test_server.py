"""The model server as a process: its routes, its errors, and how it starts and ends."""

from __future__ import annotations

import json
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import opdeploy.serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.conftest import Server

DATATYPES = [
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES",
]  # fmt: skip
VECTORS: dict[str, list[Any]] = {name: [] for name in DATATYPES} | {
    "BOOL": [True, False],
    "UINT64": [2**64 - 1],
    "INT64": [-(2**63), 2**63 - 1],
    "FP16": [0.5, -2.0],
    "FP32": [0.25, 1.5],
    "FP64": [0.1, 1e300],
    "BYTES": ["a", "", "zwölf"],
}
TENSORS = [{"name": f"in_{d}", "shape": [len(v)], "datatype": d, "data": v} for d, v in VECTORS.items()]
BODY = json.dumps({"inputs": TENSORS}).encode()
WAIT_SECONDS = 60.0
OVER_LIMIT = 64 * 1024 * 1024 + 1


@pytest.fixture(scope="module")
def computation(slow: Server) -> tuple[int, float]:
    """Return a size that takes the slow model more than a second on this machine, and the seconds it took."""
    size, seconds = 500, 0.0
    while seconds < 1:
        size = size * 3 // 2
        begin = time.monotonic()
        assert slow.infer("slow", slow_request(size)).status == 200
        seconds = time.monotonic() - begin
    return size, seconds


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/echo/ready", {"name": "echo", "ready": True}),
        ("/v2/models/echo/versions/1/ready", {"name": "echo", "ready": True}),
        ("/v2/health/live/", {"live": True}),
        ("/v2/health/live?verbose=1", {"live": True}),
    ],
)
def test_health_says_that_server_and_model_are_ready(echo: Server, path: str, expected: dict[str, object]) -> None:
    """The health paths answer 200 with JSON, with or without the model's version."""
    answer = echo.request("GET", path)
    assert (answer.status, answer.body) == (200, expected)
    assert answer.headers["content-type"] == "application/json"


def test_server_metadata_names_the_server(echo: Server) -> None:
    """`/v2` gives the server's name, version and extensions."""
    answer = echo.request("GET", "/v2")
    assert answer.status == 200
    assert answer.body["name"] == "opdeploy"
    assert set(answer.body) == {"name", "version", "extensions"}


@pytest.mark.parametrize("path", ["/v2/models/echo", "/v2/models/echo/versions/1"])
def test_model_metadata_describes_the_tensors(echo: Server, path: str) -> None:
    """Each input and output has its name, its datatype and its shape, with -1 for a free size."""
    body = echo.request("GET", path).body
    assert (body["name"], body["versions"], body["platform"]) == ("echo", ["1"], "onnx_onnxv1")
    assert body["inputs"] == [{"name": f"in_{d}", "datatype": d, "shape": [-1]} for d in DATATYPES]
    assert body["outputs"] == [{"name": f"out_{d}", "datatype": d, "shape": [-1]} for d in DATATYPES]


def test_every_datatype_passes_through_the_model_unchanged(echo: Server) -> None:
    """What goes in by JSON comes out by JSON, for each datatype and for empty tensors."""
    answer = echo.infer("echo", {"id": "request 1", "inputs": TENSORS})
    assert answer.status == 200
    assert (answer.body["model_name"], answer.body["model_version"], answer.body["id"]) == ("echo", "1", "request 1")
    assert {output["name"]: output["data"] for output in answer.body["outputs"]} == {
        f"out_{name}": vector for name, vector in VECTORS.items()
    }


def test_only_the_requested_outputs_are_returned(echo: Server) -> None:
    """A request that lists outputs gets these, in its order."""
    outputs = [{"name": "out_INT64"}, {"name": "out_BOOL"}]
    answer = echo.infer("echo", {"inputs": TENSORS, "outputs": outputs})
    assert [output["name"] for output in answer.body["outputs"]] == ["out_INT64", "out_BOOL"]
    assert "id" not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/", None, 404, "no such path"),
        ("GET", "/v1", None, 404, "no such path"),
        ("GET", "/v2/models", None, 404, "no such path"),
        ("GET", "/v2/models/other", None, 404, "'echo'"),
        ("GET", "/v2/models/echo/versions/2", None, 404, "'1'"),
        ("POST", "/v2/models/other/infer", BODY, 404, "'echo'"),
        ("GET", "/v2/models/%ff%00/ready", None, 404, "no such path"),
        ("POST", "/v2/health/ready", b"", 405, "GET"),
        ("DELETE", "/v2/models/echo", None, 405, "GET"),
        ("GET", "/v2/models/echo/infer", None, 405, "POST"),
        ("PUT", "/v2/models/echo/infer", BODY, 405, "POST"),
        ("POST", "/v2/models/echo/infer", b"", 400, "not JSON"),
        ("POST", "/v2/models/echo/infer", b"\x1f\x8b\x08", 400, "not JSON"),
        ("POST", "/v2/models/echo/infer", b'{"inputs": [NaN]}', 400, "not JSON"),
        ("POST", "/v2/models/echo/infer", b"[]", 400, "JSON object"),
        ("POST", "/v2/models/echo/infer", b'{"inputs": []}', 400, "is missing"),
        ("POST", "/v2/models/echo/infer", BODY.replace(b"in_BOOL", b"in_bool"), 400, "unknown input"),
        ("POST", "/v2/models/echo/infer", BODY.replace(b'"INT64"', b'"INT32"'), 400, "datatype must be INT64"),
        ("POST", "/v2/models/echo/infer", BODY.replace(b"[true, false]", b"[true]"), 400, "1 elements"),
        ("POST", "/v2/models/echo/infer", BODY.replace(b"0.25", b"1e39"), 400, "out of range"),
    ],
)
def test_a_wrong_request_gets_a_status_and_a_reason(
    echo: Server, method: str, path: str, body: bytes | None, status: int, message: str
) -> None:
    """Errors are JSON objects with one sentence, and the server goes on."""
    answer = echo.request(method, path, body)
    assert answer.status == status
    assert list(answer.body) == ["error"]
    assert message in answer.body["error"]
    assert answer.headers.get("allow") == (message if status == 405 else None)
    assert echo.infer("echo", {"inputs": TENSORS}).status == 200


def test_inputs_that_the_model_fails_on_are_the_clients_error(slow: Server) -> None:
    """Where the model itself refuses the values, the status is 400 and no detail of the runtime is told."""
    answer = slow.infer("slow", slow_request(-1))
    assert (answer.status, answer.body) == (400, {"error": "the model fails on these inputs"})


def test_a_declared_body_over_the_limit_is_refused_unread(echo: Server) -> None:
    """A Content-Length over 64 MiB gets 413 before any of the body is sent."""
    with echo.connect() as connection:
        connection.sendall(head("echo", f"Content-Length: {OVER_LIMIT}"))
        assert b" 413 " in connection.recv(65536)


def test_a_chunked_body_over_the_limit_is_refused(echo: Server) -> None:
    """A body without a Content-Length gets 413 as soon as it exceeds 64 MiB."""
    block = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with echo.connect() as connection:
        connection.sendall(head("echo", "Transfer-Encoding: chunked"))
        for _ in range(64):
            connection.sendall(block)
        connection.sendall(b"1\r\n \r\n")
        assert b" 413 " in connection.recv(65536)


def test_a_body_cut_short_does_no_harm(echo: Server) -> None:
    """A client that leaves in the middle of its body costs the others nothing."""
    with echo.connect() as connection:
        connection.sendall(head("echo", "Content-Length: 100") + b'{"inputs"')
    assert echo.infer("echo", {"inputs": TENSORS}).status == 200


def test_health_is_answered_while_a_request_computes(slow: Server, computation: tuple[int, float]) -> None:
    """A long inference holds up neither liveness nor readiness."""
    size, seconds = computation
    waits: list[float] = []
    with closing(begin_inference(slow, size)) as inference:
        while not select.select([inference.sock], [], [], 0)[0]:
            begin = time.monotonic()
            assert slow.request("GET", "/v2/health/ready").status == 200
            waits.append(time.monotonic() - begin)
        assert inference.getresponse().status == 200
    assert len(waits) >= 5
    assert max(waits) < seconds / 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_exit_code_0(
    number: signal.Signals, echo_model: Path, start: Callable[..., Server]
) -> None:
    """SIGTERM and SIGINT end an idle server, with an open connection too, and leave nothing on stderr but its start."""
    server = start(echo_model, "echo")
    with server.connect() as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in connection.recv(65536)
        server.process.send_signal(number)
        _, errors = server.process.communicate(timeout=WAIT_SECONDS)
    assert server.process.returncode == 0
    assert errors == f"opdeploy.serving: serving echo on 127.0.0.1 port {server.port}\n"


def test_a_request_under_way_is_answered_before_the_end(
    slow_model: Path, start: Callable[..., Server], computation: tuple[int, float]
) -> None:
    """SIGTERM lets a computing request finish; the exit code is 0."""
    server = start(slow_model, "slow")
    with closing(begin_inference(server, computation[0])) as inference:
        # The server takes connections in turn: once it answers this one, it has the one before.
        server.request("GET", "/v2/health/live")
        assert not select.select([inference.sock], [], [], 0)[0]
        server.process.terminate()
        assert inference.getresponse().status == 200
    assert server.process.wait(WAIT_SECONDS) == 0


def test_a_request_that_never_ends_is_cut_off(echo_model: Path, start: Callable[..., Server]) -> None:
    """After the time of grace the server ends with exit code 1 and says why."""
    server = start(echo_model, "echo", "--grace=0.2")
    with server.connect() as connection:
        connection.sendall(head("echo", "Content-Length: 100") + b"{")
        server.request("GET", "/v2/health/live")
        server.process.terminate()
        _, errors = server.process.communicate(timeout=WAIT_SECONDS)
    assert server.process.returncode == 1
    assert "cut off" in errors


def test_a_model_that_cannot_be_served_ends_the_start(sequence_model: Path, tmp_path: Path) -> None:
    """A missing, broken or unsupported model file gives exit code 2 and one line on stderr."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    for model, message in [
        (tmp_path / "none.onnx", "no such file"),
        (tmp_path, "no such file"),
        (broken, "cannot load"),
        (sequence_model, "seq(tensor(float))"),
    ]:
        code, errors = run("--model", str(model), "--name", "m")
        assert code == 2
        assert message in errors
        assert errors.count("\n") == 1


def test_a_port_in_use_ends_the_start(echo: Server, echo_model: Path) -> None:
    """A second server on a port is refused; without that, the two would share the requests silently."""
    code, errors = run("--model", str(echo_model), "--name", "echo", "--port", str(echo.port))
    assert code == 2
    assert "Address already in use" in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    "option", ["--name=a/b", "--name=", "--port=0", "--port=65536", "--port=x", "--host=localhost", "--version=a b"]
)
def test_a_wrong_option_is_refused(option: str) -> None:
    """Names fit a URL, ports and addresses are numbers."""
    code, errors = run("--model", "m.onnx", "--name", "m", option)
    assert code == 2
    assert option.partition("=")[0] in errors


def test_the_server_needs_nothing_else_of_opdeploy(tmp_path: Path) -> None:
    """The server works where only it, the runtime and the errors of opdeploy are installed."""
    (tmp_path / "opdeploy").mkdir()
    (tmp_path / "opdeploy" / "__init__.py").touch()
    source = Path(opdeploy.serving.__file__).parents[1]
    shutil.copy(source / "errors.py", tmp_path / "opdeploy")
    for part in ("runtime", "serving"):
        shutil.copytree(source / part, tmp_path / "opdeploy" / part, ignore=shutil.ignore_patterns("__pycache__"))
    code = "import opdeploy, opdeploy.serving.__main__, opdeploy.serving.app; print(opdeploy.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()) == tmp_path / "opdeploy" / "__init__.py"


def slow_request(size: int) -> dict[str, object]:
    """Return a request that the slow model computes for a time that grows with the cube of the size."""
    return {"inputs": [{"name": "size", "shape": [1], "datatype": "INT64", "data": [size]}]}


def begin_inference(server: Server, size: int) -> HTTPConnection:
    """Send an inference request to the slow model, and return the connection to read the response from."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=WAIT_SECONDS)
    connection.request("POST", "/v2/models/slow/infer", json.dumps(slow_request(size)))
    return connection


def head(model: str, header: str) -> bytes:
    """Return the head of an inference request, for a body written by hand."""
    return f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode()


def run(*arguments: str) -> tuple[int, str]:
    """Run a server that ends by itself, and return its exit code and its stderr."""
    command = [sys.executable, "-m", "opdeploy.serving", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=WAIT_SECONDS)
    return done.returncode, done.stderr
