"""Pipelines of scikit-learn, converted for real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

from opdeploy.artifact.convert import convert
from opdeploy.errors import DifferenceError, InputError, OpdeployError
from opdeploy.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy

    Convert = Callable[..., Any]

N = 300


def table() -> pd.DataFrame:
    """Return numbers, texts and whole numbers, some of them missing, and a column that nothing uses."""
    rng = np.random.default_rng(0)
    made = pd.DataFrame(
        {
            "age": rng.random(N) * 80,
            "fare": rng.random(N) * 500,
            "sex": rng.choice(["male", "female"], N),
            "port": rng.choice(["S", "C", "Q"], N),
            "class": rng.choice([1, 2, 3], N),
            "unused": rng.random(N),
        }
    )
    made.loc[::7, "age"] = np.nan
    made.loc[::11, "port"] = np.nan
    return made


TABLE = table()
VALUES = (TABLE["age"].fillna(30) * 10 + TABLE["fare"]).to_numpy()
LABELS = np.where(VALUES > 500, "yes", "no")
MATRIX = TABLE[["age", "fare", "class"]].fillna(0).to_numpy()


def columns(imputer: SimpleImputer) -> ColumnTransformer:
    """Return what most tables go through: numbers imputed and scaled, categories imputed and encoded."""
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "fare"]),
            ("texts", make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore")), ["sex", "port"]),
            ("class", OneHotEncoder(), ["class"]),
        ]
    )


TABLES = {
    "most frequent": lambda: make_pipeline(columns(SimpleImputer(strategy="most_frequent")), LogisticRegression()),
    "constant": lambda: make_pipeline(
        columns(SimpleImputer(strategy="constant", fill_value="?")), RandomForestClassifier(20, random_state=0)
    ),
    "missing as a category": lambda: make_pipeline(
        ColumnTransformer(
            [("c", OneHotEncoder(handle_unknown="ignore"), ["sex", "port"]), ("n", SimpleImputer(), ["age", "fare"])]
        ),
        LogisticRegression(max_iter=1000),
    ),
    "missing in trees": lambda: make_pipeline(
        ColumnTransformer([("c", OrdinalEncoder(), ["sex"]), ("n", "passthrough", ["age", "fare"])]),
        HistGradientBoostingClassifier(max_iter=20),
    ),
}


@pytest.fixture
def run(tmp_path: Path) -> Convert:
    """Return a function that pickles a model and converts it."""

    def converted(model: Any, **options: Any) -> Any:  # noqa: ANN401
        joblib.dump(model, tmp_path / "m.pkl")
        return convert(str(tmp_path / "m.pkl"), tmp_path / "o.onnx", trust=True, **options)

    return converted


@pytest.mark.parametrize("own", [False, True], ids=["drawn", "own data"])
@pytest.mark.parametrize("name", TABLES)
def test_a_pipeline_on_a_table(run: Convert, tmp_path: Path, name: str, *, own: bool) -> None:
    """Each column that is used is an input of its type; labels and probabilities are tensors; missing values count."""
    model = TABLES[name]().fit(TABLE, LABELS)
    TABLE.to_csv(tmp_path / "table.csv", index=False)
    done = run(model, data=tmp_path / "table.csv" if own else None)
    kinds = {spec.name: spec.datatype.name for spec in done.inputs}
    expected = {"age": "FP32", "fare": "FP32", "sex": "BYTES", "port": "BYTES", "class": "INT64"}
    assert kinds == {column: kind for column, kind in expected.items() if column in kinds}
    assert {"age", "fare", "sex"} <= set(kinds)
    assert [(spec.name, spec.shape) for spec in done.outputs] == [
        ("label", ("batch",)),
        ("probabilities", ("batch", 2)),
    ]
    assert (done.verified.records, done.verified.given) == ((N, True) if own else (72, False))
    assert done.verified.batches[0] == 1


MODELS: dict[str, Any] = {
    "forest": RandomForestClassifier(random_state=0),
    "boosting": GradientBoostingClassifier(random_state=0),
    "histogram": HistGradientBoostingClassifier(),
    "histogram regressor": HistGradientBoostingRegressor(),
    "forest regressor": RandomForestRegressor(10, random_state=0),
    "linear": LinearRegression(),
    "svc": make_pipeline(StandardScaler(), SVC()),
    "linear svc": LinearSVC(),
    "clusters": KMeans(3, n_init=1, random_state=0),
    "components": PCA(2),
    "outliers": IsolationForest(n_estimators=10, random_state=0),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_estimator_of_a_matrix(run: Convert, name: str) -> None:
    """One input of all features, drawn around the thresholds where there are trees."""
    wanted = VALUES if name.endswith(("regressor", "linear")) else LABELS
    done = run(MODELS[name].fit(MATRIX, wanted))
    assert [(spec.name, spec.shape) for spec in done.inputs] == [("features", ("batch", 3))]
    assert done.verified.mismatches == 0


def test_texts(run: Convert) -> None:
    """A vectoriser takes one text a record."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    done = run(model.fit(["good film", "bad film", "a nice one", "awful"], [1, 0, 1, 0]))
    assert [(spec.name, spec.datatype.name, spec.shape) for spec in done.inputs] == [("text", "BYTES", ("batch",))]


