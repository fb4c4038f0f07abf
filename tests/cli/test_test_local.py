"""`opdeploy test-local` with the server as a process: what it prints and keeps, how it ends, and what is left."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.runtime.package import opened, sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    Try = Callable[..., Ran]

QUICK = ("--runtime", "process", "--seconds", "1")
NO_ENGINE = "unix:///no/engine"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a model, its artefact in both forms, and a workload that names one of them."""
    model = linear(tmp_path / "model.onnx")
    for name in ("net", "net.zip"):
        build(Contents("net", model, Samples({"x": records(12)}, "records")), tmp_path / name)
    serving = {
        "pattern": "request-response",
        "latency_ms": {"p95": 2000},
        "requests_per_second": {"peak": 1},
        "records_per_request": 2,
    }
    workload = {"name": "demo", "model": {"path": "net"}, "serving": serving}
    (tmp_path / "workload.yaml").write_text(json.dumps(workload))
    return tmp_path


@pytest.fixture
def try_it(folder: Path, opdeploy: Opdeploy) -> Try:
    """Return a function that runs the command in the folder."""
    (folder / "temporary").mkdir()
    return partial(opdeploy, "test-local", cwd=folder, TMPDIR=str(folder / "temporary"), COLUMNS="80")


def servers(folder: Path) -> list[int]:
    """Return the processes whose temporary folder is that of a test: those that a command has started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(folder / "temporary"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def left(folder: Path) -> list[str]:
    """Return what a command has left in the folder for temporary files, and beside the artefact."""
    hidden = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    return hidden + [path.name for path in (folder / "temporary").iterdir()]


def hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file in a folder."""
    return {str(path): sha256(path) for path in folder.rglob("*") if path.is_file()}


def measured(artefact: Path) -> list[dict[str, Any]]:
    """Return the measurements that an artefact holds; every hash in it is right."""
    with opened(artefact) as package:
        return [json.loads(package.path(name).read_text()) for name in package.manifest.measurements]


@pytest.mark.parametrize("name", ["net", "net.zip"])
def test_an_artefact_is_tried_and_keeps_what_was_measured(try_it: Try, folder: Path, name: str) -> None:
    """One table with what is to be known, the measurement in the artefact, and nothing else left."""
    before = sha256(folder / "net" / "model.yaml")
    ran = try_it(name, *QUICK)
    assert ran.code == 0, ran.err
    wrote, digest = ran.err.splitlines()
    assert wrote == f"wrote the measurement into {name}, which has another digest now"
    with opened(folder / name) as package:
        assert digest == f"sha256:{package.digest}"
        assert package.digest != before
    (document,) = measured(folder / name)
    assert (document["kind"], document["runtime"], document["model"]) == ("served", "process", "fp32")
    head, _rule, *lines = ran.out.splitlines()
    assert head.split() == ["load", "answered/s", "p50", "ms", "p95", "ms", "p99", "ms", "errors", "CPU", "ms"]
    assert max(map(len, (head, *lines))) <= 80
    for said in (
        r"^1 client +\d",
        r"^2 clients +\d",
        r"^\S+/s +\d",
        r"Ready after \d\S* s; memory: \d+ MB at most\.",
        r"/v2/models/net/infer: 8 golden records: y: agrees; the largest difference is ",
        r"The server was a process: \d+ processors, memory not limited\.",
        r"The load generator took \d\.\d\d processors",
    ):
        assert re.search(said, ran.out, re.MULTILINE), said
    assert (servers(folder), left(folder)) == ([], [])


