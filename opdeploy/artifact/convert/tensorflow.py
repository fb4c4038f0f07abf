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

SAFE_KERAS = (3, 14)
"""The first Keras that is known to keep an archive from running code or writing elsewhere, so that it needs no trust.

GitHub advisories GHSA-4f3f-g24h-fr8m (code, fixed in 3.13.2) and GHSA-hqp4-2352-xf5r (paths, fixed in 3.14.0), both
read on 2026-11-23.
"""


def export(source: Source, options: Options, *, trust: bool = False) -> Exported:
    """Export a SavedModel or a Keras model.

    Raises InputError for what is missing, damaged, runs code of its own without trust, or cannot be converted.
    """
    tf = need("tensorflow", "tensorflow", source.name)
    tf2onnx = need("tf2onnx", "tensorflow", source.name)
    call, signature = _saved(tf, source) if source.kind == "saved model" else _keras(tf, source, trust=trust)
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


def _saved(tf: Any, source: Source) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], Sequence[Any]]:  # noqa: ANN401
    """Return the function that a SavedModel serves by default, and its inputs."""
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


def _keras(tf: Any, source: Source, *, trust: bool) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], Sequence[Any]]:  # noqa: ANN401
    """Return a Keras model as a function of its named inputs, and these."""
    keras = need("keras", "tensorflow", source.name)
    if not trust and tuple(map(int, keras.__version__.split(".")[:2])) < SAFE_KERAS:
        raise InputError(
            f"{source.name}: Keras {keras.__version__} runs code that is hidden in a model; install keras>="
            f"{'.'.join(map(str, SAFE_KERAS))}, or give --trust if you know who made it"
        )
    try:
        model = keras.models.load_model(source.name, compile=False, safe_mode=not trust)
    except Exception as error:  # noqa: BLE001 - a damaged model, or a layer that is not there, fails in any way
        raise InputError(f"{source.name}: {_refused(error, trust=trust)}") from None
    if not model.built or not getattr(model, "inputs", None):
        raise InputError(
            f"{source.name}: does not say which inputs it takes; build it with keras.Input, and save it again"
        )
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
