"""What stands in the way, as commands tell it: notes of a plan, and a refusal of a deployment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.deployment import Lock
from tests.azure import looked
from tests.azure.bicep_form import read

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
    """A template and a Bicep file, and it is said how they are deployed, from nothing."""
    project = clouded("aci")
    done = project.run("plan", "--arm", "net.json", "--bicep", "net.bicep")
    assert done.code == 0, done.err
    first, group, registry, image, deployed, *more = done.err[done.err.index("wrote ") :].splitlines()
    to = f"--subscription {project.arm.subscription}"
    assert first == "wrote net.json and net.bicep; deploy it with:"
    assert group.startswith(f"az group create --name models --location westeurope {to} --tags ")
    assert registry.startswith("az acr create --resource-group models --name opdeploy")
    assert image.startswith("az acr build --registry opdeploy")
    assert image.endswith(" image")
    assert deployed == f"az deployment group create --resource-group models {to} --template-file net.json"
    assert more == [
        "the folder image is one of those that opdeploy render writes",
        "az asks for apiKey: one of 32 random characters, which clients show",
    ]
    assert '"apiKey"' in (project.folder / "net.json").read_text()
    assert "param apiKey string" in (project.folder / "net.bicep").read_text()


@pytest.mark.parametrize("option", ["--arm", "--bicep"])
def test_a_file_is_written_to_standard_output(clouded: Callable[..., Clouded], option: str) -> None:
    """Alone: no file is called -, and no plan is shown beside it."""
    project = clouded("aci")
    done = project.run("plan", option, "-")
    assert done.code == 0, done.err
    assert not (project.folder / "-").exists()
    if option == "--arm":
        assert {*done.json} == {"$schema", "contentVersion", "parameters", "resources"}
    else:
        assert done.out.startswith("targetScope = 'resourceGroup'\n")
        assert read(done.out).resources
    assert "--template-file FILE" in done.err


def test_one_thing_alone_is_written_to_standard_output(clouded: Callable[..., Clouded]) -> None:
    """Nobody could tell one from the other."""
    done = clouded("aci").run("plan", "--arm", "-", "--bicep", "-")
    assert done.code == 2
    assert "only one of them is written to standard output" in done.err


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("vm", "makes the machine alone: opdeploy render writes what runs there"),
        ("aks-cpu", "makes the cluster alone, without pods: opdeploy render writes their manifests"),
    ],
)
def test_a_file_of_a_machine_or_cluster_is_not_all(clouded: Callable[..., Clouded], target: str, said: str) -> None:
    """And that is said; the public key of a machine is no secret."""
    project = clouded(target, **({"vm": {"size": "Standard_D2s_v3"}} if target == "vm" else {}))
    done = project.run("plan", "--offline", "--arm", "net.json")
    assert done.code == 0, done.err
    _, group, deployed, last = done.err[done.err.index("wrote ") :].splitlines()
    assert group.startswith("az group create --name models --location westeurope --tags ")
    key = ' --parameters sshKey="$(cat ~/.ssh/id_ed25519.pub)"' if target == "vm" else ""
    assert deployed == f"az deployment group create --resource-group models --template-file net.json{key}"
    assert said in last


def rendered(project: Clouded, **more: object) -> tuple[str, list[dict[str, Any]]]:
    """Return the README and the resources of the template that are written of a workload without a location."""
    project.workload(azure={"location": None})
    file = project.folder / "workload.yaml"
    file.write_text(json.dumps({**json.loads(file.read_text()), **more}))
    done = project.run("render", "-d", "files")
    assert done.code == 0, done.err
    files = project.folder / "files"
    return (files / "README.md").read_text(), json.loads((files / "template.json").read_text())["resources"]


@pytest.mark.parametrize("target", ["aci", "webapp", "container-apps", "vm", "aks-cpu"])
@pytest.mark.parametrize("region", ["northeurope", None])
def test_files_are_of_the_region_of_the_workload(
    clouded: Callable[..., Clouded], target: str, region: str | None
) -> None:
    """Else of that of the group, which the README says how to make."""
    said, made = rendered(clouded(target), region=region)
    assert {item["location"] for item in made if "location" in item} == {region or "[resourceGroup().location]"}
    assert f"az group create --name models --location {region or 'REGION'}\n" in said


def test_files_of_a_cluster_have_the_image_built_where_it_is_pulled_from(clouded: Callable[..., Clouded]) -> None:
    """In the registry that the template makes; the manifest names it there."""
    project = clouded("aks-cpu")
    said, made = rendered(project)
    (registry,) = (item["name"] for item in made if item["type"] == "Microsoft.ContainerRegistry/registries")
    pods = (project.folder / "files" / "manifests" / "30-deployment.yaml").read_text()
    (image,) = (item for item in pods.split('"') if item.startswith(registry))
    assert image.startswith(f"{registry}.azurecr.io/net:")
    assert f"az acr build --registry {registry} --image {image.partition('/')[2]} image\n" in said
    assert "docker push" not in said


def test_what_is_rendered_has_no_secret_in_a_command(clouded: Callable[..., Clouded]) -> None:
    """It would be in the list of processes; az asks for it."""
    project = clouded("aci")
    done = project.run("render", "-d", "files")
    assert done.code == 0, done.err
    said = (project.folder / "files" / "README.md").read_text()
    assert "az deployment group create --resource-group models --template-file template.json\n```\n" in said
    assert "asks for `apiKey`" in said
    assert "OPDEPLOY_API_KEY" not in said
