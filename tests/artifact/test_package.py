"""The artefact: the same for the same input, refused where it was changed, and right wherever it runs."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import yaml
from nets import linear, records

from opdeploy.artifact.data import Declared
from opdeploy.artifact.optimize import Goal, optimize
from opdeploy.artifact.package import Contents, build, repackage
from opdeploy.artifact.samples import Samples
from opdeploy.artifact.variants import Candidate
from opdeploy.errors import DifferenceError, InputError
from opdeploy.runtime.choosing import choose
from opdeploy.runtime.package import Golden, opened, sha256
from opdeploy.runtime.processing.spec import Number, Processing, Regression, Table
from opdeploy.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.artifact.optimize import State

    Change = Callable[[Path], None]


def contents(model: Path, **given: Any) -> Contents:  # noqa: ANN401  fields of Contents
    """Return what goes into an artefact of a model of 8 features."""
    return Contents("net", model, Samples({"x": records(12)}, "records"), **given)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a linear classifier."""
    return linear(tmp_path / "linear.onnx")


@pytest.fixture
def artefact(model: Path, tmp_path: Path) -> Path:
    """Return an artefact with that classifier alone."""
    build(contents(model), tmp_path / "net")
    return tmp_path / "net"


def test_the_same_input_gives_the_same_artefact(model: Path, tmp_path: Path) -> None:
    """Digests and bytes are equal, of folders as of files, whenever they are written."""
    digests = {build(contents(model), tmp_path / name) for name in ("a", "b", "a.zip", "b.zip")}
    assert len(digests) == 1
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    os.utime(tmp_path / "a" / "model.yaml", (0, 0))
    assert sha256(tmp_path / "a" / "model.yaml") == digests.pop()


def test_other_input_gives_another_artefact(model: Path, tmp_path: Path) -> None:
    """Another model, name, record or tolerance shows in the digest."""
    other = linear(tmp_path / "other.onnx", seed=5)
    all_ = [
        contents(model),
        contents(other),
        replace(contents(model), name="another"),
        replace(contents(model), samples=Samples({"x": records(12, seed=9)}, "records")),
        contents(model, tolerance=Tolerance(rtol=0.5)),
    ]
    assert len({build(item, tmp_path / str(number)) for number, item in enumerate(all_)}) == len(all_)


@pytest.mark.parametrize("name", ["net", "net.zip"])
def test_what_was_written_is_read_again(model: Path, tmp_path: Path, name: str) -> None:
    """Signature, golden answers and the graph come back as they were, from a folder and from one file."""
    digest = build(contents(model, measurements={"here": "{}"}), tmp_path / name)
    with opened(tmp_path / name) as package:
        assert package.digest == digest
        assert [(item.name, item.datatype, item.shape) for item in package.manifest.inputs] == [
            ("x", "FP32", ("batch", 8))
        ]
        assert package.manifest.measurements == ("measurements/here.json",)
        golden = package.golden()
        np.testing.assert_array_equal(golden.inputs["x"], records(12)[[0, 2, 3, 5, 6, 8, 9, 11]])
        chosen = choose(package)
        assert chosen.variant.name == "fp32"
        np.testing.assert_allclose(chosen.session.run(golden.inputs)["y"], golden.outputs["y"], rtol=1e-5)
        folder = package.folder
    assert folder.exists() == (name == "net")


def cut(file: Path) -> None:
    """Take the last byte away."""
    file.write_bytes(file.read_bytes()[:-1])


def flip(file: Path) -> None:
    """Change one bit in the middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("file", ["golden/tensors.npz", "variants/fp32/model.onnx"])
@pytest.mark.parametrize(
    ("change", "why"),
    [(cut, "is not as it was packaged"), (flip, "is not as it was packaged"), (Path.unlink, "is missing")],
)
def test_a_changed_file_is_refused(artefact: Path, file: str, change: Change, why: str) -> None:
    """Whatever was changed since it was packaged is named before anything is used."""
    change(artefact / file)
    with pytest.raises(InputError, match=rf"the file {file} {why}; copy the artefact again"), opened(artefact):
        pass


def edited(artefact: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest."""
    manifest = yaml.safe_load((artefact / "model.yaml").read_text())
    change(manifest)
    (artefact / "model.yaml").write_text(yaml.safe_dump(manifest))


MANIFESTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (lambda it: it.update(format=2), "format"),
    "an unknown key": (lambda it: it.update(fromat=1), "fromat"),
    "no variants": (lambda it: it.update(variants=[]), "variants"),
    "a file outside": (lambda it: it["files"].update({"../x": "0" * 64}), "leads out of the artefact"),
    "an absolute file": (lambda it: it["files"].update({"/etc/passwd": "0" * 64}), "leads out of the artefact"),
    "a drive": (lambda it: it["files"].update({"C:/x": "0" * 64}), "leads out of the artefact"),
    "a backslash": (lambda it: it["files"].update({"..\\x": "0" * 64}), "leads out of the artefact"),
    "no hash": (lambda it: it["files"].update({"x": "abc"}), "files"),
    "an unlisted graph": (lambda it: it["variants"][0].update(file="x.onnx"), "is none of its files"),
    "a provider of another type": (lambda it: it["variants"][0].update(settings={"provider": 3}), "provider"),
    "two variants of one name": (lambda it: it["variants"].append({**it["variants"][0], "tolerance": {}}), "one name"),
    "a name that is no label": (lambda it: it.update(name="a; rm -rf /"), "name"),
}


@pytest.mark.parametrize(("change", "why"), MANIFESTS.values(), ids=list(MANIFESTS))
def test_a_manifest_that_says_what_it_must_not_is_refused(
    artefact: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    """One line names the manifest and the fault."""
    edited(artefact, change)
    with pytest.raises(InputError, match=rf"^.*is not the manifest of an artefact: .*{why}.*$"), opened(artefact):
        pass


TEXTS = {
    "empty": "",
    "text": "hello",
    "half": "format: 1\nname: [",
    "brackets": "[" * 100_000,
    "aliases": "a: &a [1]\nb: *a",
    "binary": "\x00\x01",
    "a tag": "!!python/object/apply:os.system ['true']",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_what_is_no_manifest_is_refused(artefact: Path, text: str) -> None:
    """Neither broken nor hostile YAML gets further than one line."""
    (artefact / "model.yaml").write_text(text)
    with pytest.raises(InputError, match=r"^.*is not the manifest of an artefact: .*$"), opened(artefact):
        pass


def test_a_link_out_of_the_artefact_is_refused(artefact: Path, tmp_path: Path) -> None:
    """A file that is a link to one elsewhere is none of the artefact's, even if its hash is right."""
    graph = artefact / "variants" / "fp32" / "model.onnx"
    shutil.move(graph, tmp_path / "elsewhere.onnx")
    graph.symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(InputError, match=r"the file variants/fp32/model\.onnx is missing"), opened(artefact):
        pass


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"hello" * 100])
def test_what_is_no_artefact_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no archive, or has no manifest, is one line."""
    path = tmp_path / "net.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^.*net\.zip: is no artefact"), opened(path):
        pass


def test_a_compressed_archive_is_refused(artefact: Path, tmp_path: Path) -> None:
    """What could unfold to more than it looks is not unpacked."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in artefact.rglob("*"):
            archive.write(file, file.relative_to(artefact))
    with pytest.raises(InputError, match="is compressed"), opened(tmp_path / "bomb.zip"):
        pass


def test_nothing_is_overwritten(model: Path, artefact: Path) -> None:
    """A second artefact of one name is refused, and the first stays as it was."""
    before = sha256(artefact / "model.yaml")
    with pytest.raises(InputError, match="is there already"):
        build(contents(linear(model, seed=9)), artefact)
    assert sha256(artefact / "model.yaml") == before


def test_nothing_is_left_where_it_fails(model: Path, tmp_path: Path) -> None:
    """A tolerance that the model's own answers do not hold leaves no file behind."""
    before = sorted(tmp_path.iterdir())
    proto = onnx.load_model(model)
    proto.graph.node[1].op_type = "LogSoftmax"
    proto.graph.node[1].attribute[0].i = 7  # there is no such axis
    onnx.save_model(proto, model)
    with pytest.raises(InputError, match="cannot load it"):
        build(contents(model), tmp_path / "net")
    assert sorted(tmp_path.iterdir()) == before


def test_processing_that_does_not_fit_the_model_is_refused(model: Path, tmp_path: Path) -> None:
    """A declaration is held against the model even where no records go through it."""
    processing = Processing(Table((Number("a"),), tensor="z"), Regression("y"))
    with pytest.raises(InputError, match="the model has no tensor 'z'"):
        build(contents(model, declared=Declared(processing, tmp_path)), tmp_path / "net")
    assert not (tmp_path / "net").exists()


