"""A vector of each datatype of the protocol, and how it is sent."""

from __future__ import annotations

from typing import Any

import numpy as np
from ml_dtypes import bfloat16

HEADER = "Inference-Header-Content-Length"
ARRAYS: dict[str, Any] = {
    "BOOL": np.array([True, False, True]),
    "UINT8": np.array([0, 255], np.uint8),
    "UINT16": np.array([0, 2**16 - 1], np.uint16),
    "UINT32": np.array([0, 2**32 - 1], np.uint32),
    "UINT64": np.array([0, 2**64 - 1], np.uint64),
    "INT8": np.array([-128, 127], np.int8),
    "INT16": np.array([-(2**15), 2**15 - 1], np.int16),
    "INT32": np.array([-(2**31), 2**31 - 1], np.int32),
    "INT64": np.array([-(2**63), 2**63 - 1], np.int64),
    "FP16": np.array([0.5, -65504, np.nan, np.inf], np.float16),
    "FP32": np.array([0.1, -np.inf, np.nan, 3.4e38], np.float32),
    "FP64": np.array([0.1, 1e308, np.nan], np.float64),
    "BYTES": np.array(["", "zwölf", "\0"], np.object_),
    "BF16": np.array([0.5, -3, np.inf, 3.3895314e38], bfloat16),
}


def wire(name: str, array: Any) -> bytes:  # noqa: ANN401 - an array
    """Return elements as the extension describes them: little-endian, and text behind its length."""
    if name != "BYTES":
        data: bytes = array.astype(array.dtype.newbyteorder("<")).tobytes()
        return data
    texts = [text.encode() for text in array]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def binary(name: str, datatype: str, shape: list[int], size: object) -> dict[str, Any]:
    """Return an input whose elements follow the JSON."""
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}
