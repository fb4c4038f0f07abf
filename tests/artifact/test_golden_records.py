"""Golden records: pre-processing is held to the same tensors wherever the artefact goes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from nets import FEATURES, linear, records

from opdeploy.artifact.data import Declared, read
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.verify import golden
from opdeploy.runtime.package import check_processing, opened
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
    assert "holds no golden records" in ran.out.replace("\n", " ")
