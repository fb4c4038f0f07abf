"""Plans for a cluster: cases of what exists and what is wanted, each with the steps that it leads to."""

from __future__ import annotations

import itertools
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy import targets
from opdeploy.clients.kubernetes import records
from opdeploy.deploy.planning import mark, to_deploy, to_remove, to_roll_back
from opdeploy.targets.kubernetes.manifests import properties
from opdeploy.targets.kubernetes.names import CONFIG, NUMBER
from tests.deploy.cluster_values import MADE, NAME, Imagined, by_kind, wanted

if TYPE_CHECKING:
    from pydantic import JsonValue

    from opdeploy.deployment import Observed
    from opdeploy.plan import Plan, Step

TARGET = targets.find("aks-cpu")
CHECKS = ["check rollout", "check check-server", "check check"]
TRIED = ["create try", "check start-m-trial", "check check-m-trial", "delete drop-m-trial"]
BUILT = ["create image", "create push"]
NAMED = {"hostname": "a.example", "tls_secret": "t"}
INGRESS = {"ingress_class": "nginx", **NAMED}
GATEWAY = {"gateway_class": "istio", **NAMED}
PUBLIC = {"service_type": "LoadBalancer"}
OPEN = {**PUBLIC, "no_key": True}


def lines(steps: tuple[Step, ...]) -> list[str]:
    """Return steps in short."""
    return [f"{step.action} {step.id}" for step in steps]


def deployed(*wants: dict[str, Any], **cluster: Any) -> Imagined:  # noqa: ANN401 - what the cluster has
    """Return a cluster to which something was deployed, one after the other."""
    made = Imagined(**cluster)
    for want in wants:
        made.carry_out(planned(made, want).steps)
    made.done.clear()
    return made


def planned(made: Imagined, want: dict[str, Any]) -> Plan:
    """Return the plan of a deployment."""
    return to_deploy(TARGET, wanted(**want), made.observe(), ())


def differing(step: Step) -> dict[str, tuple[object, object]]:
    """Return what a step changes."""
    return {change.property: (change.before, change.after) for change in step.changes}


def asked_for(observed: Observed) -> dict[str, JsonValue]:
    """Return what every object was applied as, by kind and path, but for what comes and goes by itself."""
    return {
        f"{item.kind} {path}": value
        for item in observed.found
        if not item.passing
        for path, value in {"": True, **properties(item.made)}.items()
    }


def kinds_of(observed: Observed) -> set[str]:
    """Return the kinds of the objects that there are."""
    return {item.kind for item in observed.found if not item.passing}


DEPLOYED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[str], int]] = {
    "nothing is there": (
        [],
        {},
        [
            "create apply-Namespace", *BUILT, "create apply-NetworkPolicy", "create apply-Deployment", "check rollout",
            "check check-server", "change prove", "create apply-Service", "create apply-PodDisruptionBudget",
            "check check",
        ],
        1,
    ),
    "nothing is there, and a key is needed": (
        [],
        {**PUBLIC, "max_replicas": 3},
        [
            "create apply-Namespace", *BUILT, "create apply-Secret", "create apply-NetworkPolicy",
            "create apply-Deployment", "check rollout", "check check-server", "change prove", "create apply-Service",
            "create apply-HorizontalPodAutoscaler", "create apply-PodDisruptionBudget", "check exposed", "check check",
        ],
        1,
    ),
    "the same again": ([{}], {}, CHECKS, 1),
    "the same again, autoscaled": ([{"max_replicas": 3}], {"max_replicas": 3}, CHECKS, 1),
    "the same again, keyed": ([PUBLIC], PUBLIC, [*CHECKS[:2], "check exposed", CHECKS[2]], 1),
    "a new model is tried first": (
        [{}],
        {"model": "b"},
        [
            *BUILT, *TRIED, "change apply-Deployment", "check rollout", "change prove", "check check",
            "delete clear-here",
        ],
        2,
    ),
    "another number of pods is no new version": ([{}], {"replicas": 3}, ["change apply-Deployment", *CHECKS], 1),
    "another way to reach it is no new version": (
        [OPEN],
        {"no_key": True, "service_type": "NodePort"},
        [*CHECKS[:2], "change apply-Service", "check exposed", "check check"],
        1,
    ),
    "an autoscaler is no new version": (
        [{}],
        {"max_replicas": 2},
        ["change apply-Deployment", *CHECKS[:2], "create apply-HorizontalPodAutoscaler", "check check"],
        1,
    ),
    "an ingress without a key is no new version": (
        [{}], {**INGRESS, "no_key": True}, [*CHECKS[:2], "create apply-Ingress", "check check"], 1,
    ),
    "more memory is a new version": (
        [{}],
        {"memory": 2.0},
        [
            *BUILT, *TRIED, "change apply-Deployment", "check rollout", "change prove", "check check",
            "delete clear-here",
        ],
        2,
    ),
    "a kept version is not built, and not tried again": (
        [{}, {"model": "b"}], {}, ["change apply-Deployment", *CHECKS], 1,
    ),
    "an autoscaler is not asked for any more": (
        [{"max_replicas": 2}],
        {},
        ["change apply-Deployment", *CHECKS, "delete remove-HorizontalPodAutoscaler-m"],
        1,
    ),
    "a gateway instead of an ingress": (
        [INGRESS],
        GATEWAY,
        [
            *CHECKS[:2], "create apply-HTTPRoute", "create apply-Gateway", "check check", "delete remove-Ingress-m",
        ],
        1,
    ),
}  # fmt: skip
"""What was deployed, what is wanted, the steps that follow, and the version."""


