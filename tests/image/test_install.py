"""The script that installs packages in a build, with a pip that ends as a case says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "templates/image/build/install.py"
PIP = """#!/bin/sh
echo >> "$(dirname "$0")/started"
exit $(sed -n "$(wc -l < "$(dirname "$0")/started")p" "$(dirname "$0")/codes")
"""


@pytest.mark.parametrize(
    ("codes", "started", "message"),
    [
        pytest.param([0], 1, "", id="installs"),
        pytest.param([2, 2, 0], 3, "", id="a download breaks off twice"),
        pytest.param([2, 2, 2, 0], 3, "pip ended with 2; its own words stand above\n", id="downloads always break off"),
        pytest.param([1, 0], 1, "pip ended with 1; its own words stand above\n", id="a package is not there"),
    ],
)
def test_a_download_that_breaks_off_is_begun_again(
    tmp_path: Path, codes: list[int], started: int, message: str
) -> None:
    """Three times at most; what pip itself refuses is not asked again, and the end is told in one line."""
    shutil.copy(SCRIPT, tmp_path)
    programs = tmp_path / "venv/bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(PIP)
    (programs / "python").chmod(0o755)
    (programs / "codes").write_text("".join(f"{code}\n" for code in codes))
    begin = "import install; install.PACKAGES = install.HERE / 'packages'; install.download_and_install()"
    done = subprocess.run([sys.executable, "-c", begin], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == message
    assert done.returncode == bool(message)
    assert len((programs / "started").read_text().splitlines()) == started
