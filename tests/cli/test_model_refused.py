"""What `opdeploy model optimize`, `verify`, `measure` and `package` refuse: in one line, and nothing is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import yaml
from nets import linear, records, save
from onnx_models import external

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy

TABLE = {"kind": "table", "tensor": "x", "columns": [{"name": f"c{at}", "type": "number"} for at in range(8)]}
LABELS = {"kind": "classification", "tensor": "y", "labels": ["a", "b", "c"]}
DECLARATIONS: dict[str, dict[str, Any]] = {
    "good.yaml": {"input": TABLE, "output": LABELS},
    "unknown.yaml": {"input": {**TABLE, "tensr": "x"}},
    "no-tensor.yaml": {"input": {**TABLE, "tensor": "image"}},
    "two-labels.yaml": {"input": TABLE, "output": {**LABELS, "labels": ["a", "b"]}},
    "no-file.yaml": {"input": TABLE, "output": {**LABELS, "labels": "labels.txt"}},
    "outside.yaml": {"input": TABLE, "output": {**LABELS, "labels": "../labels.txt"}},
}
ARRAYS: dict[str, dict[str, Any]] = {
    "good.npz": {"x": records(12)},
    "nan.npz": {"x": np.where(np.arange(96).reshape(12, 8) == 50, np.nan, records(12))},
    "shape.npz": {"x": records(12)[:, :5]},
    "labels.npz": {"x": records(12), "labels": np.arange(11)},
    "name.npz": {"image": records(12)},
    "none.npz": {"x": records(12)[:0]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, opdeploy: Opdeploy) -> Path:
    """Return a folder with models, data and declarations, good and bad, and an artefact that was tampered with."""
    made = tmp_path_factory.mktemp("refused") / "here"
    (made / "temporary").mkdir(parents=True)
    _write_models(made)
    for name, declaration in DECLARATIONS.items():
        (made / name).write_text(yaml.safe_dump(declaration))
    (made / "broken.yaml").write_text("input: [")
    for name, arrays in ARRAYS.items():
        np.savez(made / name, **arrays)
    (made / "cut.npz").write_bytes((made / "good.npz").read_bytes()[:100])
    (made / "rows.csv").write_text(f"{','.join(f'c{at}' for at in range(8))}\n{','.join('1' * 8)}\n")
    (made / "text.json").write_text("hello")
    (made / "other.json").write_text(json.dumps({"date": "2026-11-23"}))
    (made / "measured.json").write_text(json.dumps(dict.fromkeys(["date", "machine", "points", "knee", "sha256"], "0")))
    assert opdeploy("model", "package", "model.onnx", "--data", "good.npz", "-o", "artefact", cwd=made).code == 0
    shutil.copytree(made / "artefact", made / "tampered")
    with (made / "tampered" / "golden" / "tensors.npz").open("ab") as golden:
        golden.write(b"more")
    return made


def _write_models(folder: Path) -> None:
    linear(folder / "model.onnx")
    save(folder / "loop.onnx", [node("Add", ["x", "b"], ["a"]), node("Add", ["a", "x"], ["b"])], {})
    save(folder / "gap.onnx", [node("Add", ["x", "w"], ["y"])], {})
    (folder / "text.onnx").write_bytes(b"hello " * 9)
    (folder / "cut.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-20])
    for name, location in (("outside.onnx", "../weights.bin"), ("absent.onnx", "weights.bin")):
        onnx.save_model(external(location), folder / name)
    (folder.parent / "weights.bin").write_bytes(bytes(48))
    future = onnx.load_model(folder / "model.onnx")
    future.opset_import[0].version = 99
    onnx.save_model(future, folder / "future.onnx")
    renamed = onnx.load_model(folder / "model.onnx")
    renamed.graph.input[0].name = renamed.graph.node[0].input[0] = "image"
    onnx.save_model(renamed, folder / "renamed.onnx")


node = onnx.helper.make_node


MODELS = {
    "text.onnx": "is not ONNX",
    "cut.onnx": "is not ONNX, or only a part of it",
    "loop.onnx": "cycle",
    "gap.onnx": 'reads "w", which no node makes',
    "outside.onnx": "outside",
    "absent.onnx": "weights.bin",
    "future.onnx": "99",
    "gone.onnx": "no such file",
}
COMMANDS = ("package {} -o out", "optimize {} -o out", "verify {} model.onnx", "verify model.onnx {}", "measure {}")
CASES: dict[str, tuple[str, str]] = {
    **{f"package {model}": (f"package {model} -o out", why) for model, why in MODELS.items()},
    **{command: (command.format("cut.onnx"), MODELS["cut.onnx"]) for command in COMMANDS[1:]},
    **{f"{command}, weights outside": (command.format("outside.onnx"), "outside") for command in COMMANDS[1:]},
    # Data
    "NaN": ("optimize model.onnx --data nan.npz -o out", "x: holds what is not a finite number"),
    "wrong shape": ("optimize model.onnx --data shape.npz -o out", "[12, 5], but the model takes [batch, 8]"),
    "wrong labels": ("optimize model.onnx --data labels.npz -o out", "different numbers of records"),
    "another input": ("verify model.onnx model.onnx --data name.npz", "'image' is no input of the model"),
    "no records": ("measure model.onnx --data none.npz", "holds no records"),
    "half of a file": ("package model.onnx --data cut.npz -o out", "is no .npz file"),
    "no data file": ("measure model.onnx --data gone.npz", "gone.npz: no such file"),
    "rows without declaration": ("package model.onnx --data rows.csv -o out", "say with --processing"),
    # Targets
    "a file is there": ("package model.onnx --data good.npz -o rows.csv", "is there already"),
    "a folder is there": ("optimize model.onnx --data good.npz -o artefact", "is there already"),
    "no such folder": ("package model.onnx --data good.npz -o gone/out.zip", "there is no folder gone"),
    "no folder for the answer": ("measure model.onnx --data good.npz --file gone/m.json", "there is no folder gone"),
    "a folder for the answer": ("measure model.onnx --data good.npz --file artefact -o json", "is a directory"),
    # Options
    "a negative tolerance": ("package model.onnx --rtol -1 -o out", "'--rtol'"),
    "more than all": ("optimize model.onnx --max-accuracy-loss 2 -o out", "'--max-accuracy-loss'"),
    "no batch": ("measure model.onnx --batch 0", "'--batch'"),
    "no name": ("package model.onnx --name Big_Model -o out", "--name Big_Model: is no DNS label"),
    "one model alone": ("verify model.onnx", "name another model"),
    "a folder's own name": ("package model.onnx --data good.npz -o .", "is no name for an artefact"),
    "another suffix": ("package model.onnx --data good.npz -o out.tar.gz", "one file that ends in .zip"),
    "no golden answers": ("verify model.onnx --golden", "make one with: opdeploy model package"),
    "two ways to verify": ("verify artefact model.onnx --golden", "leave out one of the two"),
    "a tolerance for golden answers": ("verify artefact --golden --rtol 1", "--golden: records and tolerances"),
    "no such format": ("verify artefact --golden --file out.xml", "no format is called .xml"),
    # Declarations
    "no YAML": ("package model.onnx --processing broken.yaml -o out", "broken.yaml"),
    "an unknown field": ("package model.onnx --processing unknown.yaml -o out", "`tensr`"),
    "no such tensor": ("package model.onnx --processing no-tensor.yaml --data rows.csv -o out", "no tensor 'image'"),
    "too few labels": ("package model.onnx --processing two-labels.yaml --data good.npz -o out", "labels"),
    "no file of labels": ("package model.onnx --processing no-file.yaml --data good.npz -o out", "labels.txt"),
    "a file outside": ("package model.onnx --processing outside.yaml --data good.npz -o out", "labels.txt"),
    # Artefacts
    "tampered, verified": ("verify tampered --golden", "golden/tensors.npz is not as it was packaged"),
    "tampered, measured": ("measure tampered", "golden/tensors.npz is not as it was packaged"),
    "tampered, packed": ("package tampered -o out.zip", "golden/tensors.npz is not as it was packaged"),
    "no artefact": ("verify temporary --golden", "is no artefact"),
    "a model for an artefact": ("verify model.onnx --golden", "is no artefact"),
    "an artefact for a model": ("optimize artefact -o out", "artefact"),
    "data for an artefact": ("package artefact --data good.npz -o out", "only measurements are added"),
    "other inputs": (
        "verify model.onnx renamed.onnx",
        "its inputs are image FP32, those of model.onnx x FP32",
    ),
    # Measurements
    "text": ("package model.onnx --data good.npz --measurement text.json -o out", "is no measurement"),
    "other JSON": ("package artefact --measurement other.json -o out", "is no measurement"),
    "of another model": ("package artefact --measurement measured.json -o out", "measures another model"),
    "not there": ("package artefact --measurement gone.json -o out", "gone.json: cannot be read"),
}


RUN = """
import contextlib, io, json, sys
from pathlib import Path
from opdeploy.cli import main
for command in json.load(sys.stdin):
    before, code = sorted(Path().rglob("*")), 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main(["model", *command.split()])
        except SystemExit as end:
            code = end.code
    changed = sorted(map(str, set(Path().rglob("*")) ^ set(before)))
    print(json.dumps([code, out.getvalue(), err.getvalue(), changed]))
