"""Tensors between JSON, numpy and ONNX Runtime."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Datatype:
    """A datatype of the protocol: its numpy type, its ONNX Runtime type, and the JSON values it takes."""

    name: str
    dtype: np.dtype[Any]
    onnx: str
    json_types: frozenset[type]


_BOOLS = frozenset({bool})
_INTEGERS = frozenset({int})
_NUMBERS = frozenset({int, float})
_STRINGS = frozenset({str})

# BF16 is missing on purpose: neither numpy nor JSON has it.
_DATATYPES = (
    Datatype("BOOL", np.dtype(np.bool_), "tensor(bool)", _BOOLS),
    Datatype("UINT8", np.dtype(np.uint8), "tensor(uint8)", _INTEGERS),
    Datatype("UINT16", np.dtype(np.uint16), "tensor(uint16)", _INTEGERS),
    Datatype("UINT32", np.dtype(np.uint32), "tensor(uint32)", _INTEGERS),
    Datatype("UINT64", np.dtype(np.uint64), "tensor(uint64)", _INTEGERS),
    Datatype("INT8", np.dtype(np.int8), "tensor(int8)", _INTEGERS),
    Datatype("INT16", np.dtype(np.int16), "tensor(int16)", _INTEGERS),
    Datatype("INT32", np.dtype(np.int32), "tensor(int32)", _INTEGERS),
    Datatype("INT64", np.dtype(np.int64), "tensor(int64)", _INTEGERS),
    Datatype("FP16", np.dtype(np.float16), "tensor(float16)", _NUMBERS),
    Datatype("FP32", np.dtype(np.float32), "tensor(float)", _NUMBERS),
    Datatype("FP64", np.dtype(np.float64), "tensor(double)", _NUMBERS),
    Datatype("BYTES", np.dtype(np.object_), "tensor(string)", _STRINGS),
)
BY_ONNX = {datatype.onnx: datatype for datatype in _DATATYPES}


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a model.

    A size in `shape` is a number where it is fixed, a name where tensors share it, and None where it is free.
    """

    name: str
    datatype: Datatype
    shape: tuple[int | str | None, ...]

    def metadata(self) -> dict[str, Any]:
        """Return the tensor as the protocol describes it, with -1 for each size that is not fixed."""
        shape = [size if isinstance(size, int) else -1 for size in self.shape]
        return {"name": self.name, "datatype": self.datatype.name, "shape": shape}


def to_array(data: Any, shape: Sequence[int], datatype: Datatype) -> NDArray[Any]:  # noqa: ANN401 - any JSON value
    """Return the JSON data, flat in row-major order or nested as `shape` says, as an array of that shape.

    Raises ValueError when the data does not have that shape, or holds a value that the datatype does not.
    """
    if not isinstance(data, list):
        raise ValueError("data must be an array")  # noqa: TRY004 - a client's mistake, not a caller's
    values = _flatten(data, shape)
    # The exact types: numpy alone would turn true into 1.0 and 1 into "1".
    if not datatype.json_types.issuperset(map(type, values)):
        raise ValueError(f"data has a value that is not of datatype {datatype.name}")
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=datatype.dtype)
    except OverflowError:
        raise ValueError(f"data has a value out of range for datatype {datatype.name}") from None
    # JSON has no infinity, so one that is here now is a number too large for the datatype.
    if datatype.json_types is _NUMBERS and not np.isfinite(array).all():
        raise ValueError(f"data has a value out of range for datatype {datatype.name}")
    return array.reshape(shape)


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


def to_json(array: NDArray[Any]) -> NDArray[Any] | list[Any]:
    """Return the array's elements in row-major order, in a form that orjson writes."""
    flat = np.ascontiguousarray(array).ravel()
    return flat.tolist() if flat.dtype == np.object_ else flat
