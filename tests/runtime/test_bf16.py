"""BF16: what numpy has not, and models of today have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from ml_dtypes import bfloat16
from onnx import TensorProto, helper

from opdeploy.errors import InputError
from opdeploy.runtime.session import Session
from opdeploy.runtime.tensors import bf16_bits, bf16_values

if TYPE_CHECKING:
    from pathlib import Path

EVERY = np.arange(0x10000, dtype=np.uint16)


def test_every_value_of_16_bits_passes_unchanged() -> None:
    """From bits to float32 and back gives the same bits, but for the many bits of what is not a number."""
    values = bf16_values(EVERY)
    numbers = ~np.isnan(values)
    assert (bf16_bits(values)[numbers] == EVERY[numbers]).all()
    assert np.isnan(bf16_values(bf16_bits(values))[~numbers]).all()


def test_numbers_are_rounded_to_the_nearest_halves_to_even() -> None:
    """float32 is rounded as ml_dtypes rounds it, the infinities and the largest included."""
    random = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint32).view(np.float32)
    halves = (np.arange(0, 2**32, 0x8000, dtype=np.uint64)).astype(np.uint32).view(np.float32)
    for values in (random, halves):
        numbers = values[~np.isnan(values)]
        with np.errstate(over="ignore"):
            expected = numbers.astype(bfloat16).view(np.uint16)
        assert (bf16_bits(numbers) == expected).all()


@pytest.mark.parametrize("values", [[], [1.0, -2.5, float("inf"), 3.3895314e38]])
def test_a_model_of_bf16_runs(tmp_path: Path, values: list[float]) -> None:
    """Inputs of float32 are rounded to BF16, outputs of BF16 come as float32, and other tensors are as they are."""
    model = _save(tmp_path / "m.onnx", TensorProto.FLOAT)
    found = Session(model).run({"x": np.array(values, np.float32), "z": np.arange(len(values), dtype=np.float32)})
    assert found["y"].dtype == np.float32
    assert (found["y"] == np.array(values, np.float32)).all()
    assert (found["w"] == np.arange(len(values))).all()


def test_a_model_of_bf16_and_text_is_refused(tmp_path: Path) -> None:
    """The two cannot be given to ONNX Runtime in one run."""
    with pytest.raises(InputError, match="BF16 and of text"):
        Session(_save(tmp_path / "m.onnx", TensorProto.STRING))


def _save(path: Path, other: int) -> Path:
    tensors = {"x": TensorProto.BFLOAT16, "y": TensorProto.BFLOAT16, "z": other, "w": other}
    infos = {name: helper.make_tensor_value_info(name, kind, ["n"]) for name, kind in tensors.items()}
    nodes = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Identity", ["z"], ["w"])]
    graph = helper.make_graph(nodes, "m", [infos["x"], infos["z"]], [infos["y"], infos["w"]])
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path
