"""Finds the files beside an ONNX file that hold its weights, and none that lie elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opdeploy.artifact import size, tensors
from opdeploy.artifact.structure import UnsoundError
from opdeploy.document import shown

if TYPE_CHECKING:
    from pathlib import Path

    import onnx


class Place(NamedTuple):
    """Where the data of a tensor is."""

    tensor: onnx.TensorProto
    file: Path
    offset: int
    length: int


def files(model: onnx.ModelProto, folder: Path) -> set[Path]:
    """Return the files that hold weights; one outside the model's folder is none of the model's, and is left alone."""
    found = (
        size.within(folder, _entries(tensor).get("location", "")) for tensor in tensors.stored(model) if _is_out(tensor)
    )
    return {file for file in found if file and size.is_there(file)}


def places(model: onnx.ModelProto, folder: Path) -> list[Place]:
    """Return where all data in other files is.

    Raises UnsoundError where that is outside the folder, or there is not as much as a tensor's shape asks for.
    """
    return [_place(tensor, folder) for tensor in tensors.stored(model) if _is_out(tensor)]


def fill(found: list[Place], room: int) -> None:
    """Read the data of each tensor into it; raises UnsoundError when all of it takes more than `room` bytes."""
    import onnx

    if sum(place.length for place in found) > room:
        raise UnsoundError(
            "holds more than 2 GB with its weights, which do not fit into one message; take a smaller model"
        )
    for place in found:
        with place.file.open("rb") as stream:
            stream.seek(place.offset)
            place.tensor.raw_data = stream.read(place.length)
        del place.tensor.external_data[:]
        place.tensor.data_location = onnx.TensorProto.DEFAULT


def _is_out(tensor: onnx.TensorProto) -> bool:
    import onnx

    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _place(tensor: onnx.TensorProto, folder: Path) -> Place:
    entries = _entries(tensor)
    location, name = entries.get("location", ""), shown(tensor.name)
    file = size.within(folder, location)
    if file is None:
        raise UnsoundError(
            f"keeps {name} in {shown(location)}, which is not in the model's folder; copy the file beside the model, "
            "and name it without a path"
        )
    if not size.is_there(file):
        raise UnsoundError(f"keeps {name} in {shown(location)}, and there is no such file; copy it beside the model")
    wanted = tensors.bytes_of(tensor)
    offset, length = _number(entries, "offset", 0), _number(entries, "length", wanted)
    if wanted is None or offset is None or length != wanted:
        raise UnsoundError(f"asks for data of {name} that its shape contradicts; export the model again")
    if offset + length > file.stat().st_size:
        raise UnsoundError(f"keeps {name} in {shown(location)}, which is too short for it; copy the whole file")
    return Place(tensor, file, offset, length)


def _number(entries: dict[str, str], key: str, default: int | None) -> int | None:
    """Return a number of bytes; None for what is none."""
    if key not in entries:
        return default
    text = entries[key]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004 - 2^64
