"""Tensors between JSON and numpy."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from opdeploy.runtime.tensors import Datatype


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
    if float in datatype.json_types and not np.isfinite(array).all():
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
