"""Container apps, their revisions and environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.arm.callers import code_of, sent
from tests.arm.waiting import SERVER, until

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.callers import Caller

APP, ENVIRONMENT, VERSION = "Microsoft.App/containerApps", "Microsoft.App/managedEnvironments", "2026-01-01"
PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def environment(caller: Caller, **properties: Any) -> str:  # noqa: ANN401 - JSON
    """Make an environment."""
    body = {"location": "westeurope", "properties": properties}
    return str(caller.put(caller.path(ENVIRONMENT, "env"), VERSION, body)["id"])


def body(environment_id: str, word: str = "one", image: str = "small:1", **configuration: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the body of an app whose process gets its word of a secret."""
    container = {
        "name": "server",
        "image": image,
        "resources": {"cpu": 0.5, "memory": "1Gi"},
        "env": [{"name": "WORD", "secretRef": "word"}, {"name": "VERSION", "value": word}],
    }
    ingress = {"external": True, "targetPort": 8000, "transport": "http"}
    secrets = [{"name": "word", "value": word}]
    return {
        "location": "westeurope",
        "properties": {
            "environmentId": environment_id,
            "configuration": {"ingress": ingress, "secrets": secrets, **configuration},
            "template": {"containers": [container], "scale": {"minReplicas": 1, "maxReplicas": 3}},
        },
    }


def said(arm: Arm, host: str) -> Any:  # noqa: ANN401 - JSON
    """Ask an app, and return what it says."""
    return sent(arm, "GET", f"https://{host}/", None, {})[1]


def test_an_app_answers_with_its_secret(arm: Arm, caller: Caller) -> None:
    """A secret is told only to who asks for it; a new template is a revision, which takes the place of the last."""
    arm.image("small:1", SERVER)
    path = caller.path(APP, "app")
    own = caller.put(path, VERSION, body(environment(caller)))["properties"]
    host = own["configuration"]["ingress"]["fqdn"]
    assert own["configuration"]["secrets"] == [{"name": "word"}]
    until(lambda: said(arm, host), lambda each: each == ["one", "8000"])
    assert caller.ask("POST", f"{path}/listSecrets", VERSION)[1]["value"] == [{"name": "word", "value": "one"}]
    second = caller.put(path, VERSION, body(own["environmentId"], "two"))["properties"]
    until(lambda: said(arm, host), lambda each: each == ["two", "8000"])
    told = caller.ask("GET", f"{path}/revisions", VERSION)[1]["value"]
    assert [each["properties"]["active"] for each in told] == [False, True]
    assert told[-1]["name"] == second["latestRevisionName"] != own["latestRevisionName"]
    (replica,) = caller.ask("GET", f"{path}/revisions/{told[-1]['name']}/replicas", VERSION)[1]["value"]
    assert replica["properties"]["containers"][0]["restartCount"] == 0
    caller.delete(path, VERSION)
    with pytest.raises(OSError, match="refused"):
        said(arm, host)


def test_an_app_gets_the_secret_that_is_in_a_vault(arm: Arm, caller: Caller) -> None:
    """A secret may be an address in a key vault."""
    arm.image("small:1", SERVER)
    arm.vault("words").secrets["word"] = {"value": "kept"}
    secrets = [{"name": "word", "keyVaultUrl": "https://words.vault.azure.net/secrets/word", "identity": "system"}]
    made = caller.put(caller.path(APP, "app"), VERSION, body(environment(caller), secrets=secrets))["properties"]
    until(lambda: said(arm, made["configuration"]["ingress"]["fqdn"]), lambda each: each == ["kept", "8000"])


