"""Container apps of Azure, through the real SDKs, at a stand-in that runs the real server."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.arm import answers
from tests.azure.others import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.arm.arm import Seen
    from tests.arm.kinds import Resource
    from tests.azure.clouded import Clouded
    from tests.conftest import Ran

APPS, ENVIRONMENTS = "providers/Microsoft.App/containerApps", "providers/Microsoft.App/managedEnvironments"
ASKS = {"listsecrets", "checknameavailability"}
WORKSPACES = "providers/Microsoft.OperationalInsights/workspaces"


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project for container apps."""
    found = clouded("container-apps")
    found.more = ()
    return found


def app(project: Clouded) -> Resource:
    """Return the app as the stand-in has it."""
    return project.arm.resource(f"resourceGroups/models/{APPS}/net")


def active(project: Clouded) -> list[str]:
    """Return the versions whose revisions are active, such as v1."""
    found = app(project).private["revisions"].items()
    return [name.split("--")[1].split("-")[0] for name, each in found if each["active"]]


def traffic(project: Clouded) -> list[tuple[str, int]]:
    """Return what gets the requests, such as v1."""
    found = app(project).properties["configuration"]["ingress"]["traffic"]
    return [(item["revisionName"].split("--")[1].split("-")[0], item["weight"]) for item in found]


def environment(project: Clouded, *profiles: dict[str, Any]) -> str:
    """Have an environment of others, with profiles beside Consumption; return its id."""
    group = f"{project.arm.scope}/resourceGroups/theirs"
    made(project.arm, group, "2022-09-01", {"location": "westeurope"})
    path = f"{group}/{ENVIRONMENTS}/shared"
    all_of_them = [{"name": "Consumption", "workloadProfileType": "Consumption"}, *profiles]
    made(project.arm, path, "2026-01-01", {"location": "westeurope", "properties": {"workloadProfiles": all_of_them}})
    operation = project.arm.resource(path).operation
    while operation and operation.status == "InProgress":
        operation.look()
    return path


def changing(requests: list[Seen]) -> list[Seen]:
    """Return the requests that change something: some are sent with POST and only ask."""
    return [item for item in requests if item.path.partition("?")[0].rpartition("/")[2].lower() not in ASKS]


def test_a_first_deployment_answers_and_is_removed(project: Clouded) -> None:
    """From nothing, over HTTPS; status, logs, score, history, diff and list see it; then nothing is left."""
    done = project.deploy()
    assert done.code == 0, done.err
    assert "net, version 1, answers at https://127." in done.out
    assert "plain HTTP" not in done.err
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


def test_a_new_version_gets_requests_when_it_has_answered(project: Clouded) -> None:
    """Its revision gets none before; then it gets all, and the old one is kept, deactivated."""
    assert project.deploy().code == 0
    seen: list[list[tuple[str, int]]] = []
    project.arm.hook = lambda _number, method, path: (
        seen.append(traffic(project)) if method == "PATCH" and "/containerapps/" in path.lower() else None
    )
    project.model(seed=1)
    done = project.deploy()
    assert done.code == 0, done.err
    assert seen == [[("v1", 100)]]
    assert traffic(project) == [("v2", 100)]
    assert active(project) == ["v2"]
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    assert project.run("diff").code == 0


def test_an_unchanged_deployment_writes_nothing(project: Clouded) -> None:
    """It is asked whether it answers rightly, with the key that Azure keeps."""
    assert project.deploy().code == 0
    project.key = None
    again: list[Ran] = []
    written = project.since(lambda: again.append(project.deploy()))
    assert again[0].code == 0, again[0].err
    assert "nothing has changed" in again[0].err
    assert changing(written) == []


def test_another_key_is_taken_over(project: Clouded) -> None:
    """The same version answers with it, as another revision; then nothing is to be done."""
    assert project.deploy().code == 0
    project.key = "k" * 40
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("running", True)}
    assert active(project) == ["v1"]
    assert len(app(project).private["revisions"]) == 2
    again = project.deploy()
    assert "nothing has changed" in again.err


def test_a_version_with_wrong_answers_gets_no_request(project: Clouded) -> None:
    """The old one goes on; the new revision is deactivated, and the next one has another name."""
    assert project.deploy().code == 0
    project.model(seed=1, wrong=3)
    done = project.deploy()
    assert done.code == 5, done.err
    assert "version 1 answers as before" in done.err
    assert traffic(project) == [("v1", 100)]
    assert active(project) == ["v1"]
    assert project.versions() == {1: ("running", True)}
    assert project.run("diff").code == 0
    again = project.deploy()
    assert again.code == 5, again.err
    assert len(app(project).private["revisions"]) == 3
    project.model(seed=2)
    assert project.deploy().code == 0
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}


def test_a_first_version_with_wrong_answers_leaves_nothing(project: Clouded) -> None:
    """Nothing ran before, and what was made is removed."""
    project.model(seed=0, wrong=2)
    done = project.deploy()
    assert done.code in {1, 5}, done.err  # the server finds it, too: then its exit code may be told, or not
    assert "golden answers" in done.err
    assert project.left() == []


def test_a_server_that_does_not_start_is_told_with_its_log(project: Clouded) -> None:
    """The old version answers, and the line has what the server said."""
    assert project.deploy().code == 0

    def spoil(_number: int, method: str, path: str) -> None:
        if method == "PUT" and "/containerapps/" in path.lower():
            name = project.arm.seen[-1].body["properties"]["template"]["containers"][0]["image"]
            image = project.arm.images.get(name)
            assert image is not None
            assert image.root is not None
            for file in image.root.rglob("*.onnx"):
                file.write_bytes(b"")

    project.arm.hook = spoil
    project.model(seed=1)
    done = project.deploy()
    assert done.code in {1, 2}, done.err
    assert "model.onnx" in done.err
    assert "version 1 answers as before" in done.err
    assert active(project) == ["v1"]


def test_a_rollback_sends_the_requests_back(project: Clouded) -> None:
    """The old revision is activated, asked, and gets the requests; the other is kept, and may come back, too."""
    assert project.deploy().code == 0
    project.model(seed=1)
    assert project.deploy().code == 0
    back = project.run("rollback", "--yes")
    assert back.code == 0, back.err
    assert traffic(project) == [("v1", 100)]
    assert active(project) == ["v1"]
    assert project.run("diff").code == 0
    forward = project.run("rollback", "--yes", "--to", "2")
    assert forward.code == 0, forward.err
    assert traffic(project) == [("v2", 100)]
    assert len(app(project).private["revisions"]) == 2
    again = project.deploy()
    assert again.code == 0, again.err
    assert "nothing has changed" in again.err


def test_a_rollback_to_a_revision_that_is_gone_makes_it_again(project: Clouded) -> None:
    """Azure keeps a hundred of them: what the record has of the version is enough."""
    assert project.deploy().code == 0
    project.model(seed=1)
    assert project.deploy().code == 0
    found = app(project).private["revisions"]
    first = next(iter(found))
    found.pop(first)
    back = project.run("rollback", "--yes")
    assert back.code == 0, back.err
    assert [*found][-1] == first
    assert traffic(project) == [("v1", 100)]
    assert project.versions() == {1: ("running", True), 2: ("stopped", False)}


def test_only_so_many_versions_are_kept(project: Clouded) -> None:
    """The oldest is dropped from the record, with its image."""
    project.workload(keep=2)
    for seed in range(3):
        project.model(seed=seed)
        done = project.deploy()
        assert done.code == 0, done.err
    assert project.versions() == {2: ("stopped", False), 3: ("running", True)}
    assert active(project) == ["v3"]
    assert project.run("rollback", "--yes", "--to", "1").code == 3


def test_drift_is_named_and_repaired(project: Clouded) -> None:
    """Requests that somebody sent elsewhere, an app that is internal now, a revision by hand: property by property."""
    assert project.deploy().code == 0
    own = app(project)
    ingress = own.properties["configuration"]["ingress"]
    ingress["external"] = False
    by_hand = "net--canary"
    (first,) = own.private["revisions"].values()
    own.private["revisions"][by_hand] = {"template": first["template"], "active": True, "created": "2026"}
    ingress["traffic"] = [{**ingress["traffic"][0], "weight": 60}, {"revisionName": by_hand, "weight": 40}]
    told = project.run("diff")
    assert told.code == 6, told.out
    for word in ("external", "traffic", "weight", by_hand, "active"):
        assert word in told.out
    done = project.deploy()
    assert done.code == 0, done.err
    assert traffic(project) == [("v1", 100)]
    assert active(project) == ["v1"]
    assert project.run("diff").code == 0


def test_a_setting_of_the_app_makes_no_revision(project: Clouded) -> None:
    """What is of the app is changed in place; what is of a revision makes a version."""
    assert project.deploy().code == 0
    project.workload(container_apps={"external": True, "max_replicas": 3, "cool_down_s": 60, "concurrency": 20})
    assert project.deploy().code == 0
    scale = app(project).properties["template"]["scale"]
    assert (scale["maxReplicas"], scale["cooldownPeriod"]) == (3, 60)
    assert scale["rules"][0]["http"]["metadata"]["concurrentRequests"] == "20"
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    project.workload(
        container_apps={"external": True, "max_replicas": 3, "cool_down_s": 60, "concurrency": 20},
        azure={"owner": "ann"},
    )
    assert project.deploy().code == 0
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    assert app(project).body["tags"]["opdeploy-owner"] == "ann"


