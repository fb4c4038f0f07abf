"""Plans, sites and slots."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.arm.callers import sent
from tests.arm.waiting import SERVER, until

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.callers import Caller

VERSION = "2024-11-01"
PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def plan(caller: Caller, sku: str = "P1v3", name: str = "plan") -> str:
    """Make a plan for Linux."""
    body = {"location": "westeurope", "kind": "linux", "sku": {"name": sku}, "properties": {"reserved": True}}
    return str(caller.put(caller.path("Microsoft.Web/serverfarms", name), VERSION, body)["id"])


def body(plan_id: str, image: str = "small:1", **config: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the body of a site."""
    settings = [{"name": "WORD", "value": "first"}, {"name": "WEBSITES_PORT", "value": "8000"}]
    site_config = {"linuxFxVersion": f"DOCKER|{image}", "appSettings": settings, **config}
    own = {"serverFarmId": plan_id, "httpsOnly": True, "siteConfig": site_config}
    return {"location": "westeurope", "kind": "app,linux,container", "properties": own}


def site(caller: Caller, sku: str = "P1v3") -> dict[str, Any]:
    """Make a site."""
    return caller.put(caller.path("Microsoft.Web/sites", "web-one"), VERSION, body(plan(caller, sku)))


def said(arm: Arm, host: str) -> tuple[int, Any]:
    """Ask a site, and return status and body."""
    return sent(arm, "GET", f"https://{host}/", None, {})[:2]


def answers(arm: Arm, host: str, words: list[str]) -> None:
    """Wait until a site answers with some words."""
    until(lambda: said(arm, host), lambda each: each == (200, words))


def test_a_site_answers_with_tls_and_its_settings(arm: Arm, caller: Caller) -> None:
    """Settings are the process's variables, are listed only when asked for, and a change starts it again."""
    arm.image("small:1", SERVER)
    made = site(caller)["properties"]
    assert (made["state"], made["siteConfig"]["linuxFxVersion"]) == ("Running", "DOCKER|small:1")
    assert "first" not in json.dumps(made)
    answers(arm, made["defaultHostName"], ["first", "8000"])
    apps = caller.web.web_apps
    assert apps.list_application_settings("g", "web-one").properties == {"WORD": "first", "WEBSITES_PORT": "8000"}
    settings = {"WORD": "second", "WEBSITES_PORT": "8000"}
    apps.update_application_settings("g", "web-one", {"properties": settings})
    answers(arm, made["defaultHostName"], ["second", "8000"])
    apps.stop("g", "web-one")
    assert said(arm, made["defaultHostName"])[0] == 503
    apps.start("g", "web-one")
    answers(arm, made["defaultHostName"], ["second", "8000"])
    apps.restart("g", "web-one")
    apps.delete("g", "web-one")
    assert [each.name for each in apps.list()] == []


def test_a_site_gets_the_secret_that_a_setting_refers_to(arm: Arm, caller: Caller) -> None:
    """A reference is replaced where the secret is there, and else is what the process gets."""
    arm.image("small:1", SERVER)
    arm.vault("words").secrets["word"] = {"value": "kept"}
    made = site(caller)["properties"]
    for name, said_ in (("word", "kept"), ("none", None)):
        reference = f"@Microsoft.KeyVault(SecretUri=https://words.vault.azure.net/secrets/{name})"
        settings = {"WORD": reference, "WEBSITES_PORT": "8000"}
        caller.web.web_apps.update_application_settings("g", "web-one", {"properties": settings})
        answers(arm, made["defaultHostName"], [said_ or reference, "8000"])


