"""Machines that are made in Azure: at the stand-in, with a real SSH server and a real engine in their place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import docker as sdk
import pytest
from docker.errors import DockerException, ImageNotFound

from tests.azure.boxes import box, missing, on_machine
from tests.azure.breaking import NO, killed, refused
from tests.azure.clouded import NOTES
from tests.deploy.projects import BASE
from tests.wheels import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.arm.arm import Arm
    from tests.azure.boxes import Box, OnMachine

DEPLOY = ("deploy", "--yes")
MOST = 40
pytestmark = pytest.mark.slow  # it builds images


@pytest.fixture(scope="module")
def client() -> Iterator[sdk.DockerClient]:
    """Connect to the engine that answers here."""
    try:
        found = sdk.from_env()
        found.images.get(BASE)
    except (DockerException, ImageNotFound) as error:
        pytest.skip(f"needs a Docker engine with the image {BASE}: {error}")
    yield found
    found.close()


@pytest.fixture(scope="module")
def wheels(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fetch what images are built of."""
    folder = tmp_path_factory.mktemp("wheels")
    fetch(root, folder, ("server", "cpu"))
    return folder


@pytest.fixture
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Return what is reached in the place of a machine."""
    if missing():
        pytest.skip(f"in the place of a machine are root and an SSH server: {missing()}")
    with box(tmp_path_factory.mktemp("box")) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, arm: Arm, there: Box, client: sdk.DockerClient, wheels: Path) -> Iterator[OnMachine]:
    """Return a project of which nothing is left in the end."""
    found = on_machine(tmp_path, arm, there, client)
    found.more = ("--allow-plain-http", "--base-image", BASE, "--wheels", str(wheels))
    yield found
    assert found.engine
    found.engine.remove()


def test_a_first_deployment_makes_a_machine_and_is_removed(project: OnMachine) -> None:
    """From nothing; all commands see both layers; then nothing is left, its disk included."""
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("running", True)}
    assert project.status()["ready"]
    assert '"message":"ready"' in project.run("logs").out
    rows = project.folder / "rows.json"
    rows.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "data": [0.0] * 8}]}))
    assert json.loads(project.run("score", str(rows)).out)["outputs"][0]["name"] == "y"
    assert project.run("diff").code == 0
    assert project.name in project.run("list").out
    again = project.run("plan", "--base-image", BASE, "--detailed-exitcode")
    assert again.code == 0, again.out

    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == []
    assert project.run("status").code == 3


def test_a_second_version_takes_over_and_goes_back(project: OnMachine) -> None:
    """On the machine that is there: nothing of Azure is written, unless it is to be another; a rollback, the same."""
    assert project.deploy().code == 0
    assert project.since(project.deploy) == []
    project.model(seed=1)
    assert project.since(project.deploy) == []
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    back = project.run("rollback", "--yes")
    assert back.code == 0, back.err
    assert project.versions() == {1: ("running", True), 2: ("stopped", False)}

    project.workload(vm={"size": "Standard_D4s_v3", "listen": "0.0.0.0"})  # noqa: S104 - of the machine
    project.model(seed=0)
    changed = project.run("plan", "--base-image", BASE, "-o", "json").json["steps"]
    told = {change["property"]: (change["before"], change["after"]) for step in changed for change in step["changes"]}
    assert told["properties.hardwareProfile.vmSize"] == ("Standard_D2s_v3", "Standard_D4s_v3")
    assert told["properties.securityRules[port].properties.sourceAddressPrefix"] == (None, "*")
    paths = [item.path for item in project.since(project.deploy)]
    assert [path.partition("?")[0].rpartition("/")[2] for path in paths] == [f"{project.name}-rules", project.name]
    assert project.run("diff").code == 0


def test_what_fails_ends_on_the_old_version(project: OnMachine) -> None:
    """Wrong answers of the second version; those of a first one take the machine with them."""
    project.model(seed=1, wrong=7)
    wrong = project.deploy()
    assert wrong.code == 5, wrong.err
    assert wrong.err.splitlines()[-1].endswith("nothing ran before, and what was made is removed")
    assert project.left() == []
    assert project.engine
    project.engine.remove()  # which went with the machine

    project.model(seed=0)
    assert project.deploy().code == 0
    project.model(seed=1, wrong=7)
    assert project.since(project.deploy) == []
    assert project.versions() == {1: ("running", True)}


def test_drift_is_named_on_both_layers_and_mended(project: OnMachine) -> None:
    """Each property of what others changed in Azure, and what was stopped on the machine."""
    assert project.deploy().code == 0
    project.workload(vm={"ssh_from": None})
    project.arm.signed_in_from = "198.51.100.1"  # SSH is let in, wherever this says that one is
    assert project.run("plan", "--base-image", BASE, "--detailed-exitcode").code == 0
    rules = project.arm.resource(
        f"resourceGroups/models/providers/Microsoft.Network/networkSecurityGroups/{project.name}-rules"
    )
    rules.properties["securityRules"][0]["properties"]["sourceAddressPrefix"] = "*"
    assert project.engine
    project.engine.client.containers.get(f"opdeploy-{project.name}.v1").stop()
    found = project.run("diff", "-o", "json")
    assert found.code == 6
    told = {item["name"]: item for item in found.json}
    open_to = told[f"{project.name}-rules"]["properties"][
        "properties.securityRules[ssh].properties.sourceAddressPrefix"
    ]
    assert open_to == "*"
    assert told[f"opdeploy-{project.name}.v1"]["properties"]["state"] == "stopped"
    assert project.deploy().code == 0
    assert project.run("diff").code == 0


def test_a_machine_that_is_not_reached_is_not_taken_for_an_empty_one(project: OnMachine) -> None:
    """What is known is told, what can be mended is mended, and then the same command sees what runs there."""
    assert project.deploy().code == 0
    assert project.box
    project.arm.resource(project.machine()).private["power"] = "deallocated"
    project.box.stop()
    stands = json.loads(project.run("status", "-o", "json").out)
    assert "no SSH server listens there" in stands["unreached"]
    assert project.run("diff").code == 6
    assert "no SSH server listens there" in project.run("rollback", "--yes").err

    def started(_number: int, method: str, path: str) -> None:
        if method == "POST" and "/start?" in path and project.box:
            project.box.start()

    project.arm.hook = started
    mended = project.deploy()
    assert (mended.code, "run the same command again" in mended.err) == (1, True), mended.err
    assert project.deploy().code == 0
    assert project.versions() == {1: ("running", True)}

    project.box.stop()
    refused = project.deploy()
    assert (refused.code, "no SSH server listens there" in refused.err) == (1, True), refused.err
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []


def test_another_host_key_is_refused(project: OnMachine) -> None:
    """The machine shows the key that Azure tells, or nothing is sent to it; on a first deployment nothing is left."""
    assert project.box
    other = (project.box.folder / "other.pub").read_text()
    project.arm.run_command = lambda _name, _script: (other, "")
    done = project.deploy()
    assert done.code == 1
    assert "its host key is not the one that is known" in done.err
    assert project.left() == []


def test_a_first_start_that_fails_leaves_nothing(project: OnMachine) -> None:
    """What cloud-init says is shown."""
    assert project.box
    project.box.first_start("error")
    done = project.deploy()
    assert (done.code, "cloud-init failed" in done.err) == (1, True), done.err
    assert "status: error" in done.err
    assert project.left() == []


def test_a_first_deployment_that_is_killed_goes_on(project: OnMachine) -> None:
    """However far it came in Azure: what is there is not made again; a removal too."""
    times = 0
    while killed(project, 3, *DEPLOY, *project.more):
        times += 1
        assert times < MOST
    assert times >= 5
    assert project.deploy().code == 0
    assert project.versions() == {1: ("running", True)}
    made = [
        item.path.partition("?")[0]
        for item in project.arm.seen
        if item.method == "PUT" and NOTES not in item.path.lower()
    ]
    twice = [path for path in made if made.count(path) > 2]  # once is killed before it is known that it is made
    assert twice == []
    assert project.run("diff").code == 0

    times = 0
    while len(project.left()) > 2 and killed(project, 2, "remove", "--yes"):  # the group, and the lock
        times += 1
        assert times < MOST
    assert times >= 6
    project.run("remove", "--yes")
    assert project.left() == []


def test_a_first_deployment_that_is_refused_leaves_nothing(project: OnMachine) -> None:
    """Whatever of Azure's is refused: the line says what failed, why and what to do, and then it succeeds."""
    for number in range(MOST):
        was_refused, done = refused(project, number, NO, *DEPLOY, *project.more)
        if done.code == 0 or ("note opdeploy.lock." in done.err.splitlines()[-1] and number > 2):  # it is given back
            break
        assert was_refused
        assert "AuthorizationFailed" in done.err, (number, done.err)
        assert project.left() == [], (number, done.err)
    assert number >= 8
    assert project.versions() == {1: ("running", True)}


def test_the_machine_builds(project: OnMachine) -> None:
    """Once it is there: no Docker is needed here."""
    project.workload(vm={"build": "there"})
    project.nowhere = True
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.status()["ready"]
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []
