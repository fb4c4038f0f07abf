"""`opdeploy heatmap` as data: the chapter's figure 10-8, today's platforms, and what a workload makes of them."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy, Ran

    Many = Callable[..., list[str]]
    OneLine = Callable[[Ran], str]

DAY = "--as-of=2026-11-02"
CRITERIA = ["speed", "scalability", "data_proximity", "debuggability", "ease_of_deployment"]
FIELDS = ["platform", "title", "grade", *CRITERIA]
FIGURE_10_8 = """
    batch-ai         1.00  1.00  0.45  1.00  0.90
    aztk             1.00  1.00  0.45  1.00  0.90
    hdinsight        0.50  0.52  0.72  0.00  0.27
    service-fabric   0.72  1.00  0.08  1.00  0.72
    aks-gpu          1.00  1.00  0.09  1.00  0.40
    aci              0.43  0.00  0.08  1.00  1.00
    webapp-windows   0.43  0.34  0.08  0.28  0.91
    webapp           0.43  0.34  0.08  1.00  0.92
    sql-server       0.89  0.19  1.00  0.40  0.40
    vm               1.00  0.00  0.00  1.00  1.00
"""
FROM_THE_TEXT = """
    aks-cpu          0.43  1.00  0.09  1.00  0.40
    batch-shipyard   1.00  1.00  0.45  1.00  0.75
    databricks       0.50  0.52  0.72  0.25  0.55
    aml-online       1.00  1.00  0.09  1.00  0.75
    iot-edge         0.45  0.25  1.00  0.75  0.50
    fpga             1.00  0.75  0.09  0.25  0.50
    windows-ml       0.45  0.00  1.00  0.25  0.75
"""


def records_of(table: str, grade: str) -> list[dict[str, Any]]:
    """Return the rows of a table as records without titles."""
    rows = [line.split() for line in table.split("\n") if line.strip()]
    return [
        {"platform": row[0], "grade": grade, **dict(zip(CRITERIA, map(float, row[1:]), strict=True))} for row in rows
    ]


def test_the_chapters_heatmap(opdeploy: Opdeploy) -> None:
    """Edition 2018 is figure 10-8 to the hundredth, in its order; then what was derived from the text."""
    ran = opdeploy("heatmap", "--edition", "2018", "-o", "json")
    assert (ran.code, ran.err) == (0, "")
    assert {tuple(record) for record in ran.json} == {tuple(FIELDS)}
    assert all(record["title"] for record in ran.json)
    found = [{name: value for name, value in record.items() if name != "title"} for record in ran.json]
    assert found == records_of(FIGURE_10_8, "book") + records_of(FROM_THE_TEXT, "judgement")


def test_the_chapter_does_not_change_with_the_day(opdeploy: Opdeploy) -> None:
    """What has ended since is still there in edition 2018."""
    days = ("2017-01-01", "2030-01-01")
    first, last = (opdeploy("heatmap", "--edition=2018", "-o", "csv", "--as-of", day).out for day in days)
    assert first == last


ENDED = {"aztk": "2020-02-14", "batch-ai": "2019-03-31", "batch-shipyard": "2023-03-20", "fpga": "2026-06-30"}
"""What cannot be had from a day on."""


@pytest.mark.parametrize("day", ["2018-12-31", "2020-02-14", "2026-06-29", "2026-06-30"])
def test_todays_platforms_from_batch_to_real_time(many: Many, opdeploy: Opdeploy, day: str) -> None:
    """Edition 2026 goes along the continuum, without a place last; what has ended by the day follows, in that order."""
    found = [record["platform"] for record in opdeploy("heatmap", "-o", "json", "--as-of", day).json]
    placed = csv.DictReader(io.StringIO(many([["continuum", "-o", "csv", "--as-of", day]])[0]))
    places = {row["platform"]: float(row["place"]) for row in placed}
    gone = {platform for platform, last in ENDED.items() if last <= day}
    assert len(found) == 22
    assert found == sorted(found, key=lambda platform: (platform in gone, places.get(platform, 2), platform))


@pytest.mark.parametrize(("platform", "last"), ENDED.items(), ids=list(ENDED))
def test_what_has_ended_says_when(many: Many, platform: str, last: str) -> None:
    """The note beside a platform that has ended bears the day; on the day before there is none beside it."""
    year, month, day = last.split("-")
    before = f"{year}-{month}-{int(day) - 1:02}"
    lines = [
        next(line for line in out.splitlines() if line.startswith(f"{platform} "))
        for out in many([["heatmap", "--as-of", when] for when in (before, last)], COLUMNS="250")
    ]
    assert re.search(rf" (retired|unmaintained) since {last} *$", lines[1])
    assert " since " not in lines[0]


SAME = {
    "2018": ["heatmap", "--edition", "2018"],
    "2026": ["heatmap"],
    "continuum": ["continuum"],
}


def as_csv(value: object) -> str:
    """Write a value as a cell of CSV has it."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("arguments", SAME.values(), ids=list(SAME))
def test_csv_is_the_same_data_as_json(opdeploy: Opdeploy, arguments: list[str]) -> None:
    """CSV has a column for each field, and the same values."""
    printed, data = (opdeploy(*arguments, DAY, "-o", form) for form in ("csv", "json"))
    assert list(csv.DictReader(io.StringIO(printed.out))) == [
        {name: as_csv(value) for name, value in record.items()} for record in data.json
    ]


