"""Exports TensorFlow and Keras: a SavedModel's folder, `.keras` and HDF5, through tf2onnx."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from opdeploy.artifact.convert.exported import Exported, Options, need, one_line
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from opdeploy.artifact.convert.sources import Source
    from opdeploy.runtime.session import Arrays

TRUSTED_OPERATIONS = re.compile(r"ReadFile|WriteFile|PyFunc|MatchingFiles|Dataset")
"""Operations of a SavedModel that reach outside it."""


def export(source: Source, options: Options, *, trust: bool = False) -> Exported:
    """Export a SavedModel or a Keras model.

    Raises InputError for what is missing, damaged, runs code of its own without trust, or cannot be converted.
    """
    tf = need("tensorflow", "tensorflow", source.name)
    tf2onnx = need("tf2onnx", "tensorflow", source.name)
    call, signature = (
        _saved(tf, source, trust=trust) if source.kind == "saved model" else _keras(tf, source, trust=trust)
    )
    if not options.dynamic_batch:
        signature = [tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, spec.name) for spec in signature]
    names = [spec.name for spec in signature]

    def by_name(*tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - tensors of TensorFlow
        return call(dict(zip(names, tensors, strict=True)))

    function = tf.function(by_name, input_signature=signature)
    try:
        model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=options.opset)
    except Exception as error:  # noqa: BLE001 - tf2onnx fails in any way
        raise InputError(f"{source.name}: cannot be converted: {one_line(error)}") from None

    outputs = [value.name for value in model.graph.output]

    def answer(inputs: Arrays) -> list[NDArray[Any]]:
        made = function(*(tf.constant(inputs[name]) for name in names))
        return [made[name].numpy() for name in outputs]

    return Exported(model, answer)


def _saved(tf: Any, source: Source, *, trust: bool) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], Sequence[Any]]:  # noqa: ANN401
    """Return the function that a SavedModel serves by default, and its inputs."""
    if not trust:
        _check_operations(source)
    try:
        loaded = tf.saved_model.load(source.name)
        served = loaded.signatures["serving_default"]
    except KeyError:
        raise InputError(f"{source.name}: has no signature serving_default; export it with one") from None
    except Exception as error:  # noqa: BLE001 - a damaged model fails in any way
        raise InputError(f"{source.name}: cannot be loaded: {one_line(error)}; export it again") from None
    taken = served.structured_input_signature[1]
    signature = [tf.TensorSpec(taken[name].shape, taken[name].dtype, name) for name in sorted(taken)]
    served._opdeploy_keeps = loaded  # noqa: SLF001 - a function holds its variables only weakly

    def call(tensors: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = served(**tensors)
        return made

    return call, signature


def _check_operations(source: Source) -> None:
    """Raise InputError where a SavedModel's graph reaches outside it."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    try:
        saved.ParseFromString((source.path / "saved_model.pb").read_bytes())
    except DecodeError:
        raise InputError(f"{source.name}: saved_model.pb is damaged, or only a part of it; export it again") from None
    for graph in saved.meta_graphs:
        functions = (node for function in graph.graph_def.library.function for node in function.node_def)
        for node in (*graph.graph_def.node, *functions):
            if TRUSTED_OPERATIONS.search(node.op):
                raise InputError(
                    f"{source.name}: has the operation {node.op}, which reaches outside the model when it runs; give "
                    "--trust if you know who made it"
                )


def _keras(tf: Any, source: Source, *, trust: bool) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], Sequence[Any]]:  # noqa: ANN401
    """Return a Keras model as a function of its named inputs, and these."""
    keras = need("keras", "tensorflow", source.name)
    try:
        model = keras.models.load_model(source.name, compile=False, safe_mode=not trust)
    except Exception as error:  # noqa: BLE001 - a damaged model, or a layer that is not there, fails in any way
        raise InputError(f"{source.name}: {_refused(error, trust=trust)}") from None
    inputs = [tf.TensorSpec(item.shape, item.dtype, item.name) for item in model.inputs]

    def call(tensors: dict[str, Any]) -> dict[str, Any]:
        values = list(tensors.values())
        made = model(values[0] if len(values) == 1 else values, training=False)
        if isinstance(made, dict):
            return made
        many = list(made) if isinstance(made, (list, tuple)) else [made]
        return {"output": many[0]} if len(many) == 1 else {f"output_{at}": one for at, one in enumerate(many)}

    return call, inputs


def _refused(error: Exception, *, trust: bool) -> str:
    text = str(error)
    if not trust and re.search(r"safe_mode|unsafe|[Ll]ambda", text):
        return "holds Python code (a Lambda layer), which loading it would run; give --trust if you know who made it"
    unknown = re.search(r"Could not locate class '([^']+)'|Unknown layer: '?(\w+)", text)
    if unknown:
        name = next(filter(None, unknown.groups()))
        return f"cannot be loaded: its layer {name} is not part of Keras; export it as a SavedModel"
    return f"cannot be loaded: {one_line(error)}; save it again"
