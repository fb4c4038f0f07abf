"""Everything that a model's file tells, looked at and never run."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.artifact import cost, external, graph, structure, tensors
from opdeploy.artifact.convert import sources
from opdeploy.artifact.inspect import framework_of, inspect_model, is_generative
from opdeploy.artifact.operators import Operators, operators
from opdeploy.artifact.providers import Provider, providers
from opdeploy.artifact.windows import WindowsMl, windows_ml
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import onnx

_DATATYPES = {"FLOAT16": "FP16", "FLOAT": "FP32", "DOUBLE": "FP64", "STRING": "BYTES", "BFLOAT16": "BF16"}
"""ONNX's names of types that have another name in the Open Inference Protocol."""


class Tensor(NamedTuple):
    """An input or output, in the words of the Open Inference Protocol.

    A size in `shape` is a number where it is fixed, a name where it is open and has one, and None where it has none.
    """

    name: str
    datatype: str
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an ONNX file tells; its fields are the JSON that is printed."""

    file: str
    framework: str | None
    producer: str
    ir_version: int
    opsets: dict[str, int]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: dict[str, int]
    custom_operators: tuple[str, ...]
    functions: int
    parameters: int
    """Elements of the stored tensors, but for INT64, BOOL and BYTES, which are shapes and the like; 0 for trees."""
    size_mb: float
    external_data: tuple[str, ...]
    gflops: float | None
    record_bytes: int | None
    generative: bool
    providers: tuple[Provider, ...]
    windows_ml: WindowsMl

    def record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        fields = asdict(self)
        for key in ("inputs", "outputs"):
            fields[key] = [tensor._asdict() for tensor in getattr(self, key)]
        return fields


@dataclass(frozen=True, slots=True)
class Glance:
    """What is told by a file that is not ONNX; its fields are the JSON that is printed."""

    file: str
    framework: str | None
    size_mb: float
    convert: str | None
    """The command that makes ONNX of it; None where there is none."""

    def record(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def look(path: Path) -> Inspection | Glance:
    """Return what a model's file tells: of ONNX everything, of any other only name and size.

    Raises InputError for what is no model, or an ONNX model that is not sound, and what else `graph.load` raises.
    """
    if path.suffix.lower() != ".onnx":
        return _glance(path)
    model = graph.load(path, weights=False)
    try:
        return _inspection(path, model)
    except (KeyError, RuntimeError, TypeError, ValueError):  # types that there are not, names that are not text
        raise graph.not_onnx(path) from None
    except OSError as error:
        raise graph.unreadable(path, error) from error


def _glance(path: Path) -> Glance:
    facts = inspect_model(path)
    try:
        kind = sources.find(str(path)).kind
    except InputError:  # nothing that can be converted
        return Glance(str(path), facts.framework, facts.size_mb, None)
    framework = facts.framework or (kind if kind in ("lightgbm", "xgboost") else None)
    return Glance(str(path), framework, facts.size_mb, f"opdeploy model convert {shlex.quote(str(path))} -o model.onnx")


def _inspection(path: Path, model: onnx.ModelProto) -> Inspection:
    found = operators(model)
    versions = structure.opsets(model.opset_import)
    files = external.files(model, path.parent)
    size = path.stat().st_size + sum(file.stat().st_size for file in files)
    stored = {tensor.name for tensor in model.graph.initializer}
    about: dict[str, Any] = {
        "file": str(path),
        "producer": " ".join(filter(None, (model.producer_name, model.producer_version))),
        "ir_version": model.ir_version,
        "opsets": {domain or "ai.onnx": version for domain, version in sorted(versions.items())},
        "inputs": _tensors(value for value in model.graph.input if value.name not in stored),
        "outputs": _tensors(model.graph.output),
        "operators": found.counts,
        "custom_operators": found.custom,
        "functions": len(model.functions),
        "parameters": _parameters(model),
        "size_mb": size / 1e6,
        "external_data": tuple(sorted(file.relative_to(path.parent.resolve()).as_posix() for file in files)),
        "generative": is_generative(model.graph),
        "providers": providers(path, size, found),
        "windows_ml": _windows_ml(model, versions, found),
    }
    gflops, record_mb = cost.gflops_and_record_mb(model)  # last, for it spoils the model
    framework = "llm" if about["generative"] else framework_of(model, counted=gflops is not None)
    record_bytes = None if record_mb is None else round(record_mb * 1e6)
    return Inspection(**about, framework=framework, gflops=gflops, record_bytes=record_bytes)


def _windows_ml(model: onnx.ModelProto, versions: structure.Versions, found: Operators) -> WindowsMl:
    return windows_ml(model.ir_version, versions, contrib=found.contrib, custom=bool(found.custom))


def _tensors(values: Iterable[onnx.ValueInfoProto]) -> tuple[Tensor, ...]:
    return tuple(Tensor(value.name, _datatype(value.type), _shape(value.type)) for value in values)


def _datatype(kind: onnx.TypeProto) -> str:
    """Return the datatype of a tensor; of anything else its kind, such as `sequence`."""
    import onnx

    if kind.HasField("tensor_type"):
        name = str(onnx.TensorProto.DataType.Name(kind.tensor_type.elem_type))
        return _DATATYPES.get(name, name)
    return (kind.WhichOneof("value") or "unknown").removesuffix("_type")


def _shape(kind: onnx.TypeProto) -> tuple[int | str | None, ...] | None:
    """Return the sizes of a tensor; None where even their number is open."""
    if not kind.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else dim.dim_param or None
        for dim in kind.tensor_type.shape.dim
    )


def _parameters(model: onnx.ModelProto) -> int:
    import onnx

    others = (onnx.TensorProto.INT64, onnx.TensorProto.BOOL, onnx.TensorProto.STRING)
    return sum(math.prod(tensor.dims) for tensor in tensors.stored(model) if tensor.data_type not in others)