def test_the_same_source_gives_the_same_bytes(run: Convert, tmp_path: Path) -> None:
    """A conversion is repeatable, and notes nothing about the machine."""
    model = TABLES["most frequent"]().fit(TABLE, LABELS)
    run(model)
    first = (tmp_path / "o.onnx").read_bytes()
    run(model)
    assert (tmp_path / "o.onnx").read_bytes() == first
    converted = onnx.load(tmp_path / "o.onnx")
    assert (converted.graph.name, converted.graph.doc_string) == ("model", "")
    assert [entry.domain for entry in converted.opset_import] == ["", "ai.onnx.ml"]  # skl2onnx has them in a set


def test_a_large_model_keeps_its_weights_beside_it(run: Convert, tmp_path: Path) -> None:
    """What is too large for one message goes to a file beside it, and is verified there."""
    rng = np.random.default_rng(0)
    model = PCA(20).fit(rng.random((60, 50)))
    done = run(model, most_bytes=1000)
    assert {path.name for path in tmp_path.iterdir()} == {"m.pkl", "o.onnx", "o.onnx.data"}
    assert done.size == sum((tmp_path / name).stat().st_size for name in ("o.onnx", "o.onnx.data"))


class Wrong(StandardScaler):
    """A scaler whose registered converter is that of a plain scaler, which it is not."""

    def transform(self, X: Any, copy: bool | None = None) -> Any:  # noqa: ANN401, FBT001, N803 - as in its base
        """Scale, and add one."""
        return super().transform(X, copy) + 1


def test_a_conversion_that_gives_other_numbers_is_refused(tmp_path: Path, run: Convert) -> None:
    """It fails with 5, says where, and leaves no file; a stated tolerance may let it pass."""
    from skl2onnx import update_registered_converter
    from skl2onnx.operator_converters.scaler_op import convert_sklearn_scaler
    from skl2onnx.shape_calculators.scaler import calculate_sklearn_scaler_output_shapes

    update_registered_converter(
        Wrong, "Wrong", calculate_sklearn_scaler_output_shapes, convert_sklearn_scaler, options={"div": ["std"]}
    )
    model = Wrong().fit(MATRIX)
    with pytest.raises(
        DifferenceError, match=r"nothing was written: value\[\d, \d\]: differs: .+, not .+ \(100"
    ) as raised:
        run(model)
    assert raised.value.exit_code == 5
    assert [path.name for path in tmp_path.iterdir()] == ["m.pkl"]
    assert run(model, tolerance=Tolerance(atol=1.5)).verified.largest == pytest.approx(1, abs=1e-3)


class Clean(TransformerMixin, BaseEstimator):
    """A step that nobody knows how to convert."""

    def fit(self, *_: Any) -> Clean:  # noqa: ANN401
        """Learn nothing."""
        self.n_features_in_ = 3
        return self

    def transform(self, X: Any) -> Any:  # noqa: ANN401, N803
        """Change nothing."""
        return X


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ([("clean", Clean()), ("model", LogisticRegression())], r"step 'clean' \(Clean\)"),
        ([("inner", make_pipeline(Clean())), ("model", LogisticRegression())], r"step 'inner.clean' \(Clean\)"),
        (
            [("log", FunctionTransformer(np.log1p)), ("model", LinearSVC())],
            r"step 'log' \(FunctionTransformer of log1p\)",
        ),
    ],
    ids=["own", "nested", "function"],
)
def test_a_step_that_cannot_be_converted_is_named(run: Convert, steps: list[Any], named: str) -> None:
    """The line says which step it is."""
    with pytest.raises(InputError, match=f"{named} cannot be converted"):
        run(Pipeline(steps).fit(MATRIX, LABELS))


