"""What `recommend -o json` holds: its keys at every level, and what must be true of every answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.catalogue import load_catalogue
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy

NUMBER = (int, float)
TEXT_OR_NULL = (str, type(None))
SHAPE: dict[str, Any] = {
    "workload": str,
    "edition": str,
    "as_of": str,
    "status": str,
    "best": TEXT_OR_NULL,
    "ranked": [
        {
            "platform": str,
            "score": NUMBER,
            "contributions": [
                {"criterion": str, "weight": NUMBER, "rating": NUMBER, "points": NUMBER, "why": str, "grade": str}
            ],
            "reasons": [str],
            "warnings": [str],
        }
    ],
    "excluded": [{"platform": str, "reasons": [{"constraint": str, "text": str, "would_need": str}]}],
    "ties": [str],
    "sensitivity": {
        "win_share": dict,
        "flips": [
            {
                "criterion": str,
                "weight": NUMBER,
                "at": (*NUMBER, type(None)),
                "direction": str,
                "new_best": TEXT_OR_NULL,
            }
        ],
    },
    "assumptions": [{"field": str, "value": object, "why": str}],
}
"""The contract: keys, and the types of their values."""


def misfits(value: Any, shape: Any, where: str = "") -> list[str]:  # noqa: ANN401  any JSON value, any shape
    """Return where a value differs from its shape."""
    if isinstance(shape, dict):
        if not isinstance(value, dict) or list(value) != list(shape):
            return [f"{where}: {value}"]
        return [found for key in shape for found in misfits(value[key], shape[key], f"{where}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: {value}"]
        return [found for item in value for found in misfits(item, shape[0], where + "[]")]
    return [] if isinstance(value, shape) else [f"{where}: {value}"]


def test_it_has_exactly_the_keys_of_the_contract(asked: Asked) -> None:
    """At every level there are the keys of the contract, in its order, with values of their types; no others."""
    assert misfits(asked.answer, SHAPE) == []
    assert (asked.answer["workload"], asked.answer["edition"]) == (asked.name, asked.edition)
    assert asked.answer["as_of"] == "2026-11-02"


def test_every_platform_is_ranked_or_excluded_once(asked: Asked) -> None:
    """Every platform of the edition is in exactly one of the two lists, the excluded ones with a reason."""
    named = [item["platform"] for item in asked.answer["ranked"] + asked.answer["excluded"]]
    edition = load_catalogue("2018" if asked.edition == "2018" else "2026")
    assert sorted(named) == sorted(edition.by_id)
    assert all(item["reasons"] for item in asked.answer["excluded"])


def test_the_status_says_what_the_answer_is(asked: Asked) -> None:
    """The status, the best platform and the ties agree with the ranking."""
    answer = asked.answer
    ranked = [item["platform"] for item in answer["ranked"]]
    assert answer["best"] == (ranked[0] if ranked else None)
    expected = "tie" if answer["ties"] else "recommended" if ranked else "no-viable-platform"
    assert answer["status"] == ("out-of-scope" if asked.name in {"llm", "tokens", "patternless"} else expected)


def test_no_platform_is_left_without_an_answer(asked: Asked) -> None:
    """Without a ranking there is nothing to be firm about."""
    firm = asked.answer["sensitivity"]
    assert bool(asked.answer["ranked"]) == bool(firm["win_share"]) == bool(firm["flips"])


def test_the_points_sum_to_the_score(ranking: Asked) -> None:
    """A score is the sum of its points, each weight x rating in hundredths of the sum of weights."""
    for item in ranking.answer["ranked"]:
        parts = item["contributions"]
        total = sum(part["weight"] for part in parts)
        assert [part["criterion"] for part in parts] == [*CRITERIA, "fit"]
        assert math.isclose(sum(part["points"] for part in parts), item["score"], abs_tol=1e-9)
        assert all(
            math.isclose(part["points"], 100 * part["weight"] * part["rating"] / total, abs_tol=1e-9) for part in parts
        )
        assert all(0 <= part["rating"] <= 1 and 0 <= part["weight"] <= 5 for part in parts)


def test_the_ranking_is_by_score(ranking: Asked) -> None:
    """Better scores come first."""
    scores = [item["score"] for item in ranking.answer["ranked"]]
    assert scores == sorted(scores, reverse=True)


def test_ties_are_all_platforms_within_a_band(ranking: Asked) -> None:
    """Ties hold the best platform and a run of those behind it; none is alone in a tie."""
    ties = ranking.answer["ties"]
    assert ties == [item["platform"] for item in ranking.answer["ranked"]][: len(ties)]
    assert len(ties) != 1


def test_the_band_of_ties_is_one_for_all_answers(answers: dict[tuple[str, str], Asked]) -> None:
    """What is in a tie anywhere is nearer to the best than what is in none anywhere."""
    gaps: dict[bool, list[float]] = {True: [], False: []}
    for asked in answers.values():
        for item in asked.answer["ranked"][1:]:
            gap = asked.answer["ranked"][0]["score"] - item["score"]
            gaps[item["platform"] in asked.answer["ties"]].append(gap)
    assert gaps[True]
    assert max(gaps[True]) < min(gaps[False])


def test_the_win_shares_are_shares_of_a_thousand_draws(ranking: Asked) -> None:
    """Each ranked platform has a share in thousandths, and together they have all."""
    shares = ranking.answer["sensitivity"]["win_share"]
    assert list(shares) == [item["platform"] for item in ranking.answer["ranked"]]
    assert math.isclose(sum(shares.values()), 1)
    assert all(math.isclose(1000 * share, round(1000 * share), abs_tol=1e-9) for share in shares.values())


def test_the_flips_speak_of_every_criterion(ranking: Asked) -> None:
    """Each criterion has its flips, beyond its weight on their side; one without any stands twice, with `at` null."""
    flips = ranking.answer["sensitivity"]["flips"]
    weights = {part["criterion"]: part["weight"] for part in ranking.answer["ranked"][0]["contributions"]}
    assert list(dict.fromkeys(flip["criterion"] for flip in flips)) == [*CRITERIA, "fit"]
    for criterion, weight in weights.items():
        here = [flip for flip in flips if flip["criterion"] == criterion]
        directions = [flip["direction"] for flip in here]
        nowhere = [flip["at"] is None for flip in here]
        assert nowhere == [flip["new_best"] is None for flip in here]
        assert directions == ["up", "down"] or (directions in (["up"], ["down"]) and nowhere == [False])
        assert all(nowhere) or not any(nowhere)
        for flip in here if not any(nowhere) else []:
            low, high = (weight, 5) if flip["direction"] == "up" else (0, weight)
            assert low <= flip["at"] <= high
            assert flip["weight"] == weight
            assert flip["new_best"] != ranking.answer["best"]


def test_assumptions_are_of_what_the_file_does_not_say(ranking: Asked) -> None:
    """Every assumption names a field, once, and says why."""
    fields = [item["field"] for item in ranking.answer["assumptions"]]
    assert len(fields) == len(set(fields))
    assert all(item["why"] for item in ranking.answer["assumptions"])


LAST_DAY = {
    "the day before": ("2026-06-29", ["retires on 2026-06-30; successor: aml-online, aks-gpu"]),
    "the day": ("2026-06-30", None),
}
RETIRED = {
    "batch-ai": ("2019-03-31", ("aml-batch", "azure-batch")),
    "aztk": ("2020-02-14", ("databricks",)),
    "batch-shipyard": ("2023-03-20", ("azure-batch",)),
    "fpga": ("2026-06-30", ("aml-online", "aks-gpu")),
}


@pytest.mark.parametrize(("platform", "expected"), RETIRED.items(), ids=list(RETIRED))
def test_a_retired_platform_is_named_with_day_and_successors(
    answers: dict[tuple[str, str], Asked], platform: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    """Whoever asks for what is gone learns since when, and what took its place."""
    excluded = {item["platform"]: item["reasons"] for item in answers["nothing", "2026"].answer["excluded"]}
    (retired,) = [reason for reason in excluded[platform] if reason["constraint"] == "retired"]
    day, successors = expected
    assert day in retired["text"]
    assert all(successor in retired["would_need"] for successor in successors)


@pytest.mark.parametrize(("day", "warnings"), LAST_DAY.values(), ids=list(LAST_DAY))
def test_as_of_decides_what_is_retired(
    opdeploy: Opdeploy, answers: dict[tuple[str, str], Asked], day: str, warnings: list[str] | None
) -> None:
    """A platform is out from the day on which it retires; before, it is in, with a warning that names the day."""
    path = answers["bare", "2026"].path.with_name("resnet.yaml")
    path.write_text("name: a\nserving: {pattern: request-response}\nmodel: {path: resnet50.onnx}\n")
    path.with_name("resnet50.onnx").touch()
    answer = opdeploy("recommend", path, "-o", "json", "--as-of", day).json
    assert answer["as_of"] == day
    assert {item["platform"]: item["warnings"] for item in answer["ranked"]}.get("fpga") == warnings
    reasons = {item["platform"]: [reason["constraint"] for reason in item["reasons"]] for item in answer["excluded"]}
    assert reasons.get("fpga") == (None if warnings else ["retired"])
