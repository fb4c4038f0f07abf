"""`opdeploy model package`, `verify`, `measure` and `optimize`: good uses, as tables and as JSON."""

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
import onnx
import pytest
from data import load
from nets import linear, records

from opdeploy.runtime.package import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Opdeploy

    Terminal = Callable[..., str]

QUICK = ("--rounds", "1", "--seconds", "0.01")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, root: Path, opdeploy: Opdeploy) -> Path:
    """Return a folder with a classifier, another one, data with labels, and an artefact of each kind."""
    made = tmp_path_factory.mktemp("artefact")
    linear(made / "model.onnx")
    _shift(linear(made / "other.onnx"), 0.5)
    np.savez(made / "data.npz", x=records(40))
    (made / "digits.onnx").write_bytes((root / "examples" / "digits" / "model.onnx").read_bytes())
    images = load()[1]
    np.savez(made / "digits.npz", image=images.images, labels=images.labels)
    for target in ("net", "net.zip"):
        assert opdeploy("model", "package", "model.onnx", "--data", "data.npz", "-o", target, cwd=made).code == 0
    return made


def _shift(model: Path, by: float) -> None:
    proto = onnx.load_model(model)
    bias = next(tensor for tensor in proto.graph.initializer if tensor.name == "b")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.array([by, 0, 0], np.float32), "b"))
    onnx.save_model(proto, model)


@pytest.fixture
def model(folder: Path, opdeploy: Opdeploy) -> Callable[..., Any]:
    """Return a function that runs a command of `opdeploy model` in the folder."""
    return partial(opdeploy, "model", cwd=folder)


def test_an_artefact_has_one_digest_in_either_form(model: Callable[..., Any], tmp_path: Path) -> None:
    """The digest is printed with what was written, and is the same for a folder, a file, and a copy of either."""
    found = set()
    for source, target in (("model.onnx", "a"), ("model.onnx", "a.zip"), (tmp_path / "a", "b.zip")):
        data = () if target == "b.zip" else ("--data", "data.npz", "--name", "net")
        ran = model("package", source, *data, "-o", tmp_path / target)
        assert (ran.code, ran.out) == (0, "")
        wrote, digest = ran.err.splitlines()
        assert wrote == f"wrote {tmp_path / target}"
        found.add(digest)
    assert len(found) == 1
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", found.pop())


def test_without_data_one_warning_says_what_was_used(model: Callable[..., Any], tmp_path: Path) -> None:
    """Records that are drawn prove that a model runs, and nothing else."""
    ran = model("package", "model.onnx", "-o", tmp_path / "drawn")
    assert (ran.code, ran.err.count("warning: ")) == (0, 1)
    assert "32 records were drawn at random (seed 0)" in ran.err


def test_equal_models_verify(model: Callable[..., Any]) -> None:
    """A model, and an artefact of it in either form, give the same numbers on the same records."""
    for other in ("model.onnx", "net", "net.zip"):
        ran = model("verify", "model.onnx", other, "--data", "data.npz")
        assert (ran.code, ran.err) == (0, "")
        assert "Compared on 40 records, data.npz; allowed: 0.1% of the value" in ran.out


def test_other_numbers_exit_with_5_and_say_where(model: Callable[..., Any]) -> None:
    """The table says how much differs, the line below it where, and stderr has one line."""
    ran = model("verify", "model.onnx", "other.onnx", "--data", "data.npz", COLUMNS="80")
    assert ran.code == 5
    assert ran.err == "error: other.onnx: its numbers differ from those of model.onnx; the answer says where\n"
    assert re.search(r"^other\.onnx +y +differs in \d+\.\d+% +0\.\d+$", ran.out, re.MULTILINE)
    assert re.search(r"^other\.onnx: y\[\d+, \d\]: differs: [\d.]+, not [\d.]+", ran.out, re.MULTILINE)
    assert max(map(len, ran.out.splitlines())) <= 80


def test_the_same_as_json(model: Callable[..., Any]) -> None:
    """Scripts read which output differs, by how much, and in which element."""
    (told,) = model("verify", "model.onnx", "other.onnx", "--data", "data.npz", "-o", "json").json
    (difference,) = told["differences"]
    assert (told["name"], told["agrees"], difference["output"]) == ("other.onnx", False, "y")
    assert 0 < difference["largest"] < 1
    assert len(difference["where"]) == 2


