"""Exports LightGBM and XGBoost: their own files, and their estimators, through onnxmltools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from opdeploy.artifact import confined
from opdeploy.artifact.convert import converters, trees
from opdeploy.artifact.convert.exported import Exported, Options, need, one_line, renamed
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from opdeploy.artifact.convert.sources import Source
    from opdeploy.runtime.session import Arrays

MOST_OPSET = 15
"""Of onnxmltools 1.16 for what is neither scikit-learn nor trees; trees themselves need no more than ai.onnx.ml 1."""


def export(source: Source, options: Options) -> Exported:
    """Export a LightGBM text file, or XGBoost's JSON or UBJSON.

    Raises InputError for what is missing, damaged, or cannot be converted.
    """
    package = need(source.kind, source.kind, source.name)
    why = confined.boosts(source.path) if source.kind == "lightgbm" else None
    if why is not None:
        raise InputError(f"{source.name}: cannot be loaded: {why}; save the model again")
    try:
        model = package.Booster(model_file=source.name)
    except Exception as error:  # noqa: BLE001 - a damaged file fails in any way
        said = one_line(RuntimeError(str(error).partition("Stack trace:")[0]), 160)
        raise InputError(f"{source.name}: cannot be loaded: {said}; save the model again") from None
    if source.kind == "xgboost" and _objective(model) == "multi:softmax":
        model.set_param({"objective": "multi:softprob"})  # the same trees, and probabilities beside the label
    return export_model(source, model, options)


def export_model(source: Source, model: Any, options: Options) -> Exported:  # noqa: ANN401 - a model of either package
    """Export a booster or an estimator: `features` (batch, n) to a label and probabilities, or to a value.

    Raises InputError for an objective that cannot be converted.
    """
    name = type(model).__module__.partition(".")[0]
    tools = need("onnxmltools", name, source.name)
    from onnxmltools.convert.common.data_types import FloatTensorType

    width = _width(model)
    convert = tools.convert_lightgbm if name == "lightgbm" else tools.convert_xgboost
    more = {"zipmap": False} if name == "lightgbm" else {}
    opset = min(options.opset, MOST_OPSET)
    if name == "lightgbm":
        converters.mend_lightgbm()
    try:
        graph = convert(model, initial_types=[("features", FloatTensorType([None, width]))], target_opset=opset, **more)
    except Exception as error:  # noqa: BLE001 - onnxmltools fails in any way
        raise InputError(f"{source.name}: cannot be converted: {one_line(error)}") from None
    for output in graph.graph.output:  # onnxmltools declares one label of LightGBM, however many there are
        if output.type.tensor_type.shape.dim:
            output.type.tensor_type.shape.dim[0].Clear()
    return Exported(
        renamed(graph, "variable", "value"),
        _answers(model, name),
        ranges=trees.thresholds(graph, {"features": width}),
        labelled=len(graph.graph.output) > 1,
    )


def _width(model: Any) -> int:  # noqa: ANN401 - a model of either package
    for name in ("n_features_in_", "num_feature", "num_features"):
        found = getattr(model, name, None)
        if found is not None:
            return int(found() if callable(found) else found)
    raise InputError(f"{type(model).__name__} does not say how many features it takes")


def _answers(model: Any, package: str) -> Callable[[Arrays], list[NDArray[Any]]]:  # noqa: ANN401
    """Return the function that gives label and probabilities, or the value, as a column."""
    import numpy as np

    if hasattr(model, "get_params"):
        if hasattr(model, "predict_proba"):
            return lambda inputs: [model.predict(inputs["features"]), model.predict_proba(inputs["features"])]
        return lambda inputs: [np.asarray(model.predict(inputs["features"])).reshape(len(inputs["features"]), -1)]
    classes = _classes(model, package)

    def answer(inputs: Arrays) -> list[NDArray[Any]]:
        features: Any = inputs["features"]
        if package == "xgboost":
            import xgboost

            features = xgboost.DMatrix(features)
        made = np.asarray(model.predict(features)).reshape(len(inputs["features"]), -1)
        if not classes:
            return [made]
        shares = np.hstack([1 - made, made]) if made.shape[1] == 1 else made
        return [shares.argmax(axis=1), shares]

    return answer


def _classes(model: Any, package: str) -> bool:  # noqa: ANN401 - a booster of either package
    """Return whether a booster tells classes apart."""
    if package == "lightgbm":
        return str(model.dump_model(num_iteration=1)["objective"]).startswith(("binary", "multiclass"))
    return _objective(model) in ("binary:logistic", "multi:softprob")


def _objective(booster: Any) -> str:  # noqa: ANN401 - a booster of XGBoost
    return str(json.loads(booster.save_config())["learner"]["objective"]["name"])
