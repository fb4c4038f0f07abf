"""`opdeploy try`: what it finds of a model, step by step and as JSON, what it refuses, and what is left."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import joblib
import numpy as np
import onnx
import psutil
import pytest
from data import load
from nets import linear, records, save
from sklearn.linear_model import LogisticRegression

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.local.process import server_process
from opdeploy.local.server import wait_until_ready
from opdeploy.runtime.package import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    Try = Callable[..., Ran]

QUICK = ("--seconds", "1")
STEPS = ["model", "verified", "optimised", "served", "example", "answers"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with models, records for one, an artefact, and a place for temporary files."""
    made = tmp_path / "work"
    made.mkdir()
    (tmp_path / "temporary").mkdir()
    build(Contents("net", linear(made / "linear.onnx"), Samples({"x": records(12)}, "records")), made / "net")
    logarithm = onnx.helper.make_node("Log", ["x"], ["y"])
    save(made / "logarithm.onnx", [logarithm], {})
    generator = np.random.default_rng(0)
    features = generator.normal(size=(60, 4)).astype(np.float32)
    classes = (features.sum(axis=1) > 0).astype(np.int64)
    joblib.dump(LogisticRegression().fit(features, classes), made / "churn.joblib")
    np.savez(made / "churn.npz", features=features, labels=classes)
    return made


@pytest.fixture
def try_it(folder: Path, opdeploy: Opdeploy) -> Try:
    """Return a function that runs the command in the folder."""
    return partial(opdeploy, "try", cwd=folder, TMPDIR=str(folder.parent / "temporary"), COLUMNS="100")


def names(folder: Path) -> list[str]:
    """Return what lies in the folder."""
    return sorted(path.name for path in folder.iterdir())


def left(folder: Path) -> list[str]:
    """Return the processes and temporary files that a command has left."""
    temporary = folder.parent / "temporary"
    found = [path.name for path in temporary.iterdir()]
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TMPDIR") == str(temporary):
                found.append(str(process.pid))
    return found


def steps(printed: str) -> list[str]:
    """Return the names of the steps that were told."""
    return re.findall(r"^([a-z]+)  ", printed, re.MULTILINE)


def commands(printed: str) -> list[list[str]]:
    """Return the commands that come next, in words."""
    return [shlex.split(line) for line in re.findall(r"^  (opdeploy .+)$", printed, re.MULTILINE)]


@pytest.fixture
def digits(folder: Path, root: Path) -> Path:
    """Put the digits beside the models, with labelled records."""
    model = folder / "digits.onnx"
    model.write_bytes((root / "examples" / "digits" / "model.onnx").read_bytes())
    images = load()[1]
    np.savez(folder / "digits.npz", image=images.images, labels=images.labels)
    return model


@pytest.mark.usefixtures("digits")
def test_an_onnx_file_goes_from_what_it_is_to_where_it_should_run(try_it: Try, folder: Path) -> None:
    """Each step in a line or two, three platforms, four questions, the commands that go on, and nothing left."""
    before = names(folder)
    ran = try_it("digits.onnx", "--data", "digits.npz", *QUICK)
    assert (ran.code, ran.err) == (0, "")
    assert steps(ran.out) == STEPS
    for said in (
        r"^model +digits\.onnx: pytorch, 0\.166 MB, 0\.002245 GFLOPs a record$",
        r"^ +image FP32 batch x 1 x 8 x 8 → probabilities FP32 batch x 10$",
        r"^verified +fp32: right answers to 8 golden records; the largest difference is \S+$",
        r"variants tried in short rounds, judged on 225 records, digits\.npz$",
        r"^served +right answers of /v2/models/digits/infer to 8 golden records; ready after \d\S* s",
        r"(Knee: \S+ requests/s \(|No rate was kept with )p95 within ",
        r"^example +after python -m opdeploy\.serving --model digits:$",
        r"^curl -H 'Content-Type: application/json' -d '\{\"inputs\":",
        r"^answers +\{\"model_name\": \"digits\", .*\"probabilities\"",
        r"^Where it should run, taken as a pilot with up to 3 requests/s:$",
        r"^1 +[a-z-]+ +\S+ +\d+ +\S+ m?s +\$\d+ +=?\d+ +scaled *$",
        r"^3 +[a-z-]+ +\S+ +\d+ +\S+ m?s +\S+ +=?\d+ +scaled *$",
        r"^US dollars, at prices of [a-z0-9]+, listed ",
        r"^(How|What|Where) [A-Za-z0-9, ]+\? +[A-Za-z0-9.,% ]+ {2,}[a-z-]+",
    ):
        assert re.search(said, ran.out, re.MULTILINE), said
    again, *following = commands(ran.out)
    assert again == shlex.split("opdeploy model optimize digits.onnx --data digits.npz -o digits")
    assert following[:2] == [["opdeploy", "init", "digits"], ["opdeploy", "recommend", "workload.yaml"]]
    assert following[2][:3] == ["opdeploy", "deploy", "workload.yaml"]
    assert (names(folder), left(folder)) == (before, [])