def test_weights_beside_the_model_travel_with_it(tmp_path: Path) -> None:
    """External data is copied and hashed, and the artefact runs without the original."""
    source = tmp_path / "source"
    source.mkdir()
    proto = onnx.load_model(linear(source / "m.onnx"))
    onnx.save_model(proto, source / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    build(contents(source / "m.onnx"), tmp_path / "net.zip")
    shutil.rmtree(source)
    with opened(tmp_path / "net.zip") as package:
        assert "variants/fp32/weights.bin" in package.manifest.files
        assert choose(package).variant.name == "fp32"


def test_measurements_are_added_to_an_artefact(artefact: Path, tmp_path: Path) -> None:
    """A copy has them, and is what it would have been with them from the start."""
    with opened(artefact) as package:
        digest = repackage(package, {"here": json.dumps({"knee": 1})}, tmp_path / "more.zip")
    again = build(
        contents(tmp_path / "linear.onnx", measurements={"here": json.dumps({"knee": 1})}), tmp_path / "again.zip"
    )
    assert digest == again


def test_a_measurement_is_not_replaced(artefact: Path, tmp_path: Path) -> None:
    """A second one of the same name is refused, and nothing is written."""
    with opened(artefact) as package:
        repackage(package, {"here": "{}"}, tmp_path / "more")
    with (
        opened(tmp_path / "more") as package,
        pytest.raises(InputError, match=r"here\.json: is in the artefact already"),
    ):
        repackage(package, {"here": "{}"}, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def shifted(model: Path, target: Path, *, by: float) -> None:
    """Write the classifier with a bias that moves its answers."""
    proto = onnx.load_model(model)
    for tensor in proto.graph.initializer:
        if tensor.name == "b":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array([by, 0, 0], np.float32), "b"))
    onnx.save_model(proto, target)


@pytest.fixture
def two(model: Path, tmp_path: Path) -> Path:
    """Return an artefact whose best variant is a little off, and the exact one the second."""
    folder = tmp_path / "variants"
    folder.mkdir()
    samples = Samples({"x": records(64)}, "records")
    off = Candidate("off", "int8", make=partial(shifted, model, by=0.05))
    goal = Goal(rounds=1, seconds=0.001, max_accuracy_loss=1)
    result = optimize(model, samples, goal, folder, lambda *_: [off])
    # Which of the two is faster is chance: here it is the one that is off.
    states: dict[str, State] = {"off": "best", "fp32": "accepted"}
    trials = [replace(item, state=states.get(item.name, item.state)) for item in result.trials]
    build(contents(model, optimised=replace(result, trials=trials)), tmp_path / "two")
    return tmp_path / "two"


def test_the_best_variant_is_served_where_its_answers_are_right(two: Path) -> None:
    """A lossy variant has a tolerance of its own, wide enough for what it was accepted with."""
    with opened(two) as package:
        best, reference = package.manifest.variants
        assert (best.name, reference.name) == ("off", "fp32")
        assert best.tolerance["y"].atol > reference.tolerance["y"].atol
        assert choose(package).variant.name == "off"


def test_where_the_best_variant_is_wrong_the_reference_is_served_and_says_so(two: Path) -> None:
    """As INT8 on a processor where sums saturate: its answers are checked anew, and the next variant steps in."""
    graph = two / "variants" / "off" / "model.onnx"
    shifted(graph, graph, by=9)
    edited(two, lambda it: it["files"].update({"variants/off/model.onnx": sha256(graph)}))
    with opened(two) as package:
        chosen = choose(package)
        assert chosen.variant.name == "fp32"
        assert chosen.rejected["off"].startswith("y[")


def test_where_no_variant_is_right_nothing_is_served(two: Path) -> None:
    """An artefact of which no variant gives the golden answers is an error that says of each why."""
    with opened(two) as package:
        golden = package.golden()
    Golden(golden.inputs, {"y": golden.outputs["y"][::-1]}).save(two / "golden" / "tensors.npz")
    edited(two, lambda it: it["files"].update({"golden/tensors.npz": sha256(two / "golden" / "tensors.npz")}))
    with (
        opened(two) as package,
        pytest.raises(DifferenceError, match=r"^net: no variant reproduces the golden answers .*off: y\[.*fp32: y\["),
    ):
        choose(package)


def test_golden_answers_of_any_type_come_back(tmp_path: Path) -> None:
    """Text, whole numbers and booleans are kept without pickling anything."""
    arrays = {
        "text": np.array(["a", "", "ü"], dtype=object),
        "whole": np.arange(3),
        "truth": np.array([True, False, True]),
        "file": np.array([1.5, np.inf, np.nan], np.float32),
    }
    Golden(arrays, arrays).save(tmp_path / "golden.npz")
    again = Golden.load(tmp_path / "golden.npz")
    for side in (again.inputs, again.outputs):
        for name, array in arrays.items():
            np.testing.assert_array_equal(side[name], array)
            assert side[name].dtype == array.dtype
