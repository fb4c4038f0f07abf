"""What resources may be called: names that Azure takes, and those that it does not."""

from __future__ import annotations

import pytest

from opdeploy.targets.azure.kinds import KINDS
from opdeploy.targets.azure.rules import RULES, Rule, misnamed
from opdeploy.targets.azure.shared import Resource

GROUP = "/subscriptions/s/resourceGroups/models"
TAKEN = {
    "container group": ["a", "net-1", "a" * 63],
    "container registry": ["abcde", "Reg1" * 12],
    "identity": ["net-pull", "a_b", "abc"],
    "note": ["opdeploy-net", "a" * 64],
}
REFUSED = {
    "container group": ["", "-a", "a-", "a--b", "Net", "a_b", "a" * 64, "é"],
    "container registry": ["abcd", "a-bcde", "a" * 51],
    "identity": ["ab", "-abc", "a" * 129, "a b c"],
    "note": ["a" * 65, "a b"],
}
RESERVED = ["my-microsoft", "windows", "login-x", "azure", "xbox"]
FREE = ["my-login", "azure-net", "xboxes"]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in TAKEN.items() for name in names])
def test_a_name_by_the_rules_is_taken(kind: str, name: str) -> None:
    """At both ends of what is allowed."""
    assert [*misnamed(Resource(kind, KINDS[kind].id(GROUP, name), {}))] == []


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in REFUSED.items() for name in names])
def test_a_name_against_the_rules_is_told(kind: str, name: str) -> None:
    """With what to write."""
    (found,) = misnamed(Resource(kind, KINDS[kind].id(GROUP, name), {}))
    assert found.text.startswith(f"{kind} {name}: is no name that Azure takes; write ")


@pytest.mark.parametrize("name", RESERVED)
def test_a_word_that_azure_keeps_is_told(name: str) -> None:
    """Of what has an endpoint."""
    (found,) = misnamed(Resource("container group", KINDS["container group"].id(GROUP, name), {}))
    assert "to itself; take another --name" in found.text
    assert [*misnamed(Resource("identity", KINDS["identity"].id(GROUP, name), {}))] == []


@pytest.mark.parametrize("name", FREE)
def test_a_word_within_a_name_is_free(name: str) -> None:
    """But for those that may be nowhere in it."""
    assert [*misnamed(Resource("container group", KINDS["container group"].id(GROUP, name), {}))] == []


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_can_be_kept(rule: Rule) -> None:
    """There is a name of every length that it allows."""
    import re

    for length in (rule.shortest, rule.longest):
        assert re.fullmatch(rule.pattern, "a" * length)
