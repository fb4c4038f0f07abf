"""What is looked at in Azure, and how locks and records are kept there, in a cloud that answers as the cases say."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.clients.azure import Clustered, Making, keys, notes, seen
from opdeploy.clients.azure import cloud as clouds
from opdeploy.clients.azure.arm import Arm
from opdeploy.clients.azure.group import Groups
from opdeploy.clients.azure.keys import Keys
from opdeploy.clients.azure.notes import Notes
from opdeploy.clients.azure.place import Place
from opdeploy.clients.azure.vault import Vault
from opdeploy.deploy_settings import Deploy
from opdeploy.deployment import Lock, Observed, Version
from opdeploy.errors import OpdeployError, TransientError
from opdeploy.targets.azure.about import about
from opdeploy.targets.azure.compare import KEYS, ref
from opdeploy.targets.azure.names import Where
from opdeploy.targets.azure.record import NAME, TARGET, Kept, Made, Record
from opdeploy.targets.azure.record import VERSION as VERSION_TAG
from opdeploy.targets.azure.shared import ACR_PULL, Resource
from opdeploy.targets.azure.steps import put

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


AT = Where("11111111-2222-3333-4444-555555555555", "models", "westeurope", "net")
GROUP = AT.id("container group", "net")
IDENTITY = AT.identity
OWN = {NAME: "net", TARGET: "aci"}
VAULT = "https://keys.vault.azure.net"
LOCK = Lock(owner="me", since=datetime(2026, 11, 26, tzinfo=UTC), doing="deploy of net", process="here/1")
VERSION = Kept(
    number=1, config="c", artefact="a", image="i", at=LOCK.since, by="me", keyed=True, proven=True, resource=GROUP
)


class Cloud(Arm):
    """A subscription with some resources, by their ids."""

    def __init__(self, *there: tuple[str, dict[str, str]]) -> None:
        self.session: Any = SimpleNamespace(subscription=AT.subscription, cloud=clouds.cloud("AzureCloud"))
        self.there = {name: {"id": name, "tags": tags, "location": "westeurope"} for name, tags in there}

    def find(self, resource: str) -> dict[str, Any] | None:
        """Return a resource."""
        return self.there.get(resource)

    def every(self, path: str, api: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield resources; where they are asked for by a tag, Azure tells no tags."""
        del api
        scope, _, what = path.rpartition("/")
        for name, item in self.there.items():
            if name.startswith(scope) and ("/providers/" in name) == (what == "resources"):
                yield {**item, "tags": None} if query else item

    def put(self, resource: str, body: Mapping[str, Any]) -> None:
        """Have a resource; what a template puts out is told of it."""
        outputs = body.get("properties", {}).get("template", {}).get("outputs", {})
        self.there[resource] = {"id": resource, **body, "properties": {"outputs": outputs}}

    def delete(self, resource: str) -> None:
        """Have it no more."""
        self.there.pop(resource, None)


def at_place(arm: Arm, key: str | None = None) -> Place:
    """Return a place which has looked at the deployment."""
    deploy = Deploy.model_validate({"target": "aci", "azure": {"resource_group": "models"}})
    there = {"me.azurecr.io/net:1": True, "me.azurecr.io/net:2": False}
    images: Any = SimpleNamespace(builds_here=False, push=None, build=None, remove=None, has=there.get)
    found = Place(arm, deploy, "aci", images, key=key)
    found.where("net")
    return found


WHOSE: dict[str, tuple[dict[str, str], bool, bool]] = {
    "its own": (OWN, True, True),
    "another's": ({**OWN, NAME: "other"}, False, False),
    "that of another platform": ({**OWN, TARGET: "webapp"}, False, False),
    "somebody's": ({}, False, True),
    "its own, of which a tag is gone": ({NAME: "net"}, False, True),
}


@pytest.mark.parametrize("case", WHOSE)
def test_resources_belong_to_one_deployment_of_one_platform(case: str) -> None:
    """Those with its tags, and those of its record that have not another's."""
    tags, by_tags, by_record = WHOSE[case]
    arm = Cloud((GROUP, tags), (AT.group_id, tags))
    record = Record(deployment="net", target="aci", made=(Made(id=GROUP),))
    assert (GROUP.lower() in seen.resources(arm, AT, "aci", None)) == by_tags
    assert (GROUP.lower() in seen.resources(arm, AT, "aci", record)) == by_record
    assert (AT.group_id.lower() in seen.resources(arm, AT, "aci", record)) == by_tags


