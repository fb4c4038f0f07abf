"""Short ways to declare processing and the tensors of a model, for the tests of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from opdeploy.runtime.processing.processor import Processor
from opdeploy.runtime.processing.spec import Processing
from opdeploy.runtime.tensors import BY_ONNX, TensorSpec

_DATATYPES = {datatype.name: datatype for datatype in BY_ONNX.values()}


def tensor(name: str, datatype: str, *shape: int | str | None) -> TensorSpec:
    """Describe a tensor."""
    return TensorSpec(name, _DATATYPES[datatype], shape)


def processor(
    given: dict[str, Any],
    inputs: list[TensorSpec],
    output: dict[str, Any] | None = None,
    outputs: list[TensorSpec] | None = None,
    files: Path = Path(),
) -> Processor:
    """Return a processor for a declaration as it stands in YAML; without an output, for one that gives tensors."""
    declared = msgspec.convert({"input": given, "output": output or {"kind": "raw"}}, Processing)
    return Processor(declared, inputs, [tensor("y", "FP32", "n", 1)] if outputs is None else outputs, files)
