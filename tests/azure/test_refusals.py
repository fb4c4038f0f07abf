"""Refusals of Azure that are documented, as data: each is found before the first write, or said clearly after it."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from opdeploy.clients import azure
from opdeploy.clients.azure import arm as operations
from opdeploy.clients.azure.advice import ELSE, TO_DO
from opdeploy.clients.azure.refused import RefusedError
from opdeploy.targets.azure.kinds import KINDS
from tests.arm.answers import Answer, Ending, error
from tests.azure import test_azure_machines, test_azure_wants, test_before, test_before_plans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.arm.arm import Arm

REFUSALS: dict[str, list[dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("refusals.yaml").read_text())
AFTER, BEFORE = REFUSALS["after"], REFUSALS["before"]
LEAST = 60
PLATFORMS = {"aci", "web", "apps", "aks", "vm", "registry", "identity", "roles"}
ABOUT = {"name", "quota", "offer", "region", "size", "role", "combination"}
CARRIERS = {"aci": "container group"}
"""The kind that a refusal of a platform is tried with, where an SDK of its own carries it; else it is an identity."""


@pytest.fixture
def connection(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> Iterator[azure.Arm]:
    """Return a connection, signed in."""
    for name, value in arm.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(operations, "_BETWEEN_S", 0.001)
    with azure.connected(str(arm.cloud_file()), arm.subscription) as session:
        found = azure.Arm(session)
        found.put(f"{arm.scope}/resourceGroups/models", {"location": "westeurope"})
        yield found


def answer(refusal: dict[str, Any]) -> Answer | Ending:
    """Return a refusal as the service answers it."""
    code, message = refusal["code"], refusal["message"]
    if refusal.get("operation"):
        return Ending(code, message)
    if refusal.get("form") == "web":  # App Service has a form of its own
        details = [{"Message": message}, {"Code": code}, {"ErrorEntity": {"Code": code, "Message": message}}]
        return Answer(refusal["status"], {"Code": code, "Message": message, "Target": None, "Details": details})
    return error(refusal["status"], code, message)


@pytest.mark.parametrize("refusal", AFTER, ids=lambda each: f"{each['of']}-{each['about']}-{each['code']}")
def test_a_refusal_is_said_clearly(refusal: dict[str, Any], arm: Arm, connection: azure.Arm) -> None:
    """What failed, Azure's code and message, the id of the request, and what to do: in one line."""
    kind = KINDS[CARRIERS.get(refusal["of"], "identity")]
    resource = kind.id(f"{arm.scope}/resourceGroups/models", "net")
    arm.fail("PUT", f"/{kind.type}/net", answer(refusal), times=9)
    arm.image("r.azurecr.io/net:1", ["true"])
    with pytest.raises(RefusedError) as raised:
        connection.put(resource, body(kind.name))
    line = str(raised.value)
    known = (kind.name, refusal["code"], re.escape(refusal["message"]), re.escape(refusal["says"]))
    assert re.fullmatch(r"{} net was not made: {}: {} \(request [0-9a-f-]+\); {}".format(*known), line), line
    assert raised.value.code == refusal["code"]
    assert refusal["says"] != ELSE


def body(kind: str) -> dict[str, Any]:
    """Return a body that is accepted."""
    if kind != "container group":
        return {"location": "westeurope", "properties": {}}
    wants = {"requests": {"cpu": 1, "memoryInGB": 1}}
    server = {"name": "server", "properties": {"image": "r.azurecr.io/net:1", "resources": wants}}
    return {"location": "westeurope", "properties": {"osType": "Linux", "containers": [server]}}


def test_a_refused_sign_in_is_said_clearly(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the code of Entra, and what to do."""
    for name, value in arm.environment().items():
        monkeypatch.setenv(name, value)
    refused = {"error": "invalid_client", "error_description": "AADSTS7000222: The provided secret keys are expired."}
    arm.fail("POST", "/oauth2/v2.0/token", Answer(401, refused), times=99)
    with azure.connected(str(arm.cloud_file()), arm.subscription) as session, pytest.raises(RefusedError) as raised:
        azure.Arm(session).find(f"{arm.scope}/resourceGroups/models")
    assert "AADSTS7000222" in str(raised.value)
    assert str(raised.value).endswith(
        "; set the right AZURE_CLIENT_SECRET, or unset AZURE_CLIENT_ID and sign in with: az login"
    )


@pytest.mark.parametrize("refusal", BEFORE, ids=lambda each: each["caught"])
def test_a_refusal_is_found_before_the_first_write(refusal: dict[str, Any]) -> None:
    """By a case of the tests of what stands in the way."""
    machines = {*test_azure_machines.CASES, *test_azure_machines.OFFERS, *test_azure_wants.COUNTED}
    cases = {*test_before.CASES, *test_before.RIGHTS, *machines, *test_before_plans.NAMED}
    names = {*dir(test_before), *dir(test_before_plans)}
    tests = {name.removeprefix("test_").replace("_", " ") for name in names if name.startswith("test_")}
    assert refusal["caught"] in cases | tests


def test_enough_is_documented() -> None:
    """Of every kind and platform, each with where and when; and none is there twice."""
    every = [*AFTER, *BEFORE]
    assert len(every) >= LEAST
    assert {each["of"] for each in every} >= PLATFORMS
    assert {each["about"] for each in every} >= ABOUT
    for each in every:
        assert "." in each["source"].partition("/")[0]
        assert date(2018, 1, 1) <= date.fromisoformat(each["date"]) <= date(2026, 11, 26)
    twice = Counter((each["of"], each["code"], each["message"]) for each in AFTER)
    assert twice.most_common(1)[0][1] == 1


def test_advice_is_about_codes_that_are_documented() -> None:
    """But for those that the client has from its own errors."""
    documented = {each["code"] for each in (*AFTER, *BEFORE)}
    others = {
        *(
            "InvalidAuthenticationToken",
            "ExpiredAuthenticationToken",
            "DisallowedProvider",
            "ReadOnlyDisabledSubscription",
        ),
        *("NotAvailableForSubscription", "RoleAssignmentExists", "TooManyRequests", "DnsNameLabelTaken"),
        *("InvalidContainerGroupUpdate", "OperationPreempted", "ContainerAppOperationInProgress"),
        *("AuthorizationPermissionMismatch", "AuthorizationFailure", "ContainerNotFound"),
    }
    assert TO_DO.keys() - documented == others
