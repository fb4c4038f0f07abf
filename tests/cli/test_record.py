"""The record of a decision: `recommend -o markdown`."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from opdeploy.market.prices import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy

    Write = Callable[[str | dict[str, Any]], Path]

Answers = dict[tuple[str, str], "Asked"]
GOLDEN = Path(__file__).with_name("golden_records")
DAY = "2026-11-27"
NO_PRICES = "absent.csv"
"""Prices of one's own, which there are none of: what is on this machine does not count."""
READER = MarkdownIt("commonmark").enable("table")
SPEED: dict[str, Any] = {
    "kind": "model", "date": "2026-11-25", "model": "model.onnx", "sha256": "ab" * 32,
    "provider": "CPUExecutionProvider",
    "machine": {"cpu": "AMD EPYC 7763", "cores": 4, "threads_per_core": 2, "usable_cpus": 8,
                "instruction_sets": ["avx2", "fma"]},
    "points": [
        {"batch": 1, "threads": 1, "records_per_second": 70, "low": 65, "high": 72,
         "latency_ms": {"p50": 14.2, "p95": 15.1}},
        {"batch": 1, "threads": 4, "records_per_second": 210, "low": 190, "high": 220,
         "latency_ms": {"p50": 4.7, "p95": 5.2}},
        {"batch": 32, "threads": 4, "records_per_second": 300, "low": 280, "high": 310,
         "latency_ms": {"p50": 106, "p95": 115}},
    ],
}  # fmt: skip
"""What `opdeploy model measure` might find."""
CHOSEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "digits": ("digits", ()),
    "digits-2018": ("digits", ("--edition", "2018")),
    "sentences-measured": ("sentences", ("--measurement", "speed.json")),
}
"""Golden files: an example, and options."""
SECTIONS = ("Question", "Answer", "Alternatives", "What would change it", "Excluded", "Freshness", "Assumed", "Replay")
SOME = [
    ("heavy", "2026"),
    ("stream", "2026"),
    ("batch", "2026"),
    ("bare", "2018"),
    ("nothing", "2026"),
    ("llm", "2018"),
]


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that returns a folder with the files of an example, and a measurement."""

    def copied(example: str) -> Path:
        for name in ("workload.yaml", "model.onnx"):
            if (root / "examples" / example / name).exists():
                shutil.copy(root / "examples" / example / name, tmp_path)
        (tmp_path / "speed.json").write_text(json.dumps(SPEED), encoding="utf-8")
        return tmp_path

    return copied


def record(opdeploy: Opdeploy, where: Path, *options: str, prices: str = NO_PRICES) -> str:
    """Return the record of the workload in a folder, as of the day of these tests unless the options name another."""
    on = () if "--as-of" in options else ("--as-of", DAY)
    ran = opdeploy("recommend", *options, *on, "-o", "markdown", cwd=where, OPDEPLOY_PRICES=prices)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def again(opdeploy: Opdeploy, written: str, where: Path, prices: str = NO_PRICES) -> str:
    """Run the command that a record names, and return what it prints."""
    (command,) = (token.content for token in READER.parse(written) if token.type == "fence")
    program, *words = shlex.split(command)
    assert program == "opdeploy"
    return opdeploy(*words, cwd=where, OPDEPLOY_PRICES=prices).out


def sections(written: str) -> dict[str, str]:
    """Return the sections of a record by their headings."""
    found = re.split(r"^## (.+)\n\n", written, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def rows(section: str) -> list[list[str]]:
    """Return the cells of a section's table, without its head, as they are read."""
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[read(cell.strip()) for cell in row] for row in cells]


def read(words: str) -> str:
    """Return Markdown without its escapes."""
    return re.sub(r"\\(.)", r"\1", words)