def test_logs_are_kept_in_a_workspace_of_its_own(project: Clouded) -> None:
    """The environment has the key of the workspace; no plan, note or print has it; both go with the app."""
    project.workload(container_apps={"workspace": "own"})
    done = project.deploy()
    assert done.code == 0, done.err
    workspace = project.arm.resource(f"resourceGroups/models/{WORKSPACES}/net-logs")
    environment = project.arm.resource(f"resourceGroups/models/{ENVIRONMENTS}/net-env")
    kept = environment.properties["appLogsConfiguration"]["logAnalyticsConfiguration"]
    key = workspace.private["keys"]["primarySharedKey"]
    assert kept == {"customerId": workspace.properties["customerId"], "sharedKey": key}
    notes = [item for item in project.arm.seen if "/deployments/" in item.path]
    assert key not in json.dumps([item.body for item in notes])
    assert key not in done.out + done.err
    assert project.run("diff").code == 0
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []


def test_an_environment_of_others_is_used_and_left(project: Clouded) -> None:
    """The app is made in it, in its profile; nothing of it is changed or removed."""
    large = {"name": "large", "workloadProfileType": "D4", "minimumCount": 0, "maximumCount": 2}
    path = environment(project, large)
    before = json.dumps(project.arm.resource(path).body)
    project.workload(container_apps={"environment": path, "profile": "D4", "cpus": 2})
    done = project.deploy()
    assert done.code == 0, done.err
    assert app(project).properties["workloadProfileName"] == "large"
    assert project.run("diff").code == 0
    assert project.run("remove", "--yes").code == 0
    assert [each for each in project.left() if "theirs" in each] == project.left()
    assert json.dumps(project.arm.resource(path).body) == before


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an environment that is not there": (
        {"environment": "/subscriptions/{0}/resourceGroups/theirs/providers/Microsoft.App/managedEnvironments/no"},
        "there is no no; name one that is there",
    ),
    "a profile that the environment lacks": (
        {"environment": "{1}", "profile": "E4"},
        "shared has no E4, it has: Consumption; take one of these, or add it",
    ),
    "a subnet with an environment": (
        {
            "environment": "{1}",
            "subnet": "/subscriptions/{0}/resourceGroups/a/providers/Microsoft.Network/virtualNetworks/n/subnets/s",
        },
        "is of an environment that is made",
    ),
    "a profile that the region lacks": (
        {"profile": "E32"},
        "no workload profile E32; take one that it has",
    ),
    "too many processors": ({"cpus": 5}, "5 are more than a replica on Consumption has: 4; take fewer, or "),
    "too few replicas": ({"min_replicas": 4, "max_replicas": 2}, "4 are more than max_replicas, 2"),
    "a workspace that is not there": (
        {"workspace": "/subscriptions/{0}/resourceGroups/a/providers/Microsoft.OperationalInsights/workspaces/none"},
        "there is no none; name one that is there",
    ),
}


@pytest.mark.parametrize(("chosen", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_made(project: Clouded, chosen: dict[str, Any], said: str) -> None:
    """Each is a line that says what to do, and nothing was written."""
    path = environment(project)
    put = {key: value.format(project.arm.subscription, path) if isinstance(value, str) else value
           for key, value in chosen.items()}  # fmt: skip
    project.workload(container_apps=put)
    refused: list[Ran] = []
    written = project.since(lambda: refused.append(project.deploy()))
    (done,) = refused
    assert done.code in {1, 2}, done.err
    assert said in done.err
    assert changing(written) == []


def test_a_gpu_that_is_not_to_be_had_is_told(project: Clouded) -> None:
    """The revision waits for a place: status says so, and what to do."""
    project.workload(container_apps={"profile": "Consumption-GPU-NC8as-T4"})
    project.arm.no_gpu = True
    command = project.begin("deploy", "--yes")
    until = time.monotonic() + 60
    told: list[str] = []
    while not told and time.monotonic() < until:
        shown = project.run("status", "-o", "json").out  # which is not ready
        told = [line for line in json.loads(shown)["events"] if "AssigningReplica" in line] if shown else []
    command.kill()
    command.ended()
    assert told, "nothing was said of it"
    assert "take another region or profile" in told[0]
    template = app(project).properties["template"]["containers"][0]
    assert template["resources"] == {"cpu": 8, "memory": "56Gi"}


def test_a_refusal_of_azure_is_told(project: Clouded) -> None:
    """An operation that ends as failed names code and message, and nothing is left."""
    project.arm.fail("PUT", "/containerApps/net", answers.Ending("ContainerAppOperationError", "No capacity."))
    done = project.deploy()
    assert done.code == 1
    assert "ContainerAppOperationError: No capacity" in done.err
    assert project.left() == []
