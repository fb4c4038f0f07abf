"""Records that a user gives, with what makes arrays of them, and their labels."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from nets import linear, records

from opdeploy.artifact.data import Declared, declaration, read
from opdeploy.errors import InputError
from opdeploy.runtime.session import Session

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = [{"name": f"c{at}", "type": "number", "missing": 0} for at in range(8)]
DECLARED: dict[str, dict[str, Any]] = {
    "input": {"kind": "table", "tensor": "x", "columns": COLUMNS},
    "output": {"kind": "classification", "tensor": "y", "labels": ["a", "b", "c"]},
}
HEADER = ",".join(f"c{at}" for at in range(8))
ROW = ",".join("1" * 8)


@pytest.fixture
def declared(tmp_path: Path) -> Declared:
    """Return a declaration of eight columns and three classes."""
    path = tmp_path / "processing.yaml"
    path.write_text(yaml.safe_dump({"processing": DECLARED}))
    return declaration(path)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Return a classifier of 8 features."""
    return Session(linear(tmp_path / "linear.onnx"))


@pytest.mark.parametrize("name", ["data.csv", "data.jsonl"])
def test_rows_become_arrays_and_labels_numbers(tmp_path: Path, session: Session, declared: Declared, name: str) -> None:
    """CSV and JSON lines are read alike; a label may be its name or its number."""
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text(f"{HEADER},kind\n{ROW},b\n{ROW.replace('1', '', 1)},2\n")
    else:
        one = {f"c{at}": 1 for at in range(8)}
        path.write_text(f"{json.dumps({**one, 'kind': 'b'})}\n\n{json.dumps({**one, 'c0': None, 'kind': 2})}\n")
    found = read(path, session, declared, "kind")
    assert found.samples.labels is not None
    assert found.samples.labels.tolist() == [1, 2]
    np.testing.assert_array_equal(found.samples.inputs["x"], [[1] * 8, [0] + [1] * 7])
    assert [len(record) for record in found.records] == [8, 8]


def test_a_model_of_a_fixed_batch_gets_all_records(tmp_path: Path, declared: Declared) -> None:
    """Records are made arrays of so many at a time, and none is lost or doubled."""
    session = Session(linear(tmp_path / "fixed.onnx", batch=4))
    path = tmp_path / "data.csv"
    path.write_text(f"{HEADER}\n" + "".join(f"{at},{ROW[2:]}\n" for at in range(6)))
    assert read(path, session, declared).samples.inputs["x"][:, 0].tolist() == [0, 1, 2, 3, 4, 5]


REFUSED: dict[str, tuple[str, str, str]] = {
    "nothing": ("data.csv", "", "holds no records"),
    "a header alone": ("data.csv", f"{HEADER}\n", "holds no records"),
    "a short row": ("data.csv", f"{HEADER}\n1,2\n", "data.csv:2: has more or fewer cells"),
    "two columns of one name": ("data.csv", f"{HEADER},c1\n{ROW},1\n", 'has two columns "c1"; rename one'),
    "a column that is not there": ("data.csv", f"{HEADER[3:]}\n{ROW[2:]}\n", 'record 0: has no column "c0"'),
    "a word": ("data.csv", f"{HEADER}\n{ROW}\nword,{ROW[2:]}\n", "record 1: column \"c0\" is 'word'"),
    "labels of some": ("data.csv", f"{HEADER},label\n{ROW},a\n{ROW},\n", "1 records have no label"),
    "a label of nobody": ("data.csv", f"{HEADER},label\n{ROW},d\n", "none of those that processing.output names"),
    "no UTF-8": ("data.csv", f"{HEADER}\n{ROW}\n\udcff\n", "is not text"),
    "no JSON": ("data.jsonl", "{}\n{\n", "data.jsonl:2: "),
    "no object": ("data.jsonl", "[1]\n", "data.jsonl:1: is a list"),
    "brackets": ("data.jsonl", "[" * 100_000, "data.jsonl:1: "),
    "another kind of file": ("data.parquet", "PAR1", "no data is read from such a file"),
    "text for a table": ("data.txt", "word\n", "where a row has a value for each column"),
}


@pytest.mark.parametrize(("name", "content", "why"), REFUSED.values(), ids=list(REFUSED))
def test_records_that_do_not_fit_are_refused(
    tmp_path: Path, session: Session, declared: Declared, name: str, content: str, why: str
) -> None:
    """One line names the file, the place, and what is wrong."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError, match=re.escape(why)) as told:
        read(path, session, declared)
    assert str(told.value).startswith(str(path))
    assert len(str(told.value).splitlines()) == 1


def test_records_need_a_declaration(tmp_path: Path, session: Session) -> None:
    """What makes arrays of rows is not guessed."""
    with pytest.raises(InputError, match="say with --processing what makes arrays of them"):
        read(tmp_path / "data.csv", session, None)


def test_a_file_of_labels_that_is_not_there_is_named(tmp_path: Path, session: Session) -> None:
    """The declaration is checked with the files that it names, before labels are looked up in them."""
    output = {**DECLARED["output"], "labels": "gone.txt"}
    (tmp_path / "processing.yaml").write_text(yaml.safe_dump({**DECLARED, "output": output}))
    (tmp_path / "data.csv").write_text(f"{HEADER},label\n{ROW},a\n")
    with pytest.raises(InputError, match=r"labels: the package has no file 'gone\.txt'"):
        read(tmp_path / "data.csv", session, declaration(tmp_path / "processing.yaml"))


def test_without_data_some_is_drawn(session: Session) -> None:
    """Records that are drawn say that they are."""
    found = read(None, session, None)
    assert (len(found.samples), found.samples.synthetic, found.records) == (32, True, ())


def test_arrays_need_no_declaration(tmp_path: Path, session: Session) -> None:
    """An `.npz` file holds what the model takes."""
    np.savez(tmp_path / "data.npz", x=records(3))
    assert len(read(tmp_path / "data.npz", session, None).samples) == 3
