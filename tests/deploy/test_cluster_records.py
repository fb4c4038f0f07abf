"""The record of deployments in a cluster: what annotations tell, also after others had their hands on them."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from opdeploy.clients.kubernetes import records
from opdeploy.deployment import Lock
from opdeploy.targets.kubernetes.manifests import versioned
from opdeploy.targets.kubernetes.names import ARTEFACT, AT, BY, CONFIG, LOCK, NUMBER, PROVEN, WANTED
from tests.deploy.cluster_values import MADE, by_kind, wanted

Live = dict[str, Any]
EVERYTHING: dict[str, Any] = {
    "max_replicas": 3,
    "ingress_class": "nginx",
    "hostname": "a.example",
    "tls_secret": "t",
    "service_type": "NodePort",
}
BROKEN = ["", "{", "[]", "5", '{"metadata": {}}', '{"metadata": 1, "spec": {}}', "²"]
"""Texts that are no record."""


def served(manifest: Live) -> Live:
    """Return an object as a server gives it: with what it adds."""
    live = records.recorded(manifest)
    live["metadata"] |= {"uid": "u", "resourceVersion": "1", "creationTimestamp": MADE, "managedFields": [{}]}
    live["metadata"]["labels"]["of.others"] = "x"
    live["status"] = {"observedGeneration": 1}
    return live


def deployment(number: int, model: str = "a") -> Live:
    """Return the manifest of a Deployment that makes a version."""
    manifest = by_kind(wanted(model))["Deployment"]
    return records.signed(versioned(manifest, number, f"config {model}", f"artefact {model}"), "ann@here")


def replica_set(number: int, model: str = "a", *, name: str = "", replicas: int = 0) -> Live:
    """Return a ReplicaSet as the controller of Deployments makes it: with its annotations and pods."""
    manifest = deployment(number, model)
    template = deepcopy(manifest["spec"]["template"])
    template["metadata"]["labels"]["pod-template-hash"] = "x"
    annotations = records.recorded(manifest)["metadata"]["annotations"]
    return {
        "metadata": {"name": name or f"m-{number}", "creationTimestamp": MADE, "annotations": annotations},
        "spec": {"replicas": replicas, "template": template},
    }


@pytest.mark.parametrize("kind", [kind for kind in by_kind(wanted(**EVERYTHING)) if kind != "Namespace"])
def test_what_was_applied_is_read_again(kind: str) -> None:
    """To the letter, whatever the server added; and an object that is as it was applied has no drift."""
    manifest = by_kind(wanted(**EVERYTHING))[kind]
    before = deepcopy(manifest)
    live = served(manifest)
    found = records.found(kind, live)
    assert manifest == before
    assert (found.kind, found.name, found.made) == (kind, "m", manifest)
    assert (found.wanted, found.properties, found.drift()) == ({}, {}, ())
    assert records.recorded(manifest) == records.recorded(json.loads(json.dumps(manifest)))


def test_a_record_keeps_what_else_is_annotated() -> None:
    """Of the manifest, and what is said beside it; neither is part of what was applied."""
    manifest = {"kind": "Service", "metadata": {"name": "m", "annotations": {"a": "1"}}, "spec": {"type": "ClusterIP"}}
    made = records.recorded(manifest, {"b": "2"})
    assert made["metadata"]["annotations"] == {"a": "1", "b": "2", WANTED: made["metadata"]["annotations"][WANTED]}
    assert records.wanted(made) == manifest


def test_pods_say_who_made_them_and_when() -> None:
    """Beside what they are; the manifest itself stays as it was."""
    manifest = versioned(by_kind(wanted())["Deployment"], 3, "config", "artefact")
    before = deepcopy(manifest)
    annotations = records.signed(manifest, "ann@here")["spec"]["template"]["metadata"]["annotations"]
    assert manifest == before
    assert {annotations[key] for key in (NUMBER, CONFIG, ARTEFACT, BY)} == {"3", "config", "artefact", "ann@here"}
    assert (datetime.now(UTC) - datetime.fromisoformat(annotations[AT])).total_seconds() < 60


@pytest.mark.parametrize(
    ("path", "to", "drift"),
    [
        (("spec", "ports", 0, "port"), 81, {"spec.ports[http].port": (80, 81)}),
        (("spec", "type"), "ClusterIP", {"spec.type": ("NodePort", "ClusterIP")}),
        (("metadata", "labels", "opdeploy.name"), "n", {"metadata.labels.opdeploy.name": ("m", "n")}),
        (("spec", "sessionAffinity"), "ClientIP", {}),
        (("metadata", "annotations", "of.others"), "x", {}),
        (
            ("spec", "ports"),
            [{"name": "web", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            {
                "spec.ports[http].name": ("http", None),
                "spec.ports[http].port": (80, None),
                "spec.ports[http].targetPort": ("http", None),
                "spec.ports[http].protocol": ("TCP", None),
            },
        ),
    ],
)
def test_drift_is_told_by_property(
    path: tuple[str | int, ...], to: object, drift: dict[str, tuple[object, object]]
) -> None:
    """Of what was asked for, and of nothing that others added."""
    live: Any = served(by_kind(wanted(**EVERYTHING))["Service"])
    at = live
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    found = records.found("Service", live)
    assert {change.property: (change.before, change.after) for change in found.drift()} == drift
    assert found.made == by_kind(wanted(**EVERYTHING))["Service"]


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", [WANTED, NUMBER, AT, PROVEN])
def test_an_annotation_that_others_broke_keeps_nothing_from_being_read(name: str, text: str) -> None:
    """It tells nothing then: what is applied next writes it anew."""
    live = served(deployment(1))
    item = replica_set(1, replicas=1)
    for of in (live, item):
        home = of if name in {WANTED, PROVEN} else of["spec"]["template"]
        home["metadata"]["annotations"][name] = text
    assert records.found("Deployment", live).name == "m"
    assert records.replicas(item).name == "m-1"
    assert len(records.versions(live, [item], None)) == (0 if name == NUMBER and text != "5" else 1)
    assert records.numbers(live) == ({5} if (name, text) == (PROVEN, "5") else set())


def test_an_object_without_a_record_has_no_drift() -> None:
    """As one that was applied from files: nothing says what it was asked to be."""
    live = by_kind(wanted())["Service"]
    found = records.found("Service", live)
    assert (found.made, found.drift()) == ({}, ())


def test_versions_are_those_of_the_replica_sets() -> None:
    """The oldest first, with who made them; the proven ones are those that the Deployment notes."""
    live = served(deployment(2, "b"))
    live["metadata"]["annotations"][PROVEN] = "1,2"
    one, two, three = records.versions(live, [replica_set(3, "c"), replica_set(1), replica_set(2, "b", replicas=1)], 2)
    assert [(item.number, item.current, item.proven, item.state) for item in (one, two, three)] == [
        (1, False, True, "stopped"),
        (2, True, True, "running"),
        (3, False, False, "stopped"),
    ]
    assert (two.resource, two.config, two.artefact, two.image) == ("m-2", "config b", "artefact b", wanted("b").image)
    assert two.by == "ann@here"
    assert two.at.tzinfo is not None


@pytest.mark.parametrize("upstream", [None, 1, 2, 7])
def test_the_version_that_requests_are_sent_to_is_current(upstream: int | None) -> None:
    """Which the last one need not be; none is, where there is no Service, or that version is not there any more."""
    found = records.versions(served(deployment(2, "b")), [replica_set(1), replica_set(2, "b")], upstream)
    assert [item.number for item in found if item.current] == ([upstream] if upstream in {1, 2} else [])


def test_a_version_whose_pods_are_about_to_be_made_is_told() -> None:
    """The Deployment knows it before there is a ReplicaSet of it."""
    one, two = records.versions(served(deployment(2, "b")), [replica_set(1)], 2)
    assert (one.current, two.current, two.resource, two.number) == (False, True, "m", 2)


@pytest.mark.parametrize("edited_first", [True, False])
def test_of_two_with_one_number_the_one_that_is_as_it_was_made_counts(*, edited_first: bool) -> None:
    """Others changed the pods of the Deployment, which made another ReplicaSet with the same annotations."""
    edited = replica_set(1, name="m-edited", replicas=1)
    edited["spec"]["template"]["spec"]["containers"][0]["image"] = "evil.example/x:1"
    sets = [edited, replica_set(1)] if edited_first else [replica_set(1), edited]
    (found,) = records.versions(served(deployment(1)), sets, 1)
    assert (found.resource, found.image, found.state) == ("m-1", wanted().image, "stopped")
    told = {change.property: change.after for change in records.replicas(edited).drift()}
    assert told == {"template.spec.containers[server].image": "evil.example/x:1"}
    assert records.replicas(edited).passing


def test_a_replica_set_of_others_is_no_version() -> None:
    """It has no number."""
    of_others = {
        "metadata": {"name": "x", "creationTimestamp": MADE},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [{"image": "x"}]}}},
    }
    assert records.versions(None, [of_others], None) == ()
    assert records.number(of_others) is None


def test_a_version_that_does_not_say_who_made_it_has_the_time_of_its_object() -> None:
    """As where others removed the annotations."""
    item = replica_set(1)
    for key in (AT, BY):
        del item["spec"]["template"]["metadata"]["annotations"][key]
    (found,) = records.versions(None, [item], None)
    assert (found.by, found.at) == ("?", datetime.fromisoformat(MADE))


@pytest.mark.parametrize(
    ("trial", "shown"), [("m-trial", {"state": "ready", "version": "1", "restarts": 2}), ("m-1-x", {})]
)
def test_a_pod_is_described_by_what_it_says(trial: str, shown: dict[str, object]) -> None:
    """One that was made for a trial decides about plans, and so says nothing that changes by itself."""
    template = replica_set(1)["spec"]["template"]
    item = {
        "metadata": {**template["metadata"], "name": "m-1-x"},
        "spec": {**template["spec"], "nodeName": "n1"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "server", "restartCount": 2, "state": {"running": {}}}],
        },
    }
    found = records.pod(item, trial)
    assert (found.kind, found.name, found.passing) == ("Pod", "m-1-x", bool(shown))
    assert found.properties == (shown | {"image": wanted().image, "node": "n1"} if shown else {})


def test_a_lock_is_a_lease_with_its_text() -> None:
    """It is read again as it was written; a Lease of others is none."""
    lock = Lock(owner="ann@here", since=datetime(2026, 11, 26, tzinfo=UTC), doing="deploy", process="here 1 2 3")
    lease: Live = {"metadata": {"name": "m", "annotations": {LOCK: lock.model_dump_json()}}}
    assert records.lock(lease) == lock
    assert records.lock({"metadata": {"name": "m"}}) is None
    assert records.lock({"metadata": {"name": "m", "annotations": None}}) is None


@pytest.mark.parametrize("text", BROKEN)
def test_a_lease_with_another_text_is_none_of_ours(text: str) -> None:
    """And so is told as one that opdeploy did not make."""
    assert records.lock({"metadata": {"name": "m", "annotations": {LOCK: text}}}) is None
