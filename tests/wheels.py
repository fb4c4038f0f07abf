"""Wheels of the packages that images need."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PYTHON, GLIBC = "3.11", 36
"""Those of the base of tests, Debian 12."""


def fetch(root: Path, folder: Path, names: Iterable[str]) -> None:
    """Fetch the wheels that files of requirements name, for the base of tests, into a folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", f"--python-version={PYTHON}", f"--dest={folder}"]
    command += [f"--platform=manylinux_2_{minor}_x86_64" for minor in range(5, GLIBC + 1)]
    command += ["--platform=manylinux2014_x86_64"]
    command += [f"--requirement={root / 'templates/image/requirements' / name}.txt" for name in names]
    subprocess.run(command, check=True, timeout=600)
