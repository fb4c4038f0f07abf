"""Deployments of one name: on several platforms of Azure, and in several resource groups."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.clients import azure
from opdeploy.clients.azure.others import others
from opdeploy.deploy_settings import Deploy
from opdeploy.deployment import Lock
from opdeploy.errors import OpdeployError
from opdeploy.targets.azure.kinds import KINDS, kind_of, name_of
from opdeploy.targets.azure.names import Where
from opdeploy.targets.azure.requests import kept
from tests.arm import answers
from tests.azure import looked
from tests.azure.clouded import GROUP, REGION
from tests.azure.others import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.arm.arm import Arm
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


OWN = "opdeploy-net-aci"
LOCK = Lock(owner="me", since=datetime(2026, 11, 26, tzinfo=UTC), doing="deploy of net", process="p")


def theirs(arm: Arm, group: str, kind: str, name: str) -> str:
    """Have a resource of somebody else in a group, and return its id."""
    body = kept("their record") if kind == "note" else {"location": REGION}
    found = KINDS[kind].id(f"{arm.scope}/resourceGroups/{group}", name)
    made(arm, found, KINDS[kind].api, body)
    return found


def test_a_group_in_which_others_have_something_stays(project: Clouded) -> None:
    """It is said why; the deployment is gone all the same, may be made again, and takes the group along once it can."""
    found = [theirs(project.arm, OWN, "identity", "theirs"), theirs(project.arm, OWN, "note", "opdeploy-b")]
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    said = "the resource group opdeploy-net-aci stays: others have something in it: identity theirs, note opdeploy-b"
    assert said in " ".join(removed.err.split())
    assert project.left() == [f"{project.arm.scope}/resourceGroups/{OWN}", *sorted(found)]
    assert project.run("status").code == 3
    assert project.run("status", "--resource-group", OWN).code == 3
    assert json.loads(project.run("list", "-o", "json").out) == []

    again = project.deploy()
    assert again.code == 0, again.err
    assert project.since(project.deploy) == []
    for name in found:
        project.arm.remove(project.arm.resource(name))
    assert project.run("remove", "--yes").code == 0
    assert project.left() == []


def test_what_others_put_into_a_group_while_it_is_removed_stays(project: Clouded) -> None:
    """The group is looked at once more before it goes."""

    def hook(_number: int, method: str, path: str) -> None:
        if method == "DELETE" and path.partition("?")[0].endswith("/deployments/opdeploy-net"):
            theirs(project.arm, OWN, "identity", "theirs")

    project.arm.hook = hook
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert "the resource group opdeploy-net-aci stays" in removed.err
    assert [name.rpartition("/")[2] for name in project.left()] == [OWN, "theirs"]
    assert project.run("status").code == 3


def test_a_first_version_that_fails_leaves_what_others_have(clouded: Callable[..., Clouded]) -> None:
    """In the group that was made for it."""
    project = clouded("aci")
    project.model(seed=1, wrong=2)

    def hook(_number: int, method: str, path: str) -> None:
        if method == "PUT" and "/containerGroups/net?" in path:
            theirs(project.arm, GROUP, "identity", "theirs")

    project.arm.hook = hook
    failed = project.deploy()
    assert failed.code == 5, failed.err
    assert f"the resource group {GROUP} stays" in failed.err
    assert [name.rpartition("/")[2] for name in project.left()] == [GROUP, "theirs"]


@pytest.mark.parametrize("kind", [None, "identity", "note"], ids=["nothing", "a resource", "a deployment"])
def test_a_group_that_was_made_for_a_lock_goes_with_it(
    kind: str | None, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless others have something in it by then."""
    place = looked.place(arm, monkeypatch, "aci", {})
    assert place.lock("net", LOCK) == LOCK
    group = f"{arm.scope}/resourceGroups/{GROUP}"
    left = [group, theirs(arm, GROUP, kind, "opdeploy-b")] if kind else []
    place.unlock("net", LOCK)
    assert sorted(item.id for item in arm.resources.values() if not item.deleted) == left


def test_a_lock_that_is_refused_takes_no_group_of_others_along(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it was made for the lock."""

    def hook(_number: int, method: str, path: str) -> None:
        if method == "PUT" and "/deployments/opdeploy.lock.net" in path:
            theirs(arm, GROUP, "identity", "theirs")

    arm.hook = hook
    arm.fail("PUT", "/deployments/opdeploy.lock.net", answers.error(403, "AuthorizationFailed", "no"))
    place = looked.place(arm, monkeypatch, "aci", {})
    with pytest.raises(OpdeployError, match="AuthorizationFailed"):
        place.lock("net", LOCK)
    assert sorted(name_of(item.id) for item in arm.resources.values() if not item.deleted) == [GROUP, "theirs"]


class Listing:
    """Lists of a group, and nothing else of Azure."""

    session = None

    def __init__(self, *items: dict[str, Any]) -> None:
        self._items = items

    def every(self, path: str, _api: str) -> list[dict[str, Any]]:
        """Return what a list has."""
        notes = path.endswith(KINDS["note"].type)
        return [item for item in self._items if (kind_of(item["id"]) == KINDS["note"]) is notes]


AT = Where("s", "Models", "westeurope", "net")
SITE, DISK = (f"{AT.group_id}/providers/{name}" for name in ("Microsoft.Web/sites/Net", "Microsoft.Compute/disks/x"))
THINGS: dict[str, tuple[dict[str, Any], bool]] = {
    "tagged": ({"id": DISK, "tags": {"opdeploy-name": "net"}}, False),
    "in the record": ({"id": SITE, "tags": None}, False),
    "a part of ours": ({"id": f"{SITE}/slots/next"}, False),
    "made by ours": ({"id": DISK, "managedBy": SITE.upper()}, False),
    "its own record": ({"id": AT.note, "name": "opdeploy-net"}, False),
    "its own lock": ({"id": AT.lock, "name": "opdeploy.lock.net"}, False),
    "a template that somebody deployed": ({"id": AT.id("note", "main"), "name": "main"}, False),
    "the disk of its machine": ({"id": AT.id("disk", "net-disk"), "tags": {}}, False),
    "of nobody": ({"id": DISK}, True),
    "of another deployment": ({"id": DISK, "tags": {"opdeploy-name": "b"}}, True),
    "called as ours, and more": ({"id": f"{SITE}-2"}, True),
    "made by others": ({"id": DISK, "managedBy": f"{SITE}-2"}, True),
    "another's record": ({"id": AT._replace(deployment="b").note, "name": "opdeploy-b"}, True),
    "another's lock": ({"id": AT._replace(deployment="b").lock, "name": "Opdeploy.lock.b"}, True),
}


@pytest.mark.parametrize(("item", "is_theirs"), THINGS.values(), ids=THINGS)
def test_what_is_in_a_group_is_ours_or_of_others(item: dict[str, Any], *, is_theirs: bool) -> None:
    """By tags, by the record, or by what it belongs to."""
    arm: Any = Listing(item)
    place = azure.MachinePlace(arm, Deploy.model_validate({}), arm, arm)
    assert bool(others(arm, AT, place._own(AT, {SITE.lower(): {}, AT.group_id.lower(): {}}))) is is_theirs  # noqa: SLF001 - of no other place


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