def test_a_wide_tolerance_lets_them_agree(model: Callable[..., Any]) -> None:
    """What is right is the user's to say."""
    assert model("verify", "model.onnx", "other.onnx", "--data", "data.npz", "--atol", "1").code == 0


def test_golden_answers_tell_which_variant_is_served(model: Callable[..., Any]) -> None:
    """With --golden the artefact's own records and tolerances count."""
    ran = model("verify", "net.zip", "--golden")
    assert (ran.code, ran.err) == (0, "fp32 would be served here\n")
    assert "Compared on 8 golden records; allowed: what the artefact states." in ran.out


def test_a_variant_that_is_wrong_here_is_told(model: Callable[..., Any], folder: Path, opdeploy: Opdeploy) -> None:
    """An artefact of which no variant gives the golden answers exits with 5."""
    ran = opdeploy("model", "package", "other.onnx", "--data", "data.npz", "-o", "spoilt", cwd=folder)
    assert ran.code == 0
    _swap(folder / "spoilt", folder / "model.onnx")
    ran = model("verify", "spoilt", "--golden")
    assert ran.code == 5
    assert ran.err == "error: fp32: its numbers differ from those of spoilt; the answer says where\n"
    ran = model("measure", "spoilt", *QUICK)
    assert (ran.code, ran.err.count("\n")) == (5, 1)
    assert "no variant reproduces the golden answers on this machine (fp32: y[" in ran.err


def _swap(artefact: Path, graph: Path) -> None:
    """Put another graph into an artefact, and its hash into the manifest, as only who made it could."""
    inside = artefact / "variants" / "fp32" / "model.onnx"
    manifest = (artefact / "model.yaml").read_text().replace(sha256(inside), sha256(graph))
    inside.write_bytes(graph.read_bytes())
    (artefact / "model.yaml").write_text(manifest)


def test_a_measurement_goes_into_the_artefact(model: Callable[..., Any], tmp_path: Path) -> None:
    """What `measure` writes is what `package` takes; the suffix of the file makes it JSON."""
    path = tmp_path / "here.json"
    ran = model("measure", "net", "--batch", "1", "--batch", "4", "--threads", "1", *QUICK, "--file", path)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    told = json.loads(path.read_text())
    assert [point["batch"] for point in told["points"]] == [1, 4]
    assert (told["kind"], told["data"]) == ("model", "golden records")
    assert {item["records"] for item in told["carrying"]} == {1, 8}
    assert all(0 < item["low"] <= item["ms"] <= item["high"] for item in told["carrying"])
    ran = model("package", "net", "--measurement", path, "-o", tmp_path / "more.zip")
    assert ran.code == 0
    assert model("verify", tmp_path / "more.zip", "--golden").code == 0


def test_a_measurement_fits_80_columns(model: Callable[..., Any]) -> None:
    """One row for each point, the knee marked once, and the machine below."""
    ran = model("measure", "model.onnx", "--data", "data.npz", "--threads", "1", *QUICK, COLUMNS="80")
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert len(re.findall(r"^ +1 +\d+ ", ran.out, re.MULTILINE)) == 6
    assert len(re.findall(r"\bknee$", ran.out, re.MULTILINE)) == 1
    assert "ONNX Runtime" in ran.out
    assert re.search(r"^A request costs the server beside the run: .* ms with 1 processor", ran.out, re.MULTILINE)


