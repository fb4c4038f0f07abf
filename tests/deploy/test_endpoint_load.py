"""The load that is asked for after a deployment: what it finds, of how many instances, and that it counts then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from nets import linear, records

from opdeploy import speed
from opdeploy.artifact.machine import Machine
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.report import finite
from opdeploy.artifact.samples import Samples
from opdeploy.catalogue import load_market
from opdeploy.deploy.loading import Endpoint, Instances, Where, document, instances, loaded, name_of
from opdeploy.deploy_settings import Deploy
from opdeploy.deployment import Observed
from opdeploy.errors import OpdeployError
from opdeploy.loadtest.sweep import Goal
from opdeploy.local.served import Limits
from opdeploy.local.server import wait_until_ready
from opdeploy.local.start import Start, started
from opdeploy.local.subject import subject
from opdeploy.workload import Workload

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.deploy.checks import Servers
    from tests.conftest import Opdeploy
    from tests.deploy.projects import Project

GOAL = Goal(1.0)


class There:
    """A place with one server."""

    tls = False

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address

    def address(self, name: str) -> tuple[str, int]:
        """Return where it is."""
        assert name == "front"
        return self._address

    def exit_code(self, name: str) -> int | None:
        """Say that it runs."""
        return None if name else 1

    def out_of_memory(self, name: str) -> bool:
        """Say that it was not ended."""
        return not name

    def logs(self, name: str, tail: int) -> list[str]:
        """Return nothing."""
        return [name][tail:]

    def artefact(self, name: str, folder: Path) -> None:
        """Refuse: it is at hand."""
        raise AssertionError(name, folder)


def endpoint(place: Servers, front: str | None = "front") -> Endpoint:
    """Return an endpoint."""
    seen = Observed(target="aci", deployment="net", front=front, endpoint="http://net")
    return Endpoint(place, seen, None)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """Return an artefact that was never measured."""
    build(Contents("net", linear(tmp_path / "model.onnx"), Samples({"x": records(12)}, "records")), tmp_path / "net")
    return tmp_path / "net"


def test_what_an_instance_carries_counts_for_its_size(opdeploy: Opdeploy, net: Path) -> None:
    """The next recommendation has it as measured there; what it says of memory and start is nobody's."""
    limits = Limits(1, None, "aci")
    with (
        subject(net, "net") as tried,
        started(tried.package, Start(Limits(1, None, None), None), lambda _: None) as (running, _),
    ):
        wait_until_ready(running, 60)
        seen = loaded(endpoint(There(running.address[:2])), tried, None, GOAL, lambda _: None)
        machine = Machine(None, None, 2, 1, ("avx2",), 1.6, (), "", "ACI-1")
        found = document(seen, tried, GOAL, Where(limits, machine, None))
    assert found.capacity == max(item.requests_per_second for item in found.points if item.loop == "closed")
    assert all(item.errors == 0 for item in found.points)
    assert name_of(found) == "served-deployed-aci-ACI-1-1cpu"
    text = json.dumps(finite(found))
    value = speed.read(text, "found.json")
    assert isinstance(value, speed.Served)
    assert (value.runtime, value.limits.target, value.machine.size) == ("deployed", "aci", "ACI-1")
    folder = net.parent
    (folder / "found.json").write_text(text)
    serving = {"pattern": "request-response", "requests_per_second": {"peak": 1}}
    asked = {"name": "demo", "stage": "demo", "model": {"path": "net"}, "serving": serving}
    (folder / "workload.yaml").write_text(json.dumps({**asked, "constraints": {"only": ["aci"]}}))
    ran = opdeploy("recommend", "-o", "json", "--measurement", "found.json", cwd=folder)
    assert ran.code == 0, ran.err
    assert ran.json["ranked"][0]["sizing"]["capacity"]["grade"] == "measured"


def test_an_endpoint_that_does_not_answer_is_an_error(net: Path) -> None:
    """Also one that there is not."""
    with subject(net, "net") as tried:
        for at, said in (
            (endpoint(There(("127.0.0.1", 9))), "http://net: was deployed, and then gave no answer under load: "),
            (endpoint(There(("127.0.0.1", 9)), None), "net: has no endpoint to load; "),
        ):
            with pytest.raises(OpdeployError, match=f"^{said}"):
                loaded(at, tried, None, GOAL, lambda _: None)


@pytest.mark.parametrize(
    ("platform", "settings", "found"),
    [
        ("local", {}, Instances(None, 1)),
        ("vm", {"vm": {"host": "box", "size": "Standard_D2as_v5"}}, Instances(None, 1)),
        (
            "vm",
            {"vm": {"size": "Standard_D2as_v5"}, "azure": {"resource_group": "g"}},
            Instances("Standard_D2as_v5", 1),
        ),
        ("aci", {}, Instances("ACI-1", 1)),
        ("aci", {"aci": {"cpus": 1.5}}, Instances(None, 1)),
        ("webapp", {"webapp": {"sku": "P1v3"}}, Instances("P1v3", 1)),
        ("webapp", {"webapp": {"instances": 3}}, Instances(None, 3)),
        ("container-apps", {}, Instances("Consumption-1", None)),
        ("container-apps", {"container_apps": {"max_replicas": 1}}, Instances("Consumption-1", 1)),
        ("container-apps", {"container_apps": {"profile": "D4"}}, Instances(None, None)),
        ("aks-cpu", {"aks": {"size": "Standard_D2as_v5"}}, Instances("Standard_D2as_v5", 1)),
        ("aks-cpu", {"aks": {"size": "Standard_D8s_v5"}}, Instances(None, 1)),
        ("aks-cpu", {"aks": {"size": "Standard_D8s_v5"}, "kubernetes": {"cpus": 4}}, Instances("Standard_D8s_v5", 1)),
        ("aks-cpu", {"kubernetes": {"replicas": 2}}, Instances(None, 2)),
        ("aks-cpu", {"kubernetes": {"max_replicas": 2}}, Instances(None, None)),
    ],
)
def test_what_answers_is_told_by_the_settings(platform: str, settings: dict[str, Any], found: Instances) -> None:
    """One instance, several, or as many as load makes of it; a size that is not known is none."""
    deploy = Deploy.model_validate({"target": platform, **settings})
    asked = Workload.model_validate_json('{"name": "net", "stage": "demo", "serving": {"pattern": "request-response"}}')
    assert instances(deploy, asked, load_market().sizes, None) == found


@pytest.mark.slow  # it builds an image
def test_a_deployment_is_loaded_where_it_is_asked_for(project: Project) -> None:
    """What it carries is printed, held against what was expected, and kept in the artefact."""
    measure = ("--batch", "1", "--threads", "1", "--rounds", "1", "--seconds", "0.05", "-o", "json", "--file", "m.json")
    assert project.run("model", "measure", "net", *measure).code == 0
    assert project.run("model", "package", "net", "--measurement", "m.json", "-o", "net2").code == 0
    (project.folder / "net").rename(project.folder / "before")
    (project.folder / "net2").rename(project.folder / "net")
    done = project.deploy("--load", "1")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert f"{project.name}, loaded from here: " in said
    assert " from opdeploy model measure of " in said
    assert "wrote the measurement into net, which has another digest now" in done.err
    (kept,) = (json.loads(path.read_text()) for path in (project.folder / "net" / "measurements").glob("served-*"))
    assert (kept["runtime"], kept["limits"]["target"]) == ("deployed", "local")
    assert kept["predicted"]["from"].startswith("opdeploy model measure of ")
