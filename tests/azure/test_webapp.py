"""Web apps of Azure, through the real SDKs, at a stand-in that runs the real server behind TLS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.arm import answers
from tests.azure.clouded import GROUP
from tests.azure.others import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.arm.arm import Seen
    from tests.arm.kinds import Resource
    from tests.azure.clouded import Clouded
    from tests.conftest import Ran

WEB = f"resourceGroups/{GROUP}/providers/Microsoft.Web"
SITE, SLOT = f"{WEB}/sites/net", f"{WEB}/sites/net/slots/next"


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project for a web app on a plan that has slots."""
    return clouded("webapp")


@pytest.fixture
def basic(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project for a web app on a plan that has none."""
    return clouded("webapp", webapp={"sku": "B1"})


def of_web(seen: list[Seen]) -> list[str]:
    """Return the requests to App Service in short, without reads of logs."""
    paths = [(item.method, item.path.partition("?")[0].partition("Microsoft.Web/")[2]) for item in seen]
    return [f"{method} {path}" for method, path in paths if path and "containerlogs" not in path]


def site_of(project: Clouded, path: str = SITE) -> Resource:
    """Return a site or slot, with what is never told of it."""
    return project.arm.resource(path)


def runs(project: Clouded, path: str = SITE) -> str:
    """Return the version that a site or slot runs, as its container is told."""
    return str(site_of(project, path).private["settings"]["OPDEPLOY_VERSION"])


def back(project: Clouded, *more: str) -> Ran:
    """Roll back."""
    return project.run("rollback", "--yes", *more)


def test_a_first_site_answers_over_tls_and_is_removed(project: Clouded) -> None:
    """From nothing, by HTTPS without being told to allow anything; then nothing is left, the plan included."""
    project.more = ()
    done = project.deploy()
    assert done.code == 0, done.err
    assert "net, version 1, answers at https://127." in done.out
    assert "plain HTTP" not in done.err
    assert project.versions() == {1: ("running", True)}
    assert project.status()["ready"]
    assert '"message":"ready"' in project.run("logs").out
    assert project.run("diff").code == 0
    assert "net" in project.run("list").out
    assert project.run("plan", "--detailed-exitcode").code == 0

    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert project.left() == []


def test_a_site_is_as_the_settings_say(clouded: Callable[..., Clouded]) -> None:
    """Plan, image by identity, health check, always on, port and variables, HTTPS only; the key is a setting."""
    settings = {"sku": "P1v3", "instances": 2, "app_settings": {"LOG_LEVEL": "info"}}
    project = clouded("webapp", webapp=settings)
    assert project.deploy().code == 0
    plan, site = project.arm.resource(f"{WEB}/serverfarms/net"), site_of(project)
    assert (plan.body["sku"]["name"], plan.body["sku"]["capacity"], plan.properties["reserved"]) == ("P1v3", 2, True)
    assert (site.properties["httpsOnly"], site.properties["serverFarmId"].lower()) == (True, plan.id.lower())
    identity = project.arm.resource(
        f"resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/net-pull"
    )
    configured = site.private["config"]
    told = {
        "linuxFxVersion": configured["linuxFxVersion"].partition("|")[0],
        **{name: configured[name] for name in ("alwaysOn", "healthCheckPath", "acrUseManagedIdentityCreds")},
        "client": configured["acrUserManagedIdentityID"],
    }
    assert told == {
        "linuxFxVersion": "DOCKER",
        "alwaysOn": True,
        "healthCheckPath": "/v2/health/ready",
        "acrUseManagedIdentityCreds": True,
        "client": identity.properties["clientId"],
    }
    variables = site.private["settings"]
    assert (variables["WEBSITES_PORT"], variables["LOG_LEVEL"]) == ("8000", "info")
    assert variables["OPDEPLOY_API_KEYS"] == project.key


def test_no_app_setting_is_read_and_no_key_is_kept(project: Clouded) -> None:
    """Nothing lists the settings of a site, and the key is in no record, plan or status."""
    assert project.deploy().code == 0
    project.model(seed=1)
    plan = project.run("plan", "-o", "json")
    assert project.deploy().code == 0
    status = project.run("status", "-o", "json")
    assert [item.path for item in project.arm.seen if "/list" in item.path and "/config/" in item.path] == []
    assert project.key
    kept = json.dumps([item.body for item in project.arm.seen if "/deployments/" in item.path.lower()])
    assert [text for text in (kept, plan.out, status.out) if project.key in text] == []


def test_an_unchanged_site_is_not_written(project: Clouded) -> None:
    """No request changes anything but the lock; the endpoint is asked all the same."""
    assert project.deploy().code == 0
    again: list[Ran] = []
    written = project.since(lambda: again.append(project.deploy()))
    assert again[0].code == 0, again[0].err
    assert "nothing has changed" in again[0].err
    assert written == []


def test_a_new_version_is_tried_in_a_slot_and_swapped_in(project: Clouded) -> None:
    """The site itself is never written; the version before stays in the slot, until the next takes its place."""
    assert project.deploy().code == 0
    project.model(seed=1)
    done: list[Ran] = []
    written = project.since(lambda: done.append(project.deploy()))
    assert done[0].code == 0, done[0].err
    assert of_web(written) == ["PUT sites/net/slots/next", "POST sites/net/slotsswap"]
    assert project.versions() == {1: ("running", False), 2: ("running", True)}
    assert (runs(project), runs(project, SLOT)) == ("2", "1")
    assert project.run("diff").code == 0
    assert project.run("plan", "--detailed-exitcode").code == 0
    project.model(seed=2)
    assert project.deploy().code == 0
    assert project.versions() == {1: ("stopped", False), 2: ("running", False), 3: ("running", True)}


def test_a_change_of_settings_alone_is_a_version_too(project: Clouded) -> None:
    """The image is the same but for its tag, by which a swapped site tells which version it runs."""
    assert project.deploy().code == 0
    project.workload(webapp={"app_settings": {"LOG_LEVEL": "debug"}})
    done = project.deploy()
    assert done.code == 0, done.err
    assert project.versions() == {1: ("running", False), 2: ("running", True)}
    assert site_of(project).private["settings"]["LOG_LEVEL"] == "debug"
    assert "LOG_LEVEL" not in site_of(project, SLOT).private["settings"]
    assert project.run("plan", "--detailed-exitcode").code == 0


def test_what_no_swap_takes_along_is_changed_after_it(project: Clouded) -> None:
    """Always on stays with a slot: the site is changed once it runs the new version."""
    assert project.deploy().code == 0
    project.workload(webapp={"always_on": False})
    done: list[Ran] = []
    written = project.since(lambda: done.append(project.deploy()))
    assert done[0].code == 0, done[0].err
    assert of_web(written)[:2] == ["PUT sites/net/slots/next", "POST sites/net/slotsswap"]
    assert site_of(project).private["config"]["alwaysOn"] is False
    assert project.run("diff").code == 0
    assert project.run("plan", "--detailed-exitcode").code == 0


def test_wrong_answers_in_the_slot_change_nothing(project: Clouded) -> None:
    """The old version answers as before, was never written, and the slot is gone."""
    assert project.deploy().code == 0
    project.model(seed=1, wrong=2)
    failed: list[Ran] = []
    written = project.since(lambda: failed.append(project.deploy()))
    assert failed[0].code == 5, failed[0].err
    assert "version 1 answers as before" in failed[0].err
    assert of_web(written) == ["PUT sites/net/slots/next", "DELETE sites/net/slots/next"]
    assert project.versions() == {1: ("running", True)}
    assert project.run("diff").code == 0


def test_a_first_site_with_wrong_answers_leaves_nothing(project: Clouded) -> None:
    """What was made is removed."""
    project.model(seed=1, wrong=2)
    failed = project.deploy()
    assert failed.code == 5, failed.err
    assert project.left() == []


def test_a_rollback_swaps_back(project: Clouded) -> None:
    """Nothing is built or written but the swap; a second one goes to the other again."""
    assert project.deploy().code == 0
    project.model(seed=1)
    assert project.deploy().code == 0
    done: list[Ran] = []
    written = project.since(lambda: done.append(back(project)))
    assert done[0].code == 0, done[0].err
    assert of_web(written) == ["POST sites/net/slotsswap"]
    assert project.versions() == {1: ("running", True), 2: ("running", False)}
    assert back(project, "--to", "2").code == 0
    assert project.versions() == {1: ("running", False), 2: ("running", True)}
    assert project.run("diff").code == 0


def test_a_rollback_beyond_the_slot_sets_the_earlier_image_there(project: Clouded) -> None:
    """A version that only the record has is tried in the slot, and swapped in."""
    for number in (1, 2, 3):
        project.model(seed=number)
        assert project.deploy().code == 0
    done: list[Ran] = []
    written = project.since(lambda: done.append(back(project, "--to", "1")))
    assert done[0].code == 0, done[0].err
    assert of_web(written) == ["PUT sites/net/slots/next", "POST sites/net/slotsswap"]
    assert project.versions() == {1: ("running", True), 2: ("stopped", False), 3: ("running", False)}
    assert project.run("diff").code == 0


def test_a_tier_without_slots_is_changed_in_place(basic: Clouded) -> None:
    """The plan says so, and why; what takes over is the new version, and a rollback sets the image before."""
    assert basic.deploy().code == 0
    basic.model(seed=1)
    done: list[Ran] = []
    written = basic.since(lambda: done.append(basic.deploy()))
    assert done[0].code == 0, done[0].err
    assert (
        "in place: it may not answer for a while, and is not tried before: the Basic tier has no slots" in done[0].err
    )
    assert of_web(written) == ["PUT sites/net"]
    assert basic.versions() == {1: ("stopped", False), 2: ("running", True)}
    again = back(basic)
    assert again.code == 0, again.err
    assert basic.versions() == {1: ("running", True), 2: ("stopped", False)}
    assert runs(basic) == "1"
    assert basic.run("diff").code == 0


def test_wrong_answers_in_place_end_on_the_old_version(basic: Clouded) -> None:
    """Its image is set again."""
    assert basic.deploy().code == 0
    basic.model(seed=1, wrong=2)
    failed = basic.deploy()
    assert failed.code == 5, failed.err
    assert "version 1 answers again" in failed.err
    assert runs(basic) == "1"
    assert basic.versions() == {1: ("running", True)}


def test_drift_of_a_site_is_named_and_mended(project: Clouded) -> None:
    """By property; a site that somebody stopped is started, and one that is gone is made again."""
    assert project.deploy().code == 0
    site_of(project).private["config"]["healthCheckPath"] = "/elsewhere"
    site_of(project).properties["httpsOnly"] = False
    changed = project.run("diff", "-o", "json")
    assert changed.code == 6
    (found,) = json.loads(changed.out)
    assert found["properties"]["properties.httpsOnly"] is False
    assert found["properties"]["properties.siteConfig.healthCheckPath"] == "/elsewhere"
    mended = project.deploy()
    assert mended.code == 0, mended.err
    assert "properties.httpsOnly: false → true" in mended.err
    assert project.run("diff").code == 0

    project.arm.remove(site_of(project))
    gone = project.run("diff")
    assert gone.code == 6
    assert "exists" in gone.out
    again = project.deploy()
    assert again.code == 0, again.err
    assert project.run("diff").code == 0


def test_a_site_that_was_stopped_is_started(project: Clouded) -> None:
    """That it does not run is drift."""
    assert project.deploy().code == 0
    stop(project)
    assert project.run("diff").code == 6
    done = project.deploy()
    assert done.code == 0, done.err
    assert "start the site net, which was stopped" in done.err
    assert project.run("diff").code == 0


def stop(project: Clouded) -> None:
    """Stop the site, as the portal does."""
    from tests.arm.sites import run

    site = site_of(project)
    site.private["state"] = "Stopped"
    run(project.arm, site)


def plan_of_others(project: Clouded, **more: Any) -> str:  # noqa: ANN401 - of a body
    """Have a plan in another group, which nobody here made, and return its id."""
    group = f"{project.arm.scope}/resourceGroups/shared"
    made(project.arm, group, "2025-04-01", {"location": "westeurope"})
    plan = f"{group}/providers/Microsoft.Web/serverfarms/large"
    body = {"location": "westeurope", "kind": "linux", "sku": {"name": "P1v3"}, "properties": {"reserved": True}}
    made(project.arm, plan, "2025-05-01", {**body, **more})
    return plan


def test_a_plan_that_is_named_is_used_and_left(project: Clouded) -> None:
    """It is not written, and stays when the last site on it goes, which Azure would take it away with."""
    plan = plan_of_others(project)
    project.workload(webapp={"plan": plan})
    done: list[Ran] = []
    written = project.since(lambda: done.append(project.deploy()))
    assert done[0].code == 0, done[0].err
    assert of_web(written) == ["PUT sites/net"]
    assert project.run("remove", "--yes").code == 0
    assert plan in project.left()
    removed = [item.path for item in project.arm.seen if item.method == "DELETE" and "/sites/" in item.path]
    assert removed
    assert [path for path in removed if "deleteEmptyServerFarm=false" not in path] == []


def test_a_site_of_others_with_that_name_is_left_alone(project: Clouded) -> None:
    """It is neither taken over nor written."""
    plan = plan_of_others(project)
    made(project.arm, f"{project.arm.scope}/resourceGroups/{GROUP}", "2025-04-01", {"location": "westeurope"})
    body = {"location": "westeurope", "properties": {"serverFarmId": plan}}
    made(project.arm, f"{project.arm.scope}/{SITE}", "2025-05-01", body)
    refused: list[Ran] = []
    written = project.since(lambda: refused.append(project.deploy()))
    assert refused[0].code == 1
    assert "site net: is there already, and opdeploy did not make it; take another --name" in refused[0].err
    assert written == []


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "too little memory": ({"webapp": {"sku": "B1"}}, "an instance of B1 has 1.75; take a larger deploy.webapp.sku"),
    "too little for two": ({"webapp": {"sku": "S2"}}, "or do without that: --set webapp.slots=false"),
    "too many instances": ({"webapp": {"sku": "B3", "instances": 4}}, "the Basic tier has 3 at most"),
    "a setting of opdeploy's": (
        {"webapp": {"app_settings": {"websites_port": "80"}}}, "websites_port: is set by opdeploy itself"
    ),
    "a plan and its size": ({"webapp": {"plan": "{plan}", "sku": "P1v3"}}, "a plan that is named keeps its size"),
    "no such plan": ({"webapp": {"plan": "{plan}-gone"}}, "is not there; name one that az appservice plan list shows"),
    "another region": ({"webapp": {"plan": "{plan}"}, "azure": {"location": "eastus"}}, "say --location westeurope"),
    "a size that there is none of": ({"webapp": {"sku": "P9v9"}}, "deploy.webapp.sku"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_before_anything_is_written(project: Clouded, case: str) -> None:
    """The line says what to do."""
    settings, said = REFUSED[case]
    plan = plan_of_others(project)
    text = json.dumps(settings).replace("{plan}", plan)
    project.workload(**json.loads(text))
    written = (project.folder / "workload.yaml").read_text()
    (project.folder / "workload.yaml").write_text(written.replace('"memory_gb": 0.5', '"memory_gb": 3'))
    refused: list[Ran] = []
    changes = project.since(lambda: refused.append(project.deploy()))
    assert refused[0].code in {1, 2}, refused[0].err
    assert said in refused[0].err
    assert changes == []


def ended(project: Clouded) -> None:
    """Have every long operation end."""
    for operation in [*project.arm.operations.values()]:
        while operation.status == "InProgress":
            operation.look()


BUSY = answers.error(503, "ServerTimeout", "The request timed out.", {"Retry-After": "1"})
LOST = [
    answers.Drop.BEFORE,
    answers.Drop.AFTER,
    answers.Drop.MIDDLE,
    BUSY,
    answers.Late(BUSY),
    answers.Late(answers.unavailable(500)),
]


@pytest.mark.parametrize("lost", LOST)
def test_a_swap_whose_answer_is_lost_is_not_done_twice(
    project: Clouded, lost: answers.Drop | answers.Answer | answers.Late
) -> None:
    """It is looked at what the site runs, and one that goes on is waited for: a second swap would undo it."""
    assert project.deploy().code == 0
    project.model(seed=1)
    project.arm.fail("POST", "/sites/net/slotsswap", lost)
    if isinstance(lost, answers.Late):  # and it has ended when anybody asks again
        project.arm.hook = lambda _number, _method, _path: ended(project)
    done = project.deploy()
    assert done.code == 0, done.err
    if isinstance(lost, answers.Late):
        assert len([item for item in project.arm.seen if "/slotsswap" in item.path]) == 1
    assert project.versions() == {1: ("running", False), 2: ("running", True)}
    assert (runs(project), runs(project, SLOT)) == ("2", "1")
    assert project.run("diff").code == 0


def test_a_swap_that_is_refused_leaves_the_old_version(project: Clouded) -> None:
    """It answers as before, and the slot is gone."""
    assert project.deploy().code == 0
    project.model(seed=1)
    refusal = answers.error(403, "AuthorizationFailed", "The client does not have authorization to perform action 'x'.")
    project.arm.fail("POST", "/sites/net/slotsswap", refusal)
    failed = project.deploy()
    assert failed.code == 1
    assert "slot next was not swapped: AuthorizationFailed" in failed.err
    assert "version 1 answers as before" in failed.err
    assert (runs(project), project.versions()) == ("1", {1: ("running", True)})
    assert project.run("diff").code == 0
