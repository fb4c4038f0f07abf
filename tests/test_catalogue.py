"""The catalogue: the chapter's figures to the hundredth, and evidence for every figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from advice import catalogue
from pydantic import BaseModel

import opdeploy
from opdeploy.catalogue import data, load_catalogue
from opdeploy.document import read_profiles
from opdeploy.platform import EDITIONS, Evidence, NameRule, Profile
from opdeploy.workload import CRITERIA, Criterion, Location, Skill

if TYPE_CHECKING:
    from collections.abc import Iterator

HEATMAP = {
    "batch-ai": (1.00, 1.00, 0.45, 1.00, 0.90),
    "aztk": (1.00, 1.00, 0.45, 1.00, 0.90),
    "hdinsight": (0.50, 0.52, 0.72, 0.00, 0.27),
    "service-fabric": (0.72, 1.00, 0.08, 1.00, 0.72),
    "aks-gpu": (1.00, 1.00, 0.09, 1.00, 0.40),
    "aci": (0.43, 0.00, 0.08, 1.00, 1.00),
    "webapp-windows": (0.43, 0.34, 0.08, 0.28, 0.91),
    "webapp": (0.43, 0.34, 0.08, 1.00, 0.92),
    "sql-server": (0.89, 0.19, 1.00, 0.40, 0.40),
    "vm": (1.00, 0.00, 0.00, 1.00, 1.00),
}
DERIVED = {
    "aks-cpu": (0.43, 1.00, 0.09, 1.00, 0.40),
    "batch-shipyard": (1.00, 1.00, 0.45, 1.00, 0.75),
    "databricks": (0.50, 0.52, 0.72, 0.25, 0.55),
    "aml-online": (1.00, 1.00, 0.09, 1.00, 0.75),
    "iot-edge": (0.45, 0.25, 1.00, 0.75, 0.50),
    "fpga": (1.00, 0.75, 0.09, 0.25, 0.50),
    "windows-ml": (0.45, 0.00, 1.00, 0.25, 0.75),
}
CONTINUUM = {
    "hdinsight": 0.10,
    "aztk": 0.21,
    "batch-ai": 0.25,
    "sql-server": 0.48,
    "vm": 0.60,
    "aks-gpu": 0.74,
    "aks-cpu": 0.74,
    "service-fabric": 0.745,
    "aci": 0.88,
    "webapp": 0.885,
    "webapp-windows": 0.885,
}
TODAY_ONLY = {"local", "postgres", "container-apps", "azure-batch", "aml-batch"}
PROFILES = [(edition, profile) for edition in EDITIONS for profile in catalogue(edition).profiles]
each_profile = pytest.mark.parametrize(
    ("edition", "profile"), PROFILES, ids=[f"{profile.id}-{edition}" for edition, profile in PROFILES]
)


def evidence_in(value: BaseModel) -> Iterator[Evidence]:
    """Yield every figure of a profile, however deep."""
    if isinstance(value, Evidence):
        yield value
    for name in type(value).model_fields:
        inner = getattr(value, name)
        if isinstance(inner, BaseModel):
            yield from evidence_in(inner)


@pytest.mark.parametrize(("figures", "grade"), [(HEATMAP, "book"), (DERIVED, "judgement")], ids=["heatmap", "derived"])
def test_the_chapters_ratings(figures: dict[str, tuple[float, ...]], grade: str) -> None:
    """Edition 2018 has the heatmap to the hundredth, and marks the derived rows as judgement."""
    for platform, ratings in figures.items():
        profile = catalogue("2018").by_id[platform]
        found = [profile.ratings.of(criterion) for criterion in CRITERIA]
        assert tuple(rating.value for rating in found) == ratings
        assert {rating.grade for rating in found} == {grade}


def test_the_chapters_platforms_and_continuum() -> None:
    """Edition 2018 has the seventeen platforms of the chapter, at the places of figure 10-7."""
    profiles = catalogue("2018").by_id
    assert set(profiles) == HEATMAP.keys() | DERIVED.keys()
    drawn = {name: profile.place.value for name, profile in profiles.items() if profile.place.grade == "book"}
    assert drawn == CONTINUUM
    assert not any(profile.lifecycle.until for profile in profiles.values())


def test_todays_platforms() -> None:
    """Edition 2026 knows those of the chapter and five more; what has ended has a date and, where known, an heir."""
    profiles = catalogue("2026").by_id
    assert set(profiles) == HEATMAP.keys() | DERIVED.keys() | TODAY_ONLY
    ended = {name for name, profile in profiles.items() if profile.lifecycle.until}
    assert ended == {"batch-ai", "batch-shipyard", "aztk", "fpga"}
    assert all(set(profiles[name].lifecycle.successors) <= set(profiles) for name in profiles)
    assert all(profiles[name].lifecycle.successors for name in ended)


@each_profile
def test_every_figure_has_its_evidence(edition: str, profile: Profile) -> None:
    """Each rating and limit carries source, date, grade and a sentence; the chapter's are of 2018."""
    found = list(evidence_in(profile))
    assert len(found) >= 12
    for evidence in found:
        assert evidence.why.rstrip()[-1] in ".:", evidence.why
        assert evidence.source.strip()
        assert "2018" <= evidence.date[:4] <= "2026"
        assert evidence.date == "2018" or edition == "2026"


