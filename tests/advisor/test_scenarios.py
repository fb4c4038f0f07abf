"""The advisor against written scenarios, each with the sentence that it rests on."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from advice import answer_to

from opdeploy.document import read

TODAY = date(2026, 11, 23)
CASES: list[dict[str, Any]] = read(Path(__file__).with_name("scenarios.yaml")).value


def _of(case: dict[str, Any], key: str, edition: str, empty: Any) -> Any:  # noqa: ANN401  any YAML value
    values = case.get(key, {})
    return values.get(edition, values.get("both", empty))


EXPECTATIONS = [
    (case, edition)
    for case in CASES
    for edition in ("2018", "2026")
    if any(_of(case, key, edition, None) for key in ("editions", "viable", "excluded"))
    or ("status" in case and edition in case.get("editions_of_status", [edition]))
]


@pytest.mark.parametrize(
    ("case", "edition"), EXPECTATIONS, ids=[f"{case['name']} ({edition})" for case, edition in EXPECTATIONS]
)
def test_scenario(case: dict[str, Any], edition: str) -> None:
    """A workload gets the platform, and loses those, that its scenario names."""
    answer = answer_to(case["workload"], edition, TODAY)
    ranked = [item.platform for item in answer.ranked]
    reasons = {item.platform: {reason.constraint for reason in item.reasons} for item in answer.excluded}
    best = _of(case, "editions", edition, None)
    if best is not None:
        assert answer.best == best
    assert set(_of(case, "viable", edition, [])) <= set(ranked)
    for platform, constraint in _of(case, "excluded", edition, {}).items():
        assert constraint in reasons[platform]
    if "status" in case and edition in case.get("editions_of_status", [edition]):
        assert answer.status == case["status"]


def test_there_are_enough_scenarios() -> None:
    """At least forty scenarios, each with its ground, and no key that the test does not read."""
    known = {"name", "rests_on", "editions", "viable", "excluded", "status", "editions_of_status", "workload"}
    assert len(CASES) >= 40
    assert all(case["rests_on"] and set(case) <= known for case in CASES)
    assert all({"editions", "viable", "excluded", "status"} & set(case) for case in CASES)


@pytest.mark.parametrize(
    ("workload", "as_of", "platform", "said"),
    [
        ({"serving": {"pattern": "scheduled-batch"}}, "2026-11-23", "batch-ai", "2019-03-31"),
        ({"serving": {"pattern": "scheduled-batch"}}, "2026-11-23", "aztk", "2020-02-14"),
        ({"serving": {"pattern": "scheduled-batch"}}, "2026-11-23", "batch-shipyard", "2023-03-20"),
        ({"serving": {"pattern": "request-response"}}, "2026-06-30", "fpga", "2026-06-30"),
        (
            {"serving": {"pattern": "request-response"}, "hardware": {"gpu": "required"}},
            "2026-11-23",
            "aci",
            "2025-07-14",
        ),
    ],
)
def test_an_end_is_named_with_its_date(workload: dict[str, Any], as_of: str, platform: str, said: str) -> None:
    """What has ended is excluded with the day of its end."""
    answer = answer_to(workload, "2026", date.fromisoformat(as_of))
    reasons = next(item.reasons for item in answer.excluded if item.platform == platform)
    assert any(said in reason.text for reason in reasons)


def test_a_platform_lives_until_its_last_day() -> None:
    """`as_of` replays a decision: on the day before its end a platform is not yet retired, and warns."""
    workload = {"model": {"path": "resnet50.onnx"}, "serving": {"pattern": "request-response"}}
    answer = answer_to(workload, "2026", date(2026, 6, 29))
    fpga = next(item for item in answer.ranked if item.platform == "fpga")
    assert any("2026-06-30" in warning for warning in fpga.warnings)
