"""The stand-in for Azure Resource Manager, and projects that are deployed there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.arm.fixtures import arm, arm_server
from tests.azure.clouded import Clouded
from tests.azure.clustered import ClusteredProject
from tests.deploy.clusters import KUBECONFIG
from tests.deploy.conftest import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import docker as sdk

    from tests.arm.arm import Arm

__all__ = ["arm", "arm_server", "client", "clouded", "cluster_of_azure"]


@pytest.fixture
def clouded(tmp_path: Path, arm: Arm) -> Callable[..., Clouded]:
    """Return a function that makes a project for a platform, with settings."""

    def make(target: str, **settings: object) -> Clouded:
        return Clouded(tmp_path, arm, target, settings)

    return make


@pytest.fixture
def cluster_of_azure(
    tmp_path: Path,
    arm: Arm,
    client: sdk.DockerClient,  # noqa: ARG001 - it builds images
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ClusteredProject]:
    """Return a project for a cluster of Azure, of which nothing is left in the real cluster in the end."""
    if not KUBECONFIG:
        pytest.skip("needs a cluster of Kubernetes: name a kubeconfig with OPDEPLOY_TEST_KUBECONFIG")
    found = ClusteredProject(tmp_path, arm)
    for name, value in found.signed_in().items():
        monkeypatch.setenv(name, value)
    yield found
    found.clear()
