"""Container groups of Azure, through the real SDKs, at a stand-in that runs the real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.azure.clouded import Clouded


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project for container groups."""
    return clouded("aci")


def test_a_first_deployment_answers_and_is_removed(project: Clouded) -> None:
    """From nothing; status, logs, score, history, diff and list see it; then nothing is left."""
    done = project.deploy()
    assert done.code == 0, done.err
    assert "net, version 1, answers at http://127." in done.out
    assert project.versions() == {1: ("running", True)}
    assert project.status()["ready"]
    assert '"message":"ready"' in project.run("logs").out
    rows = project.folder / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert json.loads(project.run("score", str(rows)).out)["outputs"][0]["name"] == "y"
    assert project.run("diff").code == 0
    assert "net" in project.run("list").out
    again = project.run("plan", "--detailed-exitcode")
    assert again.code == 0, again.out

    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert "is gone" in removed.err
    assert project.left() == []
    assert project.run("status").code == 3
