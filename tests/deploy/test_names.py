"""Names that a platform allows, for the rule of every platform in every edition."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opdeploy import targets
from opdeploy.catalogue import load_catalogue
from opdeploy.errors import InputError
from opdeploy.fields import DNS_LABEL, NAME
from opdeploy.names import fit
from opdeploy.platform import EDITIONS, NameRule

RULES = {
    f"{profile.id}-{edition}": profile.limits.name.value
    for edition in EDITIONS
    for profile in load_catalogue(edition).profiles
    if profile.limits.name
}
MAX = 200
"""The longest name that `deploy.name` takes."""
NAMES = st.from_regex(NAME, fullmatch=True).filter(lambda name: len(name) <= MAX) | st.builds(
    lambda start, letters, end: f"{start}{letters}{end}",
    st.sampled_from("aZ0"),
    st.text("aZ0-_", max_size=MAX - 2),
    st.sampled_from("aZ0"),
)
WORKLOADS = st.from_regex(DNS_LABEL, fullmatch=True).filter(lambda name: len(name) <= 40)

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))


def allowed(name: str, rule: NameRule) -> bool:
    """Tell whether a rule allows a name."""
    return rule.min_length <= len(name) <= rule.max_length and bool(re.fullmatch(rule.pattern, name))


def test_there_are_rules() -> None:
    """Of every platform that is deployed to; the chapter tells none."""
    assert {f"{name}-2026" for name in targets.ids()} <= RULES.keys()


@every_rule
def test_every_name_is_made_to_fit(rule: NameRule) -> None:
    """What comes out is allowed; it is the name itself where that is allowed, and the same every time."""

    @given(NAMES)
    def holds(name: str) -> None:
        made = fit(name, rule)
        assert allowed(made, rule)
        assert (made == name) == allowed(name, rule)
        assert fit(name, rule) == fit(made, rule) == made

    holds()


ALIKE = {
    "one letter at the end of long names": [f"{'a' * 150}{end}" for end in "abc019"],
    "one letter in the middle": [f"{'a' * 60}{middle}{'a' * 60}" for middle in "abZ"],
    "lengths": ["a" * length for length in range(1, MAX + 1)],
    "case": ["digits", "Digits", "DIGITS", "digitS"],
    "dashes and underscores": ["a-b", "a_b", "a--b", "a__b", "a-_b", "ab", "a-b-c", "a_b-c", "a-b_c"],
    "figures first": ["1a", "a1", "m1a", "m-1a", "m-1-a", "1-a"],
    "short": ["a", "b", "aa", "ab", "A", "0", "1"],
}


@every_rule
@pytest.mark.parametrize("names", ALIKE.values(), ids=list(ALIKE))
def test_names_that_are_alike_stay_apart(rule: NameRule, names: list[str]) -> None:
    """However a name is written to fit, what it is made of keeps it apart."""
    assert len({fit(name, rule) for name in names}) == len(names)


@every_rule
def test_any_two_names_stay_apart(rule: NameRule) -> None:
    """Names that share what would be left of them, too."""

    @given(st.text("aZ-_", max_size=MAX // 2), st.lists(NAMES, min_size=2, max_size=5, unique=True))
    def holds(start: str, names: list[str]) -> None:
        whole = [f"a{start}{name}"[:MAX].rstrip("-_") for name in names]
        for one, other in pairwise(sorted({*whole})):
            assert fit(one, rule) != fit(other, rule)

    holds()


@given(WORKLOADS)
def test_a_workload_is_called_on_this_machine_what_it_is_called(name: str) -> None:
    """Nothing has to be shortened there."""
    assert fit(name, RULES["local-2026"]) == name


def test_what_is_made_of_a_name_can_be_read() -> None:
    """As much of it as there is room for, and then the mark, which is the same for good: it is on targets."""
    assert fit("Animal_Classifier", RULES["local-2026"]) == "animal-classifier-6b345ac2"
    assert fit("a" * 100, RULES["container-apps-2026"]) == f"{'a' * 23}-28165978"


def test_a_rule_that_allows_nothing_is_told() -> None:
    """In one line, with the rule."""
    with pytest.raises(InputError, match=r"^digits: no name of this kind can be made of it \(\^x\$\); take one"):
        fit("digits", NameRule(min_length=1, max_length=9, pattern="^x$"))
