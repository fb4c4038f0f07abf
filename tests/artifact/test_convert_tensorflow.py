"""TensorFlow and Keras, converted for real from each of their files."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from opdeploy.artifact.convert import convert
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Opdeploy

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # of TensorFlow's own
for package in ("tensorflow", "tf2onnx"):
    if find_spec(package) is None and "CI" not in os.environ:
        pytest.skip(f"{package} is not installed", allow_module_level=True)

MAKE = """
import sys, keras, tensorflow as tf
from keras import layers
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((8, 8, 1), name="image"),
                          layers.Conv2D(4, 3, activation="relu"), layers.Flatten(),
                          layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(3, activation="softmax")])
model.save("m.keras"); model.save("m.h5"); model.export("saved", verbose=False)
a, b = keras.Input((4,), name="left"), keras.Input((4,), name="right")
keras.Model([a, b], [layers.Add()([a, b]), layers.Dense(2)(a)]).save("two.keras")
keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x + 1)]).save("lambda.keras")
keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x + 1)]).save("lambda.h5")

class Module(tf.Module):
    def __init__(self, function):
        self.function = tf.function(function, input_signature=[tf.TensorSpec((None, 3), tf.float32, name="a")])

def save(name, function):
    module = Module(function)
    tf.saved_model.save(module, name, signatures={"serving_default": module.function})

save("beta", lambda a: {"y": tf.math.betainc(a, a, a)})

def writes(a):
    tf.print("written", output_stream="file://trace")
    return {"y": a + 1}

save("writes", writes)
keras.Sequential([layers.Dense(2)]).save("unbuilt.keras")
tf.saved_model.save(tf.Module(), "unsigned")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of models that another process has made."""
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, "-c", MAKE], check=True, capture_output=True, cwd=folder)
    return folder


@pytest.mark.parametrize(("name", "output"), [("saved", "output_0"), ("m.keras", "output"), ("m.h5", "output")])
def test_a_network(made: Path, tmp_path: Path, name: str, output: str) -> None:
    """Each file gives the same tensors, with a free batch axis, and layers as they are after training."""
    done = convert(str(made / name), tmp_path / "o.onnx", trust=name == "saved")
    assert [spec.shape for spec in done.inputs] == [("batch", 8, 8, 1)]
    assert [(spec.name, spec.shape) for spec in done.outputs] == [(output, ("batch", 3))]
    assert (done.opset, done.verified.batches) == (18, (1, 2, 5, 64))


def test_several_inputs_and_outputs(made: Path, tmp_path: Path) -> None:
    """Inputs are called as the model calls them, outputs by number."""
    done = convert(str(made / "two.keras"), tmp_path / "o.onnx")
    assert [spec.name for spec in done.inputs] == ["left", "right"]
    assert [(spec.name, spec.shape) for spec in done.outputs] == [
        ("output_0", ("batch", 4)),
        ("output_1", ("batch", 2)),
    ]


def test_a_fixed_batch(made: Path, tmp_path: Path) -> None:
    """It is one record."""
    assert convert(str(made / "saved"), tmp_path / "o.onnx", trust=True, dynamic_batch=False).batch == 1


@pytest.mark.parametrize("name", ["lambda.keras", "lambda.h5"])
def test_a_lambda_layer_needs_trust(made: Path, tmp_path: Path, name: str) -> None:
    """It is Python code, which loading it would run."""
    with pytest.raises(InputError, match="holds Python code"):
        convert(str(made / name), tmp_path / "o.onnx")
    assert convert(str(made / name), tmp_path / "o.onnx", trust=True).verified.records == 72


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("beta", "ONNX has nothing for the operator Betainc"),
        ("unsigned", "has no signature serving_default"),
        ("unbuilt.keras", "does not say which inputs it takes; build it"),
    ],
)
def test_what_cannot_be_converted_is_named(made: Path, tmp_path: Path, name: str, message: str) -> None:
    """The line says which operation it is."""
    with pytest.raises(InputError, match=message):
        convert(str(made / name), tmp_path / "o.onnx", trust=name != "unbuilt.keras")
    assert not (tmp_path / "o.onnx").exists()


def test_damaged_files_are_refused(made: Path, tmp_path: Path) -> None:
    """A part of a file is no model."""
    (tmp_path / "m.h5").write_bytes((made / "m.h5").read_bytes()[:3000])
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes((made / "saved" / "saved_model.pb").read_bytes()[:999])
    for name in ("m.h5", "saved"):
        with pytest.raises(InputError, match=r"cannot be loaded|damaged"):
            convert(str(tmp_path / name), tmp_path / "o.onnx", trust=True)


def test_a_saved_model_needs_trust(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a program: one that appends to a file does so only where it is trusted."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"a program that TensorFlow runs, .*; give --trust"):
        convert(str(made / "writes"), tmp_path / "o.onnx")
    assert not (tmp_path / "trace").exists()
    convert(str(made / "writes"), tmp_path / "o.onnx", trust=True)
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize("version", ["3.9.2", "3.13.2"])
def test_an_old_keras_needs_trust(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """It runs code that is hidden in a model, whatever it is told."""
    import keras

    monkeypatch.setattr(keras, "__version__", version)
    with pytest.raises(InputError, match=f"Keras {version} runs code .* install keras>=3.14"):
        convert(str(made / "m.keras"), tmp_path / "o.onnx")


def test_what_tensorflow_prints_stays_out(made: Path, tmp_path: Path, opdeploy: Opdeploy) -> None:
    """Nothing but the answer on stdout, and nothing on stderr."""
    ran = opdeploy("model", "convert", made / "m.keras", "-o", "o.onnx", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("o.onnx: keras to ONNX, opset 18")
