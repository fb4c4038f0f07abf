"""What `recommend -o json` holds: its keys at every level, and what must be true of every answer."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.catalogue import load_catalogue
from opdeploy.workload import CRITERIA

if TYPE_CHECKING:
    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy

NUMBER = (int, float)
NUMBER_OR_NULL = (*NUMBER, type(None))
TEXT_OR_NULL = (str, type(None))


@dataclass(frozen=True)
class OrNull:
    """A shape of which there may be nothing."""

    shape: dict[str, Any]


SIZING: dict[str, Any] = {
    "size": str,
    "count": int,
    "capacity": {
        "value": NUMBER,
        "low": NUMBER,
        "high": NUMBER,
        "unit": {"requests/s", "records/s"},
        "grade": {"measured", "scaled", "vendor", "chapter", "estimate"},
        "branches": [{"processors": [str], "value": NUMBER, "low": NUMBER, "high": NUMBER}],
    },
    "p95_ms": NUMBER_OR_NULL,
    "run_s": NUMBER_OR_NULL,
    "spare": int,
    "least": int,
    "in_flight": NUMBER_OR_NULL,
    "spot": bool,
    "instance_hours": NUMBER,
    "variant": TEXT_OR_NULL,
    "why": [str],
}
COST: dict[str, Any] = {
    "monthly_usd": NUMBER,
    "low": NUMBER,
    "high": NUMBER_OR_NULL,
    "status": {"complete", "borrowed", "partial"},
    "lines": [
        {
            "meter": str,
            "quantity": NUMBER,
            "unit": str,
            "price": NUMBER,
            "usd": NUMBER,
            "region": str,
            "source": str,
            "date": TEXT_OR_NULL,
        }
    ],
    "missing": [str],
    "per_million_records": NUMBER_OR_NULL,
}
SHAPE: dict[str, Any] = {
    "workload": str,
    "edition": str,
    "as_of": str,
    "inputs": str,
    "status": str,
    "best": TEXT_OR_NULL,
    "ranked": [
        {
            "platform": str,
            "score": NUMBER,
            "sizing": OrNull(SIZING),
            "cost": OrNull(COST),
            "contributions": [
                {"criterion": str, "weight": NUMBER, "rating": NUMBER, "points": NUMBER, "why": str, "grade": str}
            ],
            "reasons": [str],
            "warnings": [str],
        }
    ],
    "excluded": [{"platform": str, "reasons": [{"constraint": str, "text": str, "would_need": str}]}],
    "ties": [str],
    "region": TEXT_OR_NULL,
    "pareto": [str],
    "break_even": [{"cheaper": str, "than": str, "above": NUMBER}],
    "notes": [str],
    "sensitivity": {
        "win_share": dict,
        "flips": [
            {
                "criterion": str,
                "weight": NUMBER,
                "at": NUMBER_OR_NULL,
                "direction": str,
                "new_best": TEXT_OR_NULL,
            }
        ],
    },
    "assumptions": [{"field": str, "value": object, "why": str}],
}
"""The contract: keys, and the types of their values; a set holds the only values there may be."""


def misfits(value: Any, shape: Any, where: str = "") -> list[str]:  # noqa: ANN401  any JSON value, any shape
    """Return where a value differs from its shape."""
    if isinstance(shape, OrNull):
        return [] if value is None else misfits(value, shape.shape, where)
    if isinstance(shape, dict):
        if not isinstance(value, dict) or list(value) != list(shape):
            return [f"{where}: {value}"]
        return [found for key in shape for found in misfits(value[key], shape[key], f"{where}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: {value}"]
        return [found for item in value for found in misfits(item, shape[0], where + "[]")]
    fits = value in shape if isinstance(shape, set) else isinstance(value, shape)
    return [] if fits else [f"{where}: {value}"]


def test_it_has_exactly_the_keys_of_the_contract(asked: Asked) -> None:
    """At every level there are the keys of the contract, in its order, with values of their types; no others."""
    assert misfits(asked.answer, SHAPE) == []
    assert (asked.answer["workload"], asked.answer["edition"]) == (asked.name, asked.edition)
    assert asked.answer["as_of"] == "2026-11-02"


def test_the_edition_of_2018_has_neither_sizes_nor_prices(asked: Asked) -> None:
    """Its answers say so, and hold nothing else that follows from them; those of today name a region."""
    answer = asked.answer
    known = [answer["region"], *(item[key] for item in answer["ranked"] for key in ("sizing", "cost"))]
    said = [assumed for assumed in answer["assumptions"] if assumed["field"] == "prices"]
    if asked.edition == "2018":
        assert set(known) == {None}
        assert (answer["pareto"], answer["break_even"], answer["notes"]) == ([], [], [])
        assert bool(said) == (answer["status"] != "out-of-scope")
        return
    assert said == []
    region = json.loads(asked.path.read_text()).get("region", "eastus2")
    assert answer["region"] == (None if answer["status"] == "out-of-scope" else region)


def test_the_answers_hold_sizes_and_costs_of_every_kind(answers: dict[tuple[str, str], Asked]) -> None:
    """The cases of this file are not empty: endpoints and runs, costs of each status, platforms without either."""
    ranked = [item for asked in answers.values() if asked.edition != "2018" for item in asked.answer["ranked"]]
    units = {item["sizing"] and item["sizing"]["capacity"]["unit"] for item in ranked}
    assert units == {"requests/s", "records/s", None}
    assert {item["cost"] and item["cost"]["status"] for item in ranked} >= {"complete", "borrowed", "partial"}


def test_a_size_tells_the_time_of_a_request_or_of_a_run(ranking: Asked) -> None:
    """One of the two, by what it carries; some of the instances may stand by; the capacity lies within its bounds."""
    for sizing in (item["sizing"] for item in ranking.answer["ranked"] if item["sizing"]):
        capacity = sizing["capacity"]
        assert (sizing["p95_ms"] is None) == (sizing["in_flight"] is None) == (capacity["unit"] == "records/s")
        assert (sizing["run_s"] is None) == (capacity["unit"] == "requests/s")
        assert 0 <= sizing["spare"] < sizing["count"]
        assert 0 <= sizing["least"] <= sizing["count"]
        assert 0 <= capacity["low"] <= capacity["value"] <= capacity["high"]
        assert capacity["high"] > 0


def test_a_cost_is_the_sum_of_its_lines(ranking: Asked) -> None:
    """To the cent; what is missing, or borrowed, is what its status says, and only the whole has an upper bound."""
    for cost in (item["cost"] for item in ranking.answer["ranked"] if item["cost"]):
        assert math.isclose(sum(line["usd"] for line in cost["lines"]), cost["monthly_usd"], abs_tol=1e-6)
        elsewhere = {line["region"] for line in cost["lines"]} - {ranking.answer["region"], "Global"}
        assert cost["status"] == ("partial" if cost["missing"] else "borrowed" if elsewhere else "complete")
        assert (cost["high"] is None) == (cost["status"] == "partial")
        assert cost["low"] <= cost["monthly_usd"] <= (math.inf if cost["high"] is None else cost["high"])
        assert (cost["low"] < cost["monthly_usd"]) == any(
            line["usd"] > 0.01 for line in cost["lines"] if line["region"] in elsewhere
        )


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


def by_score(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the ranked platforms by score, of equal ones by name."""
    return sorted(answer["ranked"], key=lambda item: (-item["score"], item["platform"]))


