"""Finds out what a source is from its first bytes and names, without loading it: what a pickle holds is never run."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opdeploy.errors import InputError

Kind = Literal["module", "torch program", "torchscript", "saved model", "keras", "pickle", "lightgbm", "xgboost"]

RUNS_CODE: dict[Kind, str] = {
    "pickle": "is a pickle, and loading one runs whatever code is in it",
    "torchscript": "is TorchScript, which is a program of its own",
    "torch program": "is a torch.export archive, which PyTorch loads through pickle, and that runs any code in it",
    "saved model": "is a SavedModel, a program that TensorFlow runs, and that may read and write any file",
}
"""Why a kind is loaded only where the user trusts it.

PyTorch: `torch.export.load` "uses pickle under the hood" (its documentation, 2.13), and "TorchScript models should be
treated the same way as locally executable code from an unknown source" (SECURITY.md). TensorFlow: "using untrusted
models or graphs is equivalent to running untrusted code" (SECURITY.md); so tf.print appends to any file. All read on
2026-11-23.
"""

_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_PICKLED: tuple[bytes, ...] = (
    b"\x80",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x5d\x00\x00",
    b"\x04\x22\x4d\x18",
    b"\x78\x01",
    b"\x78\x5e",
)
"""How a pickle starts from protocol 2 on, and how joblib's compressed ones do."""
_PICKLED += (b"\x78\x9c", b"\x78\xda", b"ZF")
_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".sav")
_WEIGHTS_ONLY = (
    "holds weights, or a pickled module, and no program; write a function that builds the module, loads them and "
    "returns it with an example of its inputs, and convert that: my_module:my_function"
)


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be converted: a file, a folder, or `module:function`."""

    name: str
    kind: Kind

    @property
    def path(self) -> Path:
        """The file or folder."""
        return Path(self.name)


def find(name: str) -> Source:
    """Return what a source is.

    Raises InputError for what does not exist, cannot be read, or is no model that can be converted.
    """
    path = Path(name)
    try:
        if path.is_dir():
            return Source(name, _folder(path))
        if path.is_file():
            return Source(name, _file(path))
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}; check the path and its permissions") from None
    if _FUNCTION.fullmatch(name):
        return Source(name, "module")
    raise InputError(f"{name}: no such file; name a model's file or folder, or module:function")


def _folder(path: Path) -> Kind:
    if (path / "saved_model.pb").is_file():
        return "saved model"
    raise InputError(f"{path}: is a directory, and no SavedModel of TensorFlow; name the model's file in it")


def _file(path: Path) -> Kind:
    with path.open("rb") as stream:
        head = stream.read(4096)
    suffix = path.suffix.lower()
    if not head:
        raise InputError(f"{path}: is empty; write the model again")
    if suffix == ".onnx":
        raise InputError(f"{path}: is ONNX already; look at it with: opdeploy model inspect")
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "keras"
    if suffix in (".pth", ".ckpt", ".pt", ".bin", ".safetensors"):
        raise InputError(f"{path}: {_WEIGHTS_ONLY}")
    if head.startswith((b"tree\n", b"tree\r\n")):
        return "lightgbm"
    if head.startswith(b"{") and b"learner" in head:
        return "xgboost"
    if suffix in _PICKLE_SUFFIXES or head.startswith(_PICKLED):
        return "pickle"
    raise InputError(f"{path}: is no model that can be converted; name one of those that `--help` lists")


def _archive(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] or name for name in archive.namelist()} | set(archive.namelist())
    except (zipfile.BadZipFile, ValueError):
        raise InputError(f"{path}: is damaged, or only a part of it; copy or write the model again") from None
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return "torch program"
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return "torchscript"
    if "data.pkl" in names:
        raise InputError(f"{path}: {_WEIGHTS_ONLY}")
    if {"config.json", "metadata.json"} <= names:
        return "keras"
    raise InputError(f"{path}: is an archive, but of no model that can be converted; write the model again")
