"""The digits example: its split, its committed model, its training and its demo."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from data import Images, load

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
MODEL = DIGITS / "model.onnx"
LEAST_ACCURACY = 0.97


@pytest.fixture(scope="module")
def training() -> Images:
    """Return the training images."""
    return load()[0]


@pytest.fixture(scope="module")
def held_out() -> Images:
    """Return the held-out images."""
    return load()[1]


def probabilities(model: Path, images: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> np.ndarray:
    """Return the model's probabilities (N, 10) for the images (N, 1, 8, 8)."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(["probabilities"], {"image": images})[0]
    return result


def accuracy(model: Path, held_out: Images) -> float:
    """Return the share of the held-out images that the model reads right."""
    return float(np.mean(probabilities(model, held_out.images).argmax(axis=1) == held_out.labels))


def test_each_image_is_on_one_side_of_the_split(training: Images, held_out: Images) -> None:
    """Training and held-out images share none, and together they are the 1,797 of the data set."""
    assert sorted([*training.indices, *held_out.indices]) == list(range(1797))
    assert len(held_out.indices) == 450


def test_the_split_keeps_the_share_of_each_digit(training: Images, held_out: Images) -> None:
    """Each digit has a quarter of its images held out, to within one image."""
    held, trained = np.bincount(held_out.labels), np.bincount(training.labels)
    assert np.abs(held - (held + trained) / 4).max() <= 1


def test_the_split_is_the_same_every_time(training: Images) -> None:
    """Loading again gives the same images in the same order."""
    again, _ = load()
    np.testing.assert_array_equal(again.indices, training.indices)


def test_images_are_float32_from_0_to_1(training: Images, held_out: Images) -> None:
    """Images have the shape the model takes, and pixels are divided by the largest there is."""
    for side in (training, held_out):
        assert side.images.shape == (len(side.labels), 1, 8, 8)
        assert side.images.dtype == np.float32
        assert (side.images.min(), side.images.max()) == (0, 1)


def test_the_committed_model_reads_the_held_out_images(held_out: Images) -> None:
    """The model in the repository is right on at least 97 % of the images it was not trained on."""
    assert accuracy(MODEL, held_out) >= LEAST_ACCURACY


@pytest.mark.parametrize("batch", [1, 2, 7, 450])
def test_the_batch_is_free_and_changes_no_result(batch: int, held_out: Images) -> None:
    """Any number of images is taken, each gets the probabilities it gets alone, and these sum to one."""
    result = probabilities(MODEL, held_out.images[:batch])
    assert result.shape == (batch, 10)
    np.testing.assert_allclose(result[:1], probabilities(MODEL, held_out.images[:1]), atol=1e-5)
    np.testing.assert_allclose(result.sum(axis=1), 1, atol=1e-5)


def test_the_committed_model_is_one_small_clean_file() -> None:
    """The file is under 300 kB, holds its own weights and an opset of 20 at most, and tells of no machine."""
    model = onnx.load(MODEL, load_external_data=False)
    assert MODEL.stat().st_size < 300_000
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert [opset.version for opset in model.opset_import if not opset.domain] <= [20]
    assert [dimension.dim_param for dimension in model.graph.input[0].type.tensor_type.shape.dim] == [
        "batch",
        "",
        "",
        "",
    ]
    assert not model.metadata_props
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert not re.search(rb"\.py\b|[\\/](home|root|tmp|usr|Users|site-packages)[\\/]", MODEL.read_bytes())


@pytest.mark.slow
def test_training_again_gives_as_good_a_model(tmp_path: Path, held_out: Images) -> None:
    """`train.py` writes a model that is within one percentage point of the committed one."""
    if find_spec("torch") is None and "CI" not in os.environ:
        pytest.skip("training needs the extra `torch`")
    output = tmp_path / "model.onnx"
    done = subprocess.run(
        [sys.executable, DIGITS / "train.py", "--output", output],
        check=False, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = accuracy(output, held_out)
    assert f"held-out accuracy: {again:.4f} on 450 images" in done.stdout
    assert again >= LEAST_ACCURACY
    assert abs(again - accuracy(MODEL, held_out)) <= 0.01


def test_the_demo_recommends_serves_and_scores() -> None:
    """`demo.py` ends with exit code 0, shows the accuracy, and leaves no server running."""
    done = demo(DIGITS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^accuracy +0\.9[7-9]", done.stdout, re.MULTILINE)
    assert not is_listening(int(re.findall(r"ready on http://127\.0\.0\.1:(\d+)", done.stdout)[0]))


def test_the_demo_fails_where_the_server_does_not_start(tmp_path: Path) -> None:
    """With a broken model the demo ends with exit code 1, and shows the server's exit code and last words."""
    example = tmp_path / "digits"
    shutil.copytree(DIGITS, example, ignore=shutil.ignore_patterns("__pycache__"))
    (example / "model.onnx").write_bytes(b"not a model")
    done = demo(example)
    assert done.returncode == 1
    assert "the server ended with exit code 2" in done.stderr
    assert "cannot load" in done.stderr


def demo(example: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo of the example's folder."""
    return subprocess.run(
        [sys.executable, example / "demo.py"], check=False, capture_output=True, text=True, timeout=180
    )


def is_listening(port: int) -> bool:
    """Return whether anything listens on the loopback port."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
