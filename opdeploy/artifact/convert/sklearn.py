"""Exports scikit-learn, pipelines too, through skl2onnx."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from opdeploy.artifact.convert import converters, steps, trees
from opdeploy.artifact.convert.exported import Exported, Options, need, one_line, renamed
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import onnx
    from numpy.typing import NDArray

    from opdeploy.artifact.convert.sources import Source
    from opdeploy.runtime.session import Arrays

MATRIX = "features"
TEXT = "text"
ML_OPSET = 3


def export(source: Source, model: Any, options: Options) -> Exported:  # noqa: ANN401 - any estimator
    """Export an estimator or a pipeline.

    One that was fitted on a table whose columns are named and treated differently takes an input (batch, 1) for each
    column that it uses; one of texts takes `text` (batch,); any other `features` (batch, n) of float32. A missing
    number is NaN, a missing text is the empty one.

    Raises InputError for what is missing, is not fitted, or has a step that cannot be converted, which it names.
    """
    need("skl2onnx", "sklearn", source.name)
    columns = steps.columns(model)
    if columns:
        need("pandas", "sklearn", source.name)
    kinds = {column.name: column.kind for column in columns} or steps.whole(model)
    if kinds is None:
        raise InputError(f"{source.name}: {type(model).__name__} does not say how many features it takes; fit it first")
    widths = dict.fromkeys(kinds, 1) if columns else {name: getattr(model, "n_features_in_", 1) for name in kinds}
    graph = _to_onnx(source, model, kinds, widths, options)
    ranges: dict[str, NDArray[Any]] = trees.thresholds(graph, widths)
    ranges |= {column.name: column.known for column in columns if column.known is not None}
    if TEXT in kinds:
        ranges[TEXT] = steps.texts(model)
    missing = {column.name for column in columns if column.missing and column.kind == "text"}
    answer = _answers(model, missing, table=bool(columns))
    labelled = len(graph.graph.output) > 1 and len(_methods(model)) > 1 and hasattr(model, "classes_")
    return Exported(renamed(graph, "variable", "value"), answer, ranges=ranges, labelled=labelled)


def _to_onnx(
    source: Source,
    model: Any,  # noqa: ANN401 - any estimator
    kinds: Mapping[str, str],
    widths: Mapping[str, int],
    options: Options,
) -> onnx.ModelProto:
    from skl2onnx import convert_sklearn
    from skl2onnx.common import data_types

    converters.register(model, source)
    types = {"number": data_types.FloatTensorType, "whole": data_types.Int64TensorType}
    adapted = converters.with_exact_thresholds(steps.with_listed_columns(steps.with_empty_texts(copy.deepcopy(model))))
    shape = {name: [None] if kind == "texts" else [None, widths[name]] for name, kind in kinds.items()}
    try:
        graph: onnx.ModelProto = convert_sklearn(
            adapted,
            name="model",
            initial_types=[
                (name, types.get(kind, data_types.StringTensorType)(shape[name])) for name, kind in kinds.items()
            ],
            target_opset={"": options.opset, "ai.onnx.ml": ML_OPSET},
            options=converters.options(adapted),
        )
    except Exception as error:  # noqa: BLE001 - skl2onnx fails in any way
        culprit = steps.unknown(model)
        if culprit:
            raise InputError(
                f"{source.name}: {culprit} cannot be converted: skl2onnx knows no such step; put it before the pipeline"
                ", or write it with steps of scikit-learn"
            ) from None
        raise InputError(f"{source.name}: cannot be converted: {one_line(error)}") from None
    for made, name in zip([value.name for value in graph.graph.input], kinds, strict=True):
        graph = renamed(graph, made, name)  # skl2onnx writes "mean radius" as mean_radius
    return graph


def _answers(model: Any, missing: set[str], *, table: bool) -> Callable[[Arrays], list[NDArray[Any]]]:  # noqa: ANN401
    """Return the function that gives what the graph gives: label and scores, a value, or what is transformed.

    The source computes with the same numbers in float64, as it does where it comes from.
    """
    methods = _methods(model)

    def answer(inputs: Arrays) -> list[NDArray[Any]]:
        wide = {name: array.astype("f8") if array.dtype.kind == "f" else array for name, array in inputs.items()}
        given = _table(wide, missing) if table else next(iter(wide.values()))
        return [_dense(getattr(model, method)(given)) for method in methods]

    return answer


def _table(inputs: Arrays, missing: set[str]) -> Any:  # noqa: ANN401 - a table of pandas
    import numpy as np
    import pandas as pd

    table = pd.DataFrame({name: array.reshape(len(array)) for name, array in inputs.items()})
    for name in missing:
        table[name] = table[name].astype(object).where(table[name] != "", np.nan)
    return table


def _methods(model: Any) -> list[str]:  # noqa: ANN401 - any estimator
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector

    def first(*names: str) -> list[str]:
        return [name for name in names if hasattr(model, name)][:1]

    if is_classifier(model):
        return ["predict", *first("predict_proba", "decision_function")]
    if is_clusterer(model):
        return ["predict", *first("transform")]
    if is_outlier_detector(model):
        return ["predict", *first("decision_function")]
    return first("predict", "transform")


def _dense(answer: Any) -> NDArray[Any]:  # noqa: ANN401 - an array, or a sparse one
    import numpy as np

    array = np.asarray(answer.todense() if hasattr(answer, "todense") else answer)
    if array.dtype.kind == "b":  # which skl2onnx makes whole numbers of
        return array.astype(np.int64)
    return array.astype(object) if array.dtype.kind in "UT" else array
