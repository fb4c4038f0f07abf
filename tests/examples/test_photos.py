"""The photographs example: its files, and its classifier on real photographs, in 32 bits and in 8."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from opdeploy.artifact.data import declaration

if TYPE_CHECKING:
    from tests.conftest import Opdeploy, Ran

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
LEAST_RIGHT = 7
"""Of the ten photographs."""
LABELS = (PHOTOS / "labels.txt").read_text(encoding="utf-8").splitlines()
ENTRIES = yaml.safe_load((PHOTOS / "photographs.yaml").read_text(encoding="utf-8"))


def script(name: str, *arguments: str | Path) -> str:
    """Run a script of the example, and return what it printed."""
    done = subprocess.run(
        [sys.executable, PHOTOS / name, *map(str, arguments)], capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def right(told: str) -> int:
    """Return how many photographs are right, as `score.py` told."""
    return sum(" right " in line for line in told.splitlines()[:-1])


def test_there_is_a_name_for_each_class() -> None:
    """The labels are the 1000 of ImageNet in their order, and no two are the same."""
    assert len(LABELS) == len(set(LABELS)) == 1000
    assert all(label and label == label.strip() for label in LABELS)
    assert [LABELS[number] for number in (0, 281, 504, 967, 999)] == [
        "tench", "tabby", "coffee mug", "espresso", "toilet tissue",
    ]  # fmt: skip


def test_what_is_right_are_names_of_classes() -> None:
    """Each photograph has right answers, all of which the classifier could give; the number of photographs is even."""
    assert len({entry["file"] for entry in ENTRIES}) == len(ENTRIES)
    assert len(ENTRIES) % 2 == 0
    for entry in ENTRIES:
        assert entry["right"]
        assert set(entry["right"]) <= set(LABELS)


def test_the_processing_is_valid() -> None:
    """The declaration is read, and names the file of labels."""
    assert declaration(PHOTOS / "processing.yaml").processing.files == ("labels.txt",)


def test_the_workload_gets_a_recommendation(opdeploy: Opdeploy) -> None:
    """`opdeploy recommend` places it, without a model's file."""
    ran = opdeploy("recommend", PHOTOS / "workload.yaml", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.json["status"] == "recommended"


@pytest.fixture(scope="session")
def converted(opdeploy: Opdeploy, tmp_path_factory: pytest.TempPathFactory, _trained: None) -> Path:
    """Return the classifier as ONNX."""
    model = tmp_path_factory.mktemp("photos") / "photos.onnx"
    ran = opdeploy("model", "convert", "classifier:model", "-o", model, cwd=PHOTOS)
    assert ran.code == 0, ran.err
    assert "verified on 72 records" in ran.out
    return model


@pytest.fixture(scope="session")
def packaged(converted: Path, opdeploy: Opdeploy) -> Path:
    """Return the artefact of the classifier as exported, with the photographs as golden records."""
    folder, artefact = converted.with_name("whole"), converted.with_name("fp32")
    script("photographs.py", folder)
    options = ("--data", folder, "--processing", PHOTOS / "processing.yaml")
    ran = opdeploy("model", "package", converted, "-o", artefact, *options)
    assert ran.code == 0, ran.err
    return artefact


@pytest.fixture(scope="session")
def optimised(converted: Path, opdeploy: Opdeploy) -> tuple[Path, Ran]:
    """Return the artefact that optimising gives, with six crops of each photograph, and how the command ended."""
    folder, artefact = converted.with_name("crops"), converted.with_name("best")
    script("photographs.py", folder, "--crops", "6")
    options = ("--data", folder, "--processing", PHOTOS / "processing.yaml", "--max-accuracy-loss", "0.2")
    quick = ("--rounds", "1", "--seconds", "0.02", "--report", "json")
    return artefact, opdeploy("model", "optimize", converted, "-o", artefact, *options, *quick)


@pytest.mark.slow
def test_the_classifier_is_right_on_most_photographs(packaged: Path, opdeploy: Opdeploy) -> None:
    """Packaged, it gives its golden answers again, and names at least seven of the ten photographs."""
    assert opdeploy("model", "verify", packaged, "--golden").code == 0
    told = script("score.py", packaged)
    assert right(told) >= LEAST_RIGHT, told


@pytest.mark.slow
def test_channels_of_weights_need_ranges_of_their_own(optimised: tuple[Path, Ran]) -> None:
    """Declared as classes, variants are judged by the class: in 8 bits it stays, but for one range for all channels."""
    ran = optimised[1]
    assert ran.code == 0, ran.err
    trials: dict[str, dict[str, Any]] = {trial["name"]: trial for trial in ran.json["trials"]}
    by_channel, by_tensor = (trials[name]["evidence"] for name in ("int8-static", "int8-static-tensor"))
    assert by_channel["classes"]
    assert by_channel["agreement"] >= 0.8
    assert by_channel["cosine"] >= 0.98
    assert by_channel["cosine"] > by_tensor["cosine"] + 0.05


@pytest.mark.slow
def test_the_variant_that_is_kept_names_the_photographs_too(optimised: tuple[Path, Ran]) -> None:
    """It has seen crops only, and is right on the whole photographs, one less than in 32 bits at most."""
    told = script("score.py", optimised[0])
    assert right(told) >= LEAST_RIGHT - 1, told
