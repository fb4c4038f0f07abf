"""An artefact is served where it gives its golden answers, and not before it has given them."""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import yaml
from nets import FEATURES, linear, records

from opdeploy.artifact.data import Declared
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.runtime.package import Golden, opened, sha256
from opdeploy.runtime.processing.spec import Classification, Number, Processing, Table
from tests.serving.busy import wait_for
from tests.serving.graphs import SEQUENCE, saved
from tests.serving.servers import JSON, SECONDS, Answer, ended, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.serving.servers import Server

    Start = Callable[..., Server]

COLUMNS = [f"c{number}" for number in range(FEATURES)]
ROWS = records(12)


def packaged(target: Path, **given: Any) -> Path:  # noqa: ANN401 - fields of Contents
    """Write an artefact of a linear classifier with processing: a folder, or a file where the name ends in .zip."""
    model = linear(target.parent / "linear.onnx")
    processing = Processing(
        Table(tuple(map(Number, COLUMNS)), tensor="x"), Classification("y", labels=("cat", "dog", "owl"))
    )
    contents = Contents("net", model, Samples({"x": ROWS}, "records"), declared=Declared(processing, target.parent))
    build(Contents(**{name: getattr(contents, name) for name in contents.__slots__} | given), target)
    return target


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    """Return an artefact, a folder."""
    return packaged(tmp_path / "net")