def test_what_requests_cost_may_be_left_out(model: Callable[..., Any]) -> None:
    """It takes some seconds, and starts a server."""
    ran = model("measure", "model.onnx", "--data", "data.npz", "--threads", "1", *QUICK, "--no-requests", "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)["carrying"] == []


def test_where_requests_cannot_be_measured_it_is_one_line(model: Callable[..., Any], tmp_path: Path) -> None:
    """The rest is measured all the same."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['granian'] = None\n")
    quick = ("--data", "data.npz", "--threads", "1", "--batch", "1", *QUICK, "-o", "json")
    ran = model("measure", "model.onnx", *quick, PYTHONPATH=str(tmp_path))
    assert (ran.code, json.loads(ran.out)["carrying"]) == (0, [])
    assert ran.err == (
        "warning: model.onnx: what a request costs is not measured: the package granian is missing; "
        "pip install 'opdeploy[local]'\n"
    )


@pytest.fixture(scope="module")
def optimised(folder: Path, opdeploy: Opdeploy) -> Any:  # noqa: ANN401  how the command ended
    """Return what `model optimize` printed of the digits."""
    return opdeploy(
        *("model", "optimize", "digits.onnx", "--data", "digits.npz", "-o", "digits.zip", *QUICK),
        cwd=folder,
        COLUMNS="80",
    )


def test_optimize_shows_every_variant_and_why(optimised: Any) -> None:  # noqa: ANN401  how the command ended
    """One row for each, which fits 80 columns; reasons stand below, those that are alike together."""
    assert optimised.code == 0
    assert re.fullmatch(r"wrote digits\.zip\nsha256:[0-9a-f]{64}\n", optimised.err)
    lines = optimised.out.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines[2 : lines.index("")]]
    assert {"fp32", "fp32-basic", "fp32-fused", "int8-dynamic", "int8-static", "fp16"} <= {row[0] for row in rows}
    assert [row[-1] for row in rows].count("best") == 1
    for reason in ("Accepted: fp32: the reference.", "Skipped: fp32-fused: it has no parts of a transformer."):
        assert reason in optimised.out
    assert "Judged on 225 records, digits.npz; calibrated with 128 records, digits.npz." in optimised.out


def test_the_artefact_serves_the_best_and_keeps_the_reference(
    optimised: Any,  # noqa: ANN401  how the command ended
    model: Callable[..., Any],
) -> None:
    """Every variant in it gives the golden answers, and the first is the one in the table."""
    (best,) = re.findall(r"^Best: ([\w-]+),", optimised.out, re.MULTILINE)
    ran = model("verify", "digits.zip", "--golden", "-o", "json")
    names = [variant["name"] for variant in ran.json]
    assert (ran.code, names[0], names[-1]) == (0, best, "fp32")
    assert ran.err == f"{best} would be served here\n"


def test_optimize_reports_as_json(model: Callable[..., Any], tmp_path: Path) -> None:
    """The report is data on stdout, with the evidence and settings of each variant."""
    command = ("optimize", "model.onnx", "--data", "data.npz", "--report", "json", "--max-accuracy-loss", "0")
    told = model(*command, *QUICK, "-o", tmp_path / "net").json
    assert told["trials"][0]["name"] == "fp32"
    assert {trial["state"] for trial in told["trials"]} <= {"best", "accepted", "rejected", "failed", "skipped"}
    assert told["trials"][0]["evidence"]["records"] == 20
    assert told["verified"]["onnxruntime"]


@pytest.mark.parametrize("plain", [True, False], ids=["NO_COLOR", "colour"])
def test_a_terminal_shows_progress_and_the_table(
    terminal: Terminal, folder: Path, tmp_path: Path, *, plain: bool
) -> None:
    """What is tried is said on one line that goes away; NO_COLOR leaves the colours out."""
    command = ("model", "optimize", folder / "model.onnx", "--data", folder / "data.npz", "-o", tmp_path / "net")
    variables = {"COLUMNS": "80", **({"NO_COLOR": "1"} if plain else {})}
    shown = terminal(*command, *QUICK, **variables)
    assert "\r\x1b[Ktrying: int8-static …" in shown
    assert "\x1b[3" not in shown
    assert f"\nwrote {tmp_path / 'net'}\nsha256:" in shown


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let processes that a test starts be interrupted, even where these tests themselves may not be."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["optimize", "measure"])
def test_an_interrupt_leaves_nothing(
    program: str,
    folder: Path,
    tmp_path: Path,
    clean: Callable[..., dict[str, str]],
    command: str,
    number: int,
) -> None:
    """Neither a part of the answer, nor anything in the temporary folder, nor a process, however it is ended."""
    (tmp_path / "temporary").mkdir()
    target = ("-o", "out.zip") if command == "optimize" else ("--file", "out.json")
    run = [
        program,
        "model",
        command,
        folder / "digits.onnx",
        "--data",
        folder / "digits.npz",
        *target,
        "--seconds",
        "600",
    ]
    parent, child = pty.openpty()
    with subprocess.Popen(
        list(map(str, run)),
        stdout=subprocess.PIPE,
        stderr=child,
        cwd=tmp_path,
        env=clean(TMPDIR=str(tmp_path / "temporary")),
    ) as process:
        os.close(child)
        said = b""
        while " …".encode() not in said:  # the progress: it has begun
            said += os.read(parent, 4096)
        process.send_signal(number)
        assert process.wait(timeout=60) == (130 if number == signal.SIGINT else 143)
    os.close(parent)
    assert list(tmp_path.rglob("*")) == [tmp_path / "temporary"]
