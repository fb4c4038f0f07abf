"""Exports what a pickle holds: an estimator of scikit-learn, LightGBM or XGBoost. It runs the pickle's code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.artifact.convert import boosting, sklearn
from opdeploy.artifact.convert.exported import Exported, Options, need, one_line
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from opdeploy.artifact.convert.sources import Source


def export(source: Source, options: Options) -> Exported:
    """Load a pickle, and export what is in it.

    Raises InputError where it cannot be loaded, or holds no model.
    """
    joblib = need("joblib", "sklearn", source.name)
    try:
        model: Any = joblib.load(source.name)
    except ModuleNotFoundError as error:
        raise InputError(f"{source.name}: needs the module {error.name}, which is missing; install it") from None
    except Exception as error:  # noqa: BLE001 - a pickle fails in any way
        raise InputError(f"{source.name}: cannot be loaded: {one_line(error)}; write the model again") from None
    package = type(model).__module__.partition(".")[0]
    if package in ("lightgbm", "xgboost"):
        return boosting.export_model(source, model, options)
    if not hasattr(model, "get_params"):
        raise InputError(f"{source.name}: holds {type(model).__name__}, which is no estimator; write the model itself")
    if not (hasattr(model, "predict") or hasattr(model, "transform")):
        raise InputError(f"{source.name}: holds {type(model).__name__}, which neither predicts nor transforms")
    return sklearn.export(source, model, options)
