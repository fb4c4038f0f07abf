"""Plans for web apps as data: what is there and what is wanted, and the steps that this leads to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy import targets
from opdeploy.clients.azure.sites import ended
from opdeploy.deploy.operate import require
from opdeploy.deploy.planning import mark, to_deploy, to_remove, to_roll_back
from opdeploy.errors import InputError, NotFoundError
from opdeploy.targets.azure import web
from opdeploy.targets.azure.planned import resources
from opdeploy.targets.azure.steps import proven
from opdeploy.targets.azure.template import template
from opdeploy.targets.webapp import WebApp
from tests.azure.imagined_web import NAME, SUBSCRIPTION, Imagined, wanted

if TYPE_CHECKING:
    from opdeploy.plan import Plan, Step

TARGET = targets.find("webapp")
CHECK, PROVE = "check check", "change prove"
BEGUN = ["change note", "create azure-build"]
TRIED = ["check check-next", "change azure-swap"]
FORGOTTEN = ["delete delete-slot-next", "delete forget"]
BASIC = {"sku": "B1"}


def lines(steps: tuple[Step, ...]) -> list[str]:
    """Return steps in short."""
    return [f"{step.action} {step.id}" for step in steps]


def planned(made: Imagined, want: dict[str, Any]) -> Plan:
    """Return the plan of a deployment."""
    return to_deploy(TARGET, wanted(**want), made.observe(), ())


def deployed(*wants: dict[str, Any]) -> Imagined:
    """Return a cloud to which something was deployed, one after the other."""
    made = Imagined()
    for want in wants:
        made.carry_out(planned(made, want).steps)
    return made


def differing(plan: Plan, name: str) -> dict[str, tuple[object, object]]:
    """Return what a step of a plan changes."""
    (step,) = (item for item in plan.steps if item.id == name)
    return {change.property: (change.before, change.after) for change in step.changes}


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[str]]] = {
    "nothing has changed": ([{}], {}, [CHECK]),
    "a longer time-out alone": ([{}], {"ready_s": 900.0}, [CHECK]),
    "another model": ([{}], {"model": "b"}, [*BEGUN, "create put-slot-next", *TRIED, CHECK, PROVE]),
    "a third model takes the slot": (
        [{}, {"model": "b"}],
        {"model": "c"},
        [*BEGUN, "change put-slot-next", *TRIED, CHECK, PROVE],
    ),
    "the one before is in the slot": ([{}, {"model": "b"}], {}, [*TRIED, CHECK, PROVE]),
    "one that only the record has": (
        [{}, {"model": "b"}, {"model": "c"}], {}, ["change put-slot-next", *TRIED, CHECK, PROVE]
    ),
    "settings that no swap takes along": (
        [{}],
        {"always_on": False},
        [*BEGUN, "create put-slot-next", *TRIED, "change put-site-net", "check check-net", CHECK, PROVE],
    ),
    "a larger plan alone": ([{}], {"sku": "P1v3"}, ["change put-app-service-plan-net", CHECK]),
    "a tier without slots": (
        [BASIC],
        {**BASIC, "model": "b"},
        [*BEGUN, "change put-site-net", "check check-net", CHECK, PROVE],
    ),
    "slots that are not wanted": (
        [{"slots": False}],
        {"slots": False, "model": "b"},
        [*BEGUN, "change put-site-net", "check check-net", CHECK, PROVE],
    ),
    "a tier without slots takes the slot away": (
        [{}, {"model": "b"}],
        {"model": "b", "sku": "B1"},
        ["delete delete-slot-next", "change put-app-service-plan-net", CHECK],
    ),
    "no version but one is kept": (
        [{}],
        {"model": "b", "keep": 1},
        [*BEGUN, "create put-slot-next", *TRIED, CHECK, PROVE, *FORGOTTEN],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_steps_of_a_plan(case: str) -> None:
    """What was deployed, what is wanted then, and the steps; once they are done, nothing is left to change."""
    before, want, steps = CASES[case]
    made = deployed(*before)
    found = planned(made, want)
    assert lines(found.steps) == steps
    made.carry_out(found.steps)
    assert not planned(made, want).changes
    assert [item.name for item in TARGET.drift(made.observe())] == []


def test_what_never_worked_gets_a_longer_time_out() -> None:
    """It is the same version, as all that decides how it runs is the same; the plan says how long is waited."""
    made = Imagined()
    first = planned(made, {})
    made.carry_out(step for step in first.steps if step.call != "azure.prove")
    steps = planned(made, {"ready_s": 900.0}).steps
    (title,) = (step.title for step in steps if step.id == "check-net")
    assert title == "wait up to 25 minutes until version 1 is ready, and ask it for the golden answers"
    body: Any = next(step for step in steps if step.id.startswith("put-site")).args["body"]
    assert web.start_s(body) == 900


def test_what_a_person_is_told_makes_no_plan_stale() -> None:
    """How many nodes there are, as a person is told it, moves by itself."""
    there = deployed({}).observe()
    told = tuple(item.model_copy(update={"about": "nodes: 3"}) for item in there.found)
    assert mark(there.model_copy(update={"found": told})) == mark(there)


def test_who_has_the_requests_is_no_change_where_it_is_the_same() -> None:
    """Before a version worked, none had them."""
    made = Imagined()
    made.carry_out(step for step in planned(made, {}).steps if step.call != "azure.prove")
    (step,) = (item for item in planned(made, {}).steps if item.id == "prove")
    assert [(change.before, change.after) for change in step.changes] == [(None, 1)]
    assert proven("net", 1, 1).changes == ()


def test_the_hint_of_an_error_finds_the_deployment() -> None:
    """It has the options that lead there, as every hint."""
    with pytest.raises(NotFoundError, match=r"see opdeploy history net --target webapp -g models$"):
        to_roll_back(TARGET, deployed({}).observe(), None, " -g models")
    with pytest.raises(NotFoundError, match=r"see opdeploy list --target webapp -g models$"):
        require(Imagined().observe(), " -g models")


def test_a_first_plan_makes_everything_in_order() -> None:
    """The site is made when its plan and the right to pull are there, and is waited for."""
    steps = planned(Imagined(), {}).steps
    kinds = [(step.action, step.kind) for step in steps if step.kind != "note"]
    assert kinds == [
        ("create", "resource group"),
        ("create", "container registry"),
        ("create", "identity"),
        ("create", "role assignment"),
        ("create", "image"),
        ("create", "app service plan"),
        ("create", "site"),
        ("check", "site"),
        ("check", "site"),
    ]


def test_a_plan_says_that_a_site_without_slots_is_changed_in_place() -> None:
    """Why, and what that means."""
    made = deployed(BASIC)
    (step,) = (item for item in planned(made, {**BASIC, "model": "b"}).steps if item.id == "put-site-net")
    assert "in place: it may not answer for a while" in step.title
    assert "the Basic tier has no slots" in step.title


def test_what_takes_over_in_place_is_awaited() -> None:
    """The version before may answer until then, and is not held against the answers of the new one."""
    made = deployed(BASIC)
    (step,) = (item for item in planned(made, {**BASIC, "model": "b"}).steps if item.id == "check-net")
    assert step.args["version"] == 2


def test_a_rollback_swaps_back() -> None:
    """Nothing is written but the swap and the record."""
    made = deployed({}, {"model": "b"})
    plan = to_roll_back(TARGET, made.observe(), None)
    assert lines(plan.steps) == [*TRIED, CHECK, PROVE]
    made.carry_out(plan.steps)
    assert made.observe().upstream == 1


def test_a_rollback_in_place_sets_the_earlier_image() -> None:
    """A tier without slots has nothing to swap with."""
    made = deployed(BASIC, {**BASIC, "model": "b"})
    plan = to_roll_back(TARGET, made.observe(), None)
    assert lines(plan.steps) == ["change put-site-net", "check check-net", CHECK, PROVE]
    changed = differing(plan, "put-site-net")
    assert {path.rpartition(".")[2] for path in changed} == {"linuxFxVersion", "value"}


def back(made: Imagined, plan: Plan) -> list[str]:
    """Return to what ran before a plan that failed, and the steps of that in short."""
    steps = tuple(TARGET.back(made.observe(), plan.before or 0, plan))
    made.carry_out(steps)
    return lines(steps)


def test_a_trial_that_failed_leaves_the_site_and_no_slot() -> None:
    """What was made for the new version goes, and nothing else is touched."""
    made = deployed({})
    plan = planned(made, {"model": "b"})
    made.carry_out(plan.steps[:3])
    assert made.observe().of("slot", "next")
    assert back(made, plan) == [CHECK, PROVE, "delete delete-slot-next", "delete forget"]
    assert made.observe().of("slot", "next") is None
    assert not planned(made, {}).changes


def test_a_version_that_failed_after_the_swap_is_swapped_back() -> None:
    """And removed with the slot that has it then."""
    made = deployed({})
    plan = planned(made, {"model": "b"})
    made.carry_out(plan.steps[:5])
    assert made.observe().upstream == 2
    assert back(made, plan) == [*TRIED, CHECK, PROVE, "delete delete-slot-next", "delete forget"]
    assert made.observe().upstream == 1
    assert not planned(made, {}).changes


@pytest.mark.parametrize("done", range(8))
def test_a_plan_that_was_interrupted_goes_on(done: int) -> None:
    """After each of its steps: the same number, and nothing that is done is done again."""
    made = deployed({})
    plan = planned(made, {"model": "b"})
    made.carry_out(plan.steps[:done])
    again = planned(made, {"model": "b"})
    assert again.version == 2
    names = lines(again.steps)
    assert ("create put-slot-next" in names) == (done < 3)
    assert ("change azure-swap" in names) == (done < 5)
    made.carry_out(again.steps)
    assert made.observe().upstream == 2
    assert not planned(made, {"model": "b"}).changes


def test_a_swap_that_goes_on_is_waited_for() -> None:
    """Who began it is gone, and it may end at any time: one plan is right before and after, and tries nothing."""
    made = deployed({})
    first = planned(made, {"model": "b"})
    made.carry_out(first.steps[:4])
    image = web.numbered(wanted(model="b").image, 2)
    made.record = made.known.model_copy(update={"swapping": image})
    plan = planned(made, {"model": "b"})
    assert lines(plan.steps) == [*BEGUN, "change azure-swap", "check check-net", CHECK, PROVE]
    made.swap(resource=wanted_site(), slot="next", image=image)
    after = planned(made, {"model": "b"})
    assert (after.observed, after.before, lines(after.steps)) == (plan.observed, plan.before, lines(plan.steps))


def test_a_swap_by_somebody_else_is_known_by_the_image() -> None:
    """The current version is that of the image that the site runs, whatever was noted; and it can be swapped again."""
    made = deployed({}, {"model": "b"})
    made.swap(resource=wanted_site(), slot="next", image=web.numbered(wanted().image, 1))
    assert made.known.current == 2
    observed = made.observe()
    assert observed.current
    assert observed.current.number == 1
    assert lines(planned(made, {"model": "b"}).steps) == [*TRIED, CHECK, PROVE]


def wanted_site() -> str:
    """Return the id of the site."""
    return web.site(wanted(), {}).id


def test_a_removal_takes_slot_site_and_plan_in_that_order() -> None:
    """What answers goes first."""
    made = deployed({}, {"model": "b"})
    plan = to_remove(TARGET, made.observe())
    kinds = [step.kind for step in plan.steps if step.call == "azure.delete"]
    assert kinds == [
        "slot", "site", "app service plan", "role assignment", "identity", "container registry", "resource group"
    ]  # fmt: skip


def test_a_plan_that_is_named_is_never_in_a_plan_of_ours() -> None:
    """It is neither made, nor changed, nor removed."""
    named = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shared/providers/Microsoft.Web/serverfarms/large"
    made = deployed({"plan": named})
    assert made.there[wanted_site().lower()]["properties"]["serverFarmId"] == named
    assert [step for step in to_remove(TARGET, made.observe()).steps if step.kind == "app service plan"] == []


SIZES: dict[str, tuple[dict[str, Any], str]] = {
    "the smallest that holds two": ({"memory": 1.0}, "P0v3"),
    "a larger one": ({"memory": 3.0}, "P1v3"),
    "one without a second server": ({"memory": 3.0, "slots": False}, "P0v3"),
    "one with more memory": ({"memory": 30.0}, "P3mv3"),
    "one that is named": ({"memory": 1.0, "sku": "S3"}, "S3"),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_size_is_chosen_by_memory(case: str) -> None:
    """Twice that of the model where a new version is tried beside the one that answers."""
    want, size = SIZES[case]
    assert web.offer(wanted(**want), {}).size == size


def test_no_key_and_no_app_setting_is_in_what_is_told() -> None:
    """The key stands as a name, and settings are not told of what is there."""
    made = deployed({"app_settings": {"LOG_LEVEL": "debug"}})
    observed = made.observe()
    site = observed.of("site", NAME)
    assert site
    assert [path for path in {**site.properties, **site.wanted} if "appSettings" in path] == []
    assert '"$secret": "api-key"' in json.dumps(made.known.model_dump(mode="json"))


def test_a_template_refers_to_the_identity_and_takes_the_key_as_a_parameter() -> None:
    """The client id is known when the identity is made."""
    made = template(WebApp().resources(wanted()))
    (site,) = (item for item in made["resources"] if item["type"] == "Microsoft.Web/sites")
    configured = site["properties"]["siteConfig"]
    assert configured["acrUserManagedIdentityID"].endswith("'full').properties.clientId]")
    assert {"name": "OPDEPLOY_API_KEYS", "value": "[parameters('apiKey')]"} in configured["appSettings"]
    assert any("Microsoft.Web/serverfarms" in name for name in site["dependsOn"])


LOGS: dict[str, tuple[list[str], int | None]] = {
    "nothing": ([], None),
    "it is ready": (['{"level":"info","message":"ready"}'], None),
    "it ended": (['{"level":"error","message":"other answers","exit_code":5}'], 5),
    "it ended and began again": (['{"level":"error","message":"no","exit_code":5}', '{"message":"listening"}'], None),
    "with the time before it": (['2026-11-26T10:00:00.1Z {"level":"error","exit_code":2}'], 2),
    "what App Service says of it": (
        ['{"exit_code":5}', "ERROR - Container net_0_1 for site net has exited, failing site start"], 5
    ),
    "an image that is not there": (["ERROR - Image pull failed. Image pull failed with ImageNotFoundFailure."], 1),
    "an error of a request": (['{"level":"error","message":"request failed"}'], None),
}  # fmt: skip


@pytest.mark.parametrize("case", LOGS)
def test_how_a_server_ended_is_read_from_its_log(case: str) -> None:
    """No exit code is told by App Service."""
    log, code = LOGS[case]
    assert ended(log) == code


def test_windows_is_refused_with_the_reason() -> None:
    """A Windows web app takes no Linux image."""
    with pytest.raises(
        InputError, match="webapp-windows: runs no Linux image, which is what opdeploy builds; take webapp"
    ):
        targets.find("webapp-windows")


FILES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, int]]] = {
    "a first version": ([], {}, {"site": 1}),
    "nothing has changed": ([{}, {"model": "b"}], {"model": "b"}, {"site": 2, "slot": 1}),
    "a second version": ([{}], {"model": "b"}, {"site": 2, "slot": 1}),
    "a third version": ([{}, {"model": "b"}], {"model": "c"}, {"site": 3, "slot": 2}),
    "one before is not kept": ([{"keep": 1}], {"model": "b", "keep": 1}, {"site": 2}),
    "in place": ([BASIC], {**BASIC, "model": "b"}, {"site": 2}),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_has_the_version_that_gets_the_requests(case: str) -> None:
    """And its slot the one before, with the app settings of each."""
    before, want, numbers = FILES[case]
    made = deployed(*before)
    found = {item.kind: item.body for item in resources(planned(made, want), made.observe())}
    running = {kind: found[kind] for kind in ("site", "slot") if kind in found}
    assert {kind: web.number_of(body) for kind, body in running.items()} == numbers
    for kind, body in running.items():
        assert {"name": "OPDEPLOY_VERSION", "value": str(numbers[kind])} in body["properties"]["siteConfig"][
            "appSettings"
        ]


def test_a_file_of_what_was_swapped_already_has_it_once() -> None:
    """An interrupted command swapped, and did not note it: the plan swaps again, which changes nothing then."""
    made = deployed({})
    plan = planned(made, {"model": "b"})
    swap = next(index for index, step in enumerate(plan.steps) if step.call == "azure.swap")
    made.carry_out(plan.steps[: swap + 1])
    made.record = made.known.model_copy(update={"swapping": plan.steps[swap].args["image"]})
    again = planned(made, {"model": "b"})
    assert [step.call for step in again.steps].count("azure.swap") == 1
    found = {item.kind: web.number_of(item.body) for item in resources(again, made.observe())}
    assert (found["site"], found["slot"]) == (2, 1)
