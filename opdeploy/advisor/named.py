"""Tells which model a file is named after."""

from __future__ import annotations

import re


def is_named(path: str | None, model: str) -> bool:
    """Tell whether a file is named after a model: `resnet50_v1.onnx` and `ResNet-50.onnx` are `resnet-50`."""
    words = re.sub(r"[^a-z0-9]", "", (path or "").lower())
    return re.search(re.escape(model.replace("-", "")) + r"(?!\d)", words) is not None
