"""Plans for Container Apps: cases of what exists and what is wanted, each with the steps that it leads to."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy import targets
from opdeploy.deploy.planning import to_deploy, to_remove, to_roll_back
from opdeploy.errors import InputError
from opdeploy.plan import Secret
from opdeploy.targets.azure.planned import resources
from opdeploy.targets.azure.template import template
from opdeploy.targets.container_apps.bodies import APP, REVISION
from opdeploy.targets.container_apps.sizes import SIZES, replica
from tests.azure.apps_imagined import NAME, SUBSCRIPTION, Imagined, wanted

if TYPE_CHECKING:
    from opdeploy.plan import Plan
    from opdeploy.targets.container_apps.sizes import Size

TARGET = targets.find("container-apps")
GROUND = ["resource group", "note", "container registry", "identity", "role assignment", "image"]
BUILT = ["note", "image"]
ELSE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/theirs/providers"
SHARED = f"{ELSE}/Microsoft.App/managedEnvironments/shared"
SUBNET = f"{ELSE}/Microsoft.Network/virtualNetworks/n/subnets/s"
WORKSPACE = f"{ELSE}/Microsoft.OperationalInsights/workspaces/w"


def deployed(*wants: dict[str, Any]) -> Imagined:
    """Return a subscription to which something was deployed, one after the other."""
    made = Imagined()
    for want in wants:
        made.carry_out(planned(made, want).steps)
    return made


def planned(made: Imagined, want: dict[str, Any]) -> Plan:
    """Return the plan of a deployment."""
    return to_deploy(TARGET, wanted(**want), made.observe(), ())


def calls(plan: Plan) -> list[str]:
    """Return what steps call, without what is made before an app; of a check, what is asked."""
    ground = {"resource group", "container registry", "identity", "role assignment"}
    return [
        f"{step.call.partition('.')[2]} {step.kind}" if step.kind in {"note", "image"} else step.call.partition(".")[2]
        for step in plan.steps
        if step.kind not in ground
    ]


def changed(plan: Plan, step: str) -> dict[str, tuple[object, object]]:
    """Return what a step changes, by the last part of the properties' names."""
    (found,) = (item for item in plan.steps if item.call == f"azure.{step}")
    return {change.property.rpartition(".")[2]: (change.before, change.after) for change in found.changes}


FIRST = ["note note", "build image", "put", "revise", "server", "endpoint", "prove note"]
NEW = ["note note", "build image", "revise", "server", "serve", "endpoint", "prove note", "deactivate"]
SAME = [item for item in NEW if item != "build image"]
"""The steps of a version whose image is that of one which worked."""
DEPLOYED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[str], int]] = {
    "nothing is there": ([], {}, FIRST, 1),
    "logs are kept in a workspace of its own": (
        [],
        {"workspace": "own"},
        ["note note", "build image", "put", "put", "revise", "server", "endpoint", "prove note"],
        1,
    ),
    "an environment of others is used": (
        [],
        {"environment": SHARED},
        [item for item in FIRST if item != "put"],
        1,
    ),
    "nothing has changed": ([{}], {}, ["endpoint"], 1),
    "another model": ([{}], {"bundle": "2" * 64}, [*NEW], 2),
    "more replicas make a revision": ([{}], {"max_replicas": 20}, [*NEW], 2),
    "another profile is added to the environment": (
        [{}],
        {"profile": "D4"},
        ["note note", "build image", "put", *NEW[2:]],
        2,
    ),
    "who reaches it is of the app": ([{}], {"external": False, "keyed": True}, ["serve", "endpoint"], 1),
    "no key is asked for any more": ([{}], {"keyed": False}, [*NEW], 2),
    "the model before the last": (
        [{}, {"bundle": "2" * 64}],
        {},
        ["activate", "server", "serve", "endpoint", "prove note", "deactivate"],
        1,
    ),
    "more versions than are kept": (
        [{}, {"bundle": "2" * 64}],
        {"bundle": "3" * 64},
        [*NEW, "forget note"],
        3,
    ),
}


