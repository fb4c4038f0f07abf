"""The model server as a process: its routes, what they answer, and what is said of a wrong request."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime
import pytest

import opdeploy.serving
from opdeploy import __version__
from tests.serving.graphs import LOOKUP, WORDS, saved
from tests.serving.servers import answer_on, head

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.serving.servers import Server

VECTORS: dict[str, list[Any]] = {name: [] for name in WORDS} | {
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
INFER = "/v2/models/echo/infer"
HEALTH = [
    ("/v2/health/live", {"live": True}),
    ("/v2/health/ready", {"ready": True}),
    ("/v2/models/echo/ready", {"name": "echo", "ready": True}),
    ("/v2/models/echo/versions/1/ready", {"name": "echo", "ready": True}),
    ("/v2/health/live/", {"live": True}),
    ("/v2/health/live?verbose=1", {"live": True}),
]


@pytest.mark.parametrize(("path", "expected"), HEALTH)
def test_health_says_that_server_and_model_are_ready(echo: Server, path: str, expected: dict[str, object]) -> None:
    """The health paths answer 200 with JSON, with or without the model's version."""
    answer = echo.request("GET", path)
    assert (answer.status, answer.body) == (200, expected)
    assert answer.headers["content-type"] == "application/json"


def test_server_metadata_names_the_server(echo: Server) -> None:
    """`/v2` gives the server's name, version and extensions."""
    answer = echo.request("GET", "/v2")
    assert answer.status == 200
    assert answer.body == {"name": "opdeploy", "version": __version__, "extensions": ["binary_tensor_data"]}


def test_the_version_tells_what_runs(echo: Server) -> None:
    """`/version` gives the versions of the server and of ONNX Runtime, and the model's facts."""
    told = echo.request("GET", "/version").body
    assert (told["server"], told["version"]) == ("opdeploy", __version__)
    assert told["onnxruntime"] == onnxruntime.__version__
    assert (told["model_name"], told["model_version"]) == ("echo", "1")
    assert told["model_provider"] == "CPUExecutionProvider"


@pytest.mark.parametrize("path", ["/v2/models/echo", "/v2/models/echo/versions/1"])
def test_model_metadata_describes_the_tensors(echo: Server, path: str) -> None:
    """Each input and output has its name, its datatype and its shape, with -1 for a free size."""
    body = echo.request("GET", path).body
    assert (body["name"], body["versions"], body["platform"]) == ("echo", ["1"], "onnx_onnxv1")
    assert body["inputs"] == [{"name": f"in_{d}", "datatype": d, "shape": [-1]} for d in WORDS]
    assert body["outputs"] == [{"name": f"out_{d}", "datatype": d, "shape": [-1]} for d in WORDS]


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2", "/v2/models/echo", "/metrics"])
def test_head_goes_where_get_does(echo: Server, path: str) -> None:
    """HEAD gives the head of GET's answer, and no body; the connection stays in step."""
    with echo.connect() as connection:
        connection.sendall(head(path, method="HEAD"))
        answer = answer_on(connection, "HEAD")
        assert (answer.status, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 0
        connection.sendall(head("/v2/health/live", method="GET"))
        assert answer_on(connection).body == {"live": True}


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
        ("GET", "/v1", None, 404, "no such path"),
        ("GET", "/v2/models", None, 404, "no such path"),
        ("GET", "/v2/models/other", None, 404, "'echo'"),
        ("GET", "/v2/models/echo/versions/2", None, 404, "'1'"),
        ("GET", "//v2", None, 404, "no such path"),
        ("GET", "/v2/../v2", None, 404, "no such path"),
        ("POST", "/v2/models/other/infer", BODY, 404, "'echo'"),
        ("GET", "/v2/models/%ff%00/ready", None, 404, "no such path"),
        ("POST", "/v2/health/ready", b"", 405, "GET, HEAD"),
        ("DELETE", "/v2/models/echo", None, 405, "GET, HEAD"),
        ("OPTIONS", "/metrics", None, 405, "GET, HEAD"),
        ("GET", INFER, None, 405, "POST"),
        ("HEAD", INFER, None, 405, "POST"),
        ("PUT", INFER, BODY, 405, "POST"),
        ("POST", INFER, b"", 400, "not JSON"),
        ("POST", INFER, b"\x1f\x8b\x08", 400, "not JSON"),
        ("POST", INFER, b'{"inputs": [NaN]}', 400, "not JSON"),
        ("POST", INFER, b"[]", 400, "JSON object"),
        ("POST", INFER, b'{"inputs": []}', 400, "is missing"),
        ("POST", INFER, BODY.replace(b"in_BOOL", b"in_bool"), 400, "unknown input"),
        ("POST", INFER, BODY.replace(b'"INT64"', b'"INT32"'), 400, "datatype must be INT64"),
        ("POST", INFER, BODY.replace(b"[true, false]", b"[true]"), 400, "1 elements"),
        ("POST", INFER, BODY.replace(b"0.25", b"1e39"), 400, "out of range"),
    ],
)
def test_a_wrong_request_gets_a_status_and_a_reason(
    echo: Server, method: str, path: str, body: bytes | None, status: int, message: str
) -> None:
    """Errors are JSON objects with one sentence, and the server goes on."""
    answer = echo.request(method, path, body)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get("allow") == (message if status == 405 else None)
    if method != "HEAD":
        assert list(answer.body) == ["error"]
        assert message.partition(",")[0] in answer.body["error"]
    assert echo.infer("echo", {"inputs": TENSORS}).status == 200


def test_inputs_that_the_model_fails_on_are_the_clients_error(start: Callable[..., Server], models: Path) -> None:
    """Where the model itself refuses the values, the status is 400 and no detail of the runtime is told."""
    server = start(saved(LOOKUP, models / "lookup.onnx"))
    answer = server.infer("lookup", {"inputs": [{"name": "id", "shape": [1, 1], "datatype": "INT64", "data": [9]}]})
    assert (answer.status, answer.body) == (400, {"error": "the model fails on these inputs"})
    assert [line["level"] for line in server.log() if "fails" in line["message"]] == ["warning"]


def test_name_and_version_are_the_models_in_every_path(start: Callable[..., Server], echo_model: Path) -> None:
    """`--name` and `--version` make the paths, and no other name or version is answered."""
    server = start(echo_model, "--name=other.name_1-2", "--version=2026.11")
    for path in ("/v2/models/other.name_1-2", "/v2/models/other.name_1-2/versions/2026.11"):
        assert server.request("GET", path).body["versions"] == ["2026.11"]
        assert server.request("POST", f"{path}/infer", BODY).body["model_name"] == "other.name_1-2"
    for path in ("/v2/models/echo", "/v2/models/other.name_1-2/versions/1"):
        assert server.request("GET", path).status == 404


def test_the_server_needs_nothing_else_of_opdeploy(tmp_path: Path) -> None:
    """The server works where only it, the runtime and the errors of opdeploy are installed."""
    (tmp_path / "opdeploy").mkdir()
    source = Path(opdeploy.serving.__file__).parents[1]
    for file in ("__init__.py", "errors.py"):
        shutil.copy(source / file, tmp_path / "opdeploy")
    for part in ("runtime", "serving"):
        shutil.copytree(source / part, tmp_path / "opdeploy" / part, ignore=shutil.ignore_patterns("__pycache__"))
    code = "import opdeploy, opdeploy.serving.__main__, opdeploy.serving.app; print(opdeploy.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()) == tmp_path / "opdeploy" / "__init__.py"