def test_the_same_as_json(try_it: Try, folder: Path) -> None:
    """The document that is printed is the one that is kept, and says what and where it was measured."""
    ran = try_it("net", *QUICK, "-o", "json", "--cpus", "1", "--slo-ms", "5000", "--setting", "max-batch=1")
    assert ran.code == 0, ran.err
    (kept,) = measured(folder / "net")
    assert ran.json == kept
    assert (kept["kind"], kept["format"], kept["slo_ms"], kept["limit_ms"]) == ("served", 1, 5000, 5000)
    assert kept["limits"] == {"cpus": 1, "memory_gb": None, "target": None, "unknown": []}
    assert kept["carried"] == "tensors"
    assert kept["settings"] == {"OPDEPLOY_MAX_BATCH": "1"}
    assert kept["max_batch"] == 1
    with opened(folder / "net") as package:
        assert kept["sha256"] == package.manifest.files["variants/fp32/model.onnx"]
    assert kept["machine"]["usable_cpus"] >= 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", kept["date"])
    assert kept["requests_per_second"] == kept["knee"]["rate"] <= kept["capacity"]
    assert kept["knee"] in kept["points"]
    assert {point["loop"] for point in kept["points"]} == {"closed", "open"}
    assert all(point["errors"] == 0 for point in kept["points"])
    assert kept["peak_memory_mb"] > 10
    assert [item["agrees"] for item in kept["golden"]] == [True]


def test_a_second_run_takes_the_place_of_the_first(try_it: Try, folder: Path) -> None:
    """Of the same runtime and limits; another limit is another measurement."""
    for limits in ((), (), ("--target", "aci", "--cpus", "1")):
        assert try_it("net", *QUICK, *limits).code == 0
    assert [item["limits"]["target"] for item in measured(folder / "net")] == [None, "aci"]


@pytest.mark.parametrize(
    ("target", "warned", "said"),
    [
        ("aci", "--cpus: aci has 31 at most", "The server was a process within the limits of aci: "),
        ("vm", "--cpus: not known of vm", "The server was a process for vm (not known of it: processors, memory): "),
    ],
)
def test_what_is_not_known_of_a_target_is_told(try_it: Try, target: str, warned: str, said: str) -> None:
    """Only what is known to keep a target's limits is said to be within them."""
    ran = try_it("net", *QUICK, "--no-save", "--target", target)
    assert ran.code == 0, ran.err
    assert warned in ran.err
    assert said in " ".join(ran.out.split())


def test_the_workload_names_the_model_and_what_is_wanted(try_it: Try, folder: Path) -> None:
    """Its latency is the SLO, its peak is held against the throughput, and requests have its number of records."""
    ran = try_it(*QUICK)
    assert ran.code == 0, ran.err
    assert re.search(r"Throughput at the SLO: \S+ requests/s, \S+ records/s \(p95 within 2,000 ms", ran.out)
    assert "The workload's peak is 1 requests/s: one such server carries it." in ran.out
    (document,) = measured(folder / "net")
    assert (document["slo_ms"], document["records_per_request"]) == (2000, 2)


def test_an_onnx_file_is_tried_without_keeping_anything(try_it: Try, folder: Path) -> None:
    """That its golden answers were drawn is said; the file stays as it was, and is alone."""
    before = sha256(folder / "model.onnx")
    ran = try_it("model.onnx", *QUICK)
    assert (ran.code, ran.err) == (0, "")
    assert "8 golden records, drawn at random" in " ".join(ran.out.split())
    assert sha256(folder / "model.onnx") == before
    assert left(folder) == []


def test_an_artefact_can_be_left_as_it_is(try_it: Try, folder: Path) -> None:
    """`--no-save` writes nothing into it, `--file` writes the answer elsewhere."""
    before = sha256(folder / "net" / "model.yaml")
    ran = try_it("net", *QUICK, "--no-save", "--file", "answer.json")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert json.loads((folder / "answer.json").read_text())["kind"] == "served"
    assert sha256(folder / "net" / "model.yaml") == before


def test_without_an_engine_it_runs_as_a_process_and_says_so(try_it: Try, one_line: Callable[[Ran], str]) -> None:
    """Nobody needs Docker to see what a server carries."""
    ran = try_it("model.onnx", "--seconds", "1", DOCKER_HOST=NO_ENGINE)
    assert ran.code == 0
    assert one_line(ran).startswith(f"the server runs as a process: {NO_ENGINE}: no Docker engine answers: ")


