"""Model servers in processes of their own, on loopback, and the small models they serve."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx
import pytest
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST = "127.0.0.1"
DEADLINE_SECONDS = 60.0

ONNX_TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


@dataclass(frozen=True)
class Answer:
    """A response: its status, its headers with lower-case names, and its JSON body."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Server:
    """A running model server."""

    process: subprocess.Popen[str]
    port: int

    def request(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send one request over a connection of its own."""
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=DEADLINE_SECONDS)) as connection:
            connection.request(method, path, body)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, json.loads(response.read()))

    def infer(self, model: str, document: Any) -> Answer:  # noqa: ANN401 - any JSON value
        """Send one inference request."""
        return self.request("POST", f"/v2/models/{model}/infer", json.dumps(document).encode())

    def connect(self) -> socket.socket:
        """Open a connection for a request written by hand."""
        return socket.create_connection((HOST, self.port), timeout=DEADLINE_SECONDS)


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with closing(socket.create_server((HOST, 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


def command(model: Path, name: str, port: int, *options: str) -> list[str]:
    """Return the command line of a model server."""
    return [sys.executable, "-m", "opdeploy.serving", f"--model={model}", f"--name={name}", f"--port={port}", *options]


@contextmanager
def serving(model: Path, name: str, *options: str) -> Iterator[Server]:
    """Serve the model until the block ends."""
    port = free_port()
    with subprocess.Popen(command(model, name, port, *options), stderr=subprocess.PIPE, text=True) as process:
        try:
            server = Server(process, port)
            _wait_until_ready(server)
            yield server
        finally:
            process.kill()


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"the server ended with {server.process.returncode}: {server.process.communicate()}")
        try:
            if server.request("GET", "/v2/health/ready").status == http.HTTPStatus.OK:
                return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("the server did not become ready")


def _save(graph: onnx.GraphProto, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, path)
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the models that the tests serve."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def echo_model(models: Path) -> Path:
    """Return a model with a vector of each datatype, `in_<datatype>`, that it gives back as `out_<datatype>`."""
    nodes = [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in ONNX_TYPES]
    inputs = [helper.make_tensor_value_info(f"in_{name}", kind, [None]) for name, kind in ONNX_TYPES.items()]
    outputs = [helper.make_tensor_value_info(f"out_{name}", kind, [None]) for name, kind in ONNX_TYPES.items()]
    return _save(helper.make_graph(nodes, "echo", inputs, outputs), models / "echo.onnx")


@pytest.fixture(scope="session")
def slow_model(models: Path) -> Path:
    """Return a model that multiplies `size` by `size` matrices, and so computes as long as its client likes."""
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    nodes = [
        helper.make_node("Concat", ["size", "size"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["m0"], value=zero),
        *(helper.make_node("MatMul", [f"m{step}", "m0"], [f"m{step + 1}"]) for step in range(8)),
        helper.make_node("ReduceMax", ["m8"], ["largest"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("size", TensorProto.INT64, [1])]
    outputs = [helper.make_tensor_value_info("largest", TensorProto.FLOAT, [])]
    return _save(helper.make_graph(nodes, "slow", inputs, outputs), models / "slow.onnx")


@pytest.fixture(scope="session")
def sequence_model(models: Path) -> Path:
    """Return a model whose output is a sequence, which the protocol cannot carry."""
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, [None])
    return _save(helper.make_graph([node], "sequence", [x], [y]), models / "sequence.onnx")


@pytest.fixture(scope="session")
def echo(echo_model: Path) -> Iterator[Server]:
    """Serve the echo model for the whole session."""
    with serving(echo_model, "echo") as server:
        yield server


@pytest.fixture(scope="session")
def slow(slow_model: Path) -> Iterator[Server]:
    """Serve the slow model for the whole session."""
    with serving(slow_model, "slow") as server:
        yield server


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Return a function like `serving` whose servers live until the end of the test."""
    with ExitStack() as servers:
        yield lambda *arguments: servers.enter_context(serving(*arguments))