def whole_cost(item: dict[str, Any]) -> float:
    """Return what a platform costs; infinite where nothing is known of it, or a part has no price."""
    cost = item["cost"]
    return math.inf if cost is None or cost["missing"] else cost["monthly_usd"]


def test_the_ranking_is_by_cost_within_a_tie_and_by_score_beyond(ranking: Asked) -> None:
    """Those in a tie stand by cost, those without a whole one after them and by score; all others by score."""
    best, *others = by_score(ranking.answer)
    tied = [best, *(item for item in others if item["platform"] in ranking.answer["ties"])]
    expected = sorted(tied, key=whole_cost) + [item for item in others if item not in tied]
    assert [item["platform"] for item in ranking.answer["ranked"]] == [item["platform"] for item in expected]


def test_cost_and_score_each_decide_an_order(answers: dict[tuple[str, str], Asked]) -> None:
    """The cases of this file are not empty: somewhere a cheaper platform stands before one of a higher score."""
    pairs = [
        pair
        for asked in answers.values()
        for pair in pairwise(item for item in asked.answer["ranked"] if item["platform"] in asked.answer["ties"])
    ]
    by_cost = [(a, b) for a, b in pairs if a["score"] < b["score"]]
    assert [(a, b) for a, b in by_cost if whole_cost(a) < whole_cost(b) < math.inf]
    assert [(a, b) for a, b in by_cost if whole_cost(b) == math.inf]
    assert [(a, b) for a, b in pairs if whole_cost(a) == whole_cost(b) == math.inf and a["score"] > b["score"]]


def test_ties_are_all_platforms_within_a_band(ranking: Asked) -> None:
    """Ties hold the best platform and a run of those behind it, the highest score too; none is alone in a tie."""
    ties = ranking.answer["ties"]
    assert ties == [item["platform"] for item in ranking.answer["ranked"]][: len(ties)]
    assert len(ties) != 1
    assert ranking.leader in (ties or [ranking.answer["best"]])


def test_the_band_of_ties_is_one_for_all_answers(answers: dict[tuple[str, str], Asked]) -> None:
    """What is in a tie anywhere is nearer to the highest score than what is in none anywhere, by two points."""
    gaps: dict[bool, list[float]] = {True: [], False: []}
    for asked in answers.values():
        for item in by_score(asked.answer)[1:]:
            gap = by_score(asked.answer)[0]["score"] - item["score"]
            gaps[item["platform"] in asked.answer["ties"]].append(gap)
    assert gaps[True]
    assert max(gaps[True]) <= 2 < min(gaps[False])


def test_the_win_shares_are_shares_of_a_thousand_draws(ranking: Asked) -> None:
    """Each ranked platform has a share in thousandths, the highest score first, and together they have all."""
    shares = ranking.answer["sensitivity"]["win_share"]
    assert list(shares) == [item["platform"] for item in by_score(ranking.answer)]
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
            assert flip["new_best"] != ranking.leader


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
