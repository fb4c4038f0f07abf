"""Deployments of one name: on several platforms of Azure, and in several resource groups."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.azure.clouded import REGION
from tests.azure.others import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.azure.clouded import Clouded


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project that names no resource group."""
    found = clouded("aci", azure={"resource_group": None, "location": REGION, "build": "registry"})
    assert found.deploy().code == 0
    return found


def groups(project: Clouded) -> dict[str, int]:
    """Return how many resources there are, by group."""
    names = [name.split("/")[4] for name in project.left() if "/providers/" in name]
    return {name: names.count(name) for name in names}


def test_each_platform_has_a_group_of_its_own(project: Clouded) -> None:
    """What one platform has is neither seen nor removed by a command for another."""
    of_one = groups(project)
    done = project.deploy("--target", "webapp")
    assert done.code == 0, done.err
    assert of_one.keys() == {"opdeploy-net-aci"}
    assert groups(project).keys() == {"opdeploy-net-aci", "opdeploy-net-webapp"}
    assert project.run("remove", "--yes", "--target", "webapp").code == 0
    assert groups(project) == of_one
    assert project.status()["ready"]


@pytest.mark.parametrize(
    "command", [("deploy", "--yes", "--allow-plain-http"), ("plan",), ("status",), ("remove", "--yes")]
)
def test_a_name_is_on_one_platform_of_a_group(project: Clouded, command: tuple[str, ...]) -> None:
    """It is refused before anything is written, with what to do."""
    before = project.left()
    done = project.run(*command, "--target", "webapp", "--resource-group", "opdeploy-net-aci")
    assert done.code == 2, done.err
    assert done.err.strip().endswith(
        "net: is on aci in the resource group opdeploy-net-aci; say so with --target aci, or take another group with "
        "--resource-group, or another name"
    )
    assert project.left() == before


def test_a_name_that_several_groups_have_is_listed_for_each(project: Clouded) -> None:
    """Other commands ask which is meant."""
    assert project.deploy("--resource-group", "second").code == 0
    found = {item["group"]: item["endpoint"] for item in json.loads(project.run("list", "-o", "json").out)}
    assert found.keys() == {"opdeploy-net-aci", "second"}
    assert len({*found.values()}) == 2
    listed = project.run("list").out
    assert all(group in listed for group in found)
    done = project.run("status")
    assert done.code == 2
    assert "is in several resource groups: opdeploy-net-aci, second; say which with --resource-group" in done.err
    assert "net on aci in second: version 1" in project.run("status", "--resource-group", "second").out


def test_what_is_in_a_group_that_was_there_is_found(clouded: Callable[..., Clouded]) -> None:
    """By what its resources have as tags, with the group's name and without."""
    project = clouded("aci", azure={"resource_group": None, "build": "registry"})
    made(project.arm, f"{project.arm.scope}/resourceGroups/existing", "2025-04-01", {"location": REGION})
    project.arm.page = 1
    assert project.deploy("--resource-group", "existing").code == 0
    for more in ((), ("--resource-group", "existing")):
        listed = json.loads(project.run("list", "-o", "json", *more).out)
        assert [(item["deployment"], item["group"]) for item in listed] == [("net", "existing")]
    assert project.status()["ready"]
