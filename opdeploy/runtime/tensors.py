"""The tensors that a model takes and gives, in the words of the Open Inference Protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


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
