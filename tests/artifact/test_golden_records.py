"""Golden records: pre-processing is held to the same tensors wherever the artefact goes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from nets import FEATURES, linear, records

from opdeploy.artifact.data import Declared, declaration, judged, read
from opdeploy.artifact.evidence import gather
from opdeploy.artifact.package import Contents, build, repackage
from opdeploy.artifact.verify import golden
from opdeploy.errors import InputError
from opdeploy.runtime.choosing import check_processing
from opdeploy.runtime.package import opened
from opdeploy.runtime.processing.spec import Classification, Number, Processing, Table
from opdeploy.runtime.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Opdeploy

EXAMPLES = "golden/examples.json"


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    """Return an artefact of a table of 8 numbers, with 20 records as data."""
    model = linear(tmp_path / "linear.onnx")
    columns = tuple(Number(f"c{number}", missing=0.0) for number in range(FEATURES))
    declared = Declared(
        Processing(Table(columns, tensor="x"), Classification("y", labels=("red", "green", "blue"))), tmp_path
    )
    rows = [dict(zip((column.name for column in columns), row, strict=True)) for row in records(20).tolist()]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = read(tmp_path / "rows.jsonl", Session(model), declared)
    build(Contents("table", model, data.samples, data.records, declared), tmp_path / "table")
    return tmp_path / "table"


def changed(artefact: Path, change: Any) -> None:  # noqa: ANN401  what changes a list of records with answers
    """Change the golden records as someone would who knows about hashes."""
    path = artefact / EXAMPLES
    pairs = json.loads(path.read_text())
    change(pairs)
    path.write_text(json.dumps(pairs))
    manifest = yaml.safe_load((artefact / "model.yaml").read_text())
    manifest["files"][EXAMPLES] = hashlib.sha256(path.read_bytes()).hexdigest()
    (artefact / "model.yaml").write_text(yaml.safe_dump(manifest))


def test_golden_records_stand_as_people_send_them_with_their_answers(artefact: Path) -> None:
    """Records before pre-processing and answers after post-processing, from the first record to the last."""
    pairs = json.loads((artefact / EXAMPLES).read_text())
    assert [pair["record"]["c0"] for pair in (pairs[0], pairs[-1])] == pytest.approx(records(20)[[0, 19], 0])
    assert {pair["answer"]["label"] for pair in pairs} <= {"red", "green", "blue"}
    assert all(0 < pair["answer"]["score"] <= 1 for pair in pairs)


def test_the_same_records_give_the_same_tensors(artefact: Path) -> None:
    """Where nothing was changed, what is made of the golden records is the golden inputs."""
    with opened(artefact) as package:
        (difference,) = check_processing(package)
    assert (difference.output, difference.agrees, difference.largest) == ("x", True, 0)


def test_another_pre_processing_shows(artefact: Path, opdeploy: Opdeploy) -> None:
    """Where a record gives another tensor than it did, as another decoder of images would, the command exits with 5."""
    changed(artefact, lambda pairs: pairs[3]["record"].update(c2=99.0))
    variants, prepared = golden(artefact)
    assert all(item.agrees for item in variants.values())
    assert prepared
    assert str(prepared.differences[0]).startswith("x[3, 2]: differs: 99, not ")
    ran = opdeploy("model", "verify", artefact, "--golden")
    assert ran.code == 5
    assert ran.err.splitlines()[-1].startswith("error: processing: its numbers differ")


@pytest.mark.parametrize(
    "change", [lambda pairs: pairs.append(1), lambda pairs: pairs[0].pop("record"), lambda pairs: pairs.append({})]
)
def test_what_are_no_golden_records_is_one_line(artefact: Path, opdeploy: Opdeploy, change: Any) -> None:  # noqa: ANN401
    """Records that were spoilt are told, and nothing else breaks."""
    changed(artefact, change)
    ran = opdeploy("model", "verify", artefact, "--golden")
    assert ran.code == 5
    assert "Traceback" not in ran.err
    assert "holds no golden records" in " ".join(ran.out.split())


LABELLED = ("red", "green", "blue")


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Return a table with the label that the model gives, as a file of rows."""
    session = Session(linear(tmp_path / "linear.onnx"))
    answers = session.run({"x": records(40)})["y"].argmax(axis=1)
    rows = [
        {f"c{at}": value for at, value in enumerate(row)} | {"colour": LABELLED[answer]}
        for row, answer in zip(records(40).tolist(), answers, strict=True)
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "rows.jsonl"


def declared_with(labels: tuple[str, ...], folder: Path) -> Declared:
    """Declare classes with these labels."""
    columns = tuple(Number(f"c{number}") for number in range(FEATURES))
    return Declared(Processing(Table(columns, tensor="x"), Classification("y", labels=labels)), folder)


@pytest.mark.parametrize(("labels", "accuracy"), [(LABELLED, 1.0), (LABELLED[::-1], None)])
def test_accuracy_is_that_of_the_declared_answer(
    labelled: Path, labels: tuple[str, ...], accuracy: float | None
) -> None:
    """Labels in another order are other answers, and the accuracy says so."""
    declared = declared_with(labels, labelled.parent)
    session = Session(labelled.parent / "linear.onnx")
    samples = read(labelled, session, declared, "colour").samples
    assert samples.labels is not None
    outputs = judged(declared, session)(session.run(samples.inputs), samples.inputs)
    found = gather(outputs, outputs, samples, "classification").accuracy
    assert found is not None
    assert (found == accuracy) if accuracy else (found < 0.6)


@pytest.mark.parametrize(
    ("labels", "key", "why"),
    [(("yes", "no", "perhaps"), "colour", "is none of those"), (LABELLED, "color", "which --label names")],
)
def test_labels_that_are_not_there_are_refused(labelled: Path, labels: tuple[str, ...], key: str, why: str) -> None:
    """Neither a label that the declaration does not know nor a key that no record has is passed over."""
    session = Session(labelled.parent / "linear.onnx")
    with pytest.raises(InputError, match=why):
        read(labelled, session, declared_with(labels, labelled.parent), key)


def test_an_artefact_with_whole_numbers_is_the_same_when_it_is_packaged_again(tmp_path: Path, root: Path) -> None:
    """A copy, also as one file, has the digest of the original."""
    model = root / "examples" / "penguins" / "model.onnx"
    declared = declaration(root / "examples" / "penguins" / "processing.yaml")
    data = read(root / "examples" / "penguins" / "penguins.csv", Session(model), declared, "species")
    digest = build(Contents("penguins", model, data.samples, data.records, declared), tmp_path / "a")
    with opened(tmp_path / "a") as package:
        assert repackage(package, {}, tmp_path / "b.zip") == digest
