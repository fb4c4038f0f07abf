"""Container groups of Azure, through the real SDKs, at a stand-in that runs the real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from opdeploy.clients.azure import following, group
from opdeploy.targets.azure.names import Where
from tests.azure.clouded import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.clients.azure import Arm
    from tests.azure.clouded import Clouded
    from tests.conftest import Ran


class Looked:
    """A cloud that counts the looks at a container group."""

    changes = 0

    def __init__(self) -> None:
        self.looks = 0

    def find(self, resource: str) -> dict[str, Any]:
        """Return a group that has an address, and runs."""
        self.looks += 1
        reached = {"ip": f"10.0.0.{self.looks}", "ports": [{"port": 80}]}
        return {"id": resource, "properties": {"ipAddress": reached, "containers": []}}


def test_who_waits_for_a_group_looks_at_it_every_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked about; but at once where something was changed."""
    cloud, at = Looked(), Where("s", "g", "westeurope", "net")
    groups, now = group.Groups(cast("Arm", cloud)), 1000.0
    monkeypatch.setattr("opdeploy.clients.azure.group.time.monotonic", lambda: now)
    for _ in range(19):
        groups.exit_code(at, "net")
        groups.address(at, "net")
        now += 0.1
    assert cloud.looks == 1
    now += 0.2
    assert groups.address(at, "net") == ("10.0.0.2", 80)
    groups.address(at, "net-trial")
    assert cloud.looks == 3
    cloud.changes += 1
    assert groups.address(at, "net") == ("10.0.0.4", 80)


@pytest.mark.parametrize(("tail", "first"), [(0, []), (1, ["b"]), (9, ["a", "b"])])
def test_a_log_is_followed_until_what_writes_it_is_gone(
    tail: int, first: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was shown is not shown again, also where the log has lost its beginning, or began anew."""
    monkeypatch.setattr(following, "_BETWEEN_S", 0.0)
    logs = iter([["a", "b"], ["a", "b", "c"], ["c", "d"], ["e"], []])
    goes_on = iter([True, True, True, False])
    shown = following.followed(lambda _lines: next(logs), lambda: next(goes_on), tail)
    assert [*shown] == [*first, "c", "d", "e"]


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project for container groups."""
    return clouded("aci")


def test_a_first_deployment_answers_and_is_removed(project: Clouded) -> None:
    """From nothing; status, logs, score, history, diff and list see it; then nothing is left."""
    done = project.deploy()
    assert done.code == 0, done.err
    assert "net, version 1, answers at http://127." in done.out
    assert "plain HTTP" in done.err
    assert "deploy it with --allow-plain-http" not in done.err  # which it is
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


def test_what_has_not_changed_is_not_written(project: Clouded) -> None:
    """No request changes anything but the lock; the endpoint is asked all the same."""
    assert project.deploy().code == 0
    again: list[Ran] = []
    written = project.since(lambda: again.append(project.deploy()))
    assert again[0].code == 0, again[0].err
    assert "nothing has changed" in again[0].err
    assert written == []


def test_a_second_version_takes_over(project: Clouded) -> None:
    """It is tried in a group of its own, which is gone then; the first one is kept in the record."""
    assert project.deploy().code == 0
    project.model(seed=1)
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("stopped", False), 2: ("running", True)}
    assert [name for name in project.left() if "trial" in name] == []
    assert project.run("diff").code == 0
    gone = project.run("logs", "--version", "1")
    assert (gone.code, gone.out) == (3, "")
    assert "version 1 does not run, and its log is gone with what ran it" in gone.err


def test_wrong_answers_end_on_the_old_version(project: Clouded) -> None:
    """The new version is tried, and never asked by anyone else; nothing of it is left."""
    assert project.deploy().code == 0
    project.model(seed=1, wrong=2)
    failed: list[Ran] = []
    written = project.since(lambda: failed.append(project.deploy()))
    assert failed[0].code == 5, failed[0].err
    assert "version 1 answers as before" in failed[0].err
    assert "containergroups/net?" not in [item.path.lower().rpartition("/providers/")[2][:20] for item in written]
    assert project.versions() == {1: ("running", True)}
    assert project.run("diff").code == 0
    assert [name for name in project.left() if "trial" in name] == []


def test_a_first_version_with_wrong_answers_leaves_nothing(project: Clouded) -> None:
    """What was made is removed."""
    project.model(seed=1, wrong=2)
    failed = project.deploy()
    assert failed.code == 5, failed.err
    assert project.left() == []


def test_drift_is_found_and_mended(project: Clouded) -> None:
    """What others changed is named property by property, and so is what they removed."""
    assert project.deploy().code == 0
    group = project.arm.resource(f"resourceGroups/{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/net")
    group.body["tags"]["opdeploy-version"] = "7"
    group.body["properties"]["restartPolicy"] = "Never"
    changed = project.run("diff", "-o", "json")
    assert changed.code == 6
    (found,) = json.loads(changed.out)
    assert (found["kind"], found["properties"]["properties.restartPolicy"]) == ("container group", "Never")
    mended = project.deploy()
    assert mended.code == 0, mended.err
    assert 'properties.restartPolicy: "Never" → "Always"' in mended.err
    assert project.run("diff").code == 0
    project.arm.remove(group)
    gone = project.run("diff")
    assert gone.code == 6
    assert "exists" in gone.out
    assert project.deploy().code == 0
    assert project.run("diff").code == 0


def test_who_is_not_signed_in_is_told_in_a_line(project: Clouded) -> None:
    """Whatever the client of Azure logs beside it."""
    project.variables = {"AZURE_CLIENT_SECRET": "wrong"}
    told = project.run("list")
    assert told.code == 1
    (line,) = told.err.splitlines()
    assert "nobody is signed in to Azure" in line
    assert line.endswith("sign in with: az login")


def test_what_is_not_to_be_seen_at_once_is_made_again(project: Clouded) -> None:
    """Not all of Azure knows at once what was made: a step that does not find it is tried again."""
    project.arm.unseen = {"/userAssignedIdentities/*": 3}
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("running", True)}


def test_what_has_no_record_any_more_is_not_taken_for_nothing(project: Clouded) -> None:
    """Azure deletes old records: nothing is made in the place of what answers, and it can be removed."""
    assert project.deploy().code == 0
    before = project.left()
    record = next(name for name in before if name.endswith("/deployments/opdeploy-net"))
    project.arm.resources.pop(record.lower())
    project.model(seed=1, wrong=3)
    done = project.deploy()
    assert done.code == 1
    assert (
        "net: container group net is there without a record: say with --state where that is kept; or, where Azure has "
        "deleted it as one of many deployments of models, remove what is there (opdeploy remove net --target aci "
        "--resource-group models), and keep the next one in a container: deploy.state"
    ) in " ".join(done.err.split())
    assert "without a record" in project.run("plan").out
    assert project.left() == [name for name in before if name != record]
    removed = project.run("remove", "net", "--target", "aci", "--resource-group", "models", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == []
