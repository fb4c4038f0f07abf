"""Tells skl2onnx of estimators that are not scikit-learn's, and mends a converter of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from opdeploy.artifact.convert.exported import need
from opdeploy.artifact.convert.steps import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from opdeploy.artifact.convert.sources import Source

LOCALE = "C.UTF-8"
"""For the case of letters: glibc always has it, where en_US.UTF-8, skl2onnx's own choice, is often not installed."""


def options(model: Any) -> dict[int, dict[str, Any]]:  # noqa: ANN401 - any estimator
    """Return skl2onnx's options: scores as one tensor and as scikit-learn gives them, and a locale that is there."""
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter
    from sklearn.base import is_classifier

    found: dict[int, dict[str, Any]] = {}
    for _, inner in walk(model):
        alias = sklearn_operator_name_map.get(type(inner))
        allowed = get_converter(alias).get_allowed_options() or {} if alias else {}
        wanted: dict[str, Any] = {"locale": LOCALE}
        if is_classifier(inner):
            wanted |= {"zipmap": False} if hasattr(inner, "predict_proba") else {"zipmap": False, "raw_scores": True}
        chosen = {name: value for name, value in wanted.items() if name in allowed}
        if chosen:
            found[id(inner)] = chosen
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
        partial(_mended, convert_lightgbm) if package == "lightgbm" else convert_xgboost,
        overwrite=True,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]} if classifies else {},
    )


def mend_lightgbm() -> None:
    """Mend onnxmltools' converters of LightGBM, which skl2onnx does not know of."""
    import onnxmltools.convert.lightgbm.operator_converters  # noqa: F401 - registers them
    from onnxmltools.convert.common import _registration as registration

    for alias in ("LgbmClassifier", "LgbmRegressor"):
        convert = registration.get_converter(alias)
        if not isinstance(convert, partial):
            registration.register_converter(alias, partial(_mended, convert), overwrite=True)


def _mend(alias: str) -> None:
    from skl2onnx.common._registration import get_converter

    registered = get_converter(alias)
    if not isinstance(registered._fct, partial):  # noqa: SLF001 - registering anew would lose its options
        registered._fct = partial(_mended, registered._fct)  # noqa: SLF001


def _mended(convert: Callable[..., None], scope: Any, operator: Any, container: Any) -> None:  # noqa: ANN401
    """Convert with nodes of trees named by plain numbers, and thresholds that decide as the source's do.

    protobuf 7 takes no other whole numbers than Python's (skl2onnx 1.20, 2026-11-23). A threshold of float64 becomes
    the largest float32 not above it: then `x <= threshold` is the same for every x of float32, where the nearest
    float32 would send an x that equals it to the other side.
    """
    add = container.add_node

    def plainly(*given: Any, **attributes: Any) -> None:  # noqa: ANN401
        add(*given, **{name: _plain(name, value) for name, value in attributes.items()})

    container.add_node = plainly
    try:
        convert(scope, operator, container)
    finally:
        del container.add_node


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401 - any attribute
    import numpy as np

    if name == "nodes_values":
        return _not_above(np.asarray(value, np.float64)).tolist()
    if isinstance(value, list) and any(isinstance(item, (bool, np.bool_, np.integer)) for item in value):
        return [int(item) if isinstance(item, (bool, np.bool_, np.integer)) else item for item in value]
    return value


def _not_above(exact: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 that is not above each value."""
    import numpy as np

    near = exact.astype(np.float32)
    return np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)


def with_exact_thresholds(model: Any) -> Any:  # noqa: ANN401 - any estimator
    """Change a model's histogram trees as LightGBM's are on their way: skl2onnx rounds them to the nearest float32."""
    for _, inner in walk(model):
        if type(inner).__name__.startswith("HistGradientBoosting"):
            for tree in (tree for trees in inner._predictors for tree in trees):  # noqa: SLF001 - they are nowhere else
                tree.nodes["num_threshold"] = _not_above(tree.nodes["num_threshold"])
    return model
