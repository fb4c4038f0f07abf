"""`--size`: on which size of the cloud something was measured, and that `recommend` takes it as measured there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.runtime.package import opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

MEASURE = (
    "model",
    "measure",
    "net",
    "--batch",
    "1",
    "--threads",
    "1",
    "--rounds",
    "1",
    "--seconds",
    "0.01",
    "-o",
    "json",
)
TRY = ("test-local", "net", "--runtime", "process", "--seconds", "1")
"""Each is as short as it can be."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an artefact, and a workload that asks about one platform."""
    model = linear(tmp_path / "model.onnx")
    build(Contents("net", model, Samples({"x": records(12)}, "records")), tmp_path / "net")
    serving = {"pattern": "request-response", "requests_per_second": {"peak": 1}}
    workload = {"name": "demo", "stage": "demo", "model": {"path": "net"}, "serving": serving}
    (tmp_path / "workload.yaml").write_text(json.dumps({**workload, "constraints": {"only": ["aci"]}}))
    return tmp_path


def graded(opdeploy: Opdeploy, folder: Path, *options: str) -> tuple[str, str]:
    """Return the size that is recommended, and how good its capacity is."""
    ran = opdeploy("recommend", "-o", "json", *options, cwd=folder)
    assert ran.code == 0, ran.err
    (only,) = ran.json["ranked"]
    return only["sizing"]["size"], only["sizing"]["capacity"]["grade"]


def test_a_model_is_measured_on_a_size(opdeploy: Opdeploy, folder: Path) -> None:
    """Elsewhere it is carried over; on that size it is measured, and the table says on which."""
    for size, grade in (("ACI-1", "measured"), ("Standard_D2s_v5", "scaled")):
        ran = opdeploy(*MEASURE, "--size", size, "--file", "found.json", cwd=folder)
        assert ran.code == 0, ran.err
        assert json.loads((folder / "found.json").read_text())["machine"]["size"] == size
        assert graded(opdeploy, folder, "--measurement", "found.json") == ("ACI-1", grade)
    shown = opdeploy(*MEASURE[:-2], "--size", "ACI-1", cwd=folder)
    assert "ACI-1: " in shown.out


def test_a_server_is_tried_on_a_size(opdeploy: Opdeploy, folder: Path) -> None:
    """What was measured on another size stays beside it, and the one of the size counts."""
    for options in ((), ("--size", "ACI-1")):
        ran = opdeploy(*TRY, *options, cwd=folder)
        assert ran.code == 0, ran.err
    with opened(folder / "net") as package:
        kept = [json.loads(package.path(name).read_text()) for name in package.manifest.measurements]
    assert {item["machine"]["size"] for item in kept} == {None, "ACI-1"}
    assert graded(opdeploy, folder) == ("ACI-1", "measured")


@pytest.mark.parametrize("command", [MEASURE, TRY], ids=["measure", "test-local"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("standard_d2s_v5", '; did you mean "Standard_D2s_v5"?'),
        ("Standard_D2_v9", '; did you mean "Standard_D'),
        ("zzz", "; valid: "),
    ],
)
def test_a_size_that_is_not_known_is_refused(
    opdeploy: Opdeploy, folder: Path, one_line: Callable[[Ran], str], command: tuple[str, ...], name: str, said: str
) -> None:
    """Before anything is measured, with the one that is nearest."""
    ran = opdeploy(*command, "--size", name, cwd=folder)
    assert ran.code == 2
    assert one_line(ran).startswith(f"error: --size {name}: no such size is known{said}")
