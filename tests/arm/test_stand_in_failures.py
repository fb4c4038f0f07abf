"""Long operations, and what goes wrong when a test wants it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceResponseError

from tests.arm import answers
from tests.arm.answers import NEVER, Drop, Ending
from tests.arm.callers import code_of

if TYPE_CHECKING:
    from tests.arm.answers import Answer
    from tests.arm.arm import Arm
    from tests.arm.callers import Caller

REGISTRY, IDENTITY = "Microsoft.ContainerRegistry/registries", "Microsoft.ManagedIdentity/userAssignedIdentities"
BODY = {"location": "westeurope", "sku": {"name": "Basic"}, "properties": {}}
NEW = {"location": "westeurope", "properties": {}}


def test_a_creation_is_told_step_by_step(arm: Arm, caller: Caller) -> None:
    """The header names where to ask; the state goes from Creating to Succeeded after as many looks as asked for."""
    arm.polls = 2
    status, body, headers = caller.ask("PUT", caller.path(REGISTRY, "models"), "2025-11-01", BODY)
    assert (status, body["properties"]["provisioningState"]) == (201, "Creating")
    told = [caller.ask("GET", headers["Azure-AsyncOperation"])[1]["status"] for _ in range(3)]
    assert told == ["InProgress", "InProgress", "Succeeded"]
    assert caller.get(caller.path(REGISTRY, "models"), "2025-11-01")["properties"]["provisioningState"] == "Succeeded"


def test_a_deletion_is_told_by_its_location(caller: Caller) -> None:
    """A deletion answers 202 with a location, which answers 202 until it is done; what is gone is gone."""
    caller.registry()
    status, _, headers = caller.ask("DELETE", caller.path(REGISTRY, "models"), "2025-11-01")
    told = [caller.ask("GET", headers["Location"])[0] for _ in range(2)]
    assert (status, told) == (202, [202, 204])
    assert caller.ask("DELETE", caller.path(REGISTRY, "models"), "2025-11-01")[0] == 204


def test_an_operation_fails_with_the_error_of_a_test(arm: Arm, caller: Caller) -> None:
    """A creation that fails is told so at its operation, and stays as failed."""
    arm.fail("PUT", REGISTRY + "/*", Ending("Conflict", "It cannot be."))
    with pytest.raises(HttpResponseError, match=r"\(Conflict\) It cannot be\."):
        caller.registry()
    assert caller.get(caller.path(REGISTRY, "models"), "2025-11-01")["properties"]["provisioningState"] == "Failed"


def test_what_begins_an_operation_fails_in_it(arm: Arm, caller: Caller) -> None:
    """A deletion of a group can fail too, and leaves it; what takes no time is refused at once, and not made."""
    arm.fail("DELETE", "/resourceGroups/g", Ending("ResourceGroupDeletionBlocked", "It stays."))
    with pytest.raises(HttpResponseError, match="It stays"):
        caller.resources.resource_groups.begin_delete("g").result()
    assert caller.resources.resource_groups.get("g").as_dict()["properties"]["provisioningState"] == "Succeeded"
    arm.fail("PUT", IDENTITY + "/*", Ending("BadRequest", "No."))
    assert caller.ask("PUT", caller.path(IDENTITY, "puller"), "2024-11-30", NEW)[0] == 400
    assert arm.find(caller.path(IDENTITY, "puller")) is None


def test_an_operation_never_ends_until_it_is_released(arm: Arm, caller: Caller) -> None:
    """As long as it goes on, what it is about takes no other change."""
    arm.fail("PUT", REGISTRY + "/*", NEVER)
    _, _, headers = caller.ask("PUT", caller.path(REGISTRY, "models"), "2025-11-01", BODY)
    assert {caller.ask("GET", headers["Azure-AsyncOperation"])[1]["status"] for _ in range(9)} == {"InProgress"}
    assert caller.ask("PUT", caller.path(REGISTRY, "models"), "2025-11-01", BODY)[0] == 409
    arm.release()
    told = [caller.ask("GET", headers["Azure-AsyncOperation"])[1]["status"] for _ in range(2)]
    assert told[-1] == "Succeeded"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (answers.throttled(3), 429, "SubscriptionRequestsThrottled"),
        (answers.unavailable(), 503, "ServerTimeout"),
        (answers.unavailable(500), 500, "InternalServerError"),
        (answers.quota("westeurope"), 409, "ContainerGroupQuotaReached"),
        (answers.no_capacity("westeurope", 4, 16), 409, "ServiceUnavailable"),
        (answers.cores("westeurope"), 409, "OperationNotAllowed"),
        (answers.denied("c", "p", "a/write", "/s"), 403, "AuthorizationFailed"),
        (answers.error(412, "PreconditionFailed", "It was changed."), 412, "PreconditionFailed"),
    ],
)
def test_requests_fail_as_a_test_wants(arm: Arm, caller: Caller, answer: Answer, status: int, code: str) -> None:
    """The second request of a kind is answered so, the first and the third are answered right."""
    arm.fail("GET", "/resourceGroups/g", answer, after=1)
    got = [caller.ask("GET", f"{arm.scope}/resourceGroups/g") for _ in range(3)]
    assert [each[0] for each in got] == [200, status, 200]
    assert got[1][1]["error"]["code"] == code
    assert got[1][2].get("Retry-After") == ("3" if status == 429 else None)


@pytest.mark.parametrize(("drop", "made"), [(Drop.BEFORE, False), (Drop.AFTER, True), (Drop.MIDDLE, True)])
def test_a_connection_breaks_off(arm: Arm, caller: Caller, drop: Drop, made: bool) -> None:  # noqa: FBT001 - a case
    """A client gets no whole answer, whether the request took effect or not."""
    arm.fail("PUT", IDENTITY + "/*", drop)
    with pytest.raises((ServiceResponseError, HttpResponseError)):
        caller.identity()
    assert (arm.find(caller.path(IDENTITY, "puller")) is not None) == made


def test_what_is_new_is_seen_late_and_what_is_gone_lingers(arm: Arm, caller: Caller) -> None:
    """A new resource is not found for some reads, and a deleted one stays in some lists."""
    arm.unseen, arm.lingering = {IDENTITY + "/*": 2}, 1
    caller.ask("PUT", caller.path(IDENTITY, "puller"), "2024-11-30", NEW)
    for _ in range(2):
        with pytest.raises(ResourceNotFoundError):
            caller.get(caller.path(IDENTITY, "puller"), "2024-11-30")
    caller.get(caller.path(IDENTITY, "puller"), "2024-11-30")
    caller.delete(caller.path(IDENTITY, "puller"), "2024-11-30")
    assert [len(list(caller.resources.resources.list())) for _ in range(2)] == [1, 0]


def test_a_hook_kills_a_client_at_a_request(arm: Arm, caller: Caller) -> None:
    """The hook is called before a request takes effect, with its number."""
    code = f"from urllib.request import *; urlopen({arm.url + '/metadata/endpoints'!r})"
    clients = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(1)]

    def hook(number: int, method: str, path: str) -> None:
        assert (number, method, path) == (1, "GET", "/metadata/endpoints")
        clients[0].kill()

    arm.hook = hook
    assert clients[0].wait(20) == -9
    assert [each.path for each in arm.seen] == ["/metadata/endpoints"]
    assert caller.arm is arm


def test_codes_are_read_of_errors(caller: Caller) -> None:
    """Microsoft's clients understand the form of errors."""
    with pytest.raises(HttpResponseError) as caught:
        caller.get(caller.path(IDENTITY, "none"), "2024-11-30")
    assert code_of(caught.value) == "ResourceNotFound"