@pytest.mark.parametrize(("before", "want", "steps", "version"), DEPLOYED.values(), ids=list(DEPLOYED))
def test_a_deployment_takes_these_steps(
    before: list[dict[str, Any]], want: dict[str, Any], steps: list[str], version: int
) -> None:
    """And they can be carried out: they lead to what is wanted, and the same plan has no changes then."""
    made = deployed(*before)
    plan = planned(made, want)
    assert (lines(plan.steps), plan.version) == (steps, version)
    assert plan.first == (not before)
    made.carry_out(plan.steps)
    after = made.observe()
    assert after.current == after.version(version)
    assert after.current
    assert (after.current.proven, after.current.state) == (True, "running")
    assert kinds_of(after) == {*by_kind(wanted(**want))} - {"Namespace"}
    assert not planned(made, want).changes
    assert [*TARGET.drift(after)] == []


@pytest.mark.parametrize(
    ("spare", "tried", "surge"), [(0, False, (0, 1)), (1, True, (1, 0))], ids=["no GPU is spare", "a GPU is spare"]
)
def test_a_version_that_needs_a_gpu_is_tried_where_one_is_spare(
    spare: int, surge: tuple[int, int], *, tried: bool
) -> None:
    """Else it would wait for the GPU of the version that answers: neither is it tried, nor started beside that."""
    made = deployed({"target": "aks-gpu"})
    made.facts["spare_gpus"] = spare
    plan = planned(made, {"target": "aks-gpu", "model": "b"})
    assert [line for line in lines(plan.steps) if line in TRIED] == (TRIED if tried else [])
    (rolled,) = (step for step in plan.steps if step.id == "apply-Deployment")
    manifest: Any = rolled.args["manifest"]
    update = manifest["spec"]["strategy"]["rollingUpdate"]
    assert (update["maxSurge"], update["maxUnavailable"]) == surge
    assert ("check check-server" in lines(plan.steps)) != tried


def test_a_new_version_says_what_it_is() -> None:
    """To who asks its pods, and to who looks at them later; its number is not used again."""
    made = deployed({})
    asked = wanted("b")
    plan = planned(made, {"model": "b"})
    (step,) = (step for step in plan.steps if step.call == "kubernetes.apply_version")
    manifest: Any = step.args["manifest"]
    template = manifest["spec"]["template"]
    told = template["metadata"]["annotations"]
    assert (told[NUMBER], told[CONFIG]) == ("2", TARGET.config(asked))
    assert {"name": "OPDEPLOY_VERSION", "value": "2"} in template["spec"]["containers"][0]["env"]
    assert not [
        change for change in step.changes if "opdeploy." in change.property and "annotations" in change.property
    ]
    made.objects = {key: item for key, item in made.objects.items() if key[0] != "ReplicaSet"}
    made.edit("Deployment", "spec", "template", "metadata", "annotations", NUMBER, to="7")
    assert planned(made, {"model": "c"}).version == 8


