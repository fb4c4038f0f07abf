"""`opdeploy model inspect FILE`: what a model's file tells, as a table and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import pytest
from onnx_models import external

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy


@pytest.fixture
def digits(root: Path) -> Path:
    """Return the model of the digits example."""
    return root / "examples" / "digits" / "model.onnx"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits_and_tells_the_facts(opdeploy: Opdeploy, digits: Path, columns: int) -> None:
    """No line is wider than there is room."""
    ran = opdeploy("model", "inspect", digits, COLUMNS=str(columns))
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines()[1:])) <= columns
    assert "batch x 1 x 8 x 8" in " ".join(ran.out.split())
    for fact in ("40,938", "Conv 3", "single-pass", "0.002245 GFLOPs", "probabilities", "none"):
        assert fact in ran.out


def test_json_has_the_same_facts(opdeploy: Opdeploy, digits: Path) -> None:
    """Scripts read what people read."""
    told = opdeploy("model", "inspect", digits, "-o", "json").json
    assert told["inputs"] == [{"name": "image", "datatype": "FP32", "shape": ["batch", 1, 8, 8]}]
    assert (told["opsets"], told["parameters"], told["record_bytes"]) == ({"ai.onnx": 18}, 40938, 256)
    assert told["providers"][0]["runs"] == "all"


def test_the_suffix_of_the_file_names_the_format(opdeploy: Opdeploy, digits: Path, tmp_path: Path) -> None:
    """`--file` writes what would be printed."""
    path = tmp_path / "facts.json"
    ran = opdeploy("model", "inspect", digits, "--file", path)
    assert (ran.code, ran.out) == (0, "")
    assert path.read_text() == opdeploy("model", "inspect", digits, "-o", "json").out


def test_the_model_is_not_overwritten(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """A slip in `--file` does not cost the model."""
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    ran = opdeploy("model", "inspect", path, "--file", path, "-o", "json")
    assert (ran.code, path.read_bytes()) == (2, b"weights")
    assert "is the model, which is not overwritten" in ran.err


def test_another_format_says_how_to_convert_it(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """Of a pickle nothing is read, and the command is named."""
    path = tmp_path / "model.pkl"
    path.write_bytes(bytes(1000))
    ran = opdeploy("model", "inspect", path, COLUMNS="300")
    assert f"opdeploy model convert {path} -o model.onnx" in ran.out
    assert opdeploy("model", "inspect", path, "-o", "json").json["framework"] == "sklearn"


@pytest.mark.parametrize("columns", [80, 120])
def test_names_cannot_steer_the_terminal(opdeploy: Opdeploy, tmp_path: Path, columns: int) -> None:
    """A name in a file may hold anything, and is shown on one line, cut short."""
    name = "\x1b[31mred\x1b]0;title\x07\n\u202e[bold]" + "x" * 300
    value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["\x1b[2J", 3])
    node = onnx.helper.make_node("Mine\x1b[1m", [name], ["y"], domain="evil\n.com")
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("evil\n.com", 1)]
    graph = onnx.helper.make_graph([node], "g", [value], [out])
    made = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="p\x1b[1A")
    path = tmp_path / "a\x1b[31m.onnx"
    onnx.save_model(made, path)
    ran = opdeploy("model", "inspect", path, COLUMNS=str(columns))
    assert ran.code == 0
    assert all(char.isprintable() or char == "\n" for char in ran.out)
    assert max(map(len, ran.out.splitlines()[1:])) <= columns
    assert ran.out.count("x" * 20) <= 2


def test_what_is_known_of_several_providers_stands_once(opdeploy: Opdeploy, digits: Path) -> None:
    """Those that are not installed share a row."""
    assert opdeploy("model", "inspect", digits).out.count("not installed here") < 3


@pytest.mark.parametrize(("content", "problem"), [(b"text" * 99, "is not ONNX"), (b"", "is empty")])
def test_bad_input_is_one_line(opdeploy: Opdeploy, tmp_path: Path, content: bytes, problem: str) -> None:
    """Nothing is printed as data, and nothing is written."""
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    ran = opdeploy("model", "inspect", path, "--file", tmp_path / "facts.json")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert problem in ran.err
    assert list(tmp_path.iterdir()) == [path]


def test_weights_beside_the_model_do_not_contradict_its_size(
    opdeploy: Opdeploy, write: Callable[[dict[str, Any]], Path], tmp_path: Path
) -> None:
    """A recommendation counts the files that the model names, and warns of a size only where it is another."""
    (tmp_path / "model.onnx").write_bytes(external("weights", length=2_000_000).SerializeToString())
    (tmp_path / "weights").write_bytes(bytes(2_000_000))
    for size_mb, warned in ((2, False), (4, True)):
        model = {"path": "model.onnx", "size_mb": size_mb}
        ran = opdeploy("recommend", write({"name": "a", "serving": {"pattern": "stream"}, "model": model}))
        assert ("although the file has 2 MB" in ran.err) == warned


@pytest.mark.parametrize("name", ["digits", "digits.zip"])
def test_an_artefact_shows_its_manifest(opdeploy: Opdeploy, digits: Path, tmp_path: Path, name: str) -> None:
    """What an artefact says of itself, with its digest; one that was changed is refused."""
    made = opdeploy("model", "package", digits, "-o", tmp_path / name)
    digest = made.err.splitlines()[-1].removeprefix("sha256:")
    told = opdeploy("model", "inspect", tmp_path / name, "-o", "json").json
    assert (told["sha256"], told["variants"][0]["name"]) == (digest, "fp32")
    shown = opdeploy("model", "inspect", tmp_path / name)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"sha256: {digest}\n")
    if name == "digits":
        (tmp_path / name / "golden" / "tensors.npz").write_bytes(b"")
        assert opdeploy("model", "inspect", tmp_path / name).code == 2
