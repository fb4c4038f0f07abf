"""The graph that an exporter made: what is wrong with it, what it need not say, and how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError, OpdeployError

if TYPE_CHECKING:
    from pathlib import Path

    import onnx


LEAST_BESIDE = 1024
"""Bytes of a tensor from which it goes to the file beside the model; what is smaller may be a shape."""


def check_operators(source: str, model: onnx.ModelProto) -> None:
    """Raise InputError for a step that the exporter passed on as it was, since ONNX has nothing like it."""
    import onnx

    own = {function.name for function in model.functions}
    for node in model.graph.node:
        if node.domain in ("", "ai.onnx") and node.op_type not in own and not onnx.defs.has(node.op_type):
            raise InputError(
                f"{source}: cannot be converted: ONNX has nothing for the operator {node.op_type} (at {node.name}); "
                "write that step with others"
            )


def tidy(model: onnx.ModelProto, *, dynamic_batch: bool) -> None:
    """Take out what an exporter notes about the machine that ran it, and call the free first axis `batch`."""
    graph = model.graph
    bodies = [node for function in model.functions for node in function.node]
    parts: list[Any] = [model, graph, *graph.node, *bodies, *model.functions, *graph.initializer]
    for part in (*parts, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("doc_string")
        if hasattr(part, "metadata_props"):
            part.ClearField("metadata_props")
    graph.name = "model"
    del graph.value_info[:]
    model.opset_import.sort(key=lambda entry: entry.domain)  # skl2onnx takes them out of a set, in any order
    first = {value.type.tensor_type.shape.dim[0].dim_param for value in graph.input if value.type.tensor_type.shape.dim}
    free = [value for value in graph.input if _is_free(value)]
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        for at, dim in enumerate(dims):
            if dim.HasField("dim_value"):
                continue
            if (
                at == 0
                and free
                and (value in free or dim.dim_param in {*first, ""} or dim.dim_param.startswith("unk__"))
            ):
                if dynamic_batch:
                    dim.dim_param = "batch"
                else:
                    dim.dim_value = 1
            elif dim.dim_param.startswith("unk__"):
                dim.Clear()


def _is_free(value: onnx.ValueInfoProto) -> bool:
    dims = value.type.tensor_type.shape.dim
    return bool(dims) and not dims[0].HasField("dim_value")


def save(model: onnx.ModelProto, path: Path, most_bytes: int) -> int:
    """Write a model, with its weights beside it where they are too many for one file; return the bytes of both."""
    import onnx

    weights = sum(tensor.ByteSize() for tensor in model.graph.initializer)
    try:
        if weights > most_bytes:
            for tensor in model.graph.initializer:
                if not tensor.HasField("raw_data") and tensor.data_type != onnx.TensorProto.STRING:  # only that moves
                    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
                # As save_as_external_data does, which refuses where the working directory has a file of this name.
                if len(tensor.raw_data) >= LEAST_BESIDE:
                    onnx.external_data_helper.set_external_data(tensor, f"{path.name}.data")
            onnx.save_model(model, path)
        else:
            path.write_bytes(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise OpdeployError(f"{path.name}: was not written: {error.strerror or error}; make room") from None
    return sum(file.stat().st_size for file in path.parent.iterdir())


def opset(model: onnx.ModelProto) -> int:
    """Return the opset of ONNX's own operators; 0 where a graph has none of them."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