def test_an_slo_that_no_rate_keeps_exits_with_1(try_it: Try, folder: Path) -> None:
    """The table and the measurement are there all the same: it is a fact about the server."""
    ran = try_it("net", *QUICK, "--slo-ms", "0.001")
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("error: net: no rate keeps p95 within 0.001 ms here: one client has ")
    assert "No rate was kept with p95 within 0.001 ms" in " ".join(ran.out.split())
    (document,) = measured(folder / "net")
    assert (document["requests_per_second"], document["knee"]) == (None, None)


def test_golden_answers_that_are_not_reproduced_exit_with_5(try_it: Try, folder: Path) -> None:
    """The evidence stands above the one line that says so, and nothing is measured or left."""
    golden = folder / "net" / "golden" / "tensors.npz"
    before = sha256(golden)
    arrays = dict(np.load(golden))
    np.savez(golden, allow_pickle=False, **arrays | {"outputs/y": arrays["outputs/y"] + 1})
    manifest = folder / "net" / "model.yaml"
    manifest.write_text(manifest.read_text().replace(before, sha256(golden)))
    ran = try_it("net", *QUICK)
    assert (ran.code, ran.out) == (5, "")
    *evidence, error = ran.err.splitlines()
    assert error.startswith("error: the server ended before it was ready (exit code 5): net: no variant reproduces the")
    assert evidence[0].startswith("the last probe, GET /v2/health/ready, ")
    assert "its log ends with:" in evidence
    assert (measured(folder / "net"), servers(folder), left(folder)) == ([], [], [])


REFUSED = {
    "no such model": (("gone",), "gone: no such model; name an artefact or an ONNX file"),
    "a workload as a model": (("workload.yaml",), "workload.yaml: is no model; a workload file is named with --workl"),
    "no such target": (("net", "--target", "aic"), "--target: no platform 'aic'; did you mean \"aci\"?"),
    "a batch target": (("net", "--target", "aml-batch"), "--target aml-batch: answers no requests"),
    "more processors than a target has": (
        ("net", "--target", "container-apps", "--cpus", "5"),
        "--cpus 5: container-apps has 4 at most: 4 vCPU in one consumption replica.",
    ),
    "memory of a process": (("net", "--memory", "1"), "--memory: a process cannot be held to it"),
    "part of a processor": (("net", "--cpus", "0.5"), "--cpus 0.5: a process gets whole processors"),
    "no such setting": (
        ("net", "--setting", "max-bach=1"),
        '--setting max-bach=1: no such setting; did you mean "max-b',
    ),
    "a setting without a value": (
        ("net", "--setting", "threads"),
        "--setting threads: give it a value, such as max-ba",
    ),
    "a setting that is refused": (
        ("net", "--setting", "threads=x"),
        "the server ended before it was ready (exit code 2",
    ),
    "a setting of its own": (("net", "--setting", "port=1"), "--setting port=1: no such setting"),
    "records without processing": (
        ("net", "--send", "records"),
        "net: declares no processing of records; leave --send",
    ),
    "an image option": (("net", "--keep-image"), "--keep-image: is for an image, and the server runs as a process"),
    "a place that is none": (("net", "--file", "gone/a.json"), "gone/a.json: cannot be written"),
    "a format that is none": (("net", "--file", "a.svg"), "--file a.svg: no format is called .svg"),
}


@pytest.mark.parametrize(("arguments", "why"), REFUSED.values(), ids=list(REFUSED))
def test_bad_input_is_one_line_and_exit_code_2(try_it: Try, folder: Path, arguments: tuple[str, ...], why: str) -> None:
    """With what is wrong and what to do; nothing is measured, changed or left."""
    ran = try_it(*arguments, *QUICK)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith(f"error: {why}")
    assert (measured(folder / "net"), servers(folder), left(folder)) == ([], [], [])