DRIFTS: dict[str, tuple[str, tuple[str | int, ...], object, dict[str, tuple[object, object]]]] = {
    "a port of the Service": (
        "Service", ("spec", "ports", 0, "port"), 81, {"spec.ports[http].port": (81, 80)},
    ),
    "the number of pods": ("Deployment", ("spec", "replicas"), 5, {"spec.replicas": (5, 1)}),
    "the image of the pods": (
        "Deployment",
        ("spec", "template", "spec", "containers", 0, "image"),
        "evil.example/x:1",
        {"spec.template.spec.containers[server].image": ("evil.example/x:1", wanted().image)},
    ),
    "a label that was taken away": (
        "PodDisruptionBudget",
        ("metadata", "labels"),
        {},
        {f"metadata.labels.{key}": (None, value) for key, value in
         by_kind(wanted())["PodDisruptionBudget"]["metadata"]["labels"].items()},
    ),
    "more that may reach it": (
        "NetworkPolicy", ("spec", "policyTypes"), ["Ingress"],
        {"spec.policyTypes": (["Ingress"], ["Ingress", "Egress"])},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "to", "changed"), DRIFTS.values(), ids=list(DRIFTS))
def test_what_others_changed_is_applied_again(
    kind: str, path: tuple[str | int, ...], to: object, changed: dict[str, tuple[object, object]]
) -> None:
    """With the change shown, of the same version; what they added beside is left alone."""
    made = deployed({})
    made.edit(kind, *path, to=to)
    made.edit(kind, "spec", "extra", to="of others")
    (drifted,) = TARGET.drift(made.observe())
    assert (drifted.kind, drifted.name) == (kind, NAME)
    plan = planned(made, {})
    (step,) = (step for step in plan.steps if step.action != "check")
    assert (step.id, step.action, differing(step)) == (f"apply-{kind}", "change", changed)
    assert plan.version == 1
    made.carry_out(plan.steps)
    assert not planned(made, {}).changes


def test_a_rollout_that_goes_on_by_itself_changes_nothing() -> None:
    """That of an interrupted command: its plan is as right once pods are ready as it was before; all else counts."""
    made = deployed({})
    steps = [step.id for step in planned(made, {"model": "b"}).steps]
    made.carry_out(planned(made, {"model": "b"}).steps[: steps.index("rollout")])
    made.ready = 1
    plan = planned(made, {"model": "b"})
    assert lines(plan.steps)[: len(TRIED)] == TRIED
    made.ready = None  # the new one's are, too
    assert mark(made.observe()) == plan.observed
    made.carry_out(plan.steps)
    assert not planned(made, {"model": "b"}).changes
    assert mark(made.observe()) != plan.observed
    proven = mark(made.observe())
    made.edit("Deployment", "spec", "replicas", to=5)
    assert mark(made.observe()) != proven


@pytest.mark.parametrize("was_ready", [None, 1])
def test_what_somebody_else_made_current_counts(was_ready: int | None) -> None:
    """It goes on by itself, too, but nobody who agreed to the plan knew of it."""
    made = deployed({}, {"model": "b"})
    made.ready = was_ready
    plan = planned(made, {"model": "c"})
    made.carry_out(to_roll_back(TARGET, made.observe(), 1).steps)
    assert mark(made.observe()) != plan.observed


@pytest.mark.parametrize("kind", ["Deployment", "Service", "NetworkPolicy"])
def test_what_others_removed_is_made_again(kind: str) -> None:
    """And is told as drift until then."""
    made = deployed({})
    del made.objects[kind, NAME]
    (missing,) = TARGET.drift(made.observe())
    assert (missing.kind, missing.properties) == (kind, {"exists": False})
    made.carry_out(planned(made, {}).steps)
    assert [*TARGET.drift(made.observe())] == []


def test_what_an_interrupted_trial_left_is_cleared_first() -> None:
    """Its pod goes before the next one is made, even where there is nothing else to do."""
    made = deployed({})
    plan = planned(made, {"model": "b"})
    at = lines(plan.steps).index("create try")
    made.carry_out(plan.steps[: at + 1])
    again = planned(made, {"model": "b"})
    told = lines(again.steps)
    assert told.index("delete remove-Pod-m-trial") < told.index("create try")
    assert lines(planned(made, {}).steps) == ["delete remove-Pod-m-trial", *CHECKS]
    made.carry_out(again.steps)
    assert made.observe().of("Pod", "m-trial") is None


