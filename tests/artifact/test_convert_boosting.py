"""LightGBM and XGBoost, converted for real from each of their files."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path  # noqa: TC003 - beside the others
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from opdeploy.artifact.convert import convert
from opdeploy.errors import DifferenceError, InputError
from opdeploy.runtime.tolerance import Tolerance

for package in ("lightgbm", "xgboost", "onnxmltools"):
    if find_spec(package) is None and "CI" not in os.environ:
        pytest.skip(f"{package} is not installed", allow_module_level=True)

import lightgbm  # noqa: E402 - where it is there
import xgboost  # noqa: E402

RNG = np.random.default_rng(7)
FEATURES = RNG.standard_normal((400, 5))
FEATURES[::9, 2] = np.nan
VALUES = FEATURES[:, 0] * 3 + np.nan_to_num(FEATURES[:, 2]) + RNG.standard_normal(400) / 9
LABELS = {2: (VALUES > 0).astype(int), 3: np.digitize(VALUES, [-1, 1])}


def trained(package: str, classes: int) -> Any:  # noqa: ANN401 - an estimator of either package
    """Return a small estimator; a regressor, where there are no classes."""
    kind = {"lightgbm": (lightgbm.LGBMRegressor, lightgbm.LGBMClassifier)}.get(
        package, (xgboost.XGBRegressor, xgboost.XGBClassifier)
    )[bool(classes)]
    quiet: dict[str, Any] = {"verbose": -1} if package == "lightgbm" else {}
    return kind(n_estimators=12, random_state=0, **quiet).fit(FEATURES, LABELS.get(classes, VALUES))


def saved(model: Any, path: Path) -> Path:  # noqa: ANN401
    """Write a model as its file's suffix says."""
    match path.suffix:
        case ".txt":
            model.booster_.save_model(path)
        case ".pkl":
            joblib.dump(model, path)
        case _:
            model.save_model(path)
    return path


@pytest.mark.parametrize("classes", [0, 2, 3], ids=["values", "two classes", "three classes"])
@pytest.mark.parametrize("name", ["lightgbm.txt", "lightgbm.pkl", "xgboost.json", "xgboost.ubj", "xgboost.pkl"])
def test_a_model_of_boosted_trees(tmp_path: Path, name: str, classes: int) -> None:
    """It decides as its source does, also for numbers that lie on a threshold, and for missing ones."""
    path = saved(trained(name.partition(".")[0], classes), tmp_path / name)
    np.savez(tmp_path / "own.npz", features=FEATURES)
    drawn = convert(str(path), tmp_path / "o.onnx", trust=path.suffix == ".pkl")
    own = convert(str(path), tmp_path / "o.onnx", trust=path.suffix == ".pkl", data=tmp_path / "own.npz")
    assert (drawn.verified.records, own.verified.records) == (72, 400)
    assert [(spec.name, spec.shape) for spec in own.inputs] == [("features", ("batch", 5))]
    outputs = [("label", ("batch",)), ("probabilities", ("batch", classes))] if classes else [("value", ("batch", 1))]
    assert [(spec.name, spec.shape) for spec in own.outputs] == outputs


@pytest.mark.parametrize("package", ["lightgbm", "xgboost"])
def test_boosted_trees_at_the_end_of_a_pipeline(tmp_path: Path, package: str) -> None:
    """A pipeline of scikit-learn may end in an estimator of either package."""
    model = trained(package, 2)
    joblib.dump(make_pipeline(StandardScaler(), model).fit(FEATURES, LABELS[2]), tmp_path / "m.pkl")
    done = convert(str(tmp_path / "m.pkl"), tmp_path / "o.onnx", trust=True)
    assert [spec.name for spec in done.outputs] == ["label", "probabilities"]


def test_values_on_a_threshold_after_a_scaler(tmp_path: Path) -> None:
    """XGBoost splits at values of its data: rounded to float32 after a scaler, some change sides, and count."""
    joblib.dump(make_pipeline(StandardScaler(), trained("xgboost", 2)).fit(FEATURES, LABELS[2]), tmp_path / "m.pkl")
    np.savez(tmp_path / "own.npz", features=FEATURES)
    with pytest.raises(DifferenceError, match=r"label|probabilities"):
        convert(str(tmp_path / "m.pkl"), tmp_path / "o.onnx", trust=True, data=tmp_path / "own.npz")
    some = Tolerance(mismatches=0.2)
    done = convert(str(tmp_path / "m.pkl"), tmp_path / "o.onnx", trust=True, data=tmp_path / "own.npz", tolerance=some)
    assert 0 < done.verified.mismatches < 0.2


@pytest.mark.parametrize("name", ["m.txt", "m.json", "m.ubj"])
def test_a_file_cut_short_is_refused(tmp_path: Path, name: str) -> None:
    """LightGBM would end the process, and with it the command."""
    path = saved(trained("lightgbm" if name == "m.txt" else "xgboost", 3), tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cannot be loaded: .*; save the model again") as raised:
        convert(str(path), tmp_path / "o.onnx")
    assert "Stack trace" not in str(raised.value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_booster_that_gives_labels(tmp_path: Path) -> None:
    """It is converted with its probabilities, from the same trees."""
    matrix = xgboost.DMatrix(FEATURES, LABELS[3])
    xgboost.train({"objective": "multi:softmax", "num_class": 3}, matrix, 3).save_model(tmp_path / "m.json")
    done = convert(str(tmp_path / "m.json"), tmp_path / "o.onnx")
    assert [spec.name for spec in done.outputs] == ["label", "probabilities"]