def test_the_commands_that_come_next_work(try_it: Try, opdeploy: Opdeploy, folder: Path) -> None:
    """They make the artefact again, write a workload file from it, and rank platforms for that."""
    (folder / "workload.yaml").write_text("of another model")
    again, init, recommend, deploy = commands(try_it("linear.onnx", *QUICK).out)
    for command in (again, init, recommend):
        assert opdeploy(*command[1:], cwd=folder).code == 0, command
    assert init == ["opdeploy", "init", "linear", "--file", "linear.yaml"]
    plan = opdeploy("plan", *deploy[2:3], "--target", "local", "--offline", cwd=folder)
    assert "Deploy linear on local, version 1" in plan.out


def test_the_request_that_is_shown_gets_the_answer_that_is_shown(try_it: Try, folder: Path) -> None:
    """A server that is started by hand is asked as one pastes it."""
    example = try_it("net", *QUICK, "-o", "json").json["example"]
    words = shlex.split(example["command"])
    body, url = words[words.index("-d") + 1], words[-1]
    assert example["scores"]
    with server_process(folder / "net") as server:
        wait_until_ready(server, 60)
        host = "{}:{}".format(*server.address[:2])
        asked = Request(url.replace("127.0.0.1:8000", host), body.encode(), {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(asked, timeout=60) as reply:  # noqa: S310 - of this machine
            assert json.loads(reply.read()) == example["answer"]


def test_another_framework_is_converted_first(try_it: Try, folder: Path) -> None:
    """A pickle that is trusted; what was given is in the answer, and so is how the artefact is made again."""
    ran = try_it("churn.joblib", "--trust", "--data", "churn.npz", "--slo-ms", "5000", "--region", "westeurope", *QUICK)
    assert (ran.code, ran.err) == (0, "")
    assert steps(ran.out) == ["converted", *STEPS]
    assert re.search(r"^converted +pickle to ONNX, \S+ MB: the same answers to 60 records given, within ", ran.out)
    assert "churn.joblib: sklearn, " in ran.out
    assert "Throughput at the SLO: " in ran.out
    assert "How soon must" not in ran.out
    convert, optimize, init, *_ = commands(ran.out)
    assert convert == shlex.split("opdeploy model convert churn.joblib --trust --data churn.npz -o churn.onnx")
    assert optimize == shlex.split("opdeploy model optimize churn.onnx --data churn.npz -o churn")
    assert init == ["opdeploy", "init", "churn"]
    assert left(folder) == []


def test_the_artefact_is_kept_on_demand(try_it: Try, opdeploy: Opdeploy, folder: Path) -> None:
    """With what was tried and measured; without real records one warning says what the answers are worth."""
    ran = try_it("linear.onnx", "--keep", "kept.zip", *QUICK)
    warned, wrote, digest = ran.err.splitlines()
    assert (ran.code, wrote) == (0, "wrote kept.zip")
    assert warned.startswith("warning: no data was given: 32 records were drawn at random")
    with opened(folder / "kept.zip") as package:
        assert digest == f"sha256:{package.digest}"
        kinds = sorted(name.partition("/")[2].split("-")[0] for name in package.manifest.measurements)
    assert kinds == ["optimize.json", "served"]
    assert commands(ran.out)[0] == ["opdeploy", "init", "kept.zip"]
    assert opdeploy("init", "kept.zip", cwd=folder).code == 0
    assert (opdeploy("recommend", cwd=folder).code, left(folder)) == (0, [])


def test_all_of_it_as_json(try_it: Try, folder: Path) -> None:
    """One document: what was found in each step, and why one was left out."""
    ran = try_it("net", *QUICK, "-o", "json", "--slo-ms", "5000", "--requests-per-second", "40")
    assert (ran.code, ran.err) == (0, "")
    told: dict[str, Any] = ran.json
    assert (told["name"], told["conversion"], told["optimised"]) == ("net", None, None)
    assert told["left_out"] == {"optimised": "it is an artefact already, and holds fp32"}
    assert (told["inspection"]["file"], told["inspection"]["inputs"][0]["name"]) == ("net", "x")
    assert [(item["name"], item["agrees"]) for item in told["verified"]] == [("fp32", True)]
    assert (told["served"]["kind"], told["served"]["runtime"]) == ("served", "process")
    assert told["served"]["knee"] in told["served"]["points"]
    scores = [item["score"] for item in told["platforms"]]
    assert (len(scores), scores) == (3, sorted(scores, reverse=True))
    questions = told["next"]["questions"]
    assert [item["changes"] for item in questions] == sorted((item["changes"] for item in questions), reverse=True)
    assert all((item["then"][:1] != [told["platforms"][0]["platform"]]) == (item["changes"] == 2) for item in questions)
    fields = {field for item in questions for field in item["fields"]}
    assert not fields & {"serving.requests_per_second.peak", "serving.latency_ms.p95"}
    assert told["next"]["commands"][0] == "opdeploy init net"
    assert left(folder) == []


def test_an_optimisation_that_fails_is_left_out(try_it: Try, folder: Path) -> None:
    """A model that gives no numbers for what is drawn can still be served; the commands leave the step out too."""
    ran = try_it("logarithm.onnx", *QUICK)
    assert ran.code == 0
    text = " ".join(ran.out.split())
    assert "optimised left out: logarithm.onnx: gives what is not a finite number in 'y'" in text
    assert steps(ran.out) == STEPS
    assert commands(ran.out)[0] == shlex.split("opdeploy model package logarithm.onnx -o logarithm")
    assert left(folder) == []


WITHOUT = """
import json, sys
sys.modules[sys.argv.pop(1)] = None
from opdeploy.cli import main
main(json.loads(sys.argv[1]))
"""


@pytest.mark.parametrize("package", ["granian", "httptools", "orjson"])
def test_without_what_serves_the_rest_is_told(folder: Path, clean: Callable[..., dict[str, str]], package: str) -> None:
    """Platforms and questions need no server; one line says what to install."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, package, json.dumps(["try", "net"])],
        capture_output=True,
        check=True,
        cwd=folder,
        encoding="utf-8",
        env=clean(),
        stdin=subprocess.DEVNULL,
    )
    left_out = f"served     left out: the package {package} is missing; pip install 'opdeploy[local]'"
    assert left_out in done.stdout.splitlines()
    assert steps(done.stdout) == ["model", "verified", "optimised", "served"]
    assert "what to ask next" in done.stdout


REFUSED = {
    "no such file": (("gone.onnx",), "gone.onnx: no such file; name a model that exists"),
    "nothing at all": (("gone",), "gone: no such file; name a model's file or folder, or module:function"),
    "a pickle": (("churn.joblib",), "churn.joblib: is a pickle, and loading one runs whatever code is in it; give --"),
    "a folder": (("../temporary",), "../temporary: is a directory, and no SavedModel of TensorFlow"),
    "another region": (("net", "--region", "x y"), '--region: "x y" does not fit; write an Azure region'),
    "a place that is taken": (("linear.onnx", "--keep", "net"), "net: is there already, and is not overwritten"),
    "an artefact to keep": (("net", "--keep", "other"), "net: is an artefact, with records of its own, and stays;"),
    "records that do not fit": (("linear.onnx", "--data", "churn.npz"), "churn.npz: 'features' is no input of the mod"),
}


@pytest.mark.parametrize(("arguments", "why"), REFUSED.values(), ids=list(REFUSED))
def test_bad_input_is_one_line_and_exit_code_2(try_it: Try, folder: Path, arguments: tuple[str, ...], why: str) -> None:
    """With what is wrong and what to do; nothing is left."""
    before = names(folder)
    ran = try_it(*arguments, *QUICK)
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert line.startswith(f"error: {why}")
    assert (names(folder), left(folder)) == (before, [])


def test_a_generative_model_is_out_of_scope(try_it: Try, folder: Path) -> None:
    """It is said what it is, and where to go."""
    model = onnx.load_model(folder / "linear.onnx")
    model.graph.output.append(onnx.helper.make_tensor_value_info("present.0.key", onnx.TensorProto.FLOAT, [1]))
    model.graph.node.append(onnx.helper.make_node("Identity", ["b"], ["present.0.key"]))
    onnx.save_model(model, folder / "writer.onnx")
    ran = try_it("writer.onnx", *QUICK)
    assert (ran.code, steps(ran.out)) == (4, ["model"])
    assert ran.err.startswith("error: writer.onnx: a generative model is out of scope; go to vLLM")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let processes that a test starts be interrupted, even where these tests themselves may not be."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("try: the model as it is", signal.SIGINT),
        ("try: starts the server", signal.SIGTERM),
        ("try: loads it: warm-up", signal.SIGINT),
    ],
)
def test_an_interrupt_leaves_nothing(
    program: str, folder: Path, clean: Callable[..., dict[str, str]], step: str, number: int
) -> None:
    """Neither a server, nor a temporary folder, nor the artefact that was to be kept."""
    before = names(folder)
    parent, child = pty.openpty()
    with subprocess.Popen(
        [program, "try", "linear.onnx", "--keep", "kept", "--seconds", "600"],
        stdout=subprocess.DEVNULL,
        stderr=child,
        cwd=folder,
        env=clean(TMPDIR=str(folder.parent / "temporary")),
    ) as process:
        os.close(child)
        said = b""
        while step.encode() not in said:
            said += os.read(parent, 4096)
        process.send_signal(number)
        assert process.wait(timeout=60) == (130 if number == signal.SIGINT else 143)
    os.close(parent)
    assert (names(folder), left(folder)) == (before, [])