def test_a_trial_that_is_about_to_be_gone_may_go_meanwhile() -> None:
    """As where a command was interrupted that removed it: the plan waits until it is gone."""
    made = deployed({})
    plan = planned(made, {"model": "b"})
    made.carry_out(plan.steps[: lines(plan.steps).index("create try") + 1])
    made.objects["Pod", "m-trial"]["metadata"]["deletionTimestamp"] = MADE
    ending = planned(made, {})
    assert lines(ending.steps) == ["delete remove-Pod-m-trial", *CHECKS]
    del made.objects["Pod", "m-trial"]
    assert mark(made.observe()) == ending.observed
    made.carry_out(ending.steps)


def test_a_rollout_that_was_interrupted_goes_on() -> None:
    """With the same version, which is not proven yet, so that it is asked."""
    made = deployed({})
    plan = planned(made, {"model": "b"})
    at = lines(plan.steps).index("change apply-Deployment")
    made.carry_out(plan.steps[: at + 1])
    again = planned(made, {"model": "b"})
    assert lines(again.steps) == ["check rollout", "check check-server", "change prove", "check check"]
    assert (again.version, again.unproven) == (2, True)


def test_a_rollback_takes_these_steps() -> None:
    """The version before answers, with the settings of now; what is kept is not tried again, and nothing is built."""
    made = deployed({"replicas": 2}, {"model": "b", "replicas": 3})
    plan = to_roll_back(TARGET, made.observe(), None)
    assert lines(plan.steps) == ["change apply-Deployment", *CHECKS]
    assert (plan.version, plan.before) == (1, 2)
    made.carry_out(plan.steps)
    after = made.observe()
    assert after.current == after.version(1)
    assert asked_for(after)["Deployment spec.replicas"] == 3
    assert [*TARGET.drift(after)] == []
    assert to_roll_back(TARGET, after, 2).version == 2


def test_a_rollback_to_a_version_with_a_key_has_its_secret() -> None:
    """A pod does not start that mounts a Secret which is gone: it is kept as long as a version needs it."""
    made = deployed(PUBLIC, {"model": "b"})
    made.carry_out(to_roll_back(TARGET, made.observe(), 1).steps)
    assert ("Secret", NAME) in made.objects


@pytest.mark.parametrize("first", [PUBLIC, INGRESS], ids=["a load balancer", "an ingress"])
def test_no_pod_answers_everyone_without_a_key(first: dict[str, Any]) -> None:
    """Where others shall not reach it any more, they do not before the key is not asked for any more."""
    made = deployed(first)
    for step in planned(made, {}).steps:
        made.carry_out([step])
        template = made.objects["Deployment", NAME]["spec"]["template"]
        is_open = made.objects["Service", NAME]["spec"]["type"] != "ClusterIP" or ("Ingress", NAME) in made.objects
        assert "volumes" in template["spec"] or not is_open, step.title


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "three": {"replicas": 3},
    "autoscaled": {"max_replicas": 4},
    "a load balancer": PUBLIC,
    "an ingress": INGRESS,
}


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(SETTINGS, 2)])
def test_all_is_as_before_after_a_failure_at_any_step(one: str, other: str) -> None:
    """But for the Secret, which may stay: what answered does, as it was asked for, and the failed version is gone."""
    start = deployed(SETTINGS[one])
    before = start.observe()
    plan = planned(start, {"model": "b", **SETTINGS[other]})
    for (number, step), is_done in itertools.product(enumerate(plan.steps), (False, True)):
        made = deepcopy(start)
        if step.cleanup or (is_done and step.action == "check"):  # a failure of which leads to no return
            continue
        made.carry_out(plan.steps[: number + is_done])
        made.carry_out(TARGET.back(made.observe(), 1, plan))
        after = made.observe()
        was, now = asked_for(before), asked_for(after)
        kept = {path for path in now if path.startswith("Secret ") and path not in was}
        assert [path for path in {**was, **now} if was.get(path) != now.get(path) and path not in kept] == [], (
            step.title
        )
        assert after.versions == before.versions, step.title


