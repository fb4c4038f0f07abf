"""`opdeploy heatmap --then-now`: what changed since the chapter, all of it and nothing else, with its reason."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.document import read_profiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    Many = Callable[..., list[str]]
    OneLine = Callable[[Ran], str]
    Profiles = dict[str, dict[str, Any]]

DAY = "--as-of=2026-11-02"
COMPARED = {
    "speed": ("ratings", "speed"),
    "scalability": ("ratings", "scalability"),
    "data_proximity": ("ratings", "data_proximity"),
    "debuggability": ("ratings", "debuggability"),
    "ease_of_deployment": ("ratings", "ease_of_deployment"),
    "place": ("place",),
    "patterns": ("patterns",),
    "skills": ("skills",),
    "stages": ("stages",),
    "docker": ("docker",),
    "gpu": ("limits", "gpu"),
}
"""Where a profile has each field that is compared."""
NEW = {"aml-batch", "azure-batch", "container-apps", "local", "postgres"}
ENDED = {
    "aztk": "unmaintained since 2020-02-14",
    "batch-ai": "retired since 2019-03-31",
    "batch-shipyard": "unmaintained since 2023-03-20",
    "fpga": "retired since 2026-06-30",
}


@pytest.fixture(scope="module")
def profiles(root: Path) -> Profiles:
    """Return the editions of each platform as they are written."""
    return {profile["id"]: profile["editions"] for profile in read_profiles(root / "profiles")}


@pytest.fixture(scope="module")
def records(many: Many) -> list[dict[str, Any]]:
    """Return what the command prints as data."""
    printed = many([["heatmap", "--then-now", DAY, "-o", "json"]])
    found: list[dict[str, Any]] = json.loads(printed[0])
    return found


def figure(edition: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a figure of a profile with its evidence; none is an empty mapping."""
    found = edition
    for key in keys:
        found = found.get(key) or {}
    return found


def change(field: str, then: object, now: object, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return a change as the command tells it."""
    return {"field": field, "then": then, "now": now} | {
        name: evidence[name] for name in ("why", "grade", "source", "date")
    }


def expected(platform: str, profiles: Profiles) -> list[dict[str, Any]]:
    """Return what changed for a platform, from the profiles alone; what was not known has not changed."""
    now = profiles[platform]["2026"]
    if platform in NEW:
        return [change("lifecycle", None, now["lifecycle"]["state"], now["lifecycle"])]
    then = profiles[platform]["2018"]
    pairs = {field: (figure(then, keys), figure(now, keys)) for field, keys in COMPARED.items()}
    ended = [change("lifecycle", then["lifecycle"]["state"], ENDED.get(platform), now["lifecycle"])]
    return (ended if platform in ENDED else []) + [
        change(field, before["value"], after["value"], after)
        for field, (before, after) in pairs.items()
        if before.get("value") is not None and after and before["value"] != after["value"]
    ]


def test_every_change_is_told_with_todays_evidence(records: list[dict[str, Any]], profiles: Profiles) -> None:
    """Each field that differs is listed with both values, and with why, source and date of today's; nothing else is."""
    found = {record["platform"]: record["changes"] for record in records}
    assert found == {platform: expected(platform, profiles) for platform in profiles}
    assert {item["field"] for changes in found.values() for item in changes} >= {"lifecycle", "speed", "docker", "gpu"}


def test_kinds_are_new_ended_changed_and_same(records: list[dict[str, Any]]) -> None:
    """What is new has no ratings then; what has ended says so; the others have changed or not."""
    kinds = {record["platform"]: record["kind"] for record in records}
    assert {platform for platform, kind in kinds.items() if kind == "new"} == NEW
    assert {platform for platform, kind in kinds.items() if kind == "ended"} == set(ENDED)
    assert {record["platform"] for record in records if record["then"] is None} == NEW
    others = [record for record in records if record["kind"] in {"changed", "same"}]
    assert all(bool(record["changes"]) == (record["kind"] == "changed") for record in others)
    assert {record["kind"] for record in others} == {"changed", "same"}


def test_the_chapters_order_then_what_is_new(opdeploy: Opdeploy, records: list[dict[str, Any]]) -> None:
    """Platforms of the chapter stand in its order with its ratings, new ones follow from batch to real time."""
    chapter = opdeploy("heatmap", "--edition=2018", "-o", "json").json
    today = {record["platform"]: record for record in opdeploy("heatmap", DAY, "-o", "json").json}
    names = list(records[0]["now"])
    count = len(chapter)
    assert [(r["platform"], r["then"]) for r in records[:count]] == [
        (record["platform"], {name: record[name] for name in names}) for record in chapter
    ]
    assert [record["platform"] for record in records[count:]] == [name for name in today if name in NEW]
    assert all(record["now"] == {name: today[record["platform"]][name] for name in names} for record in records)


@pytest.mark.parametrize("columns", ["24", "80", "200"])
def test_every_change_is_a_sentence(opdeploy: Opdeploy, records: list[dict[str, Any]], columns: str) -> None:
    """Below the table each change stands with both values and its reason."""
    text = " ".join(opdeploy("heatmap", "--then-now", DAY, COLUMNS=columns).out.split())
    sentences = [
        f"{record['platform']}: {item['field'].replace('_', ' ')} {spoken(item['then'])} → {spoken(item['now'])}: "
        + " ".join(item["why"].split())
        for record in records
        for item in record["changes"]
    ]
    assert [sentence for sentence in sentences if sentence not in text] == []
    assert text.count(" → ") >= len(sentences)


def spoken(value: object) -> str:
    """Write a value as a sentence has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else as_cell(value)


def as_cell(value: object) -> str:
    """Write a value as a cell of CSV has it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(value)
        case dict():
            return ", ".join(f"{name} {part:g}" for name, part in value.items())
        case _:
            return str(value)


def test_csv_has_a_row_for_each_change(opdeploy: Opdeploy, records: list[dict[str, Any]]) -> None:
    """CSV is flat: platform, field, both values, and the evidence."""
    rows = list(csv.DictReader(io.StringIO(opdeploy("heatmap", "--then-now", DAY, "-o", "csv").out)))
    assert rows == [
        {"platform": record["platform"]} | {name: as_cell(value) for name, value in item.items()}
        for record in records
        for item in record["changes"]
    ]


@pytest.mark.parametrize(("day", "kind"), [("2026-06-29", "same"), ("2026-06-30", "ended")])
def test_a_platform_ends_on_its_day(opdeploy: Opdeploy, day: str, kind: str) -> None:
    """`--as-of` moves what has ended by then."""
    found = opdeploy("heatmap", "--then-now", "--as-of", day, "-o", "json").json
    assert [record["kind"] for record in found if record["platform"] == "fpga"] == [kind]


def test_a_workload_is_refused(opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path) -> None:
    """The comparison is of editions alone; that is told before anything is read."""
    ran = opdeploy("heatmap", "--then-now", "--workload", tmp_path / "absent.yaml")
    assert (ran.code, ran.out) == (2, "")
    told = "error: --then-now: compares both editions, without a workload; leave --edition and --workload out"
    assert one_line(ran) == told
    assert one_line(opdeploy("heatmap", "--then-now", "--edition", "2018")) == told
