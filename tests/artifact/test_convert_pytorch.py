"""PyTorch, converted for real in each of its three ways."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from opdeploy.artifact.convert import convert
from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.tensors import BY_ONNX, TensorSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Opdeploy

pytestmark = pytest.mark.slow
for package in ("torch", "onnxscript"):
    if find_spec(package) is None and "CI" not in os.environ:
        pytest.skip(f"{package} is not installed", allow_module_level=True)

MODELS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(144, 5))
    def forward(self, image):
        return self.layers(image)

class Two(nn.Module):
    def forward(self, left, right):
        return left @ right.transpose(1, 2), left.sum(dim=(1, 2))

class Words(nn.Module):
    def forward(self, ids, mask):
        return ids * mask + torch.arange(ids.shape[1])

class Otherwise(Net):
    def forward(self, image):
        return super().forward(image) + torch.compiler.is_compiling()

class Eigen(nn.Module):
    def forward(self, matrix):
        return torch.linalg.eigvals(matrix).real

class Branch(Net):
    def forward(self, image):
        return super().forward(image if image.sum() > 0 else -image)

class Unused(nn.Module):
    def forward(self, left, right):
        return left * 2

class Blank(nn.Module):
    def forward(self, left):
        return torch.log(-left * left - 1)

class Places(nn.Module):
    def forward(self, left):
        return torch.nonzero(left > 0), left * 2

class Raises(nn.Module):
    def forward(self, left):
        raise RuntimeError("no\\nway")

class Fixed(Net):
    def forward(self, image):
        return super().forward(image).reshape(2, 5)

net = lambda: (Net(), torch.zeros(1, 3, 8, 8))
blank, places, raises = (lambda kind=kind: (kind(), torch.zeros(2, 3)) for kind in (Blank, Places, Raises))
two = lambda: (Two(), (torch.zeros(2, 3, 4), torch.zeros(2, 5, 4)))
ids = torch.tensor([[3, 7, 5, 9, 2]])
words = lambda: (Words(), (ids, ids), ({1: "tokens"}, {1: "tokens"}))
words_of_one = lambda: (Words(), (ids, ids), {1: "tokens"})
words_of_many = lambda: (Words(), (ids, ids), ({1: "tokens"}, {2: "tokens"}))
words_fixed = lambda: (Words(), (ids, ids))
otherwise = lambda: (Otherwise(), torch.zeros(1, 3, 8, 8))
eigen = lambda: (Eigen(), torch.eye(3)[None])
branch = lambda: (Branch(), torch.zeros(1, 3, 8, 8))
fixed = lambda: (Fixed(), torch.zeros(2, 3, 8, 8))
nothing = lambda: None
fails = lambda: 1 / 0
"""
IMAGE = TensorSpec("image", BY_ONNX["tensor(float)"], ("batch", 3, 8, 8))


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - a module
    """Return a module of models in a folder that is the current one."""
    import importlib
    import sys

    name = f"models_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(name)
    sys.modules.pop(name)


