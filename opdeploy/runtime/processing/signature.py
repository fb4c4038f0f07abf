"""Checks a declaration against the tensors of a model, and opens the files that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from opdeploy.runtime.tensors import TensorSpec

MAX_FILE_BYTES = 100_000_000
"""The most that a file which a declaration names may have: the largest tokenizers have some 35 MB."""
FLOATS = ("FP16", "FP32", "FP64")
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")


def find(specs: Sequence[TensorSpec], name: str, field: str, datatypes: Collection[str]) -> TensorSpec:
    """Return the tensor of this name; raises InputError where there is none, or it is of another datatype."""
    spec = next((spec for spec in specs if spec.name == name), None)
    if spec is None:
        raise InputError(f"{field}: the model has no tensor {name!r} there{nearest(name, [s.name for s in specs])}")
    if spec.datatype.name not in datatypes:
        raise InputError(f"{field}: {name!r} is {spec.datatype.name}, where this takes {', '.join(datatypes)}")
    return spec


def check_size(spec: TensorSpec, axis: int, size: int, field: str) -> None:
    """Raise InputError where an axis of a tensor has a fixed size, and it is another."""
    if spec.shape and isinstance(spec.shape[axis], int) and spec.shape[axis] != size:
        raise InputError(f"{field}: gives {size}, where axis {axis} of {spec.name!r} has {spec.shape[axis]}")


def check_rank(spec: TensorSpec, ranks: Collection[int], field: str) -> None:
    """Raise InputError where a tensor's number of axes is known, and is none of these."""
    if spec.shape and len(spec.shape) not in ranks:
        wanted = " or ".join(map(str, ranks))
        raise InputError(f"{field}: {spec.name!r} has {len(spec.shape)} axes, where this takes {wanted}")


def read_file(folder: Path, name: str, field: str) -> str:
    """Return the text of a file of the package; raises InputError where it lies outside, or is no UTF-8 text."""
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve()) and ".." not in path.parts and "\\" not in name
        if not inside or path == folder:
            raise InputError(f"{field}: {name!r} is outside the package; name a file that is in it")
        if not path.is_file():
            raise InputError(f"{field}: the package has no file {name!r}")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{field}: {name!r} has more than {MAX_FILE_BYTES // 10**6} MB")
        return path.read_text(encoding="utf-8")
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle, up to Python 3.12
        raise InputError(f"{field}: {name!r} cannot be read as UTF-8 text: {error}") from None