def test_traffic_is_shared_by_weight(arm: Arm, caller: Caller) -> None:
    """With several revisions each gets its share; one that is deactivated gets none."""
    arm.image("small:1", SERVER)
    path, env = caller.path(APP, "app"), environment(caller)
    names, host = [], ""
    for word in ("one", "two"):
        wanted = body(env, word, activeRevisionsMode="Multiple")
        wanted["properties"]["template"]["containers"][0]["env"][0] = {"name": "WORD", "value": word}
        own = caller.put(path, VERSION, wanted)["properties"]
        names.append(own["latestRevisionName"])
        host = own["configuration"]["ingress"]["fqdn"]
    traffic = [{"revisionName": names[0], "weight": 70}, {"revisionName": names[1], "weight": 30}]
    ingress = {"configuration": {"ingress": {"traffic": traffic}}}
    assert caller.ask("PATCH", path, VERSION, {"properties": ingress})[0] == 202
    until(lambda: caller.get(path, VERSION), lambda each: each["properties"]["provisioningState"] == "Succeeded")
    words = until(lambda: [(said(arm, host) or [""])[0] for _ in range(100)], lambda each: "" not in each)
    assert (words.count("one"), words.count("two")) == (70, 30)
    caller.ask("POST", f"{path}/revisions/{names[0]}/deactivate", VERSION)
    told = caller.ask("GET", f"{path}/revisions/{names[0]}", VERSION)[1]["properties"]
    assert (told["active"], told["trafficWeight"]) == (False, 70)
    caller.ask("POST", f"{path}/revisions/{names[0]}/activate", VERSION)


def test_an_image_that_cannot_be_pulled_fails_the_operation(arm: Arm, caller: Caller) -> None:
    """The app is accepted, and its operation fails; with the right it succeeds."""
    registry, identity, env = caller.registry()["id"], caller.identity(), environment(caller)
    arm.image("models.azurecr.io/small:1", SERVER)
    registries = [{"server": "models.azurecr.io", "identity": identity["id"]}]
    wanted = body(env, image="models.azurecr.io/small:1", registries=registries)
    wanted["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    with pytest.raises(HttpResponseError, match=r"ContainerAppOperationError.*UNAUTHORIZED"):
        caller.put(caller.path(APP, "app"), VERSION, wanted)
    caller.assign(registry, identity["properties"]["principalId"], PULL)
    done = caller.put(caller.path(APP, "app"), VERSION, wanted)
    assert done["properties"]["provisioningState"] == "Succeeded"


def test_wrong_apps_are_refused(arm: Arm, caller: Caller) -> None:
    """Sizes that do not fit, secrets and profiles that are not there, and an environment in use, have errors."""
    arm.image("small:1", SERVER)
    env, path = environment(caller), caller.path(APP, "app")
    codes = []
    for change in (
        {"resources": {"cpu": 0.5, "memory": "2Gi"}},
        {"env": [{"name": "A", "secretRef": "other"}]},
        {"colour": "red"},
    ):
        wanted = body(env)
        wanted["properties"]["template"]["containers"][0] |= change
        codes.append(caller.ask("PUT", path, VERSION, wanted)[1]["error"]["code"])
    assert codes == ["ContainerAppInvalidResourceTotal", "ContainerAppSecretRefNotFound", "InvalidRequestContent"]
    wanted = body(env)
    wanted["properties"]["workloadProfileName"] = "gpu"
    assert caller.ask("PUT", path, VERSION, wanted)[0] == 400
    caller.put(path, VERSION, body(env))
    with pytest.raises(HttpResponseError) as caught:
        caller.delete(env, VERSION)
    assert code_of(caught.value) == "ManagedEnvironmentHasContainerApps"


def test_environments_have_logs_profiles_and_limits(caller: Caller) -> None:
    """A workspace gives its keys, which an environment never tells, and a region tells profiles and usage."""
    path = caller.path("Microsoft.OperationalInsights/workspaces", "logs")
    workspace = caller.put(path, "2025-07-01", {"location": "westeurope", "properties": {}})
    key = caller.ask("POST", f"{path}/sharedKeys", "2025-07-01")[1]["primarySharedKey"]
    analytics = {"customerId": workspace["properties"]["customerId"], "sharedKey": key}
    logs = {"destination": "log-analytics", "logAnalyticsConfiguration": analytics}
    told = caller.get(environment(caller, appLogsConfiguration=logs), VERSION)["properties"]["appLogsConfiguration"]
    assert told["logAnalyticsConfiguration"] == {"customerId": analytics["customerId"]}
    place = f"{caller.arm.scope}/providers/Microsoft.App/locations/westeurope"
    profiles = caller.ask("GET", f"{place}/availableManagedEnvironmentsWorkloadProfileTypes", VERSION)[1]["value"]
    assert {each["name"]: each["properties"]["gpus"] for each in profiles}["Consumption-GPU-NC8as-T4"] == 1
    (usage,) = caller.ask("GET", f"{place}/usages", VERSION)[1]["value"]
    assert (usage["currentValue"], usage["name"]["value"]) == (1, "ManagedEnvironmentCount")