def test_a_target_that_has_ended_is_refused_with_what_to_take_instead(try_it: Try, folder: Path) -> None:
    """What is measured is to tell of a place that can be had."""
    ran = try_it("net", "--target", "fpga", *QUICK)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == "error: --target fpga: retired since 2026-06-30; take aml-online or aks-gpu\n"
    assert (measured(folder / "net"), servers(folder), left(folder)) == ([], [], [])


def test_without_a_model_or_a_workload_it_says_what_to_name(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """An empty folder has nothing to try, and a workload may name no model."""
    ran = opdeploy("test-local", *QUICK, cwd=tmp_path)
    assert (ran.code, ran.err) == (
        2,
        "error: name a model, or a workload file with --workload; here is no workload.yaml\n",
    )
    (tmp_path / "workload.yaml").write_text('{"name": "a", "serving": {"pattern": "stream"}}')
    ran = opdeploy("test-local", *QUICK, cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith("error: workload.yaml: model.path: names no model")


def test_an_artefact_that_was_damaged_is_refused(try_it: Try, folder: Path) -> None:
    """Every hash is checked before anything is started."""
    (folder / "net" / "variants" / "fp32" / "model.onnx").write_bytes(b"other")
    ran = try_it("net", *QUICK)
    assert ran.code == 2
    assert "is not as it was packaged" in ran.err


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let processes that a test starts be interrupted, even where these tests themselves may not be."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("name", "step", "number"),
    [
        ("net.zip", "starts the server", signal.SIGINT),
        ("net.zip", "starts the server", signal.SIGTERM),
        ("net.zip", "waits until", signal.SIGTERM),
        ("net", "loads it: warm-up", signal.SIGINT),
        ("model.onnx", "loads it: warm-up", signal.SIGTERM),
    ],
)
def test_an_interrupt_leaves_nothing(
    program: str,
    folder: Path,
    clean: Callable[..., dict[str, str]],
    name: str,
    step: str,
    number: int,
) -> None:
    """Neither a server, nor its port, nor anything unpacked or half written, in whichever step it comes."""
    (folder / "temporary").mkdir()
    before = hashes(folder)
    parent, child = pty.openpty()
    with subprocess.Popen(
        [program, "test-local", name, "--runtime", "process", "--seconds", "600"],
        stdout=subprocess.PIPE,
        stderr=child,
        cwd=folder,
        env=clean(TMPDIR=str(folder / "temporary")),
    ) as process:
        os.close(child)
        said = b""
        while step.encode() not in said:
            said += os.read(parent, 4096)
        process.send_signal(number)
        assert process.wait(timeout=60) == (130 if number == signal.SIGINT else 143)
    os.close(parent)
    assert (servers(folder), left(folder)) == ([], [])
    assert hashes(folder) == before


@pytest.mark.usefixtures("interruptible")
def test_a_server_that_dies_under_load_is_told(
    program: str, folder: Path, clean: Callable[..., dict[str, str]]
) -> None:
    """Exit code 1, the signal that ended it, and no measurement."""
    (folder / "temporary").mkdir()
    parent, child = pty.openpty()
    with subprocess.Popen(
        [program, "test-local", "net", "--runtime", "process", "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=child,
        cwd=folder,
        env=clean(TMPDIR=str(folder / "temporary")),
    ) as process:
        os.close(child)
        said = b""
        while b"loads it: warm-up" not in said:
            said += os.read(parent, 4096)
        (server,) = set(servers(folder)) - {process.pid}
        os.kill(server, signal.SIGKILL)
        said += _rest(parent)
        assert process.wait(timeout=60) == 1
    text = said.decode()
    assert re.search(r"error: the server ended under load \(exit code -9; SIGKILL\)", text)
    assert (measured(folder / "net"), servers(folder), left(folder)) == ([], [], [])


def _rest(terminal: int) -> bytes:
    """Return all that is still said on a terminal."""
    found = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # what Linux says when the last writer has gone
            os.close(terminal)
            return found
        found += chunk