@pytest.mark.parametrize(("before", "want", "steps", "number"), DEPLOYED.values(), ids=DEPLOYED)
def test_a_deployment_has_these_steps(
    before: list[dict[str, Any]], want: dict[str, Any], steps: list[str], number: int
) -> None:
    """Carried out, it leaves one active revision with all requests, and nothing to do."""
    made = deployed(*before)
    plan = planned(made, want)
    assert calls(plan) == steps
    assert plan.version == number
    made.carry_out(plan.steps)
    assert [*made.traffic().values()] == [100]
    assert made.active() == [*made.traffic()]
    again = planned(made, want)
    assert not again.changes, [step.title for step in again.steps]
    assert [*TARGET.drift(made.observe())] == []


def test_a_new_revision_gets_no_request_before_it_is_asked() -> None:
    """What makes it leaves traffic, ingress and tags as they are; what sends requests comes after the check."""
    made = deployed({})
    plan = planned(made, {"bundle": "2" * 64, "external": False})
    (revised,) = (step for step in plan.steps if step.call == "azure.revise")
    body: dict[str, Any] = revised.args["body"]  # type: ignore[assignment]  # a body
    ingress = body["properties"]["configuration"]["ingress"]
    assert [item["revisionName"] for item in ingress["traffic"]] == [*made.traffic()]
    assert ingress["external"] is True
    assert body["tags"]["opdeploy-version"] == "1"
    told = changed(plan, "serve")
    assert told["external"] == (True, False)
    assert told["opdeploy-version"] == ("1", "2")


def test_a_version_that_failed_gets_another_revision() -> None:
    """A name is not for two: what is made of the same again has another, and is the one that runs."""
    made = deployed({})
    plan = planned(made, {"bundle": "2" * 64})
    made.carry_out(step for step in plan.steps if step.call in {"azure.note", "azure.revise"})
    back = [*TARGET.back(made.observe(), 1, plan)]
    made.carry_out(back)
    assert [step.call for step in back] == ["check.endpoint", "azure.prove", "azure.deactivate", "azure.forget"]
    assert len(made.active()) == 1
    again = planned(made, {"bundle": "2" * 64})
    assert again.version == 2
    made.carry_out(again.steps)
    assert len(made.revisions) == 3
    (now,) = made.traffic()
    assert now.endswith("-2")
    assert not planned(made, {"bundle": "2" * 64}).changes


def test_a_switch_that_was_refused_leaves_no_drift() -> None:
    """It was noted what the app was to be, and it is not: the return puts the note right."""
    made = deployed({})
    plan = planned(made, {"bundle": "2" * 64})
    made.carry_out(step for step in plan.steps if step.call in {"azure.note", "azure.revise"})
    (refused,) = (step for step in plan.steps if step.call == "azure.serve")
    resource, body = refused.args["resource"], refused.args["body"]
    made.made[str(resource)] = body  # type: ignore[assignment]  # a body
    made.carry_out(TARGET.back(made.observe(), 1, plan))
    assert [*TARGET.drift(made.observe())] == []
    assert not planned(made, {}).changes


def test_a_revision_that_fails_is_made_anew() -> None:
    """The same version runs as another revision; the one that fails is deactivated."""
    made = deployed({})
    (failed,) = made.revisions
    made.revisions[failed]["failed"] = True
    plan = planned(made, {})
    assert plan.version == 1
    assert calls(plan) == ["note note", "revise", "server", "serve", "endpoint", "prove note", "deactivate"]
    made.carry_out(plan.steps)
    assert failed not in made.active()


def test_another_key_takes_another_revision() -> None:
    """The same version runs as another revision, which is asked before it has the requests."""
    made = deployed({})
    (before,) = made.revisions
    made.facts["key"] = {"fits": False, "known": True}
    plan = planned(made, {})
    assert plan.version == 1
    assert calls(plan) == ["note note", "revise", "server", "serve", "endpoint", "prove note", "deactivate"]
    (revised,) = (step for step in plan.steps if step.call == "azure.revise")
    assert revised.args["api_key"] == Secret(secret="api-key")  # noqa: S106 - its name
    made.carry_out(plan.steps)
    made.facts["key"] = {"fits": True, "known": True}
    assert before not in made.active()
    assert not planned(made, {}).changes


