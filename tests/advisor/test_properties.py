"""What holds for every workload."""

from __future__ import annotations

import copy
import math
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from advice import answer_to, catalogue
from hypothesis import given, settings
from hypothesis import strategies as st
from workloads import WEIGHTS, WORKLOADS, Fields

from opdeploy.advisor import TIE_BAND
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from opdeploy.recommendation import Recommendation

TODAY = date(2026, 11, 23)
EDITIONS = st.sampled_from(["2018", "2026"])


def excluded_by(answer: Recommendation) -> set[str]:
    """Return the ids that an answer excludes."""
    return {item.platform for item in answer.excluded}


@given(WORKLOADS, EDITIONS)
@settings(max_examples=200, deadline=None)
def test_every_platform_is_ranked_or_excluded_with_a_reason(fields: Fields, edition: str) -> None:
    """Each platform of the edition stands in exactly one of the two lists, and no exclusion is silent."""
    answer = answer_to(fields, edition, TODAY)
    both = [item.platform for item in answer.ranked] + [item.platform for item in answer.excluded]
    assert sorted(both) == sorted(catalogue(edition).by_id)
    assert all(reason.text and reason.would_need for item in answer.excluded for reason in item.reasons)
    assert all(item.reasons for item in answer.excluded)


@given(WORKLOADS, EDITIONS)
@settings(max_examples=200, deadline=None)
def test_scores_are_the_sums_of_their_points_and_order_the_ranking(fields: Fields, edition: str) -> None:
    """Scores lie between 0 and 100, are sums of points, fall along the ranking, and decide status and ties."""
    answer = answer_to(fields, edition, TODAY)
    scores = [item.score for item in answer.ranked]
    assert scores == sorted(scores, reverse=True)
    for item in answer.ranked:
        assert 0 <= item.score <= 100
        assert math.isclose(sum(part.points for part in item.contributions), item.score, abs_tol=1e-9)
    close = [item.platform for item in answer.ranked if scores[0] - item.score <= TIE_BAND]
    assert list(answer.ties) == (close if len(close) > 1 else [])
    assert answer.best == (answer.ranked[0].platform if answer.ranked else None)
    assert answer.status == ("no-viable-platform" if not scores else "tie" if answer.ties else "recommended")


def _looser_gpu(fields: Fields) -> None:
    fields.setdefault("hardware", {})["gpu"] = "none"


def _looser_only(fields: Fields) -> None:
    constraints = fields.get("constraints", {})
    if constraints.get("only"):
        constraints["only"] = list(catalogue("2026").all_ids)


def _set(section: str, key: str, value: object, *inner: str) -> Any:  # noqa: ANN401  a function on fields
    def change(fields: Fields) -> None:
        target = fields.setdefault(section, {})
        for name in inner:
            target = target.setdefault(name, {})
        target[key] = value

    return change


def _looser_peak(fields: Fields) -> None:
    requests = fields["serving"].get("requests_per_second")
    if requests:
        requests["peak"] = requests["average"]


def _smaller_payload(fields: Fields) -> None:
    if "max_payload_mb" in fields["serving"]:
        fields["serving"]["max_payload_mb"] = 0.001


LOOSER = {
    "gpu": _looser_gpu,
    "peak": _looser_peak,
    "payload": lambda fields: fields["serving"].pop("max_payload_mb", None),
    "smaller payload": _smaller_payload,
    "memory": _set("hardware", "memory_gb", 0.1),
    "availability": lambda fields: fields["serving"].pop("availability", None),
    "private network": _set("constraints", "private_network", False),  # noqa: FBT003  a value of the file
    "may move": _set("data", "may_move", True),  # noqa: FBT003  a value of the file
    "never": _set("constraints", "never", []),
    "only": _looser_only,
}


@pytest.mark.parametrize("name", LOOSER)
@given(fields=WORKLOADS, edition=EDITIONS)
@settings(max_examples=60, deadline=None)
def test_loosening_a_constraint_never_excludes_more(name: str, fields: Fields, edition: str) -> None:
    """What was viable under a demand is viable without it."""
    looser = copy.deepcopy(fields)
    LOOSER[name](looser)
    assert excluded_by(answer_to(looser, edition, TODAY)) <= excluded_by(answer_to(fields, edition, TODAY))


@given(fields=WORKLOADS, edition=EDITIONS, criterion=st.sampled_from(CRITERIA), low=WEIGHTS, high=WEIGHTS)
@settings(max_examples=200, deadline=None)
def test_raising_a_weight_favours_those_that_rate_higher(
    fields: Fields, edition: str, criterion: str, low: float, high: float
) -> None:
    """A platform stays level with or ahead of each that it led or equalled and that rates no higher there."""
    low, high = sorted((low, high))
    before, after = (
        answer_to({**fields, "priorities": {**fields.get("priorities", {}), criterion: weight}}, edition, TODAY)
        for weight in (low, high)
    )
    index = [part.criterion for part in before.ranked[0].contributions].index(criterion) if before.ranked else 0
    rank = {item.platform: place for place, item in enumerate(after.ranked)}
    for place, leader in enumerate(before.ranked):
        for rival in before.ranked[place + 1 :]:
            if leader.contributions[index].rating >= rival.contributions[index].rating:
                assert rank[leader.platform] < rank[rival.platform]


@given(fields=WORKLOADS, edition=EDITIONS, seed=st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_input_does_not_matter(fields: Fields, edition: str, seed: Any) -> None:  # noqa: ANN401  a Random
    """Shuffled keys and lists give the same answer."""

    def shuffled(value: Any) -> Any:  # noqa: ANN401  any YAML value
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in seed.sample(sorted(value), len(value))}
        return seed.sample(value, len(value)) if isinstance(value, list) else value

    assert answer_to(shuffled(fields), edition, TODAY) == answer_to(fields, edition, TODAY)


@given(fields=WORKLOADS, edition=EDITIONS)
@settings(max_examples=100, deadline=None)
def test_a_flip_is_where_the_lead_changes(fields: Fields, edition: str) -> None:
    """Just before a flip's weight the best platform stays, just past it the named one leads; else nothing changes."""
    answer = answer_to(fields, edition, TODAY)

    def best_at(criterion: str, weight: float) -> str | None:
        priorities = {**fields.get("priorities", {}), criterion: weight}
        return answer_to({**fields, "priorities": priorities}, edition, TODAY).best

    flips = [flip for flip in answer.sensitivity.flips if flip.criterion in CRITERIA]
    assert {flip.criterion for flip in flips} == (set(CRITERIA) if answer.ranked else set())
    for flip in flips:
        if flip.at is None:
            assert {best_at(flip.criterion, weight) for weight in (0, 1.25, 2.5, 3.75, 5)} == {answer.best}
            continue
        step = 1e-6 if flip.direction == "up" else -1e-6
        assert best_at(flip.criterion, min(5.0, max(0.0, flip.at + step))) == flip.new_best
        if abs(flip.at - flip.weight) > 1e-5:
            assert best_at(flip.criterion, flip.at - step) == answer.best


@given(fields=WORKLOADS, edition=EDITIONS)
@settings(max_examples=50, deadline=None)
def test_win_shares_are_shares(fields: Fields, edition: str) -> None:
    """Every ranked platform has a share of the 1,000 draws, and they sum to one."""
    answer = answer_to(fields, edition, TODAY)
    shares = answer.sensitivity.win_share
    assert set(shares) == {item.platform for item in answer.ranked}
    assert not shares or math.isclose(sum(shares.values()), 1.0)
