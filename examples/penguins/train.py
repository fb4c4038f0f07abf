"""Train a pipeline that tells penguins' species from rows of a table: `python examples/penguins/train.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

TABLE = Path(__file__).with_name("penguins.csv")
PIPELINE = Path(__file__).with_name("pipeline.joblib")
LABEL = "species"
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
CATEGORIES = ["island", "sex"]
HELD_OUT_SHARE = 0.25
SPLIT_SEED = 0


def load() -> pd.DataFrame:
    """Return the 344 rows; what the table has as NA is missing."""
    return pd.read_csv(TABLE)


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to train on and those held out, the same every time, with the same share of each species."""
    training, held_out = train_test_split(
        table, test_size=HELD_OUT_SHARE, stratify=table[LABEL], random_state=SPLIT_SEED
    )
    return training, held_out


def pipeline() -> Pipeline:
    """Return what is trained: missing values filled up, numbers scaled, categories one-hot, and a linear classifier."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categories = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("categories", categories, CATEGORIES)])
    return make_pipeline(columns, LogisticRegression(max_iter=1000))


def train() -> Pipeline:
    """Return the fitted pipeline; nothing in it is random."""
    training, _ = split(load())
    return pipeline().fit(training[NUMBERS + CATEGORIES], training[LABEL])


def main() -> None:
    """Train, write the pipeline, and print how many of the held-out penguins it tells."""
    parser = argparse.ArgumentParser(description="Train the penguins pipeline and write it with joblib.")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).with_name("pipeline.joblib"), help="file to write"
    )
    output: Path = parser.parse_args().output
    model = train()
    _, held_out = split(load())
    right = int((model.predict(held_out[NUMBERS + CATEGORIES]) == held_out[LABEL]).sum())
    joblib.dump(model, output)
    print(f"held-out accuracy: {right / len(held_out):.4f}, {right} of {len(held_out)} penguins")
    print(f"pipeline: {output.name}")


if __name__ == "__main__":
    main()