@pytest.mark.parametrize(
    ("model", "message"),
    [(LogisticRegression(), "fit it first"), (make_pipeline(TfidfVectorizer()), "fit|not fitted")],
    ids=["estimator", "vectoriser"],
)
def test_what_is_not_fitted_is_refused(run: Convert, model: Any, message: str) -> None:  # noqa: ANN401
    """There is nothing to convert yet."""
    with pytest.raises(InputError, match=message):
        run(model)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": np.zeros((4, 2))}, r"has the shape \[4, 2\]"),
        ({"features": np.zeros((0, 3))}, "no records"),
        ({"features": np.array([["a", "b", "c"]])}, "write numbers"),
        ({"features": np.full((4, 3), np.nan)}, "fails on the inputs of the check|no finite number"),
    ],
    ids=["shape", "empty", "text", "nan"],
)
def test_data_that_does_not_fit_is_refused(run: Convert, tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    """The line says what is wrong with it."""
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(OpdeployError, match=message):
        run(LogisticRegression().fit(MATRIX, LABELS), data=tmp_path / "d.npz")


@pytest.mark.parametrize(("chosen", "inputs"), [(slice("a", "b"), "abc"), (slice(None, "b"), "abc"), (slice(1), "abc")])
def test_columns_by_a_slice(run: Convert, chosen: slice, inputs: str) -> None:
    """A slice of names has its last one in it, as pandas has it."""
    table = pd.DataFrame(MATRIX, columns=list("abc"))
    chosen_columns = ColumnTransformer([("scale", StandardScaler(), chosen)], remainder="passthrough")
    done = run(make_pipeline(chosen_columns, LogisticRegression()).fit(table, LABELS))
    assert "".join(spec.name for spec in done.inputs) == inputs


def test_classes_that_are_true_and_false(run: Convert) -> None:
    """They are 1 and 0."""
    done = run(LogisticRegression().fit(MATRIX, MATRIX[:, 0] > 0))
    assert done.outputs[0].datatype.name == "INT64"


@pytest.mark.parametrize(("values", "fits"), [([1.0, 0.0], True), ([1.5, 0.0], False), ([np.nan, 0.0], False)])
def test_whole_numbers_are_not_rounded(run: Convert, tmp_path: Path, values: list[float], *, fits: bool) -> None:
    """A category that is a whole number takes no other."""
    table = pd.DataFrame({"a": [0, 1, 2, 1], "b": [0.0, 1.0, 2.0, 3.0]})
    model = make_pipeline(
        ColumnTransformer([("code", OneHotEncoder(handle_unknown="ignore"), ["a"])], remainder="passthrough"),
        LogisticRegression(),
    ).fit(table, [0, 1, 0, 1])
    np.savez(tmp_path / "d.npz", a=np.array(values), b=np.array([0.0, 1.0]))
    if fits:
        assert run(model, data=tmp_path / "d.npz").verified.records == 2
    else:
        with pytest.raises(InputError, match="'a' holds numbers that INT64 cannot"):
            run(model, data=tmp_path / "d.npz")


def test_columns_keep_their_names(tmp_path: Path) -> None:
    """Real tables have blanks, brackets and points in the names of their columns."""
    names = ["mean radius", "sepal length (cm)", "x.y-z"]
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((60, 3)), columns=names)
    scaled = ColumnTransformer([("scale", StandardScaler(), names)])
    model = make_pipeline(scaled, LogisticRegression()).fit(table, (table["mean radius"] > 0).astype(int))
    joblib.dump(model, tmp_path / "m.joblib")
    done = convert(str(tmp_path / "m.joblib"), tmp_path / "m.onnx", trust=True)
    assert [spec.name for spec in done.inputs] == names
    table.to_csv(tmp_path / "t.csv", index=False)
    assert convert(str(tmp_path / "m.joblib"), tmp_path / "m.onnx", trust=True, data=tmp_path / "t.csv").verified.given


def test_the_command_prints_what_was_verified(tmp_path: Path, opdeploy: Opdeploy) -> None:
    """Data on stdout, nothing else anywhere."""
    joblib.dump(LogisticRegression().fit(MATRIX, LABELS), tmp_path / "m.pkl")
    ran = opdeploy("model", "convert", "m.pkl", "-o", "o.onnx", "--trust", "--opset", "17", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("o.onnx: pickle to ONNX, opset 17, 0.00")
    assert lines[1:5] == [
        "input   features FP32 [batch, 3]",
        "output  label BYTES [batch]",
        "output  probabilities FP32 [batch, 2]",
        "verified on 72 records drawn from a fixed seed (your own: --data), in batches of 1, 2, 5, 64",
    ]
    assert lines[5].endswith("(allowed: 1e-05 + 0.0001 of the value)")
    assert len(lines) == 6
