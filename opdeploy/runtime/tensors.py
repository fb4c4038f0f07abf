"""The tensors that a model takes and gives, in the words of the Open Inference Protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Datatype:
    """A datatype of the protocol: its numpy type, its ONNX Runtime type, and the JSON values it takes.

    numpy has no BF16: such tensors are float32 here, which holds each of its values, and are rounded for the model.
    """

    name: str
    dtype: np.dtype[Any]
    onnx: str
    json_types: frozenset[type]


_BOOLS = frozenset({bool})
_INTEGERS = frozenset({int})
_NUMBERS = frozenset({int, float})
_STRINGS = frozenset({str})

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
    Datatype("BF16", np.dtype(np.float32), "tensor(bfloat16)", _NUMBERS),
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


def bf16_bits(array: NDArray[Any]) -> NDArray[np.uint16]:
    """Return the 16 bits of each float32 as BF16, rounded to the nearest, halves to even; not-a-numbers stay such."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    # Adding carries into the upper half; of a not-a-number it could make an infinity, so its quiet bit is set instead.
    with np.errstate(over="ignore"):
        rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(array), (bits >> np.uint32(16)) | np.uint32(0x40), rounded).astype(np.uint16)


def bf16_values(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the float32 of each BF16, given by its 16 bits; none is rounded."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