def test_an_interrupted_update_goes_on_with_the_revision_that_is_there() -> None:
    """It is not made again, whatever it was that came last; the image may never have been built."""
    made = deployed({})
    whole = planned(made, {"bundle": "2" * 64})
    for count in range(len(whole.steps)):
        half = deepcopy(made)
        half.carry_out(whole.steps[:count])
        rest = planned(half, {"bundle": "2" * 64})
        assert rest.version == 2, count
        half.carry_out(rest.steps)
        assert half.active() == [*half.traffic()], count
        assert len(half.revisions) == 2, count
        assert not planned(half, {"bundle": "2" * 64}).changes, count


def test_a_rollback_activates_and_sends_requests_back() -> None:
    """It needs no image and no key; what ran is deactivated."""
    made = deployed({}, {"bundle": "2" * 64, "external": False})
    plan = to_roll_back(TARGET, made.observe(), None)
    assert calls(plan) == ["activate", "server", "serve", "endpoint", "prove note", "deactivate"]
    assert changed(plan, "serve")["external"] == (False, True)
    assert not any(step.args.get("api_key") for step in plan.steps)
    made.carry_out(plan.steps)
    assert [name.split("-")[2] for name in made.traffic()] == ["v1"]
    assert [*TARGET.drift(made.observe())] == []


def test_what_others_did_is_told_and_undone() -> None:
    """A revision by hand, requests that go there, the current one deactivated."""
    made = deployed({})
    (own,) = made.revisions
    made.revisions[f"{NAME}--canary"] = {"active": True}
    made.app()["properties"]["configuration"]["ingress"]["traffic"][0]["weight"] = 90
    told = {
        (item.kind, item.name): [change.property for change in item.drift()] for item in TARGET.drift(made.observe())
    }
    assert told == {
        (APP, NAME): ["properties.configuration.ingress.traffic[0].weight"],
        (REVISION, f"{NAME}--canary"): ["active"],
    }
    plan = planned(made, {})
    assert calls(plan) == ["serve", "endpoint", "deactivate"]
    made.carry_out(plan.steps)
    made.revisions[own]["active"] = False
    assert [item.name for item in TARGET.drift(made.observe())] == [own]
    assert calls(planned(made, {})) == ["activate", "server", "endpoint"]


def test_a_removal_goes_from_what_answers_to_the_group() -> None:
    """Environments and workspaces that were made go, and those of others stay."""
    made = deployed({"workspace": "own"})
    plan = to_remove(TARGET, made.observe())
    kinds = [step.kind for step in plan.steps if step.call == "azure.delete"]
    assert kinds[:3] == ["container app", "container app environment", "log workspace"]
    assert kinds[-1] == "resource group"
    made.carry_out(plan.steps)
    assert made.resources == {}
    others = deployed({"environment": SHARED})
    removed = [step.kind for step in to_remove(TARGET, others.observe()).steps]
    assert "container app environment" not in removed


PAIRS: dict[str, tuple[float, float | None, float, str]] = {
    "little of both": (0.25, 0.25, 0.25, "0.5Gi"),
    "a processor, if nothing is said": (0.5, None, 1.0, "2Gi"),
    "memory decides": (5.0, None, 2.5, "5Gi"),
    "processors decide": (1.0, 3.3, 3.5, "7Gi"),
    "as much as there is": (8.58, 4.0, 4.0, "8Gi"),
}


@pytest.mark.parametrize(("memory_gb", "cpus", "gets", "memory"), PAIRS.values(), ids=PAIRS)
def test_consumption_has_pairs(memory_gb: float, cpus: float | None, gets: float, memory: str) -> None:
    """A replica gets the smallest that has enough of both: GB are 10^9 bytes, Gi are 2^30."""
    assert replica(wanted(memory_gb=memory_gb, cpus=cpus)) == (gets, memory)


