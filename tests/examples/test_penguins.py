"""The penguins example: a pipeline of scikit-learn on a real table, and the artefact that is made of it."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import msgspec
import numpy as np
import pytest
import yaml

from examples.penguins.train import CATEGORIES, LABEL, NUMBERS, load, main, split
from opdeploy.runtime.choosing import choose
from opdeploy.runtime.package import opened
from opdeploy.runtime.processing.processor import Processor
from opdeploy.runtime.processing.spec import Classification, Processing
from opdeploy.runtime.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Opdeploy

    Answers = list[dict[str, Any]]

EXAMPLE = Path(__file__).parents[2] / "examples" / "penguins"
LEAST_ACCURACY = 0.95
DATA = ("--processing", "processing.yaml", "--data", "penguins.csv", "--label", LABEL)
BLOCK = re.compile(r"```console\n\$ (?P<command>.+)\n(?P<output>(?:.*\n)*?)```")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example, in which the pipeline was trained."""
    copy = tmp_path_factory.mktemp("example") / "penguins"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.joblib", "*.zip"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py", "--output", str(copy / "pipeline.joblib")])
        main()
    return copy


@pytest.fixture(scope="module")
def artefact(folder: Path, opdeploy: Opdeploy) -> Path:
    """Return the artefact of the committed model."""
    ran = opdeploy("model", "package", "model.onnx", *DATA, "-o", "artefact.zip", cwd=folder)
    assert (ran.code, ran.out) == (0, ""), ran.err
    return folder / "artefact.zip"


def rows() -> list[dict[str, str | None]]:
    """Return the rows as the text that the CSV file holds."""
    with (EXAMPLE / "penguins.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def processing() -> Processing:
    """Return the declaration."""
    return msgspec.convert(yaml.safe_load((EXAMPLE / "processing.yaml").read_text()), Processing)


def probabilities(answers: Answers, labels: Sequence[str]) -> np.ndarray:
    """Return the scores of answers with all classes (N, 3), in the order of the labels."""
    scores = [{entry["label"]: entry["score"] for entry in answer["top"]} for answer in answers]
    return np.array([[score[label] for label in labels] for score in scores])


def answered(declared: Processing, session: Session, records: Sequence[Any], folder: Path) -> Answers:
    """Return the answers to records, the whole way through."""
    processor = Processor(declared, session.inputs, session.outputs, folder)
    inputs = processor.tensors(records)
    return processor.answers(session.run(inputs), inputs)


def test_every_row_is_answered_as_by_the_pipeline(folder: Path, artefact: Path) -> None:
    """From the text of the CSV file, all 344 rows get the labels and scores that scikit-learn gives for the table."""
    model, table = joblib.load(folder / "pipeline.joblib"), load()
    wanted = model.predict_proba(table[NUMBERS + CATEGORIES])
    with opened(artefact) as package:
        declared = package.manifest.processing
        assert declared
        assert isinstance(declared.output, Classification)
        assert declared.output.labels == tuple(model.classes_)
        session = choose(package).session
        found = answered(declared, session, rows(), package.folder)
        every = msgspec.structs.replace(declared, output=msgspec.structs.replace(declared.output, top_k=3))
        scores = probabilities(answered(every, session, rows(), package.folder), model.classes_)
    assert len(found) == 344
    assert [answer["label"] for answer in found] == model.predict(table[NUMBERS + CATEGORIES]).tolist()
    np.testing.assert_allclose(scores, wanted, atol=2e-6)
    np.testing.assert_allclose([answer["score"] for answer in found], wanted.max(axis=1), atol=2e-6)


def test_the_table_has_missing_numbers_and_categories() -> None:
    """What the test above says of missing values it says of some: eleven penguins, two of them without a number."""
    missing = load()[NUMBERS + CATEGORIES].isna()
    assert missing.any(axis=1).sum() == 11
    assert missing[NUMBERS].all(axis=1).sum() == 2
    assert missing["sex"].sum() == 11


@pytest.mark.parametrize("gap", ["NA", None, float("nan"), ""], ids=repr)
def test_a_missing_value_is_the_same_however_it_is_written(gap: str | float | None) -> None:
    """CSV writes NA or nothing, JSON null, and pandas NaN."""
    row = {**rows()[0], "body_mass_g": gap, "sex": gap}
    known = {**rows()[0], "body_mass_g": "NA", "sex": "NA"}
    session = Session(EXAMPLE / "model.onnx")
    assert answered(processing(), session, [row], EXAMPLE) == answered(processing(), session, [known], EXAMPLE)


def test_the_committed_model_tells_the_held_out_penguins() -> None:
    """The model in the repository is right on at least 95 % of the penguins that it was not trained on."""
    assert accuracy(EXAMPLE / "model.onnx") >= LEAST_ACCURACY


def accuracy(model: Path) -> float:
    """Return the share of the held-out penguins that a model tells."""
    _, held_out = split(load())
    found = answered(processing(), Session(model), held_out.to_dict("records"), EXAMPLE)
    return float(np.mean([answer["label"] for answer in found] == held_out[LABEL]))


def test_converting_again_gives_as_good_a_model(folder: Path, opdeploy: Opdeploy) -> None:
    """What `model convert` makes of the pipeline that was trained here is as good as the committed model."""
    ran = opdeploy("model", "convert", "pipeline.joblib", "--trust", "-o", "again.onnx", cwd=folder)
    assert (ran.code, ran.err) == (0, "")
    assert accuracy(folder / "again.onnx") == accuracy(EXAMPLE / "model.onnx")
    ran = opdeploy("model", "verify", EXAMPLE / "model.onnx", "again.onnx", *DATA, cwd=folder)
    assert (ran.code, ran.err) == (0, "")


def test_the_commands_of_the_readme_print_what_it_shows(folder: Path, opdeploy: Opdeploy) -> None:
    """Each command, run in turn, prints what stands below it, but for the numbers."""
    blocks = list(BLOCK.finditer((EXAMPLE / "README.md").read_text(encoding="utf-8")))
    assert len(blocks) >= 4
    for block in blocks:
        program, *arguments = shlex.split(block["command"])
        if program == "python":
            continue
        ran = opdeploy(*arguments, cwd=folder)
        assert ran.code == 0, ran.err
        assert masked(ran.err + ran.out) == masked(block["output"]), block["command"]


def masked(text: str) -> list[str]:
    """Return the words of a text, with hashes and numbers the same."""
    return re.sub(r"sha256:\w+|[\d.]+(e-\d+)?", "0", re.sub("─+", "─", text)).split()


def test_the_committed_model_is_one_small_clean_file() -> None:
    """It is under 300 kB, and tells of no machine."""
    content = (EXAMPLE / "model.onnx").read_bytes()
    assert len(content) < 300_000
    assert not re.search(rb"\.py\b|[\\/](home|root|tmp|usr|Users|site-packages)[\\/]", content)
