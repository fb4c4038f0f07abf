"""What resources may be called: names that Azure takes, and those that it does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy import targets
from opdeploy.catalogue import load_catalogue
from opdeploy.deploy_settings import Deploy
from opdeploy.targets import aci
from opdeploy.targets.azure import machine
from opdeploy.targets.azure.kinds import KINDS, name_of
from opdeploy.targets.azure.names import Where, completed, own_group, where
from opdeploy.targets.azure.rules import RULES, Rule, misnamed
from opdeploy.targets.azure.shared import Resource
from tests.deploy.imagined import wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.platform import NameRule

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
LONG = "m" * 62
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
    for length in (rule.shortest, rule.longest):
        assert re.fullmatch(rule.pattern, "a" * length)


CHOSEN: dict[str, dict[str, Any]] = {
    "aci": {},
    "webapp": {},
    "container-apps": {"container_apps": {"workspace": "own"}},
    "aks-cpu": {"aks": {"size": "Standard_D2as_v5"}},
    "vm": {"vm": {"size": "Standard_D2s_v5"}},
}
"""Platforms of Azure, and what has them make all that they can."""


@pytest.mark.parametrize("target", CHOSEN)
def test_a_name_that_a_platform_takes_is_one_for_all_that_it_makes(target: str) -> None:
    """The longest and the shortest, with dashes or without: what is made with a deployment has its name, and more."""
    chosen = Deploy.model_validate({"target": target, "azure": {"location": "westeurope"}, **CHOSEN[target]})
    rule = rule_of(target, chosen)
    for length in (rule.min_length, rule.max_length):
        for name in ("a" * length, f"{'a-' * length}"[: length - 1] + "9", "b" + "-" * (length - 2) + "9"):
            if len(name) == length and re.fullmatch(rule.pattern, name):
                made = [*everything(target, chosen, name)]
                assert made
                assert [said.text for item in made for said in misnamed(item)] == []


def rule_of(target: str, chosen: Deploy) -> NameRule:
    """Return the rule of a platform's names: its own, or that of its profile."""
    own = targets.find(target, settings=chosen).rule
    limit = next(item for item in load_catalogue().profiles if item.id == target).limits.name
    assert own or limit
    return own or limit.value  # type: ignore[union-attr]  # just looked at


def everything(target: str, chosen: Deploy, name: str) -> Iterator[Resource]:
    """Yield all that is ever made on a platform of Azure."""
    settings = completed(chosen, name)
    of = wanted().model_copy(update={"deployment": name, "settings": settings, "keyed": True})
    at = where(settings, name)
    platform: Any = targets.find(target, settings=settings)
    yield from machine.resources(of, {}) if target == "vm" else platform.resources(of)
    yield from (Resource("note", each, {}) for each in (at.note, at.lock))
    yield Resource("resource group", at._replace(group=own_group(name, target)).group_id, {})
    if target == "aci":
        yield Resource(aci.KIND, at.id(aci.KIND, aci.trial(name)), {})
    if target == "vm":
        yield Resource(machine.DISK, machine.names(at)[machine.DISK], {})


def test_records_and_locks_of_a_group_have_names_of_their_own() -> None:
    """Whatever deployments are called, and however long that is; Azure takes each of them."""
    names = ["net", "lock-net", "lock.net", f"{LONG}-a", f"{LONG}-b", "m" * 49, "m" * 50, "m" * 51]
    places = [Where("s", "models", "westeurope", name) for name in names]
    found = [note for at in places for note in (at.note, at.lock)]
    assert len({note.lower() for note in found}) == 2 * len(names)
    assert [told for note in found for told in misnamed(Resource("note", note, {}))] == []
    assert (name_of(places[0].note), name_of(places[0].lock)) == ("opdeploy-net", "opdeploy.lock.net")
    assert name_of(places[5].lock) == f"opdeploy.lock.{'m' * 49}"
