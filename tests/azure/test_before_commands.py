"""What stands in the way, as commands tell it: notes of a plan, and a refusal of a deployment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from opdeploy.deployment import Lock
from tests.azure import looked

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.azure.clouded import Clouded
    from tests.conftest import Ran


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project of somebody who may only read, where a provider is not registered."""
    found = clouded("aci")
    found.arm.allow("*/read")
    found.arm.unregister("Microsoft.ContainerInstance")
    return found


def test_a_plan_needs_rights_to_read_alone(project: Clouded) -> None:
    """What a deployment would be refused comes first, and is counted; the exit code tells it where that is asked."""
    done = project.run("plan", "-o", "markdown")
    assert done.code == 0, done.err
    assert "- ✗ provider Microsoft.ContainerInstance: is not registered in the subscription" in done.out
    assert "you lack the rights Microsoft.Resources/deployments/write, " in done.out
    assert "make the resource group models" in done.out
    assert done.out.endswith("2 things stand in the way: it would be refused as it is.\n")
    told = project.run("plan", "-o", "json", "--detailed-exitcode")
    blocked = json.loads(told.out)["blocked"]
    assert (told.code, [text.split()[0] for text in blocked]) == (1, ["provider", "subscription"])


def test_a_plan_tells_that_nothing_here_builds_the_image(clouded: Callable[..., Clouded]) -> None:
    """Where it is to be built here, and no Docker answers; deploy refuses it, too."""
    project = clouded("aci")
    project.variables["DOCKER_HOST"] = "unix:///nowhere"
    told = json.loads(project.run("plan", "-o", "json", "--set", "azure.build=here").out)
    assert len(told["blocked"]) == 1
    assert "no Docker engine answers" in told["blocked"][0]
    assert told["blocked"][0].endswith("; or have the registry build the image: --set azure.build=registry")


def test_a_plan_tells_that_somebody_is_at_work(
    clouded: Callable[..., Clouded], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be refused until that has ended."""
    project = clouded("aci")
    lock = Lock(owner="ann", since=datetime.now(UTC), doing="deploy of net", process="elsewhere/1")
    looked.place(project.arm, monkeypatch, "aci", {}).lock("net", lock)
    told = json.loads(project.run("plan", "-o", "json").out)
    assert [text.partition(" (")[0] for text in told["blocked"]] == ["net: ann is at work on it"]
    assert not any("at work" in note for note in told["notes"])


def test_an_answer_over_plain_http_is_allowed_once(clouded: Callable[..., Clouded]) -> None:
    """Where something changes, and not where it is only asked again."""
    project = clouded("aci")
    refused = project.run("deploy", "--yes")
    assert (refused.code, "--allow-plain-http" in refused.err) == (2, True)
    assert "plain HTTP" in project.deploy().err
    again = project.run("deploy", "--yes")
    assert again.code == 0, again.err


def test_a_deployment_is_refused_with_all_that_stands_in_its_way(project: Clouded) -> None:
    """At once, before anything is made: nothing is written."""
    refused: list[Ran] = []
    written = project.since(lambda: refused.append(project.deploy("--set", "aci.priority=Spot")))
    assert refused[0].code == 1
    first, second, third, last = refused[0].err.splitlines()
    assert first.startswith("provider Microsoft.ContainerInstance: ")
    assert second.startswith("subscription ")
    assert third.startswith("deploy.aci.priority: ")
    assert last == "error: 3 things stand in the way, and nothing was made; the lines above say what to do"
    assert [item for item in written if not item.path.partition("?")[0].endswith("/checkNameAvailability")] == []
    assert project.left() == []


def test_one_thing_that_stands_in_the_way_is_the_error(clouded: Callable[..., Clouded]) -> None:
    """In one line, with what to do."""
    done = clouded("aci").deploy("--set", "aci.priority=Spot")
    assert done.code == 1
    assert done.err.startswith("error: deploy.aci.priority: Spot groups have no address")


def test_files_of_a_plan_are_written(clouded: Callable[..., Clouded]) -> None:
    """A template and a Bicep file, and it is said how they are deployed."""
    project = clouded("aci")
    done = project.run("plan", "--arm", "net.json", "--bicep", "net.bicep")
    assert done.code == 0, done.err
    first, second = (line for line in done.err.splitlines() if line.startswith("wrote "))
    asks = "it asks for apiKey: the value of OPDEPLOY_API_KEY"
    assert first == f"wrote net.json; deploy it with: az deployment group create -g models -f net.json; {asks}"
    assert second == f"wrote net.bicep; deploy it with: az deployment group create -g models -f net.bicep; {asks}"
    assert '"apiKey"' in (project.folder / "net.json").read_text()
    assert "param apiKey string" in (project.folder / "net.bicep").read_text()


def test_what_is_rendered_has_no_secret_in_a_command(clouded: Callable[..., Clouded]) -> None:
    """It would be in the list of processes; az asks for it."""
    project = clouded("aci")
    done = project.run("render", "-d", "files")
    assert done.code == 0, done.err
    said = (project.folder / "files" / "README.md").read_text()
    assert "az deployment group create --resource-group models --template-file template.json\n```\n" in said
    assert "asks for `apiKey`" in said
    assert "OPDEPLOY_API_KEY" not in said
