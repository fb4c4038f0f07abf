"""Long operations of Azure, and requests that begin something: how long they are waited for, and how often sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.clients import azure
from opdeploy.clients.azure import arm as operations
from opdeploy.clients.azure.advice import ELSE, TO_DO
from opdeploy.clients.azure.refused import RefusedError
from opdeploy.errors import TransientError
from opdeploy.targets.azure.kinds import GROUP, KINDS
from opdeploy.targets.azure.steps import MADE_S
from tests.arm.answers import NEVER, Drop, error, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.arm.arm import Arm

NETWORK, RULES = KINDS["virtual network"], KINDS["network security group"]
BODY = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
PATCH = {"tags": {"a": "b"}}


@pytest.fixture
def group(arm: Arm) -> str:
    """Return the id of a resource group."""
    return f"{arm.scope}/resourceGroups/models"


@pytest.fixture
def connection(arm: Arm, group: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[azure.Arm]:
    """Return a connection, signed in, to a group with a network."""
    for name, value in arm.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(operations, "_BETWEEN_S", 0.001)
    with azure.connected(str(arm.cloud_file()), arm.subscription) as session:
        found = azure.Arm(session)
        found.put(group, {"location": "westeurope"})
        found.put(NETWORK.id(group, "net"), BODY)
        yield found


def put(connection: azure.Arm, resource: str) -> None:
    """Change a resource."""
    connection.put(resource, {**BODY, **PATCH})


def patch(connection: azure.Arm, resource: str) -> None:
    """Change a resource in part."""
    connection.patch(resource, PATCH)


def delete(connection: azure.Arm, resource: str) -> None:
    """Remove a resource."""
    connection.delete(resource)


DONE: dict[str, Callable[[azure.Arm, str], None]] = {"PUT": put, "PATCH": patch, "DELETE": delete}


def sent(arm: Arm, method: str, resource: str) -> int:
    """Return how often a request for a resource came."""
    return Counter((item.method, item.path.partition("?")[0].lower()) for item in arm.seen)[method, resource.lower()]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_operation_that_does_not_end_is_not_waited_for_without_end(
    method: str, arm: Arm, group: str, connection: azure.Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said that it goes on, and what to do."""
    monkeypatch.setattr(operations, "MADE_S", 0.6)
    arm.fail(method, "/virtualNetworks/net", NEVER)
    with pytest.raises(TransientError) as raised:
        DONE[method](connection, NETWORK.id(group, "net"))
    assert str(raised.value) == (
        "virtual network net: is still under way after 0.01 minutes; run the same command again"
    )
    arm.release()


def test_kinds_that_take_longer_are_waited_for_longer() -> None:
    """Names are those of kinds, and none is waited for less."""
    slow = operations.SLOW_S
    assert slow.keys() <= {*KINDS, GROUP.name}
    assert min(slow.values()) > MADE_S


@pytest.mark.parametrize("code", sorted(operations.UNDER_WAY))
@pytest.mark.parametrize("method", DONE)
def test_what_is_being_done_already_is_waited_for(
    method: str, code: str, arm: Arm, group: str, connection: azure.Arm
) -> None:
    """Whatever is to be done, and whatever is said of it; for good it is refused with what to do."""
    resource = NETWORK.id(group, "net")
    before = sent(arm, method, resource)
    arm.fail(method, "/virtualNetworks/net", error(409, code, "It is being changed."), times=3)
    DONE[method](connection, resource)
    assert sent(arm, method, resource) - before == 4
    assert TO_DO[code] != ELSE
    if method != "PUT":
        put(connection, resource)
    arm.fail(method, "/virtualNetworks/net", error(409, code, "It is being changed."), times=99)
    with pytest.raises(RefusedError, match=f"{code}: It is being changed.* wait until that has ended"):
        DONE[method](connection, resource)


@pytest.mark.parametrize("lost", [Drop.AFTER, Drop.MIDDLE])
def test_a_first_request_whose_answer_is_lost_is_waited_for(
    lost: Drop, arm: Arm, group: str, connection: azure.Arm
) -> None:
    """The second one, the SDK's own or not, finds it under way."""
    arm.polls = 3
    arm.fail("PUT", "/networkSecurityGroups/net", lost)
    connection.put(RULES.id(group, "net"), {"location": "westeurope", "properties": {}})
    assert sent(arm, "PUT", RULES.id(group, "net")) > 1
    assert connection.find(RULES.id(group, "net"))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_begin_something_is_sent_once(status: int, arm: Arm, group: str, connection: azure.Arm) -> None:
    """Whoever has it done again looks first; what only tells something is asked again."""
    answer = error(status, "ServerTimeout", "The request timed out.", {"Retry-After": "0"})
    arm.fail("POST", "/virtualNetworks/net/begin", answer, times=9)
    resource = NETWORK.id(group, "net")
    with pytest.raises(TransientError, match="ServerTimeout"):
        connection.ask("POST", f"{resource}/begin", NETWORK.api)
    with pytest.raises(TransientError, match="ServerTimeout"):
        connection.act(resource, "begin")
    assert sent(arm, "POST", f"{resource}/begin") == 2


def test_a_question_is_asked_again(arm: Arm, connection: azure.Arm) -> None:
    """Where the service is busy, or no answer comes."""
    path = f"{arm.scope}/providers/Microsoft.Web/checknameavailability"
    asked: Any = {"name": "net", "type": "Microsoft.Web/sites"}
    for fault in (unavailable(), Drop.AFTER):
        arm.fail("POST", "/checknameavailability", fault)
        assert connection.told(path, KINDS["site"].api, asked)["nameAvailable"]
