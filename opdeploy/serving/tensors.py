"""Tensors between JSON or bytes and numpy."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from opdeploy.runtime.tensors import bf16_bits, bf16_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from opdeploy.runtime.tensors import Datatype, TensorSpec

_LENGTH = 4
"""Bytes of the length before a text."""
_SLICE = 1 << 17
"""Elements that are converted at a time, some 5 ms: between slices, health and other requests have their turn."""
_NUMPY = orjson.OPT_SERIALIZE_NUMPY


def to_array(data: Any, shape: Sequence[int], datatype: Datatype) -> NDArray[Any]:  # noqa: ANN401 - any JSON value
    """Return the JSON data, flat in row-major order or nested as `shape` says, as an array of that shape.

    Raises ValueError when the data does not have that shape, or holds a value that the datatype does not.
    """
    if not isinstance(data, list):
        raise ValueError("data must be an array")  # noqa: TRY004 - a client's mistake, not a caller's
    values = _flatten(data, shape)
    if len(values) <= _SLICE:
        return _converted(values, datatype).reshape(shape)
    array = np.empty(len(values), datatype.dtype)
    for start in range(0, len(values), _SLICE):
        array[start : start + _SLICE] = _converted(values[start : start + _SLICE], datatype)
    return array.reshape(shape)


def _converted(values: list[Any], datatype: Datatype) -> NDArray[Any]:
    # The exact types: numpy alone would turn true into 1.0 and 1 into "1".
    if not datatype.json_types.issuperset(map(type, values)):
        raise ValueError(f"data has a value that is not of datatype {datatype.name}")
    try:
        with np.errstate(over="raise"):
            array = np.array(values, dtype=datatype.dtype)
        if datatype.name != "BF16":
            return array
        array = bf16_values(bf16_bits(array))
        if np.isfinite(array).all():
            return array
    except (OverflowError, FloatingPointError):
        pass
    raise ValueError(f"data has a value out of range for datatype {datatype.name}")


def fits(shape: Sequence[int], spec: TensorSpec) -> bool:
    """Tell whether a tensor of this shape may be what a model takes: each size as it is fixed, or of any length."""
    if len(shape) != len(spec.shape):
        return False
    return all(not isinstance(wanted, int) or size == wanted for size, wanted in zip(shape, spec.shape, strict=True))


def _flatten(data: list[Any], shape: Sequence[int]) -> list[Any]:
    count = math.prod(shape)
    if not (data and isinstance(data[0], list)):
        if len(data) != count:
            raise ValueError(f"data has {len(data)} elements, and shape {list(shape)} has {count}")
        return data
    rows = [data]
    for size in shape:
        if not all(isinstance(row, list) and len(row) == size for row in rows):
            raise ValueError(f"data is not nested as shape {list(shape)}")
        rows = list(chain.from_iterable(rows))
    return rows


def to_json(array: NDArray[Any]) -> NDArray[Any] | list[Any] | orjson.Fragment:
    """Return the array's elements in row-major order, in a form that orjson writes."""
    flat = np.ascontiguousarray(array).ravel()
    if flat.dtype == np.object_:
        return flat.tolist()
    if len(flat) <= _SLICE:
        return flat
    slices = (flat[start : start + _SLICE] for start in range(0, len(flat), _SLICE))
    return orjson.Fragment(b"[" + b",".join(orjson.dumps(some, option=_NUMPY)[1:-1] for some in slices) + b"]")


def from_bytes(data: memoryview, shape: Sequence[int], datatype: Datatype) -> NDArray[Any]:
    """Return elements as they lie in memory, little-endian and in row-major order, as an array of that shape.

    A BOOL has one byte, and BYTES have their length before them, in four bytes.

    Raises ValueError when the data does not have that shape, or holds a value that the datatype does not.
    """
    count = math.prod(shape)
    if datatype.name == "BYTES":
        return np.array(_texts(data, count), dtype=np.object_).reshape(shape)
    wire = np.dtype(np.uint16) if datatype.name == "BF16" else datatype.dtype
    if len(data) != count * wire.itemsize:
        raise ValueError(f"binary data has {len(data)} bytes, and shape {list(shape)} has {count * wire.itemsize}")
    array = np.frombuffer(data, wire.newbyteorder("<")).reshape(shape)
    if datatype.name == "BOOL" and (array.view(np.uint8) > 1).any():
        raise ValueError("binary data has a byte that is not of datatype BOOL: 0 or 1")
    if datatype.name == "BF16":
        return bf16_values(array)
    # The JSON before it may have any length, and what is not aligned is slower for a model than one copy.
    return array.astype(wire, copy=not array.flags.aligned)


def to_bytes(array: NDArray[Any], datatype: Datatype) -> bytes:
    """Return the array's elements as they lie in memory, little-endian and in row-major order."""
    if datatype.name == "BYTES":
        texts = [text.encode() if isinstance(text, str) else bytes(text) for text in array.ravel().tolist()]
        return b"".join(piece for text in texts for piece in (len(text).to_bytes(_LENGTH, "little"), text))
    wire = bf16_bits(array) if datatype.name == "BF16" else array
    return wire.astype(wire.dtype.newbyteorder("<"), copy=False).tobytes()


def _texts(data: memoryview, count: int) -> list[str]:
    texts: list[str] = []
    start = 0
    while len(texts) < count and start + _LENGTH <= len(data):
        end = start + _LENGTH + int.from_bytes(data[start : start + _LENGTH], "little")
        if end > len(data):
            break
        try:
            texts.append(str(data[start + _LENGTH : end], "utf-8"))
        except UnicodeDecodeError:
            raise ValueError(f"binary data has a text, number {len(texts)}, that is not UTF-8") from None
        start = end
    if len(texts) != count or start != len(data):
        raise ValueError(f"binary data of {len(data)} bytes does not hold {count} texts, each behind its length")
    return texts
