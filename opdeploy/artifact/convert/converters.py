"""Tells skl2onnx of estimators that are not scikit-learn's, and mends a converter of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from opdeploy.artifact.convert.exported import need
from opdeploy.artifact.convert.steps import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.artifact.convert.sources import Source

LOCALE = "C.UTF-8"
"""For the case of letters: glibc always has it, where en_US.UTF-8, skl2onnx's own choice, is often not installed."""


def options(model: Any) -> dict[int, dict[str, Any]]:  # noqa: ANN401 - any estimator
    """Return skl2onnx's options: probabilities as one tensor, and a locale that is there."""
    from sklearn.base import is_classifier

    found: dict[int, dict[str, Any]] = {}
    for _, inner in walk(model):
        if hasattr(inner, "build_analyzer"):
            found[id(inner)] = {"locale": LOCALE}
        elif is_classifier(inner):
            found[id(inner)] = {"zipmap": False}
    return found


def register(model: Any, source: Source) -> None:  # noqa: ANN401 - any estimator
    """Register the converters that a model's steps need beyond skl2onnx's own."""
    for _, inner in walk(model):
        package = type(inner).__module__.partition(".")[0]
        if package in ("lightgbm", "xgboost"):
            need("onnxmltools", package, source.name)
            _register_booster(type(inner), package)
        elif type(inner).__name__.startswith("HistGradientBoosting"):
            _mend(f"Sklearn{type(inner).__name__}")


def _register_booster(kind: type, package: str) -> None:
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    classifies = hasattr(kind, "predict_proba")
    update_registered_converter(
        kind,
        f"{package.title()}{kind.__name__}",
        calculate_linear_classifier_output_shapes if classifies else calculate_linear_regressor_output_shapes,
        convert_lightgbm if package == "lightgbm" else convert_xgboost,
        overwrite=True,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]} if classifies else {},
    )


def _mend(alias: str) -> None:
    """Let a converter name nodes of trees by plain numbers: protobuf 7 takes no others (skl2onnx 1.20)."""
    from skl2onnx.common._registration import get_converter

    registered = get_converter(alias)
    if not isinstance(registered._fct, partial):  # noqa: SLF001 - registering anew would lose its options
        registered._fct = partial(_plainly, registered._fct)  # noqa: SLF001


def _plainly(convert: Callable[..., None], scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401
    add = container.add_node
    container.add_node = lambda *given, **attributes: add(*given, **{n: _plain(v) for n, v in attributes.items()})
    try:
        convert(scope, operator, container)
    finally:
        del container.add_node


def _plain(value: Any) -> Any:  # noqa: ANN401 - any attribute
    import numpy as np

    if isinstance(value, list) and any(isinstance(item, (bool, np.bool_, np.integer)) for item in value):
        return [int(item) if isinstance(item, (bool, np.bool_, np.integer)) else item for item in value]
    return value
