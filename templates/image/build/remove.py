"""Removes from the base what installs or compiles, so that nobody can in the image; then it removes itself."""

import os
import re
import shutil
import sys
from pathlib import Path

SYSTEM = {"/dev", "/proc", "/sys"}
MODULES = re.compile(r"(_distutils_hack|ensurepip|pip|pkg_resources|setuptools|uv|wheel)(-[^/]*\.(dist|egg)-info)?")
"""Folders of Python's installers, and of what they tell of themselves."""
PROGRAMS = re.compile(
    r"(.*-)?(as|c89|c99|cc|c\+\+|clang|clang\+\+|cpp|easy_install|g\+\+|gcc|ld|ld\.(bfd|gold|lld)|pip|tcc|uv|uvx|wheel)"
    r"(-?[0-9][0-9.]*)?"
)
"""Compilers, linkers and installers, with the names of their versions and of what they compile for."""


def main() -> None:
    """Walk over the whole image."""
    for folder, folders, files in os.walk("/", topdown=True):
        folders[:] = [name for name in folders if str(Path(folder, name)) not in SYSTEM]
        for name in [name for name in folders if MODULES.fullmatch(name) and is_python(folder)]:
            shutil.rmtree(Path(folder, name))
            folders.remove(name)
        for name in files:
            if name.endswith(".whl") or (PROGRAMS.fullmatch(name) and is_program(folder)):
                Path(folder, name).unlink()
    Path(__file__).unlink()


def is_python(folder: str) -> bool:
    """Tell whether Python looks for modules in a folder."""
    return folder in sys.path or folder.endswith(("/site-packages", "/dist-packages"))


def is_program(folder: str) -> bool:
    """Tell whether a folder has programs."""
    return folder in os.environ.get("PATH", "").split(os.pathsep) or Path(folder).name in {"bin", "sbin"}


if __name__ == "__main__":
    main()
