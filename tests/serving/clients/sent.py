"""A vector of each datatype that the server's model gives back, but for BF16, which has a model of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

VECTORS: dict[str, np.ndarray[Any, Any]] = {
    "BOOL": np.array([True, False]),
    "UINT8": np.array([0, 255], np.uint8),
    "UINT16": np.array([65535], np.uint16),
    "UINT32": np.array([2**32 - 1], np.uint32),
    "UINT64": np.array([2**64 - 1], np.uint64),
    "INT8": np.array([-128, 127], np.int8),
    "INT16": np.array([-(2**15)], np.int16),
    "INT32": np.array([-(2**31)], np.int32),
    "INT64": np.array([-(2**63), 2**63 - 1], np.int64),
    "FP16": np.array([0.5, -2], np.float16),
    "FP32": np.array([0.25, 3.0e38], np.float32),
    "FP64": np.array([0.1, 1e300], np.float64),
    "BYTES": np.array([b"a", b"", "zwölf".encode()], np.object_),
}


def assert_same(name: str, found: np.ndarray[Any, Any] | None) -> None:
    """Assert that an output is what was sent; text may come as text or as bytes."""
    assert found is not None, name
    if name == "BYTES":
        texts = [text.decode() if isinstance(text, bytes) else text for text in found.ravel().tolist()]
        assert texts == ["a", "", "zwölf"], found
    else:
        assert found.tolist() == VECTORS[name].tolist(), (name, found)
        assert found.dtype == VECTORS[name].dtype, (name, found.dtype)