@pytest.mark.parametrize("chosen", CHOSEN)
def test_a_record_is_as_in_the_golden_file(
    pytestconfig: pytest.Config, opdeploy: Opdeploy, folder: Callable[[str], Path], chosen: str
) -> None:
    """It is what was last looked at and committed, to the byte; `pytest --update` writes it anew."""
    example, options = CHOSEN[chosen]
    found = record(opdeploy, folder(example), *options)
    path = GOLDEN / f"{chosen}.md"
    if pytestconfig.getoption("--update"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_golden_files_are_those_of_records() -> None:
    """None is left of a record that is not asked for any more."""
    assert {path.name for path in GOLDEN.iterdir()} == {f"{chosen}.md" for chosen in CHOSEN}


@pytest.mark.parametrize("chosen", CHOSEN)
@pytest.mark.parametrize("day", ["2026-09-01", "2031-01-31"])
def test_its_command_writes_the_same_record(
    opdeploy: Opdeploy, folder: Callable[[str], Path], chosen: str, day: str
) -> None:
    """Whoever has the same files gets the same bytes, on whichever day."""
    example, options = CHOSEN[chosen]
    where = folder(example)
    written = record(opdeploy, where, *options, "--as-of", day)
    assert again(opdeploy, written, where) == written


def test_a_record_of_today_can_be_replayed_too(opdeploy: Opdeploy, write: Write) -> None:
    """The day stands in the command, also where none was given; so do a file's quotes and spaces."""
    path = write({"name": "a", "serving": {"pattern": "stream"}})
    odd = path.rename(path.with_name("a `b` 'c'\n``` d.yaml"))
    written = opdeploy("recommend", odd.name, "-o", "markdown", cwd=path.parent, OPDEPLOY_PRICES=NO_PRICES).out
    assert again(opdeploy, written, path.parent) == written


def test_newer_prices_leave_an_earlier_record_as_it_is(opdeploy: Opdeploy, folder: Callable[[str], Path]) -> None:
    """After prices were refreshed, the record of an earlier day has the same bytes; of that day on it has others."""
    where = folder("digits")
    row = ("acr/basic", "westeurope", "0.5", "1", "2026-12-15", "listed", "my own list", "")
    (where / "own.csv").write_text(f"{','.join(COLUMNS)}\n{','.join(row)}\n", encoding="utf-8")
    before, after = (record(opdeploy, where, prices=prices) for prices in (NO_PRICES, "own.csv"))
    assert before == after
    later = record(opdeploy, where, "--as-of", "2026-12-15", prices="own.csv")
    assert "my own list" in later
    assert hash_of(later) != hash_of(record(opdeploy, where, "--as-of", "2026-12-15"))


def hash_of(written: str) -> str:
    """Return the hash that a record names."""
    (found,) = re.findall(r"`(sha256:[0-9a-f]{64})`", written)
    return str(found)


@pytest.mark.parametrize("key", SOME, ids="-".join)
def test_it_holds_the_hash_and_the_sections(opdeploy: Opdeploy, answers: Answers, key: tuple[str, str]) -> None:
    """The hash is that of the answer; sections come in one order, and those that would be empty are left out."""
    answer = answers[key].answer
    written = printed(opdeploy, answers[key])
    assert hash_of(written) == answer["inputs"]
    found = list(sections(written))
    only_ranked = {"Alternatives", "What would change it", "Freshness"}
    left_out = set() if answer["ranked"] else only_ranked
    left_out |= set() if answer["assumptions"] else {"Assumed"}
    assert found == [section for section in SECTIONS if section not in left_out]
    assert f"Date: {answer['as_of']}. Status: {'proposed' if answer['ranked'] else 'open'}" in written


def printed(opdeploy: Opdeploy, asked: Asked) -> str:
    """Return the record of an answer."""
    options = ("--edition", asked.edition, "--as-of", asked.answer["as_of"], "-o", "markdown")
    return opdeploy("recommend", asked.path, *options).out


@pytest.mark.parametrize("key", [key for key in SOME if key[0] not in {"nothing", "llm"}], ids="-".join)
def test_it_holds_the_same_ranking(opdeploy: Opdeploy, answers: Answers, key: tuple[str, str]) -> None:
    """The rows of the alternatives are the ranked platforms in order, with size, count, grade and score."""
    ranked = answers[key].answer["ranked"]
    found = rows(sections(printed(opdeploy, answers[key]))["Alternatives"])
    assert [row[:2] for row in found] == [[str(rank), item["platform"]] for rank, item in enumerate(ranked, 1)]
    for row, item in zip(found, ranked, strict=True):
        sizing = item["sizing"]
        score = f"{item['score']:.0f}"
        if key[1] == "2018":
            assert row[2] == score
            continue
        expected = [sizing["size"], str(sizing["count"]), sizing["capacity"]["grade"]] if sizing else ["-"] * 3
        assert [row[2], row[3], row[7], row[6]] == [*expected, score]
        cost = item["cost"]
        assert row[5].removeprefix("≥") == (f"${cost['monthly_usd']:,.2f}" if cost and cost["lines"] else "-")
        assert row[5].startswith("≥") == bool(cost and cost["lines"] and cost["missing"])
    assert found[0][-1] == "the answer"
    assert all(re.match(r"loses \d|comes later in the tie", row[-1]) for row in found[1:])


def named_in(line: str) -> list[str]:
    """Return the platforms that a line is about."""
    return [name for group in re.findall(r"\*\*(.+?)\*\*", line) for name in group.rstrip(":").split(", ")]


PLAIN = {"pattern", "only", "development", "scope"}
"""Constraints that a short reason explains."""


@pytest.mark.parametrize("key", SOME, ids="-".join)
def test_it_names_every_excluded_platform_with_its_reasons(
    opdeploy: Opdeploy, answers: Answers, key: tuple[str, str]
) -> None:
    """Each platform stands once, with every reason that could be mended, and what would have to change."""
    section = sections(printed(opdeploy, answers[key]))["Excluded"]
    of_line = {read(line): named_in(line) for line in section.strip().splitlines()}
    named = [name for names in of_line.values() for name in names]
    assert sorted(named) == sorted(item["platform"] for item in answers[key].answer["excluded"])
    for item in answers[key].answer["excluded"]:
        (line,) = (line for line, names in of_line.items() if item["platform"] in names)
        first = item["reasons"][0]
        short = [reason["text"].split(":")[0].rstrip(".") for reason in item["reasons"]]
        if first["constraint"] == "retired":
            assert f"**{item['platform']}** {short[0]} ({first['would_need']})" in line
        elif first["constraint"] in PLAIN:
            assert line.endswith(f":** {short[0]}")
        else:
            told = zip(short, item["reasons"], strict=True)
            assert line.endswith("; ".join(f"{why} (would need {reason['would_need']})" for why, reason in told))


def test_it_tells_every_assumption(opdeploy: Opdeploy, answers: Answers) -> None:
    """Each has its field and its reason; limits that are not known are told together."""
    section = read(sections(printed(opdeploy, answers["bare", "2026"]))["Assumed"])
    for item in answers["bare", "2026"].answer["assumptions"]:
        field = item["field"].removeprefix("limits.")
        assert field in section
        assert field != item["field"] or f"({item['why']})" in section


def test_what_was_assumed_is_marked(opdeploy: Opdeploy, write: Write) -> None:
    """In the question a mark tells what the file says from what was assumed."""
    path = write({"name": "a", "serving": {"pattern": "request-response", "requests_per_second": {"average": 7}}})
    question = sections(opdeploy("recommend", path, "-o", "markdown").out)["Question"]
    assert "7 requests/s on average, 21 at the peak\\*" in question


def test_every_price_is_told_with_its_age(opdeploy: Opdeploy, folder: Callable[[str], Path]) -> None:
    """Each line of the cost has a row; what is too old is marked as such, and so is the price of another region."""
    where = folder("digits")
    workload = where / "workload.yaml"
    workload.write_text(workload.read_text(encoding="utf-8").replace("westeurope", "norwaywest"), encoding="utf-8")
    for day, stale in (("2026-11-02", False), ("2028-01-01", True)):
        options = ("recommend", "--as-of", day)
        best = opdeploy(*options, "-o", "json", cwd=where, OPDEPLOY_PRICES=NO_PRICES).json["ranked"][0]
        told = rows(sections(record(opdeploy, where, "--as-of", day))["Freshness"])
        lines = best["cost"]["lines"]
        found = [(row[0], row[2], row[4], row[5]) for row in told[: len(lines)]]
        for line, (meter, region, date, flags) in zip(lines, found, strict=True):
            assert (meter, region, date) == (line["meter"], line["region"], line["date"] or "-")
            assert ("stale" in flags) == (stale or line["date"] is None)
            assert ("borrowed" in flags) == (line["region"] not in {"norwaywest", "Global"})
        assert any("borrowed" in flags for *_, flags in found)


def test_a_measurement_is_told_with_day_and_machine(opdeploy: Opdeploy, folder: Callable[[str], Path]) -> None:
    """What was measured stands among the facts, and the answer rests on it."""
    found = sections(record(opdeploy, folder("sentences"), "--measurement", "speed.json"))
    row = next(row for row in rows(found["Freshness"]) if row[0] == "speed of model.onnx")
    assert "opdeploy model measure, on AMD EPYC 7763" in row
    assert "2026-11-25" in row
    assert "**How sure:** scaled" in found["Answer"]
    assert "provisional" not in found["What would change it"]


HOSTILE = "[x](javascript:1) *b* `c` <i>d</i> | ~~e~~ &amp; https:x.onnx"


def test_what_a_user_wrote_starts_no_markup(opdeploy: Opdeploy, write: Write) -> None:
    """A file's name stays text wherever it stands, in sentences, tables and the command."""
    path = write({"name": "a", "model": {"path": HOSTILE.replace("/", "-")}, "serving": {"pattern": "stream"}})
    model = HOSTILE.replace("/", "-")
    (path.parent / model).write_bytes(b"\0" * 1000)
    content = hashlib.sha256(b"\0" * 1000).hexdigest()
    measured = {
        **SPEED,
        "sha256": content,
        "model": HOSTILE,
        "date": HOSTILE,
        "machine": {**SPEED["machine"], "cpu": HOSTILE},
    }
    (path.parent / f"s {model}.json").write_text(json.dumps(measured), encoding="utf-8")
    ran = opdeploy("recommend", "--measurement", f"s {model}.json", "-o", "markdown", cwd=path.parent)
    assert ran.code == 0
    blocks = READER.parse(ran.out)
    inline = [part for block in blocks for part in block.children or []]
    types = {part.type for part in inline}
    assert types <= {"text", "text_special", "strong_open", "strong_close", "code_inline"}
    assert all(re.match(r"opdeploy docs|sha256:", part.content) for part in inline if part.type == "code_inline")
    assert not any(block.type.startswith("html") for block in blocks)
    assert len(re.findall("https:x", "".join(part.content for part in inline))) >= 3


@pytest.mark.parametrize(("key", "said"), [("llm", "Go to vLLM"), ("nothing", "no platform can run it")])
def test_no_answer_is_told_as_one(opdeploy: Opdeploy, answers: Answers, key: str, said: str) -> None:
    """Where nothing can be recommended, the record says so, and what to do."""
    assert re.match(rf"None: .*{said}", sections(printed(opdeploy, answers[key, "2026"]))["Answer"])


def test_a_tie_is_told_in_the_status(opdeploy: Opdeploy, answers: Answers) -> None:
    """The platforms that are as good stand beside the status."""
    tied = [asked for asked in answers.values() if asked.answer["status"] == "tie"]
    assert tied
    for asked in tied:
        others = ", ".join(platform for platform in asked.answer["ties"] if platform != asked.answer["best"])
        assert f"Status: proposed, in a tie with {others}.\n" in printed(opdeploy, asked)


def test_no_weight_beyond_the_scale_is_spoken_of(opdeploy: Opdeploy, answers: Answers) -> None:
    """A lead that changes at the very end of the scale is told as such: no weight lies below 0 or above 5."""
    told = [printed(opdeploy, answers[key]) for key in (("stream", "2026"), ("batch", "2018"))]
    assert [text for text in told if "below 0.0" in text or "above 5.0" in text] == []
