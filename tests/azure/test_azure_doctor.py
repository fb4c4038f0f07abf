"""`opdeploy doctor` of a subscription of Azure, at the stand-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.arm.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

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
    assert [what for what, (state, *_) in found.items() if state == "missing"] == [
        "provider Microsoft.ContainerInstance",
        f"subscription {project.arm.subscription}",
        "deploy.aci.priority",
    ]
    assert all(todo for state, _, todo in found.values() if state == "missing")
    assert [item for item in writes if item.method != "POST"] == []


def test_nobody_is_signed_in(project: Clouded) -> None:
    """It is the one thing that is said of Azure."""
    refused = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
    project.arm.fail("POST", "/oauth2/v2.0/token", Answer(401, refused), times=99)
    code, found = findings(project)
    assert code == 1
    (azure,) = (value for what, value in found.items() if what != "builder")
    assert azure[0] == "missing"
    assert "AADSTS7000215" in azure[1]
    assert azure[2].startswith("set the right AZURE_CLIENT_SECRET")
