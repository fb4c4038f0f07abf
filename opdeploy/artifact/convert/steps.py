"""Walks through the steps of a fitted pipeline: what each column is, and which step nothing can convert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

Type = Literal["number", "whole", "text", "texts"]
"""`texts` is one text a record, as a vectoriser takes it; `text` one in a column of a table."""

_PASSED = ("passthrough", "drop", None)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table that a pipeline was fitted on."""

    name: str
    kind: Type
    missing: bool = False
    """Whether a text may be missing: NaN or None in the table, the empty text in the graph."""
    known: NDArray[Any] | None = None
    """The categories that the pipeline knows."""


def walk(model: Any, at: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any estimator
    """Give each estimator inside a model, with the path of step names that leads to it."""
    yield at, model
    for name, inner in _inside(model):
        if not isinstance(inner, str) and inner is not None:
            yield from walk(inner, f"{at}.{name}" if at else name)


def _inside(model: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - any estimator
    if hasattr(model, "transformers_"):
        return [(name, inner) for name, inner, _ in model.transformers_]
    for attribute in ("steps", "transformer_list"):
        if hasattr(model, attribute):
            return list(getattr(model, attribute))
    for attribute in ("best_estimator_", "regressor_"):
        if hasattr(model, attribute):
            return [(attribute.rstrip("_"), getattr(model, attribute))]
    return []


def unknown(model: Any) -> str:  # noqa: ANN401 - any estimator
    """Return the step that skl2onnx knows nothing of, as `step 'clean' (MyTransformer)`; else nothing."""
    from skl2onnx._supported_operators import sklearn_operator_name_map

    for at, inner in walk(model):
        known = any(type(inner) is kind for kind in sklearn_operator_name_map)
        if not known and not _inside(inner):
            kind = type(inner).__name__
            return f"step {at!r} ({kind})" if at else kind
        if type(inner).__name__ == "FunctionTransformer" and inner.func is not None:
            return f"step {at!r} (FunctionTransformer of {getattr(inner.func, '__name__', 'a function')})"
    return ""


def _first(model: Any) -> Any:  # noqa: ANN401 - any estimator
    """Return the estimator that a pipeline's input reaches first."""
    while hasattr(model, "steps"):
        model = model.steps[0][1]
    return model


def whole(model: Any) -> Mapping[str, Type] | None:  # noqa: ANN401 - any estimator
    """Return the one input of a model that takes no table; None where it is not fitted."""
    if hasattr(_first(model), "vocabulary_") or hasattr(_first(model), "build_analyzer"):
        return {"text": "texts"}
    return {"features": _kind(_first(model))} if getattr(model, "n_features_in_", 0) else None


def columns(model: Any) -> list[Column]:  # noqa: ANN401 - any estimator
    """Return the columns that a pipeline uses, where it treats named columns differently; else none."""
    import numpy as np

    first = _first(model)
    names = getattr(first, "feature_names_in_", None)
    if not hasattr(first, "transformers_") or names is None:
        return []
    found: dict[str, Column] = {}
    for _, inner, chosen in first.transformers_:
        if isinstance(inner, str) and inner == "drop":
            continue
        for at, name in enumerate(_names(chosen, list(names))):
            found[name] = _column(name, at, inner)
    order = list(names)
    return sorted(found.values(), key=lambda column: order.index(column.name)) if len(np.atleast_1d(order)) else []


def _names(chosen: Any, names: list[str]) -> list[str]:  # noqa: ANN401 - whatever a ColumnTransformer takes
    import numpy as np

    if isinstance(chosen, str):
        return [chosen]
    if isinstance(chosen, slice):
        if not isinstance(chosen.start, str) and not isinstance(chosen.stop, str):
            return names[chosen]
        first = 0 if chosen.start is None else names.index(chosen.start)
        last = len(names) - 1 if chosen.stop is None else names.index(chosen.stop)  # of names, the last counts too
        return names[first : last + 1 : chosen.step]
    array = np.asarray(chosen)
    if array.dtype.kind in "bi":
        return [names[int(at)] for at in (np.flatnonzero(array) if array.dtype.kind == "b" else array)]
    return [str(name) for name in array]


def _column(name: str, at: int, inner: Any) -> Column:  # noqa: ANN401 - any estimator
    """Return what the steps that a column goes through tell of it."""
    import numpy as np

    if isinstance(inner, str):
        return Column(name, "number")
    stages = [stage for _, stage in inner.steps] if hasattr(inner, "steps") else [inner]
    missing = any(is_missing(getattr(stage, "missing_values", "")) for stage in stages)
    for stage in stages:
        if hasattr(stage, "build_analyzer"):
            return Column(name, "texts", missing, texts(stage))
        if hasattr(stage, "categories_"):
            known = np.asarray(stage.categories_[at])
            if known.dtype.kind in "OUT":
                missing = missing or any(is_missing(value) for value in known)
                texts_known = [str(value) for value in known if not is_missing(value)] + [""] * missing
                return Column(name, "text", missing, np.array(texts_known, object))
            return Column(name, _kind(stages[0], at), known=known)
    return Column(name, _kind(stages[0], at), missing)


def _kind(stage: Any, at: int = 0) -> Type:  # noqa: ANN401 - any estimator
    import numpy as np

    for attribute in ("categories_", "statistics_"):
        told = getattr(stage, attribute, None)
        if told is not None and len(told):
            dtype = np.asarray(told[at if at < len(told) else 0]).dtype
            if dtype.kind in "OUT":
                return "text"
            return "whole" if dtype.kind == "i" and attribute == "categories_" else "number"
    return "number"


def with_listed_columns(model: Any) -> Any:  # noqa: ANN401 - any estimator
    """Change a model so that it lists the columns which it took as a slice of names: skl2onnx knows none of these."""
    for _, inner in walk(model):
        names = getattr(inner, "feature_names_in_", None)
        if hasattr(inner, "transformers_") and names is not None:
            inner.transformers_ = [
                (name, step, _names(chosen, list(names)) if isinstance(chosen, slice) else chosen)
                for name, step, chosen in inner.transformers_
            ]
    return model


def is_missing(value: object) -> bool:
    """Return whether a value stands for a missing one: None or NaN."""
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN is unlike itself


def with_empty_texts(model: Any) -> Any:  # noqa: ANN401 - any estimator
    """Change a model so that a missing text is the empty one: tensors of text know no NaN."""
    import numpy as np

    for _, inner in walk(model):
        told = getattr(inner, "statistics_", None)
        text = told is not None and np.asarray(told).dtype.kind in "OUT"
        if text and hasattr(inner, "missing_values") and is_missing(inner.missing_values):
            inner.missing_values = ""
        if hasattr(inner, "categories_"):
            inner.categories_ = [
                np.array(["" if is_missing(value) else value for value in known], object)
                if np.asarray(known).dtype.kind == "O"
                else known
                for known in inner.categories_
            ]
    return model


def texts(model: Any) -> NDArray[Any]:  # noqa: ANN401 - any estimator
    """Return the words that a model's vectorisers know, in the cases that a text may have them."""
    import numpy as np

    words = {str(word) for _, inner in walk(model) for word in getattr(inner, "vocabulary_", None) or ()}
    return np.array(sorted(words | {word.upper() for word in words} | {"Éa", "zzz"}), object)
