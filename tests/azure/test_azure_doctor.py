"""`opdeploy doctor` of a subscription of Azure, at the stand-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.arm.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.azure.clouded import Clouded


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project for container groups."""
    return clouded("aci")


def findings(project: Clouded, *more: str) -> tuple[int, dict[str, tuple[str, str, str]]]:
    """Return the exit code, and what is found of Azure: state, what is said, and what to do."""
    done = project.run("doctor", "-o", "json", *more)
    found: list[dict[str, Any]] = json.loads(done.out)
    own = [item for item in found if item["what"] != "Python" and not item["what"].startswith(("package", "folder"))]
    return done.code, {item["what"]: (item["state"], item["said"], item["todo"]) for item in own}


def test_what_is_ready_is_told(project: Clouded) -> None:
    """Who signs in, which subscription, that nothing stands in the way, the registry, and what builds."""
    code, found = findings(project, "--set", "azure.owner=ann")
    arm = project.arm
    registry = found.pop("registry")
    assert code == 0
    assert registry[1].endswith(".azurecr.io is the deployment's own")
    assert found == {
        "sign-in": ("ok", f"as {arm.client}", ""),
        "subscription": ("ok", f"Stand-in ({arm.subscription}), in StandIn", ""),
        "deployment": ("ok", "nothing stands in its way in group models of westeurope", ""),
        "builder": ("ok", "the registry builds images", ""),
    }


def test_what_stands_in_the_way_is_a_problem_each(project: Clouded) -> None:
    """With what to do; nothing is changed."""
    project.arm.allow("*/read")
    project.arm.unregister("Microsoft.ContainerInstance")
    writes = project.since(lambda: None)
    code, found = findings(project, "--set", "aci.priority=Spot")
    assert code == 1
    assert [what for what, (state, *_) in found.items() if state == "problem"] == [
        "provider Microsoft.ContainerInstance",
        f"subscription {project.arm.subscription}",
        "deploy.aci.priority",
    ]
    assert all(todo for state, _, todo in found.values() if state == "problem")
    assert [item for item in writes if item.method != "POST"] == []


def problems(found: dict[str, tuple[str, str, str]]) -> list[str]:
    """Return what is said of what is wrong."""
    return [f"{what}: {said}; {todo}" for what, (state, said, todo) in found.items() if state == "problem"]


@pytest.mark.parametrize(
    ("target", "settings", "said"),
    [
        ("vm", {"size": "Standard_NC6"}, "deploy.vm.size: Standard_NC6 is retired since 2023-09-06"),
        ("vm", {"size": "Standard_D1xs_v5"}, "deploy.vm.size: Standard_D1xs_v5 is not offered in westeurope"),
        ("vm", {"size": "Standard_D2s_v3", "gpu": True}, "deploy.vm.size: Standard_D2s_v3 has no GPU"),
        ("aks-cpu", {"size": "Standard_D1xs_v5"}, "deploy.aks.size: Standard_D1xs_v5 is not offered in westeurope"),
        ("aks-cpu", {"cluster": "theirs"}, "deploy.aks.cluster: "),
    ],
)
def test_azure_is_asked_for_machines_and_clusters(
    clouded: Callable[..., Clouded], target: str, settings: dict[str, Any], said: str
) -> None:
    """As for what else is made there: who signs in, the subscription, and what stands in the way."""
    chosen = {"vm": {"ssh_from": "203.0.113.7", "build": "there"}, "aks-cpu": {}}[target]
    code, found = findings(clouded(target, **{target.partition("-")[0]: {**chosen, **settings}}))
    assert code == 1
    assert (found["sign-in"][0], found["subscription"][0]) == ("ok", "ok")
    assert any(each.startswith(said) for each in problems(found))


@pytest.mark.parametrize("target", ["vm", "aks-cpu"])
def test_a_machine_or_cluster_that_can_be_made_is_ready(
    clouded: Callable[..., Clouded], tmp_path: Path, target: str
) -> None:
    """Nothing stands in the way, and what is here is told as well."""
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me")
    vm = {"size": "Standard_D2s_v3", "ssh_from": "203.0.113.7", "build": "there", "identity_file": "key"}
    _, found = findings(clouded(target, **({"vm": vm} if target == "vm" else {})))
    assert found["deployment"] == ("ok", "nothing stands in its way in group models of westeurope", "")
    assert ("public key" in found) == (target == "vm")
    assert ("builder" in found) == (target == "aks-cpu")


def test_a_region_that_there_is_not_is_one_problem(clouded: Callable[..., Clouded]) -> None:
    """What it does not offer is none beside it."""
    _, found = findings(clouded("webapp"), "--location", "nowhere")
    assert [each.partition(" is ")[0] for each in problems(found)] == ["deploy.azure.location: nowhere"]


def test_what_builds_without_docker_is_told(project: Clouded) -> None:
    """In a few words."""
    project.workload(azure={"build": None})
    project.variables["DOCKER_HOST"] = "unix:///nonexistent"
    _, found = findings(project)
    assert found["builder"] == ("ok", "the registry builds images, as no Docker answers here", "")


def test_the_packages_of_azure_are_looked_for(project: Clouded) -> None:
    """Beside those of every deployment."""
    told = [item["said"] for item in project.run("doctor", "-o", "json").json if item["what"] == "packages"]
    assert [said.partition(":")[0] for said in told] == ["all 13 of opdeploy[local]", "all 7 of opdeploy[azure]"]


def test_nobody_is_signed_in(project: Clouded) -> None:
    """It is the one thing that is said of Azure."""
    refused = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
    project.arm.fail("POST", "/oauth2/v2.0/token", Answer(401, refused), times=99)
    code, found = findings(project)
    assert code == 1
    (azure,) = (value for what, value in found.items() if what != "builder")
    assert azure[0] == "problem"
    assert "AADSTS7000215" in azure[1]
    assert azure[2].startswith("set the right AZURE_CLIENT_SECRET")