"""
"""Runs commands one after the other in one process, since loading the packages takes most of the time of each."""


@pytest.fixture(scope="module")
def refused(folder: Path, clean: Callable[..., dict[str, str]]) -> dict[str, list[Any]]:
    """Return for each command its exit code, what it printed on stdout and stderr, and which files came or went."""
    commands = [*(command for command, _ in CASES.values()), *UNWRITABLE.values()]
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        capture_output=True,
        check=True,
        cwd=folder,
        encoding="utf-8",
        env=clean(TMPDIR=str(folder / "temporary")),
        input=json.dumps(commands),
        timeout=120,
    )
    assert done.stderr == ""  # nothing of native code either
    return dict(zip(commands, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize(("command", "why"), CASES.values(), ids=list(CASES))
def test_bad_input_is_one_line(refused: dict[str, list[Any]], command: str, why: str) -> None:
    """It says what is wrong, exits with 2, and leaves no file behind, in the temporary folder either."""
    code, out, err, changed = refused[command]
    assert (code, out, changed) == (2, "", [])
    assert (err[:7], err.count("\n"), err[-1:]) == ("error: ", 1, "\n")
    assert why in err


UNWRITABLE = {target: f"package model.onnx --data good.npz -o {target}" for target in ("/proc/out", "/proc/out.zip")}


@pytest.mark.parametrize(("target", "command"), UNWRITABLE.items(), ids=list(UNWRITABLE))
def test_a_place_that_cannot_be_written_is_one_line(refused: dict[str, list[Any]], target: str, command: str) -> None:
    """What fails while writing is a failure, not bad input."""
    code, out, err, changed = refused[command]
    assert (code, out, changed, err.count("\n")) == (1, "", [], 1)
    assert err.startswith(f"error: {target}: was not written: ")
