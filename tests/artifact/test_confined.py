"""Native code that would end the process, or never end, does so in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import GraphProto, ModelProto
from onnx_models import SOUND, model, node

from opdeploy.artifact import confined
from opdeploy.artifact.providers import CPU

if TYPE_CHECKING:
    from pathlib import Path


def test_shapes_are_inferred() -> None:
    """What is inferred in the other process comes back."""
    found = confined.inferred(SOUND["network"].SerializeToString())
    assert found is not None
    assert [value.name for value in GraphProto.FromString(found).value_info] == ["a", "y"]


ENDLESS = model([node("Einsum", ["x"], ["y"], equation="....ij->")])
HUGE = model([node("Split", ["x"], ["y"], num_outputs=2**40)], shape=(1, 4))


@pytest.mark.parametrize("proto", [ENDLESS, HUGE], ids=["without end", "more than memory"])
def test_what_takes_too_much_is_given_up(monkeypatch: pytest.MonkeyPatch, proto: ModelProto) -> None:
    """Inference of onnx 1.23.2 does not end on the one, and asks for 2^40 shapes for the other."""
    monkeypatch.setattr(confined, "SECONDS", 3)
    assert confined.inferred(proto.SerializeToString()) is None


def test_noise_is_given_up() -> None:
    """Bytes that are no model infer nothing."""
    assert confined.inferred(bytes(range(100))) is None


def test_a_sound_model_loads(tmp_path: Path) -> None:
    """ONNX Runtime takes it as it stands."""
    path = tmp_path / "model.onnx"
    path.write_bytes(SOUND["network"].SerializeToString())
    assert confined.loads(path, CPU, path.stat().st_size) is None


def test_what_does_not_load_has_a_reason(tmp_path: Path) -> None:
    """The reason is the runtime's, on one line."""
    path = tmp_path / "model.onnx"
    path.write_bytes(
        model([node("MatMul", ["x", "w"], ["y"])], {"w": np.zeros((5, 3), np.float32)}).SerializeToString()
    )
    why = confined.loads(path, CPU, path.stat().st_size)
    assert why is not None
    assert "Incompatible dimensions" in why
    assert why.isprintable()


def test_nothing_is_imported_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file called onnx.py beside a model is not run."""
    (tmp_path / "onnx.py").write_text("open('sprung', 'w')")
    monkeypatch.chdir(tmp_path)
    assert confined.inferred(SOUND["network"].SerializeToString()) is not None
    assert not (tmp_path / "sprung").exists()