def test_a_tag_is_looked_for_in_a_group_and_everywhere() -> None:
    """Groups have tags, too; a group that is not asked for is not looked at."""
    other = Where(AT.subscription, "others", "westeurope", "net")
    arm = Cloud((GROUP, OWN), (AT.group_id, OWN), (other.identity, OWN), (IDENTITY, {NAME: "other"}))
    assert [item["id"] for item in arm.tagged("models", OWN)] == [GROUP]
    assert [item["id"] for item in arm.tagged(None, {NAME: "net"})] == [GROUP, other.identity, AT.group_id]


@pytest.mark.parametrize(
    ("kind", "is_told"),
    [
        *((kind, True) for kind in ("container group", "site", "container app", "virtual machine", "cluster")),
        *((kind, False) for kind in ("identity", "container registry", "app service plan")),
    ],
)
def test_what_runs_versions_without_a_record_is_told(kind: str, *, is_told: bool) -> None:
    """What only belongs to it is left of a removal that was interrupted."""
    there = {"x": {"id": AT.id(kind, "net"), "tags": OWN, "location": "westeurope"}}
    run = Groups(Cloud())
    expected = [f"{kind} net"] if is_told else []
    assert seen.observed(AT, "aci", None, there, run).facts["unrecorded"] == expected
    assert seen.observed(AT, "aci", Record(deployment="net", target="aci"), there, run).facts["unrecorded"] == []


def test_a_record_that_is_not_to_be_seen_yet_is_not_forgotten() -> None:
    """Whoever wrote it goes on with what was written, until it is dropped."""
    arm = Cloud()
    found = at_place(arm)
    record = Record(deployment="net", target="aci", current=3)
    found.keep(record)
    assert found.known() == record
    arm.there.clear()
    assert found.known() == record
    found.close()
    assert found.known() == Record(deployment="net", target="aci")


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        (IDENTITY, ref(IDENTITY, "properties.principalId")),
        (WORKSPACE := AT.id("log workspace", "net-logs"), {KEYS: WORKSPACE, "path": "primarySharedKey"}),
    ],
    ids=["a property", "a key"],
)
def test_what_is_not_to_be_seen_yet_is_looked_for_again(name: str, marked: dict[str, str]) -> None:
    """A resource with a property, or a key, of another that was made just now: the step is tried again."""
    arm = Cloud()
    made = Making(arm, at_place(arm), SimpleNamespace(push=None, build=None, remove=None), "me", print)  # type: ignore[arg-type]
    with pytest.raises(TransientError, match=f"{name.rpartition('/')[2]}: is not to be seen yet; try again"):
        made.put(resource=GROUP, body={"properties": {"x": marked}})
    assert GROUP not in arm.there


# Locks


class Failing(Cloud):
    """A cloud in which looks at what is there fail from some time on."""

    left = 0

    def settled(self, resource: str) -> dict[str, Any] | None:
        """Return a resource, as often as that works; then once it does not."""
        self.left -= 1
        if self.left == 0:
            raise TransientError("not reached")
        return self.find(resource)


def test_a_lock_that_is_not_taken_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written, and the look at which holds fails."""
    monkeypatch.setattr(notes, "_SETTLED_S", 0)
    arm = Failing()
    arm.left = 2
    with pytest.raises(TransientError):
        Notes(arm).take(AT, LOCK)
    assert arm.there == {}
    assert Notes(arm).take(AT, LOCK).process == LOCK.process
    assert [*arm.there] == [AT.lock]


@pytest.mark.parametrize("when", ["group", "lock"])
def test_a_group_is_not_left_by_who_is_interrupted(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while it is made for the lock, nor while the lock is taken."""
    monkeypatch.setattr(notes, "_SETTLED_S", 0)

    class Interrupted(Cloud):
        def settled(self, resource: str) -> dict[str, Any] | None:
            return self.find(resource)

        def put(self, resource: str, body: Mapping[str, Any]) -> None:
            super().put(resource, body)
            if (resource == AT.group_id) == (when == "group"):
                raise KeyboardInterrupt

    arm = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        at_place(arm).lock("net", LOCK)
    assert arm.there == {}


def test_a_group_that_was_made_for_the_lock_is_simply_there() -> None:
    """Whoever ended before it was noted: it is as it is, whether there is a record by now or not."""
    arm = Cloud((AT.group_id, OWN))
    for record in (None, Record(deployment="net", target="aci")):
        there = seen.resources(arm, AT, "aci", record)
        (found,) = seen.observed(AT, "aci", record, there, Groups(arm)).found
        body = {"location": "westeurope", "tags": OWN}
        assert [*put(Resource("resource group", AT.group_id, body), found)] == []
        (step,) = put(Resource("resource group", AT.group_id, {**body, "tags": {**OWN, "team": "a"}}), found)
        assert [change.property for change in step.changes] == ["tags.team"]