RE_RATED = [
    (profile, criterion)
    for profile in catalogue("2026").profiles
    for criterion in CRITERIA
    if profile.id in catalogue("2018").by_id
    and profile.ratings.of(criterion).value != catalogue("2018").by_id[profile.id].ratings.of(criterion).value
]


@pytest.mark.parametrize(
    ("profile", "criterion"), RE_RATED, ids=[f"{profile.id}-{criterion}" for profile, criterion in RE_RATED]
)
def test_a_rating_that_changed_says_why(profile: Profile, criterion: Criterion) -> None:
    """A rating that differs from the chapter's is no longer graded as the book's, and has a reason of its own."""
    now, then = profile.ratings.of(criterion), catalogue("2018").by_id[profile.id].ratings.of(criterion)
    assert now.grade != "book"
    assert now.why != then.why


NAME_RULES = [(profile.id, profile.limits.name.value) for _, profile in PROFILES if profile.limits.name]


@pytest.mark.parametrize(("platform", "rule"), NAME_RULES, ids=[platform for platform, _ in NAME_RULES])
def test_a_name_rule_takes_plain_names_of_every_length(platform: str, rule: NameRule) -> None:
    """A name rule's pattern takes the longest and the shortest plain name that the rule allows."""
    assert platform not in catalogue("2018").by_id or not catalogue("2018").by_id[platform].limits.name
    for length in (rule.min_length, rule.max_length):
        assert re.fullmatch(rule.pattern, "a" * length)


def test_file_names_are_ids() -> None:
    """A platform is found by its name."""
    folder = Path(str(data("profiles")))
    assert sorted(path.stem for path in folder.glob("*.yaml")) == [source["id"] for source in read_profiles(folder)]


def test_an_edition_is_loaded_whole() -> None:
    """The catalogue names ids of every edition, and the editions of each."""
    loaded = load_catalogue("2018")
    assert set(loaded.all_ids) == HEATMAP.keys() | DERIVED.keys() | TODAY_ONLY
    assert loaded.editions_of("postgres") == ("2026",)
    assert loaded.editions_of("aci") == ("2018", "2026")


def test_the_advisor_names_no_platform() -> None:
    """No platform id stands in the advisor's code, nor a location or skill that reads the same."""
    named = set(catalogue("2026").all_ids) | {name for name in (*get_args(Location), *get_args(Skill)) if "-" in name}
    for path in (Path(opdeploy.__file__).parent / "advisor").glob("*.py"):
        literals = set(re.findall(r"""["']([a-z0-9-]+)["']""", path.read_text()))
        assert not literals & named, path.name
