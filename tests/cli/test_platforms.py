"""`opdeploy platforms`: every platform of an edition, its state on a day, and what opdeploy can do there."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.catalogue import load_catalogue
from opdeploy.platform import EDITIONS, Edition

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

DAY = date(2026, 11, 2)
ON = f"--as-of={DAY}"
KEYS = ["platform", "title", "state", "until", "successors", "best_for", "can"]


def listed(opdeploy: Opdeploy, *options: str) -> dict[str, dict[str, Any]]:
    """Return what the list says as JSON, by id."""
    return {item["platform"]: item for item in opdeploy("platforms", "-o", "json", *options).json}


@pytest.mark.parametrize("edition", EDITIONS)
def test_it_lists_every_platform_of_the_edition(opdeploy: Opdeploy, edition: Edition) -> None:
    """Each is there once, with what its profile says, under the keys of the contract."""
    catalogue = load_catalogue(edition)
    ran = opdeploy("platforms", "-o", "json", "--edition", edition, ON)
    assert (ran.code, ran.err) == (0, "")
    assert sorted(item["platform"] for item in ran.json) == sorted(catalogue.by_id)
    for item in ran.json:
        profile = catalogue.by_id[item["platform"]]
        assert list(item) == KEYS
        assert (item["title"], item["best_for"]) == (profile.title, profile.best_for)
        assert item["successors"] == list(profile.lifecycle.successors)


@pytest.mark.parametrize("edition", EDITIONS)
def test_what_has_ended_comes_last_and_each_part_goes_from_batch_to_real_time(
    opdeploy: Opdeploy, edition: Edition
) -> None:
    """The order is that of the continuum, twice; ids decide where places are equal, and no place is last."""
    by_id = load_catalogue(edition).by_id
    found = [by_id[platform] for platform in listed(opdeploy, "--edition", edition, ON)]

    def key(place: float | None) -> float:
        return 9 if place is None else place

    keys = [(profile.lifecycle.ended(DAY), key(profile.place.value), profile.id) for profile in found]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("day", "state", "can"),
    [("2019-03-30", "available", ["recommend"]), ("2019-03-31", "retired", []), ("2026-11-02", "retired", [])],
)
def test_a_platform_ends_on_its_day(opdeploy: Opdeploy, day: str, state: str, can: list[str]) -> None:
    """Until the day before its end a platform can be recommended; from then on nothing can be done but name heirs."""
    item = listed(opdeploy, "--as-of", day)["batch-ai"]
    assert (item["state"], item["until"], item["can"]) == (state, "2019-03-31", can)
    assert item["successors"] == ["aml-batch", "azure-batch"]
    word = "retired since" if state == "retired" else "available until"
    assert f"{word} 2019-03-31" in opdeploy("platforms", "--as-of", day, COLUMNS="200").out


def test_what_has_ended_names_its_heirs(opdeploy: Opdeploy) -> None:
    """In the table each ended platform stands with those to look at instead."""
    table = opdeploy("platforms", ON, COLUMNS="200").out.split("\nended ")[1]
    for profile in load_catalogue().profiles:
        line = re.search(rf"^{profile.id} .*", table, re.MULTILINE)
        assert bool(line) == profile.lifecycle.ended(DAY)
        if line:
            assert line[0].rstrip().endswith(f"; see {' or '.join(profile.lifecycle.successors)}")


def test_the_chapters_platforms_had_not_ended(opdeploy: Opdeploy) -> None:
    """In the edition of the chapter all can be had, on any day."""
    assert {item["state"] for item in listed(opdeploy, "--edition=2018").values()} == {"available"}
    assert "ended" not in opdeploy("platforms", "--edition=2018").out


def test_one_is_recommended_only_when_it_is_named(opdeploy: Opdeploy) -> None:
    """What takes part only when the workload names it says so."""
    able = {platform: item["can"] for platform, item in listed(opdeploy, ON).items()}
    named = {profile.id for profile in load_catalogue().profiles if profile.only_when_named}
    assert named
    assert {platform for platform, can in able.items() if "recommend-when-named" in can} == named


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 300])
@pytest.mark.parametrize("edition", EDITIONS)
def test_the_table_fits_its_width_and_names_every_platform(opdeploy: Opdeploy, columns: int, edition: Edition) -> None:
    """At every usual width no line is wider, and ids and dates can be read in one piece."""
    ran = opdeploy("platforms", "--edition", edition, ON, COLUMNS=str(columns))
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= columns
    catalogue = load_catalogue(edition)
    ends = {str(profile.lifecycle.until) for profile in catalogue.profiles if profile.lifecycle.until}
    assert {*catalogue.by_id, *ends} - set(re.findall(r"[a-z0-9-]+", ran.out)) == set()


def test_one_line_for_each_platform_that_can_be_had(opdeploy: Opdeploy) -> None:
    """Where nothing says how wide it is, no line of a platform that can be had is broken."""
    table = opdeploy("platforms", ON).out.split("\nWhen named")[0].splitlines()[3:]
    assert [line.split()[0] for line in table] == [
        profile for profile in listed(opdeploy, ON) if not load_catalogue().by_id[profile].lifecycle.ended(DAY)
    ]


def test_it_is_styled_on_a_terminal_only(opdeploy: Opdeploy, terminal: Callable[..., str]) -> None:
    """The heading stands out on a terminal; a pipe gets plain text."""
    assert "\x1b[1m22 platforms" in terminal("platforms", ON, COLUMNS="80")
    assert "\x1b" not in opdeploy("platforms", ON).out


@pytest.mark.parametrize(("name", "form"), [("list.json", "json"), ("list.txt", "table"), ("list", "table")])
def test_a_file_gets_the_format_of_its_name(opdeploy: Opdeploy, tmp_path: Path, name: str, form: str) -> None:
    """`--file` writes what would have been printed, in the format that its suffix names."""
    ran = opdeploy("platforms", ON, "--file", tmp_path / name)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / name).read_text() == opdeploy("platforms", ON, "-o", form).out


MISTAKES = {
    "a format of another command": (["-o", "markdown"], "Invalid value for '--output'"),
    "an edition that is none": (["--edition", "2020"], "Invalid value for '--edition'"),
    "a day that is none": (["--as-of", "yesterday"], "Invalid value for '--as-of'"),
    "a suffix that names no format": (["--file", "list.pdf"], "--file list.pdf: no format is called .pdf"),
    "a file that cannot be written": (["--file", "absent/list.json"], "absent/list.json: cannot be written"),
    "an argument": (["aci"], "Got unexpected extra argument"),
}


@pytest.mark.parametrize(("options", "said"), MISTAKES.values(), ids=list(MISTAKES))
def test_bad_input_ends_with_2_and_one_line(
    opdeploy: Opdeploy, one_line: Callable[[Ran], str], tmp_path: Path, options: list[str], said: str
) -> None:
    """What is wrong is said in one line, and nothing is printed."""
    ran = opdeploy("platforms", *options, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith(f"error: {said}")
    assert list(tmp_path.iterdir()) == []