class Inside:
    """A cluster that cannot be locked, or not be unlocked."""

    def __init__(self, fails: str) -> None:
        self._fails = fails

    def lock(self, _deployment: str, lock: Lock) -> Lock:
        """Take the lock."""
        if self._fails == "lock":
            raise OpdeployError("no lock")
        return lock.model_copy(update={"process": "another"}) if self._fails == "another" else lock

    def unlock(self, _deployment: str, _lock: Lock) -> None:
        """Give the lock back."""
        if self._fails == "unlock":
            raise OpdeployError("no unlock")


class OfCluster(Clustered):
    """The place of a cluster, which is there."""

    def __init__(self, arm: Arm, inside: Inside) -> None:
        settings = Deploy.model_validate({"target": "aks-cpu", "azure": {"resource_group": "models"}})
        clusters: Any = SimpleNamespace(there=lambda _at: {}, inside=lambda _at: inside, api_key=lambda _at: None)
        super().__init__(arm, settings, "aks-cpu", SimpleNamespace(builds_here=False), run=clusters)
        self.where("net")

    def _why_not(self, _there: dict[str, Any]) -> str | None:
        return None


@pytest.mark.parametrize("fails", ["", "lock", "another", "unlock"])
def test_of_two_locks_both_are_held_or_none(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """That in Azure is given back whatever the one in the cluster comes to."""
    monkeypatch.setattr(notes, "_SETTLED_S", 0)
    arm = Cloud((AT.group_id, {}))
    found = OfCluster(arm, Inside(fails))
    if fails == "lock":
        with pytest.raises(OpdeployError, match="no lock"):
            found.lock("net", LOCK)
    else:
        assert (found.lock("net", LOCK).process == LOCK.process) == (fails != "another")
    assert (AT.lock in arm.there) == (fails in {"", "unlock"})
    if fails == "unlock":
        with pytest.raises(OpdeployError, match="no unlock"):
            found.unlock("net", LOCK)
    else:
        found.unlock("net", LOCK)
    assert AT.lock not in arm.there


# What a person is told

REGISTRY = AT.id("container registry", "me")
ASSIGNED = f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/6b05817c-603c-5856-af1c-f69a64a49d89"
ROLES = f"/subscriptions/{AT.subscription}/providers/Microsoft.Authorization/roleDefinitions"
ABOUT: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "role assignment": (
        {"properties": {"roleDefinitionId": f"{ROLES}/{ACR_PULL}", "principalId": "p"}},
        {"properties": {"principalId": ref(IDENTITY, "properties.principalId")}},
        "lets net-pull pull from me",
    ),
    "another role assignment": (
        {"properties": {"roleDefinitionId": f"{ROLES}/other", "principalId": "p"}},
        {},
        "lets p have the role other on me",
    ),
    "container group": (
        {"properties": {"containers": [{"properties": {"resources": {"requests": {"cpu": 0.5, "memoryInGB": 2}}}}]}},
        {},
        "0.5 CPU, 2 GB",
    ),
    "site": ({"properties": {"serverFarmId": AT.id("app service plan", "web")}}, {}, "on the plan web"),
    "app service plan": ({"sku": {"name": "P0v3", "capacity": 1}}, {}, "P0v3, machines: 1"),
    "identity": ({"properties": {}}, {}, ""),
}


@pytest.mark.parametrize("case", ABOUT)
def test_a_resource_is_told_in_a_few_words(case: str) -> None:
    """Whom a role lets do what, and where; how large something is."""
    item, body, said = ABOUT[case]
    resource = ASSIGNED if case.endswith("role assignment") else AT.id(case, "net")
    assert about(case.removeprefix("another "), {"id": resource, **item}, body) == said


@pytest.mark.parametrize(("state", "told"), [("Running", ["later"]), ("Stopped", ["before", "later"])])
def test_what_went_wrong_before_a_version_was_ready_is_not_told(state: str, told: list[str]) -> None:
    """While that runs: until it did, its probes failed."""
    at = {"before": "2026-11-26T00:00:00Z", "later": "2026-11-26T00:02:00.1234567Z"}
    events = [{"type": "Warning", "name": "x", "message": name, "lastTimestamp": when} for name, when in at.items()]
    group = {
        "id": GROUP,
        "tags": {**OWN, VERSION_TAG: "1"},
        "properties": {"instanceView": {"state": state, "events": events}},
    }
    kept = VERSION.model_copy(update={"ready": datetime(2026, 11, 26, 0, 1, tzinfo=UTC)})
    record = Record(deployment="net", target="aci", versions=(kept,), current=1)
    found = seen.observed(AT, "aci", record, {GROUP.lower(): group}, Groups(Cloud()))
    assert found.events == tuple(f"x: {name}" for name in told)


