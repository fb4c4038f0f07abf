"""The flips of an answer, each verified by asking again with the weight that it names."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.cli.conftest import Asked

    Many = Callable[[Iterable[list[str]]], list[str]]

LITTLE = 1e-6
GRID = (0.0, 1.25, 2.5, 3.75, 5.0)
SAMPLE = [(name, edition) for name in ("bare", "heavy", "demo", "batch") for edition in ("2018", "2026")]


def leaders_at(many: Many, asked: Asked, points: Iterable[tuple[str, float]]) -> list[str]:
    """Return the platform of the highest score when one weight is set alone, for each criterion and weight."""
    workload: dict[str, Any] = json.loads(asked.path.read_text())
    commands = []
    for number, (criterion, weight) in enumerate(points):
        path = asked.path.with_name(f"{asked.name}-{asked.edition}-{number}.yaml")
        path.write_text(json.dumps(workload | {"priorities": workload.get("priorities", {}) | {criterion: weight}}))
        commands.append(["recommend", str(path), "--edition", asked.edition, "-o", "json", "--as-of=2026-11-02"])
    return [replace(asked, answer=json.loads(printed)).leader for printed in many(commands)]


def flips_of(asked: Asked) -> list[dict[str, Any]]:
    """Return the flips of the criteria that `priorities` can set."""
    return [flip for flip in asked.answer["sensitivity"]["flips"] if flip["criterion"] in CRITERIA]


def test_the_lead_changes_a_little_past_a_flip_and_not_before(many: Many, ranking: Asked) -> None:
    """A little past `at`, or at the end of the scale, `new_best` leads; a little before, the leader does."""
    flips = [flip for flip in flips_of(ranking) if flip["at"] is not None]
    signs = [1 if flip["direction"] == "up" else -1 for flip in flips]
    past = [
        (flip["criterion"], min(5.0, max(0.0, flip["at"] + sign * LITTLE)))
        for flip, sign in zip(flips, signs, strict=True)
    ]
    before = [(flip["criterion"], flip["at"] - sign * LITTLE) for flip, sign in zip(flips, signs, strict=True)]
    found = leaders_at(many, ranking, past + before)
    assert found == [flip["new_best"] for flip in flips] + [ranking.leader] * len(flips)


@pytest.mark.parametrize("key", SAMPLE, ids="-".join)
def test_the_highest_score_leads_between_its_flips_and_nowhere_else(
    many: Many, answers: dict[tuple[str, str], Asked], key: tuple[str, str]
) -> None:
    """Over all weights from 0 to 5, the platform of the highest score leads exactly where no flip lies between."""
    ranking = answers[key]
    points = [(criterion, weight) for criterion in CRITERIA for weight in GRID]
    bounds: dict[str, dict[str, float]] = {criterion: {"down": -1.0, "up": 6.0} for criterion in CRITERIA}
    for flip in flips_of(ranking):
        if flip["at"] is not None:
            bounds[flip["criterion"]][flip["direction"]] = flip["at"]
    inside = {
        point: bounds[point[0]]["down"] < point[1] < bounds[point[0]]["up"]
        for point in points
        if point[1] not in bounds[point[0]].values()
    }
    leads = dict(zip(points, (found == ranking.leader for found in leaders_at(many, ranking, points)), strict=True))
    assert {point: leads[point] for point in inside} == inside


@pytest.mark.parametrize("none", [False, True], ids=["some", "none"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_the_workloads_show_flips_of_every_kind(
    answers: dict[tuple[str, str], Asked], direction: str, *, none: bool
) -> None:
    """The cases of this file are not empty: in both directions there are weights that flip the lead, and others."""
    flips = [flip for asked in answers.values() for flip in flips_of(asked) if flip["direction"] == direction]
    assert len([flip for flip in flips if (flip["at"] is None) == none]) > 3