@pytest.mark.parametrize(("name", "size"), [item for item in SIZES.items() if item[1].gpu])
def test_a_gpu_comes_with_all_of_its_node(name: str, size: Size) -> None:
    """There is no part of one."""
    assert replica(wanted(gpu=True, profile=name)) == (size.cpus, f"{size.memory_gib}Gi")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "more memory than consumption has": ({"memory_gb": 12.0}, "take less, or deploy.container_apps.profile D4"),
    "more memory than there is": ({"memory_gb": 400.0}, "take less, or another platform: no profile has that much"),
    "more processors than consumption has": ({"cpus": 6}, "take fewer, or deploy.container_apps.profile D8"),
    "a GPU on a profile without one": ({"gpu": True, "profile": "D4"}, "D4 has no GPU; take Consumption-GPU-NC8as-T4"),
    "more replicas at least than at most": ({"min_replicas": 3, "max_replicas": 2}, "take fewer, or allow more"),
}


@pytest.mark.parametrize(("want", "said"), REFUSED.values(), ids=REFUSED)
def test_what_no_replica_can_be_is_refused(want: dict[str, Any], said: str) -> None:
    """The line says what to do instead."""
    with pytest.raises(InputError, match=said):
        planned(Imagined(), want)


def test_names_of_revisions_fit() -> None:
    """With the longest name of an app and a number of four digits they have no more than 54 characters."""
    made = deployed({})
    (name,) = made.revisions
    suffix = name.partition("--")[2]
    assert suffix[0].isalpha()
    assert "--" not in suffix
    assert 32 + len("--") + len(suffix) + len("000-10") <= 54


def test_the_template_has_no_secret() -> None:
    """Keys are asked for by an expression, the API key is a parameter, and ids are made of names."""
    made = template(TARGET.resources(wanted(workspace="own")))  # type: ignore[attr-defined]  # of AzureTarget
    text = json.dumps(made)
    assert made["parameters"] == {"apiKey": {"type": "secureString"}}
    assert "[parameters('apiKey')]" in text
    assert "listKeys(resourceId('Microsoft.OperationalInsights/workspaces', 'net-logs')" in text
    assert SUBSCRIPTION not in json.dumps([item for item in made["resources"] if item["type"].endswith("Apps")])


def test_a_subnet_makes_an_environment_internal() -> None:
    """Its network alone reaches it, so that no key is needed."""
    chosen = wanted(subnet=SUBNET, workspace=WORKSPACE)
    assert (chosen.public, chosen.tls) == (False, True)
    bodies = {item.kind: item.body for item in TARGET.resources(chosen)}  # type: ignore[attr-defined]  # of AzureTarget
    properties = bodies["container app environment"]["properties"]
    assert properties["vnetConfiguration"] == {"infrastructureSubnetId": SUBNET, "internal": True}
    assert "log workspace" not in bodies
    asks = f"[listKeys('{WORKSPACE}', '2025-07-01').primarySharedKey]"  # which is in another group
    assert asks in json.dumps(template(TARGET.resources(chosen)))  # type: ignore[attr-defined]  # of AzureTarget


FILES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], int]] = {
    "a first version": ([], {}, 1),
    "nothing has changed": ([{}], {}, 1),
    "a second version": ([{}], {"bundle": "2" * 64}, 2),
    "what asks for no key any more": ([{}], {"keyed": False}, 2),
    "an earlier version again": ([{}, {"bundle": "2" * 64}], {}, 1),
    "what is of the app alone": ([{}], {"external": False}, 1),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_has_the_version_that_gets_the_requests(case: str) -> None:
    """Whole: what it runs, its tags, and where requests go."""
    before, want, number = FILES[case]
    made = deployed(*before)
    plan = planned(made, want)
    (app,) = (item.body for item in resources(plan, made.observe()) if item.kind == APP)
    made.carry_out(plan.steps)
    assert {**made.app(), "properties": {**made.app()["properties"], "template": None}} == {
        **app,
        "properties": {**app["properties"], "template": None},
    }
    own = app["properties"]
    ((server,), (share,)) = own["template"]["containers"], own["configuration"]["ingress"]["traffic"]
    assert {"name": "OPDEPLOY_VERSION", "value": str(number)} in server["env"]
    assert share == {"revisionName": f"{NAME}--{own['template']['revisionSuffix']}", "weight": 100}
    assert app["tags"]["opdeploy-version"] == str(number)