def test_a_function(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """The batch axis is free, dropout is off, and nothing tells of the machine."""
    done = convert(f"{models.__name__}:net", tmp_path / "o.onnx")
    assert [(spec.name, spec.shape) for spec in done.inputs] == [("image", ("batch", 3, 8, 8))]
    assert [(spec.name, spec.shape) for spec in done.outputs] == [("output", ("batch", 5))]
    assert (done.opset, done.verified.batches) == (18, (1, 2, 5, 64))
    assert str(tmp_path).encode() not in (tmp_path / "o.onnx").read_bytes()
    onnx.checker.check_model(onnx.load(tmp_path / "o.onnx"), full_check=True)


def test_a_fixed_batch(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """The batch is that of the example."""
    done = convert(f"{models.__name__}:net", tmp_path / "o.onnx", dynamic_batch=False)
    assert (done.batch, done.inputs[0].shape, done.verified.batches) == (1, (1, 3, 8, 8), (1,))


def test_a_module_that_fixes_its_batch(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """Where its code allows no other size, the batch is that of the example, and the answer says so."""
    done = convert(f"{models.__name__}:fixed", tmp_path / "o.onnx")
    assert (done.batch, done.verified.batches) == (2, (2,))


def test_several_inputs_and_outputs(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """Inputs are called as the module calls them, outputs by number."""
    done = convert(f"{models.__name__}:two", tmp_path / "o.onnx")
    assert [spec.name for spec in done.inputs] == ["left", "right"]
    assert [(spec.name, spec.shape) for spec in done.outputs] == [
        ("output_0", ("batch", 3, 5)),
        ("output_1", ("batch",)),
    ]


def test_axes_that_a_function_says_are_free(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """They are free beside the batch, under their name; those of which it says nothing have the example's size."""
    free = convert(f"{models.__name__}:words", tmp_path / "o.onnx")
    assert [spec.shape for spec in (*free.inputs, *free.outputs)] == [("batch", "tokens")] * 3
    fixed = convert(f"{models.__name__}:words_fixed", tmp_path / "o.onnx")
    assert [spec.shape for spec in (*fixed.inputs, *fixed.outputs)] == [("batch", 5)] * 3


def test_free_axes_are_verified_at_several_sizes(models: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """Each batch that is drawn has another size of them, the same in every input."""
    seen = []

    def look(module: Any, ids: Any, mask: Any) -> Any:  # noqa: ANN401
        seen.append((tuple(ids.shape), tuple(mask.shape)))
        return original(module, ids, mask)

    original = models.Words.forward
    module, *rest = models.words()
    monkeypatch.setattr(module, "forward", look.__get__(module))
    monkeypatch.setattr(models, "words", lambda: (module, *rest))
    convert(f"{models.__name__}:words", tmp_path / "o.onnx")
    assert [ids for ids, _ in seen[-4:]] == [(1, 5), (2, 4), (5, 3), (64, 2)]
    assert all(ids == mask for ids, mask in seen)


def test_an_exported_program(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """Its axes are free or fixed as they were exported; it needs trust."""
    import torch

    module, example = models.net()
    example = example.repeat(2, 1, 1, 1)
    for name, free in (("free", ({0: torch.export.Dim("b")},)), ("fixed", None)):
        torch.export.save(torch.export.export(module.eval(), (example,), dynamic_shapes=free), tmp_path / f"{name}.pt2")
    with pytest.raises(InputError, match="give --trust"):
        convert(str(tmp_path / "free.pt2"), tmp_path / "o.onnx")
    free_batch = convert(str(tmp_path / "free.pt2"), tmp_path / "o.onnx", trust=True)
    assert (free_batch.batch, free_batch.inputs[0].shape, free_batch.opset) == (None, ("batch", 3, 8, 8), 18)
    assert convert(str(tmp_path / "fixed.pt2"), tmp_path / "o.onnx", trust=True).batch == 2


def test_torchscript(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """It needs trust, and to be told of its inputs: as specs, or as arrays."""
    import torch

    module, example = models.net()
    with pytest.warns(DeprecationWarning, match="deprecated"):
        torch.jit.trace(module.eval(), example).save(tmp_path / "m.pt")  # type: ignore[no-untyped-call, unused-ignore]
    np.savez(tmp_path / "own.npz", image=np.random.default_rng(0).random((9, 3, 8, 8)).astype("float32"))
    with pytest.raises(InputError, match="does not say which inputs it takes"):
        convert(str(tmp_path / "m.pt"), tmp_path / "o.onnx", trust=True)
    told = convert(str(tmp_path / "m.pt"), tmp_path / "o.onnx", trust=True, specs=(IMAGE,))
    shown = convert(str(tmp_path / "m.pt"), tmp_path / "o.onnx", trust=True, data=tmp_path / "own.npz")
    assert told.inputs == shown.inputs == (IMAGE,)
    assert (told.verified.records, shown.verified.records) == (72, 9)


def test_a_module_that_exports_otherwise_is_refused(models: Any, tmp_path: Path, opdeploy: Opdeploy) -> None:  # noqa: ANN401
    """It answers differently while it is exported: the command exits with 5, says where, and leaves no file."""
    before = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    ran = opdeploy("model", "convert", f"{models.__name__}:otherwise", "-o", "o.onnx", cwd=tmp_path)
    assert (ran.code, ran.out) == (5, "")
    assert "nothing was written: output[0, " in ran.err
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("eigen", "ONNX has nothing for the operator aten.linalg_eig"),
        ("branch", "its path depends on the values of its inputs"),
        ("words_of_one", "for each input a mapping from its axis to a name"),
        ("words_of_many", "for each input a mapping from its axis to a name"),
        ("nothing", "must return a torch.nn.Module and an example"),
        ("fails", "fails: ZeroDivisionError"),
        ("absent", "no attribute 'absent'"),
        ("raises", "fails on these inputs: no way; check"),
    ],
)
def test_what_cannot_be_converted_is_named(models: Any, tmp_path: Path, name: str, message: str) -> None:  # noqa: ANN401
    """The line says which operator it is, or what the function lacks."""
    with pytest.raises(InputError, match=message):
        convert(f"{models.__name__}:{name}", tmp_path / "o.onnx")
    assert not (tmp_path / "o.onnx").exists()


def test_answers_that_are_no_numbers_show_nothing(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """NaN on both sides is no agreement."""
    with pytest.raises(OpdeployError, match="gives no finite number as 'output'"):
        convert(f"{models.__name__}:blank", tmp_path / "o.onnx")
    assert not (tmp_path / "o.onnx").exists()


def test_an_axis_of_another_size_is_not_called_batch(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """Where something is found is as long as that is often."""
    done = convert(f"{models.__name__}:places", tmp_path / "o.onnx")
    assert [spec.shape[0] == "batch" for spec in done.outputs] == [False, True]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": np.zeros((4, 3), np.float32), "b": np.zeros((4, 3), np.float32)}, "takes 2 inputs, and uses 1"),
        ({"a": np.array([["x"]]), "b": np.array([["y"]])}, "PyTorch takes numbers"),
        ({"a": np.zeros((4, 3), np.float32)}, "fails on these inputs"),
    ],
    ids=["unused", "text", "too few"],
)
def test_inputs_that_torchscript_does_not_take(
    models: Any,  # noqa: ANN401
    tmp_path: Path,
    data: dict[str, Any],
    message: str,
) -> None:
    """One line says what is wrong."""
    models.torch.jit.script(models.Unused()).save(tmp_path / "m.pt")
    np.savez(tmp_path / "d.npz", **data)
    with pytest.raises(InputError, match=message):
        convert(str(tmp_path / "m.pt"), tmp_path / "o.onnx", trust=True, data=tmp_path / "d.npz")


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    """The line says where it is looked for."""
    with pytest.raises(InputError, match="there is no module absent_module; run from the folder"):
        convert("absent_module:make", tmp_path / "o.onnx")


def test_large_weights_lie_beside_the_model(models: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """What one protobuf message cannot hold is written to a file of its own."""
    convert(f"{models.__name__}:net", tmp_path / "o.onnx", most_bytes=1000)
    convert(f"{models.__name__}:net", tmp_path / "o.onnx", most_bytes=1000)  # over what is there already
    assert (tmp_path / "o.onnx.data").stat().st_size > 2000


@pytest.mark.parametrize("obstacle", ["folder", "link"])
def test_large_weights_that_cannot_lie_there(models: Any, tmp_path: Path, obstacle: str) -> None:  # noqa: ANN401
    """Neither file is written."""
    if obstacle == "folder":
        (tmp_path / "o.onnx.data").mkdir()
    else:
        (tmp_path / "o.onnx").symlink_to("elsewhere.onnx")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match="name another file"):
        convert(f"{models.__name__}:net", tmp_path / "o.onnx", most_bytes=1000)
    assert sorted(tmp_path.iterdir()) == before
