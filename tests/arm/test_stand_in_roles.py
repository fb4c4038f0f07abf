"""Role assignments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError

from tests.arm.callers import code_of

if TYPE_CHECKING:
    from tests.arm.arm import Arm
    from tests.arm.callers import Caller

PULL, READER = "7f951dda-4ed3-4680-a7ca-43fe172d538d", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
LIST = "providers/Microsoft.Authorization/roleAssignments"


def test_a_role_is_given_once(caller: Caller) -> None:
    """The same role of the same principal at the same scope under another name is refused, and repeated it is not."""
    registry, principal = caller.registry()["id"], caller.identity()["properties"]["principalId"]
    made = caller.assign(registry, principal, PULL)
    assert caller.assign(registry, principal, PULL)["id"] == made["id"]
    body = {"properties": {name: made["properties"][name] for name in ("roleDefinitionId", "principalId")}}
    path = made["id"].rsplit("/", 1)[0] + "/00000000-0000-0000-0000-000000000001"
    got = caller.ask("PUT", path, "2022-04-01", body)
    assert (got[0], got[1]["error"]["code"]) == (409, "RoleAssignmentExists")
    got = caller.ask("PUT", path.replace("00000001", "nonsense"), "2022-04-01", body)
    assert got[0] == 400


def test_a_new_identity_is_not_known_everywhere(arm: Arm, caller: Caller) -> None:
    """Without the principal's type a new identity is not found for a while; with it, it is."""
    arm.principal_writes = 1
    registry, principal = caller.registry()["id"], caller.identity()["properties"]["principalId"]
    with pytest.raises(HttpResponseError) as caught:
        caller.assign(registry, principal, PULL, kind=None)
    assert code_of(caught.value) == "PrincipalNotFound"
    assert caller.assign(registry, principal, PULL)["properties"]["scope"] == registry


def test_lists_tell_what_holds_at_a_scope(arm: Arm, caller: Caller) -> None:
    """`atScope()` tells of a scope and above, no filter also of below, and a principal chooses."""
    registry, principal = caller.registry()["id"], caller.identity()["properties"]["principalId"]
    for scope, role in ((registry, PULL), (arm.scope, READER)):
        caller.assign(scope, principal, role)

    def listed(scope: str, text: str = "") -> int:
        return len(caller.ask("GET", f"{scope}/{LIST}?%24filter={text}", "2022-04-01")[1]["value"])

    group = f"{arm.scope}/resourceGroups/g"
    assert [listed(group), listed(group, "atScope()"), listed(registry, "atScope()")] == [2, 1, 2]
    assert listed(arm.scope, f"principalId%20eq%20'{principal}'") == 2
    assert listed(arm.scope, "principalId%20eq%20'other'") == 0
