"""Deployments to a real subscription of Azure, which cost money: docs/azure.md, "Tests in a real subscription".

They are run by nobody but who asks for them: OPDEPLOY_TEST_SUBSCRIPTION=… pytest -m subscription
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.clients import azure
from opdeploy.targets.azure.kinds import group_id
from tests.conftest import Ran, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SUBSCRIPTION = os.environ.get("OPDEPLOY_TEST_SUBSCRIPTION")
REGION = os.environ.get("OPDEPLOY_TEST_LOCATION", "westeurope")
CLOUD = os.environ.get("OPDEPLOY_TEST_CLOUD")
"""As `--cloud` takes it."""
HOUR = 3600.0
SMALLEST: dict[str, dict[str, Any]] = {
    "aci": {},
    "webapp": {"webapp": {"sku": "B1"}},
    "container-apps": {},
    "aks-cpu": {"aks": {"size": "Standard_D2as_v5", "system_size": "Standard_D2as_v5"}},
    "vm": {"vm": {"size": "Standard_D2as_v5"}},
}
"""What each platform is made of, so that it costs little."""
pytestmark = pytest.mark.subscription


def model(folder: Path, seed: int) -> None:
    """Write a model in the place of the one before."""
    target = folder / "net"
    shutil.rmtree(target, ignore_errors=True)
    build(Contents("net", linear(folder / "model.onnx", seed=seed), Samples({"x": records(8)}, "records")), target)


@pytest.fixture(params=SMALLEST)
def group(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Write a workload file for a platform, and give the name of its group, of which nothing is left in the end."""
    if not SUBSCRIPTION:
        pytest.skip("needs a subscription of Azure: name one with OPDEPLOY_TEST_SUBSCRIPTION; it costs money")
    name = f"opdeploy-test-{request.param}-{secrets.token_hex(4)}"
    where = {"subscription": SUBSCRIPTION, "resource_group": name, "location": REGION, "cloud": CLOUD}
    settings = {"target": request.param, "azure": {**where, "owner": "tests"}, **SMALLEST[request.param]}
    if request.param == "vm":
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)  # noqa: S607 - as users find it
        settings["vm"] = {**settings["vm"], "identity_file": str(key)}
    value = {
        "name": "net",
        "model": {"path": "net"},
        "serving": {"pattern": "request-response"},
        "hardware": {"memory_gb": 0.5},
        "deploy": settings,
    }
    (tmp_path / "workload.yaml").write_text(json.dumps(value))
    yield name
    with azure.connected(CLOUD, SUBSCRIPTION) as session:
        azure.Arm(session).delete(group_id(session.subscription, name))


def test_a_deployment_comes_changes_goes_back_and_goes(
    group: str, tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From nothing to nothing, on each platform: it answers right, and nothing is written where nothing has changed."""

    def run(*arguments: str, code: int = 0) -> Ran:
        command = [program, *arguments]
        done = subprocess.run(
            command, capture_output=True, check=False, cwd=tmp_path, env=environment(), text=True, timeout=HOUR
        )
        assert done.returncode == code, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    deploy = ("deploy", "--yes", "--allow-plain-http")
    model(tmp_path, 0)
    first = run(*deploy)
    _, found, key = first.err.partition("API key: ")
    assert found
    monkeypatch.setenv("OPDEPLOY_API_KEY", key.split()[0])
    assert run("status", "-o", "json").json["ready"]
    assert "nothing has changed" in run(*deploy).err
    run("diff")
    assert run("logs").out
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert run("score", str(rows)).json["outputs"][0]["name"] == "y"

    model(tmp_path, 1)
    run(*deploy)
    run("rollback", "--yes")
    current = [item["number"] for item in run("history", "-o", "json").json if item["current"]]
    assert current == [1]
    run("diff")

    assert "is gone" in run("remove", "--yes").err
    run("status", code=3)
    with azure.connected(CLOUD, SUBSCRIPTION) as session:
        assert azure.Arm(session).find(group_id(session.subscription, group)) is None