def test_what_failed_is_removed_last() -> None:
    """The Service is as before, and what was made is gone, before the endpoint is asked; then goes the ReplicaSet."""
    made = deployed({})
    plan = planned(made, {"model": "b", "port": 81, "max_replicas": 3})
    made.carry_out(plan.steps[:-2])
    steps = tuple(TARGET.back(made.observe(), 1, plan))
    assert lines(steps) == [
        "change apply-Deployment",
        "check rollout",
        "check check-server",
        "change apply-Service",
        "delete remove-HorizontalPodAutoscaler-m",
        "check check",
        "delete remove-ReplicaSet-m-2",
    ]
    assert [step.cleanup for step in steps] == [False] * 6 + [True]
    (service,) = (step for step in steps if step.kind == "Service" and step.action == "change")
    manifest: Any = service.args["manifest"]
    assert manifest["spec"]["ports"][0]["port"] == 80


def test_a_version_that_worked_once_is_kept_when_a_rollback_to_it_fails() -> None:
    """Only what never worked is removed."""
    made = deployed({}, {"model": "b"})
    plan = planned(made, {"replicas": 2})
    made.carry_out(plan.steps[:1])
    assert not [step for step in TARGET.back(made.observe(), 2, plan) if step.kind == "ReplicaSet"]


@pytest.mark.parametrize("namespace", ["own", "other"])
def test_a_teardown_ends_with_what_others_need(namespace: str) -> None:
    """What lets requests in goes first, then the pods, then what guards them; a namespace of others stays.

    The images here go before the last object, by which an interrupted removal is found.
    """
    made = deployed({**INGRESS, **GATEWAY, "max_replicas": 3}, namespace=None if namespace == "own" else namespace)
    plan = to_remove(TARGET, made.observe())
    order = [
        "Ingress", "HTTPRoute", "Gateway", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Deployment",
        "NetworkPolicy", *(["Secret", "image here", "Namespace"] if namespace == "own" else ["image here", "Secret"]),
    ]  # fmt: skip
    assert [step.kind for step in plan.steps] == order
    assert {step.action for step in plan.steps} == {"delete"}
    made.carry_out(plan.steps)
    assert (made.objects, made.namespace) == ({}, None if namespace == "own" else "other")
    assert to_remove(TARGET, made.observe()).steps == ()


def test_a_namespace_of_others_is_not_made() -> None:
    """And no step is about it."""
    made = Imagined(namespace="other")
    assert "Namespace" not in {step.kind for step in planned(made, {}).steps}


@pytest.mark.parametrize(
    ("want", "reach"),
    [
        ({}, (False, False, False)),
        (PUBLIC, (True, True, False)),
        (OPEN, (True, False, False)),
        ({"service_type": "NodePort"}, (True, True, False)),
        (INGRESS, (True, True, True)),
        ({"ingress_class": "nginx", "hostname": "a.example"}, (True, True, False)),
        (GATEWAY, (True, True, True)),
        ({**INGRESS, **PUBLIC}, (True, True, False)),
    ],
    ids=str,
)
def test_who_reaches_a_version_is_told(want: dict[str, Any], reach: tuple[bool, bool, bool]) -> None:
    """After a rollback as of the deployment itself."""
    made = deployed(want)
    asked = wanted(**want)
    assert (asked.public, asked.keyed, asked.tls) == reach
    assert TARGET.reach(made.observe(), 1) == reach


def test_an_api_that_a_cluster_lacks_has_no_step() -> None:
    """And what it lacks is no reason to go on changing."""
    made = deployed({"max_replicas": 3}, apis=["apps/v1", "networking.k8s.io/v1", "policy/v1beta1"])
    assert kinds_of(made.observe()) == {"Deployment", "Service", "NetworkPolicy"}
    assert not planned(made, {"max_replicas": 3}).changes


def test_the_key_is_in_no_plan() -> None:
    """A Secret that is there is not written again: its key stays."""
    made = Imagined()
    plan = planned(made, PUBLIC)
    (step,) = (step for step in plan.steps if step.kind == "Secret")
    assert step.model_dump(mode="json")["args"]["api_key"] == {"secret": "api-key"}
    made.carry_out(plan.steps)
    update = planned(made, {"model": "b", **PUBLIC})
    assert [step for step in update.steps if step.kind == "Secret"] == []
    (check,) = (step for step in update.steps if step.id == "check")
    assert check.args["auth"] is True
    assert records.wanted(made.objects["Secret", NAME]).keys().isdisjoint({"data", "stringData"})
