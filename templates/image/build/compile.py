"""Compiles what is below a folder to byte code, and gives all of it one time: equal input makes an equal layer."""

import compileall
import os
import py_compile
import sys
from pathlib import Path

THEN = 315_532_800
"""1980-01-01."""


def main(folder: Path) -> None:
    """Compile, and set times and modes."""
    os.umask(0o022)
    # By hash, unchecked: files in a layer do not change, and the time of a source counts for nothing.
    compileall.compile_dir(
        folder, stripdir=str(folder), quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (THEN, THEN), follow_symlinks=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