@pytest.fixture(scope="session")
def heatmaps(answers: dict[tuple[str, str], Asked], many: Many) -> dict[tuple[str, str, str], str]:
    """Return what `heatmap` prints for every workload and edition, by both and the format."""
    keys = [(*key, form) for key in answers for form in ("json", "csv", "table")]
    commands = [
        ["heatmap", "--workload", str(answers[name, edition].path), "--edition", edition, DAY, "-o", form]
        for name, edition, form in keys
    ]
    return dict(zip(keys, many(commands, COLUMNS="250"), strict=True))


Heatmaps = dict[tuple[str, str, str], str]


def loaded(heatmaps: Heatmaps, asked: Asked) -> list[dict[str, Any]]:
    """Return the records of a heatmap."""
    records: list[dict[str, Any]] = json.loads(heatmaps[asked.name, asked.edition, "json"])
    return records


def test_a_workload_ranks_as_recommend_does(heatmaps: Heatmaps, asked: Asked) -> None:
    """Order, ranks, scores, ratings and fit are those of the recommendation; what is excluded follows in its order."""
    found = loaded(heatmaps, asked)
    count = len(asked.answer["ranked"])
    assert {tuple(record) for record in found} == {(*FIELDS, "rank", "score", "fit", "excluded")}
    for rank, (record, item) in enumerate(zip(found[:count], asked.answer["ranked"], strict=True), 1):
        assert (record["platform"], record["rank"], record["score"]) == (item["platform"], rank, item["score"])
        ratings = {part["criterion"]: part["rating"] for part in item["contributions"]}
        assert {name: record[name] for name in (*CRITERIA, "fit")} == ratings
        assert record["excluded"] is None
    excluded = [(item["platform"], None, None, None) for item in asked.answer["excluded"]]
    assert [(r["platform"], r["rank"], r["score"], r["fit"]) for r in found[count:]] == excluded


def test_an_exclusion_is_told_by_its_shortest_reason(heatmaps: Heatmaps, asked: Asked) -> None:
    """Beside each excluded platform stands the shortest of its reasons, each taken up to its colon."""
    for record, item in zip(
        loaded(heatmaps, asked)[len(asked.answer["ranked"]) :], asked.answer["excluded"], strict=True
    ):
        reasons = [reason["text"].split(":")[0].rstrip(".") for reason in item["reasons"]]
        assert record["excluded"] in reasons
        assert len(record["excluded"]) == min(map(len, reasons))


def test_csv_with_a_workload_is_the_same_data(heatmaps: Heatmaps, asked: Asked) -> None:
    """Ranks, scores, fit and exclusions are in the CSV too; what there is not is an empty cell."""
    printed = csv.DictReader(io.StringIO(heatmaps[asked.name, asked.edition, "csv"]))
    assert list(printed) == [
        {name: as_csv(value) for name, value in record.items()} for record in loaded(heatmaps, asked)
    ]


def test_the_table_shows_weights_scores_ties_and_exclusions(heatmaps: Heatmaps, asked: Asked) -> None:
    """The weights stand above, scores in whole points, those in a tie with `=`, and each exclusion in its row."""
    lines = heatmaps[asked.name, asked.edition, "table"].splitlines()
    cells = [re.split(r" {2,}", line.strip()) for line in lines]
    for rank, item in enumerate(asked.answer["ranked"], 1):
        row = next(row for row in cells if row[:2] == [str(rank), item["platform"]])
        tie = "=" if item["platform"] in asked.answer["ties"] else ""
        fit = item["contributions"][-1]["rating"]
        assert (row[3], row[9]) == (f"{tie}{item['score']:.0f}", f"{fit:.2f}")
    weights = [row[1:] for row in cells if row[0] == "weight"]
    assert weights == [[f"{part['weight']:g}" for part in item["contributions"]] for item in asked.answer["ranked"][:1]]
    for record in loaded(heatmaps, asked)[len(asked.answer["ranked"]) :]:
        assert [record["excluded"]] == [row[-1] for row in cells if row[0] == record["platform"]]


def test_every_number_lies_between_0_and_1(heatmaps: Heatmaps, asked: Asked) -> None:
    """Ratings and fit are numbers from 0 to 1, scores from 0 to 100."""
    for record in loaded(heatmaps, asked):
        assert all(isinstance(record[name], float) and 0 <= record[name] <= 1 for name in CRITERIA)
        assert record["fit"] is None or 0 <= record["fit"] <= 1
        assert record["score"] is None or 0 <= record["score"] <= 100


BAD_INPUT: dict[str, tuple[list[str], str]] = {
    "edition": (["--edition", "2020"], "'2020' is not one of '2018', '2026'"),
    "day": (["--as-of", "2026-02-30"], "'2026-02-30' does not match"),
    "format": (["-o", "yaml"], "'yaml' is not one of 'table', 'json', 'csv', 'svg', 'png', 'html'"),
    "missing workload": (["--workload", "absent.yaml"], "absent.yaml: no such file; name a file that exists"),
    "bad workload": (["--workload", "bad.yaml"], 'bad.yaml:3: stage: "prod" is not one of demo, pilot, production'),
}


@pytest.mark.parametrize("command", ["heatmap", "continuum"])
@pytest.mark.parametrize(("arguments", "said"), BAD_INPUT.values(), ids=list(BAD_INPUT))
def test_bad_input_ends_with_2_and_one_line(
    opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path, command: str, arguments: list[str], said: str
) -> None:
    """What the user wrote wrong is told in one line; nothing is printed."""
    (tmp_path / "bad.yaml").write_text("name: a\nserving: {pattern: stream}\nstage: prod\n")
    ran = opdeploy(command, *arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert said in one_line(ran)