def test_what_is_unknown_is_dropped(arm: Arm, caller: Caller) -> None:
    """App Service takes bodies with properties that it does not know, and its configuration is a part of its own."""
    arm.image("small:1", SERVER)
    wanted = body(plan(caller), colour="red")
    path = caller.path("Microsoft.Web/sites", "web-one")
    assert caller.ask("PUT", path, VERSION, wanted | {"shape": "round"})[0] == 200
    got = caller.ask(
        "PATCH", f"{path}/config/web", VERSION, {"properties": {"alwaysOn": True, "healthCheckPath": "/"}}
    )[1]
    assert {name: got["properties"].get(name) for name in ("alwaysOn", "healthCheckPath", "colour")} == {
        "alwaysOn": True,
        "healthCheckPath": "/",
        "colour": None,
    }
    wrong = {"properties": {"alwaysOn": "often"}}
    assert caller.ask("PUT", f"{path}/config/web", VERSION, wrong)[0] == 400
    logs = {"properties": {"httpLogs": {"fileSystem": {"enabled": True, "retentionInMb": 35}}}}
    assert caller.ask("PUT", f"{path}/config/logs", VERSION, logs)[1]["properties"] == logs["properties"]


def test_slots_are_swapped_but_for_what_is_theirs(arm: Arm, caller: Caller) -> None:
    """After a swap each has what the other ran; names of hosts and sticky settings stay."""
    arm.image("small:1", SERVER)
    production, apps = site(caller)["properties"], caller.web.web_apps
    slot = body(production["serverFarmId"])
    slot["properties"]["siteConfig"]["appSettings"][0]["value"] = "green"
    staging = apps.begin_create_or_update_slot("g", "web-one", "staging", json.dumps(slot).encode()).result()
    assert staging.default_host_name is not None
    apps.begin_swap_slot("g", "web-one", "staging", {"targetSlot": "production", "preserveVnet": True}).result()
    answers(arm, production["defaultHostName"], ["green", "8000"])
    answers(arm, staging.default_host_name, ["first", "8000"])
    apps.update_slot_configuration_names("g", "web-one", {"properties": {"appSettingNames": ["WORD"]}})
    apps.begin_swap_slot_with_production("g", "web-one", {"targetSlot": "staging", "preserveVnet": True}).result()
    answers(arm, production["defaultHostName"], ["green", "8000"])


def test_plans_have_rules(arm: Arm, caller: Caller) -> None:
    """A plan in use stays, Basic has no slots, and a name is taken once."""
    arm.image("small:1", SERVER)
    made = site(caller, "B1")
    got = caller.ask("DELETE", made["properties"]["serverFarmId"], VERSION)
    assert (got[0], "web-one" in str(got[1])) == (409, True)
    got = caller.ask("PUT", f"{made['id']}/slots/staging", VERSION, body(made["properties"]["serverFarmId"]))
    assert "number of slots allowed for the 'Basic' SKU" in got[1]["Message"]
    asked = {"name": "web-one", "type": "Microsoft.Web/sites"}
    assert caller.web.check_name_availability(asked).name_available is False
    with pytest.raises(HttpResponseError, match="Cannot find AppServicePlan"):
        caller.put(caller.path("Microsoft.Web/sites", "two"), VERSION, body(f"{made['id']}x"))
    assert "West Europe" in {each.name for each in caller.web.list_geo_regions()}
    assert {each["tier"] for each in caller.web.list_skus().as_dict()["skus"]} >= {"Basic", "PremiumV3"}


def test_an_image_that_cannot_be_pulled_is_told_in_the_log(arm: Arm, caller: Caller) -> None:
    """A site is made also without its image, and answers 503 until its identity may pull it."""
    registry, identity = caller.registry()["id"], caller.identity()
    arm.image("models.azurecr.io/small:1", SERVER)
    client = identity["properties"]["clientId"]
    wanted = body(
        plan(caller), "models.azurecr.io/small:1", acrUseManagedIdentityCreds=True, acrUserManagedIdentityID=client
    )
    wanted["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    made = caller.put(caller.path("Microsoft.Web/sites", "web-one"), VERSION, wanted)
    host, apps = made["properties"]["defaultHostName"], caller.web.web_apps
    assert said(arm, host)[0] == 503
    assert b"ImagePullUnauthorizedFailure" in b"".join(apps.get_web_site_container_logs("g", "web-one") or [])
    caller.assign(registry, identity["properties"]["principalId"], PULL)
    apps.restart("g", "web-one")
    answers(arm, host, ["first", "8000"])
