"""`--file`: what decides the format, where it may lead, and what is said when it cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    Clean = Callable[..., dict[str, str]]
    OneLine = Callable[[Ran], str]

DAY = "--as-of=2026-11-02"
STARTS = {
    "a.svg": b'<?xml version="1.0" encoding="utf-8"',
    "a.png": b"\x89PNG\r\n\x1a\n",
    "a.html": b"<!doctype html>",
    "a.json": b"[\n  {",
    "a.csv": b"platform,title,grade,speed,",
    "a.txt": b"Platforms by criteria",
    "a": b"Platforms by criteria",
    "A.SVG": b'<?xml version="1.0" encoding="utf-8"',
    "b.json.CSV": b"platform,title,grade,speed,",
}


@pytest.mark.parametrize(("name", "start"), STARTS.items(), ids=list(STARTS))
def test_the_suffix_picks_the_format(opdeploy: Opdeploy, tmp_path: Path, name: str, start: bytes) -> None:
    """The file has the format of its suffix, in any case of letters; stdout and stderr have nothing."""
    ran = opdeploy("heatmap", "--file", name, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / name).read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.csv", "a.xml"])
def test_the_option_wins_over_the_suffix(opdeploy: Opdeploy, tmp_path: Path, name: str) -> None:
    """`-o` says the format, whatever the file is called, and the file is what stdout would have."""
    ran = opdeploy("continuum", DAY, "-o", "json", "--file", name, cwd=tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert (tmp_path / name).read_text(encoding="utf-8") == opdeploy("continuum", DAY, "-o", "json").out


@pytest.mark.parametrize("command", ["heatmap", "continuum"])
def test_an_unknown_suffix_is_told_with_the_formats(
    opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path, command: str
) -> None:
    """One line names the suffix and the formats; nothing is written."""
    ran = opdeploy(command, "--file", "a.jpeg", cwd=tmp_path)
    assert (ran.code, ran.out, list(tmp_path.iterdir())) == (2, "", [])
    assert one_line(ran) == (
        "error: --file a.jpeg: no format is called .jpeg; say it with -o: table, json, csv, svg, png, html"
    )


UNWRITABLE = {
    "missing folder": ("absent/a.csv", 2, "there is no folder"),
    "folder": ("folder.csv", 2, "is a directory; name a file in it"),
    "name too long": ("a" * 252 + ".csv", 2, "File name too long"),
    "a file as a folder": ("old.csv/a.csv", 2, "Not a directory"),
    "no room": ("/dev/full", 1, "No space left on device"),
}


@pytest.mark.parametrize(("name", "code", "said"), UNWRITABLE.values(), ids=list(UNWRITABLE))
def test_what_cannot_be_written_is_told_in_one_line(
    opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path, name: str, code: int, said: str
) -> None:
    """The line names the file and the reason; nothing is left behind."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "old.csv").write_text("old")
    ran = opdeploy("heatmap", "-o", "csv", "--file", name, cwd=tmp_path)
    assert (ran.code, ran.out) == (code, "")
    assert one_line(ran).startswith(f"error: {name}: ")
    assert said in one_line(ran)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"


LIMITED = """
import resource, sys
from opdeploy.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
main(sys.argv[1:])
"""


@pytest.mark.parametrize("there", [True, False], ids=["over an older file", "a new one"])
def test_a_file_that_grows_too_large_leaves_what_was(clean: Clean, tmp_path: Path, *, there: bool) -> None:
    """When the writing fails midway the old file is intact, and no part of the new one is left."""
    path = tmp_path / "a.csv"
    if there:
        path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "heatmap", "--file", str(path)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=clean(PYTHONDONTWRITEBYTECODE="1"),
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {path}: was not written: File too large; make room, or name another file\n"
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == ([("a.csv", "old")] if there else [])


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_stdout_is_a_file_too(opdeploy: Opdeploy, name: str) -> None:
    """`--file /dev/stdout` writes where stdout leads, here into a pipe."""
    ran = opdeploy("heatmap", DAY, "-o", "json", "--file", name)
    assert ran == opdeploy("heatmap", DAY, "-o", "json")
    assert len(json.loads(ran.out)) == 22


def test_a_named_pipe_gets_a_picture(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """What reads a named pipe gets the whole picture, and the pipe stays."""
    path = tmp_path / "a.png"
    os.mkfifo(path)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()), daemon=True)
    reader.start()
    ran = opdeploy("heatmap", "--file", path)
    reader.join(timeout=60)
    assert (ran.code, ran.err) == (0, "")
    assert found[0].startswith(b"\x89PNG")
    assert found[0].endswith(b"IEND\xaeB`\x82")
    assert path.is_fifo()


def test_a_file_without_line_end_gets_one(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """Text ends with one line end, in every format."""
    for name in ("a.json", "a.csv", "a.html", "a.txt", "a.svg"):
        opdeploy("continuum", "--file", name, cwd=tmp_path)
        content = (tmp_path / name).read_bytes()
        assert content.endswith(b"\n")
        assert not content.endswith(b"\n\n")


LOSING = {
    "recommend": ["recommend", "own.yaml", "-o", "yaml", "--file", "own.yaml"],
    "heatmap": ["heatmap", "--workload", "own.yaml", "-o", "json", "--file", "./own.yaml"],
    "continuum": ["continuum", "--workload", "own.yaml", "-o", "csv", "--file", "link"],
}


@pytest.mark.parametrize("command", LOSING.values(), ids=list(LOSING))
def test_the_workload_file_is_not_written_over(
    opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path, command: list[str]
) -> None:
    """The file that was read is refused as the file to write, by whatever name."""
    own = tmp_path / "own.yaml"
    own.write_text("name: a\nserving: {pattern: stream}\n")
    (tmp_path / "link").symlink_to(own)
    ran = opdeploy(*command, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).endswith(": is the workload file, which is not overwritten; name another")
    assert own.read_text() == "name: a\nserving: {pattern: stream}\n"


@pytest.mark.parametrize("suffix", ["yaml", "yml"])
def test_a_workload_file_is_not_taken_for_the_file_to_write(
    opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path, suffix: str
) -> None:
    """As `opdeploy init --file` names a workload file, another one is not written over unless YAML is asked for."""
    (tmp_path / "workload.yaml").write_text("name: a\nserving: {pattern: stream}\n")
    other = tmp_path / f"other.{suffix}"
    other.write_text("name: b\n")
    ran = opdeploy("recommend", "--file", other, cwd=tmp_path)
    assert (ran.code, other.read_text()) == (2, "name: b\n")
    assert "say it with -o" in one_line(ran)
    assert opdeploy("recommend", "-o", "yaml", "--file", other, cwd=tmp_path).code == 0
    assert other.read_text().startswith("workload: a\n")
