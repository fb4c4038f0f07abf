"""What a source is, told without loading it; and everything that `opdeploy model convert` refuses."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import joblib
import pytest

from opdeploy.artifact.convert import convert, sources
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy


class Malicious:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        """Tell pickle to make a folder."""
        return os.mkdir, (str(self.trace),)


def archive(path: Path, *names: str) -> None:
    """Write a zip archive of nearly empty files."""
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, "x")


WRITTEN: dict[str, tuple[str, Callable[[Path], object]]] = {
    "torch program": ("m.pt2", lambda path: archive(path, "m/archive_format", "m/data.pkl")),
    "torchscript": ("m.pt", lambda path: archive(path, "m/data.pkl", "m/constants.pkl", "m/code/a.py")),
    "keras": ("m.keras", lambda path: archive(path, "config.json", "metadata.json", "model.weights.h5")),
    "lightgbm": ("m.txt", lambda path: path.write_text("tree\nversion=v4\n")),
    "xgboost": ("m.json", lambda path: path.write_text('{"learner":{}}')),
    "pickle": ("m.bin2", lambda path: path.write_bytes(pickle.dumps([1]))),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_the_kind_is_told_by_content(tmp_path: Path, kind: str) -> None:
    """A file is what it holds, whatever it is called."""
    name, write = WRITTEN[kind]
    path = tmp_path / name
    write(path)
    assert sources.find(str(path)).kind == kind
    hidden = path.rename(tmp_path / "model")
    assert sources.find(str(hidden)).kind == kind


def test_a_function_is_named_with_its_module() -> None:
    """`module:function` needs no file."""
    assert sources.find("package.models:make").kind == "module"


@pytest.mark.parametrize("name", ["m.pkl", "m.joblib", "m.json", "m.txt", "m.keras", "m.h5", "m.ubj", "m.pt2", "m"])
@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)], ids=str)
def test_a_malicious_pickle_does_not_run(tmp_path: Path, name: str, compress: Any) -> None:  # noqa: ANN401
    """Without --trust no code of a pickle runs, whatever it is called and however it is compressed."""
    trace = tmp_path / "trace"
    joblib.dump(Malicious(trace), tmp_path / name, compress=compress)
    with pytest.raises(InputError, match=r"runs whatever code is in it; give --trust|no model that can be converted"):
        convert(str(tmp_path / name), tmp_path / "o.onnx")
    assert not trace.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_the_malicious_pickle_would_run(tmp_path: Path) -> None:
    """With --trust it does, so that the test above has something to hold."""
    trace = tmp_path / "trace"
    joblib.dump(Malicious(trace), tmp_path / "m.pkl")
    with pytest.raises(InputError):
        convert(str(tmp_path / "m.pkl"), tmp_path / "o.onnx", trust=True)
    assert trace.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_any_protocol_is_refused(tmp_path: Path, opdeploy: Opdeploy, protocol: int) -> None:
    """The command says why in one line, and exits with 2."""
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Malicious(tmp_path / "trace"), protocol))
    ran = opdeploy("model", "convert", "m.pkl", "-o", "o.onnx", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: m.pkl: is a pickle, and loading one runs whatever code is in it; give --trust if you know who made it\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["m.pkl"]


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent.txt": (lambda _: None, "no such file"),
    "empty.txt": (lambda path: path.touch(), "is empty"),
    "folder": (lambda path: path.mkdir(), "no SavedModel"),
    "m.onnx": (lambda path: path.write_bytes(b"x"), "is ONNX already"),
    "text.txt": (lambda path: path.write_text("hello"), "no model that can be converted"),
    "other.json": (lambda path: path.write_text("{}"), "no model that can be converted"),
    "part.keras": (lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "is damaged"),
    "other.zip": (lambda path: archive(path, "a"), "an archive, but of no model"),
    "weights.pth": (lambda path: archive(path, "w/data.pkl", "w/data/0"), "holds weights"),
    "weights.ckpt": (lambda path: path.write_bytes(pickle.dumps({})), "module:function|my_module:my_function"),
    "weights.safetensors": (lambda path: path.write_bytes(b"\x08\0\0\0\0\0\0\0{}"), "holds weights"),
    "bad.txt": (lambda path: path.write_text("tree\nversion=v4\nnonsense"), "cannot be loaded"),
    "bad.json": (lambda path: path.write_text('{"learner": 1}'), "cannot be loaded"),
    "bad.pkl": (lambda path: path.write_bytes(b"\x80\x04nothing"), "cannot be loaded"),
    "list.pkl": (lambda path: path.write_bytes(pickle.dumps([1])), "no estimator"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_model_is_refused(tmp_path: Path, name: str) -> None:
    """One line says what is wrong, and nothing is written."""
    write, message = REFUSED[name]
    write(tmp_path / name)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=message) as raised:
        convert(str(tmp_path / name), tmp_path / "o.onnx", trust=True)
    assert "\n" not in str(raised.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 12}, "--opset 12: must be from 13 to 18"),
        ({"output": "m.txt"}, "is the source itself"),
        ({"output": "."}, "is a directory"),
        ({"output": "none/o.onnx"}, "there is no folder"),
        ({"data": "absent.npz"}, "no such file"),
        ({"data": "m.txt"}, "neither .npz nor .csv"),
    ],
    ids=str,
)
def test_bad_options_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """What cannot be written, read or asked for is told before anything is converted."""
    (tmp_path / "m.txt").write_text("tree\n")
    places = {"output": tmp_path / "o.onnx"} | {
        name: tmp_path / value if isinstance(value, str) else value for name, value in options.items()
    }
    with pytest.raises(InputError, match=message):
        convert(str(tmp_path / "m.txt"), **places)


@pytest.mark.parametrize(
    ("kind", "package", "extra"),
    [
        ("torch program", "torch", "torch"),
        ("torchscript", "onnxscript", "torch"),
        ("keras", "tensorflow", "tensorflow"),
        ("lightgbm", "lightgbm", "lightgbm"),
        ("xgboost", "xgboost", "xgboost"),
        ("pickle", "joblib", "sklearn"),
    ],
)
def test_a_missing_extra_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, package: str, extra: str
) -> None:
    """Where the exporter is not installed, the line says how to install it."""
    name, write = WRITTEN[kind]
    write(tmp_path / name)
    if package == "onnxscript":
        monkeypatch.setitem(sys.modules, "torch", pytest)  # whatever is there
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"needs the package {package}; pip install 'opdeploy\[{extra}\]'"):
        convert(str(tmp_path / name), tmp_path / "o.onnx", trust=True)


@pytest.mark.parametrize("text", ["image", "image:FP32", "image:FP33[1]", "image:FP32[1,-2]"])
def test_a_wrong_spec_is_refused(tmp_path: Path, opdeploy: Opdeploy, text: str) -> None:
    """`--input` has one form."""
    ran = opdeploy("model", "convert", "m.pt", "-o", "o.onnx", "--input", text, cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith(f"error: --input {text}: ")


def test_the_model_stays_when_the_next_is_refused(tmp_path: Path, root: Path) -> None:
    """A file that is there already is replaced only by one that was verified."""
    shutil.copy(root / "examples" / "digits" / "model.onnx", tmp_path / "o.onnx")
    before = (tmp_path / "o.onnx").read_bytes()
    (tmp_path / "m.json").write_text(json.dumps({"learner": []}))
    with pytest.raises(InputError):
        convert(str(tmp_path / "m.json"), tmp_path / "o.onnx")
    assert (tmp_path / "o.onnx").read_bytes() == before