def edited(artefact: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest, and put right the hashes in it."""
    manifest = yaml.safe_load((artefact / "model.yaml").read_text())
    change(manifest)
    files = (path for path in artefact.rglob("*") if path.is_file() and path.name != "model.yaml")
    manifest["files"] = {str(path.relative_to(artefact)): sha256(path) for path in files}
    (artefact / "model.yaml").write_text(yaml.safe_dump(manifest))


def add_variant(artefact: Path) -> None:
    """Put a variant before the others that gives other answers than the golden ones."""
    folder = artefact / "variants" / "off"
    folder.mkdir()
    proto = onnx.load_model(artefact / "variants" / "fp32" / "model.onnx")
    bias = next(tensor for tensor in proto.graph.initializer if tensor.name == "b")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.array([9, 0, 0], np.float32), "b"))
    onnx.save_model(proto, folder / "model.onnx")
    variant = {"name": "off", "file": "variants/off/model.onnx", "precision": "fp32"}
    edited(artefact, lambda manifest: manifest["variants"].insert(0, variant))


def spoil_golden(artefact: Path) -> None:
    """Turn the golden answers round."""
    with opened(artefact) as package:
        golden = package.golden()
    Golden(golden.inputs, {"y": golden.outputs["y"][::-1]}).save(artefact / "golden" / "tensors.npz")
    edited(artefact, lambda _: None)


def scored(server: Server, rows: object, path: str = "/score") -> Answer:
    """Ask for the labels of rows."""
    return server.request("POST", path, json.dumps({"data": rows}).encode(), JSON)


@pytest.mark.parametrize("name", ["net", "net.zip"])
def test_an_artefact_is_served(start: Start, tmp_path: Path, name: str) -> None:
    """A folder or a file, under its own name, with its digest; golden inputs get golden answers, rows get labels."""
    path = packaged(tmp_path / name)
    with opened(path) as package:
        golden, digest = package.golden(), package.digest
    server = start(path)
    told = server.request("GET", "/version").body
    assert (told["model_name"], told["model_variant"], told["model_digest"]) == ("net", "fp32", digest)
    x = golden.inputs["x"]
    tensor = {"name": "x", "datatype": "FP32", "shape": x.shape, "data": x.ravel().tolist()}
    output = server.infer("net", {"inputs": [tensor]}).body["outputs"][0]
    np.testing.assert_allclose(output["data"], golden.outputs["y"].ravel(), rtol=1e-4)
    labels = np.array(["cat", "dog", "owl"])[golden.outputs["y"].argmax(axis=1)]
    answer = scored(server, [dict(zip(COLUMNS, map(float, row), strict=True)) for row in x])
    assert answer.status == 200, answer.content
    assert [prediction["label"] for prediction in answer.body["predictions"]] == labels.tolist()


def test_name_version_and_score_route_may_be_set(start: Start, artefact: Path) -> None:
    """A setting goes before what the artefact says."""
    server = start(artefact, "--name=other", "--version=7", "--score-route=/invocations")
    assert server.request("GET", "/v2/models/other/versions/7/ready").status == 200
    assert scored(server, [ROWS[0].tolist()], "/invocations").status == 200
    assert scored(server, [ROWS[0].tolist()]).status == 404


def test_nothing_is_written(start: Start, tmp_path: Path) -> None:
    """An artefact stays as it is, and what is unpacked of a file is gone when the server is ready."""
    (tmp_path / "temporary").mkdir()
    folder, file = packaged(tmp_path / "net"), packaged(tmp_path / "net.zip")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    for model in (folder, file):
        server = start(model, TMPDIR=str(tmp_path / "temporary"), PYTHONDONTWRITEBYTECODE="1")
        assert scored(server, [ROWS[0].tolist()]).status == 200
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_batch_is_the_measured_knee(start: Start, tmp_path: Path) -> None:
    """A measurement of the very graph says how many records a run takes, unless a setting does."""
    sha = sha256(linear(tmp_path / "linear.onnx"))
    measured = {"other": json.dumps({"sha256": "0" * 64, "knee": {"batch": 3}}), "strange": "[]"}
    measured["this"] = json.dumps({"sha256": sha, "knee": {"batch": 5}})
    path = packaged(tmp_path / "net", measurements=measured)
    assert start(path).request("GET", "/version").body["model_max_batch"] == 5
    assert start(path, "--max-batch=2").request("GET", "/version").body["model_max_batch"] == 2


def test_a_variant_that_is_wrong_here_is_not_served(start: Start, artefact: Path) -> None:
    """The next one is, when it is right, and the log says so and why."""
    add_variant(artefact)
    server = start(artefact)
    assert server.request("GET", "/version").body["model_variant"] == "fp32"
    (warning,) = [line for line in server.log() if line["level"] == "warning"]
    assert warning["message"].startswith("variant off is not served: y[")
    assert scored(server, [ROWS[0].tolist()]).status == 200


def test_where_no_variant_is_right_the_server_ends(artefact: Path) -> None:
    """With exit code 5, and a line that tells of each variant why."""
    add_variant(artefact)
    spoil_golden(artefact)
    done = started_and_ended(artefact)
    assert done[0] == 5
    assert "no variant reproduces the golden answers" in done[1]
    assert "off: y[" in done[1]
    assert "fp32: y[" in done[1]


def started_and_ended(model: Path, *options: str) -> tuple[int, str]:
    """Run a server that ends by itself; return its exit code and its one line beside that it listened."""
    from tests.serving.servers import free_port

    done = ended(f"--model={model}", f"--port={free_port()}", *options)
    lines = [line for line in done.log if line["message"] not in ("listening", "request")]
    assert len(lines) == 1, done.log
    assert (done.out, "exception" in lines[0]) == ("", False)
    return done.code, lines[0]["message"]


def test_what_cannot_be_served_ends_the_start(artefact: Path, models: Path, tmp_path: Path) -> None:
    """A model that is missing, broken, changed or of an unknown kind gives exit code 2 and one line on stderr."""
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    (tmp_path / "broken.zip").write_bytes(b"not an artefact")
    (artefact / "golden" / "tensors.npz").write_bytes(b"changed")
    for model, why in [
        (tmp_path / "none.onnx", "no such file"),
        (tmp_path / "none.zip", "no such file"),
        (tmp_path / "none", "no such file"),
        (tmp_path, "has no model.yaml"),
        (tmp_path / "broken.onnx", "cannot load"),
        (tmp_path / "broken.zip", "is no artefact, or is damaged"),
        (artefact, "golden/tensors.npz is not as it was packaged"),
        (saved(SEQUENCE, models / "sequence.onnx"), "seq(tensor(float))"),
    ]:
        code, message = started_and_ended(model)
        assert (code, why in message) == (2, True), message


@pytest.mark.skipif("CUDAExecutionProvider" in __import__("onnxruntime").get_available_providers(), reason="has a GPU")
def test_a_gpu_that_is_required_and_missing_ends_the_start(artefact: Path, double_model: Path) -> None:
    """Exit code 2, and a line that says so: never a silent CPU."""
    for model in (artefact, double_model):
        code, message = started_and_ended(model, "--require-gpu=true")
        assert code == 2
        assert "a GPU is required, and this ONNX Runtime has no CUDA" in message


@contextmanager
def loading(folder: Path, *options: str) -> Iterator[Server]:
    """Start a server whose model does not come: a named pipe that nobody writes to."""
    os.mkfifo(folder / "model.zip")
    with ExitStack() as stack:
        server = stack.enter_context(started(folder / "model.zip", *options))
        try:
            yield server
        finally:
            server.process.kill()


def test_before_the_model_is_loaded_only_liveness_is_good(tmp_path: Path) -> None:
    """The process lives and tells its version and metrics; all else is 503, to be tried again soon."""
    with loading(tmp_path, "--live-route=/healthz", "--ready-route=/ping") as server:
        for path in ("/v2/health/live", "/healthz", "/metrics", "/version"):
            assert server.request("GET", path).status == 200
        for method, path in [
            ("GET", "/v2/health/ready"), ("GET", "/ping"), ("GET", "/v2"), ("GET", "/v2/models/model"),
            ("POST", "/v2/models/model/infer"), ("POST", "/score"), ("GET", "/"), ("GET", "/openapi.json"),
        ]:  # fmt: skip
            answer = server.request(method, path, b"{}" if method == "POST" else None)
            assert (answer.status, answer.body) == (503, {"error": "the model is being loaded"})
            assert answer.headers["retry-after"] == "1"
        assert server.figure("opdeploy_ready") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_server_that_loads(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is not waited for, the exit code is 0, and what was to be unpacked leaves nothing."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with loading(tmp_path, "--drain=0") as server:
        wait_for(lambda: any(temporary.iterdir()))
        server.process.send_signal(number)
        assert server.process.wait(SECONDS) == 0
    assert not list(temporary.iterdir())


def test_a_model_that_turns_out_to_be_none_ends_the_server(tmp_path: Path) -> None:
    """A server that was live ends with exit code 2 when what comes is no artefact."""
    with loading(tmp_path) as server:
        with suppress(BrokenPipeError):  # it may be known for none before it is written
            (tmp_path / "model.zip").write_bytes(b"no artefact")
        assert server.process.wait(SECONDS) == 2
        assert server.log()[-1]["level"] == "error"
