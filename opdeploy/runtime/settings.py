"""How a graph is run, as an artefact says it: light, so that whoever only reads an artefact loads no ONNX Runtime."""

from __future__ import annotations

from typing import Literal

import msgspec

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
NO_GPU = "install onnxruntime-gpu, on a machine with an NVIDIA GPU and its driver"
Level = Literal["all", "extended", "basic", "disable"]
"""How far ONNX Runtime rewrites the graph when it loads it."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a graph is run."""

    provider: str = CPU
    """ONNX Runtime's name of what computes."""
    threads: int = 0
    """Of one run; 0 for one for each physical core, or as many as the container may use."""
    level: Level = "all"