def test_when_a_version_was_ready_is_noted() -> None:
    """With that it works."""
    arm = Cloud()
    found = at_place(arm)
    found.keep(Record(deployment="net", target="aci", versions=(VERSION.model_copy(update={"proven": False}),)))
    Making(arm, found, SimpleNamespace(push=None, build=None, remove=None), "me", print).prove(number=1)  # type: ignore[arg-type]
    (kept,) = found.known().versions
    assert kept.proven
    assert kept.ready


# Images


def test_a_registry_is_asked_for_the_images_of_versions() -> None:
    """One that does not tell says nothing; the deployment's own is not asked once it is gone, with what it had."""
    place = at_place(Cloud())
    own = f"{place.at.registry.rpartition('/')[2]}.azurecr.io/net:1"
    kept = Version(**VERSION.model_dump(exclude={"keyed", "body", "ready"}), state="stopped", current=False)
    names = ["me.azurecr.io/net:1", "me.azurecr.io/net:2", "ghcr.io/me/net:1", own]
    versions = tuple(kept.model_copy(update={"image": name}) for name in names)
    found = Observed(target="aci", deployment="net", versions=versions)
    told = {names[0]: True, names[1]: False}
    assert place.stored(found, None) == {"images": {**told, own: False}}
    assert place.stored(found, {"id": "r"}) == {"images": told}


# API keys


def known(given: str | None, *, shows: bool, vault: str | None = None) -> Observed:
    """Return what is known of the key of a deployment that asks for one."""
    version = Version(**VERSION.model_dump(exclude={"keyed", "body", "ready"}), state="running", current=True)
    there = Observed(target="aci", deployment="net", versions=(version,), endpoint="http://net.example:8000")
    record = Record(deployment="net", target="aci", versions=(VERSION,), current=1, vault=vault)
    return Keys(Cloud().session, "aci", given, lambda _at: None).observed(AT, there, record, None, shows=shows)


@pytest.mark.parametrize("shows", [True, False])
def test_an_endpoint_is_shown_the_key_for_plans_alone(*, shows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lists deployments has the key of one, and shows it to none."""
    shown: list[tuple[str, str]] = []

    def taken(endpoint: str, key: str) -> bool:
        shown.append((endpoint, key))
        return False

    monkeypatch.setattr(keys, "_taken", taken)
    facts = known("the-key-of-another", shows=shows).facts["key"]
    assert isinstance(facts, dict)
    assert facts["fits"] is (False if shows else None)
    assert shown == ([("http://net.example:8000", "the-key-of-another")] if shows else [])


def test_looking_shows_no_endpoint_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployments that are listed, or looked at: only that which a plan is made for is asked."""
    shown: list[str] = []
    monkeypatch.setattr(keys, "_taken", lambda endpoint, _key: shown.append(endpoint))
    arm = Cloud((AT.group_id, {}), (GROUP, {**OWN, VERSION_TAG: "1"}))
    address = {"ip": "203.0.113.9", "ports": [{"port": 8000}]}
    arm.there[GROUP]["properties"] = {"instanceView": {"state": "Running"}, "ipAddress": address}
    found = at_place(arm, key="the-key-of-another")
    found.keep(Record(deployment="net", target="aci", versions=(VERSION,), current=1, made=(Made(id=GROUP),)))
    assert [item.endpoint for item in found.all("aci")] == ["http://203.0.113.9:8000"]
    found.observe("aci", "net")
    assert shown == []
    found.observe("aci", "net", pushed=True)
    assert shown == ["http://203.0.113.9:8000"]


@pytest.mark.parametrize("given", [None, "the-key-that-is-given"])
def test_a_vault_that_is_gone_is_told(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no name any more, and so does not answer: all else is known all the same."""

    def gone(_self: object, _name: str) -> None:
        raise TransientError(f"{VAULT}: Azure was not reached")

    monkeypatch.setattr(Vault, "get", gone)
    found = known(given, shows=False, vault=VAULT)
    facts = found.facts["key"]
    assert isinstance(facts, dict)
    assert (facts["known"], facts["why"]) == (given is not None, f"{VAULT}: Azure was not reached")
    assert found.events == (facts["why"],)
