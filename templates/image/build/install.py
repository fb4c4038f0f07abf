"""Installs the server's packages, in the stage that builds, and leaves out what only builders and readers need.

Where the folder `wheels` is there, packages come from it and from nowhere else; where the file `authorities.pem` is
there, these certificate authorities are trusted, and no others.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = Path("/image/packages/app/packages")
FOLDERS = {"bin", "include", "test", "tests"}
"""Programs, headers and tests of packages: nothing that a server imports."""
SUFFIXES = {".a", ".c", ".h", ".pxd", ".pyi", ".pyx"}
"""Static libraries, headers and sources, which compilers read, and types, which checkers read."""
OLDEST = (3, 11)
BROKE_OFF = 2
"""The exit code of pip for what it does not expect, a connection that ends in a download among them
(UNKNOWN_ERROR in pip/_internal/cli/status_codes.py of pip 26.3)."""
ATTEMPTS = 3


def main() -> None:
    """Install, prune, and compile."""
    if sys.version_info < OLDEST:
        sys.exit(f"the base has Python {sys.version.split()[0]}; name a base with 3.11 or later")
    subprocess.run([sys.executable, "-m", "venv", HERE / "venv"], check=True)
    download_and_install()
    prune(PACKAGES)
    subprocess.run([sys.executable, HERE / "compile.py", "/image/packages"], check=True)


def download_and_install() -> None:
    """Have pip install, and start it again where a download broke off: pip itself tries only the start of one again."""
    for _ in range(ATTEMPTS):
        code = subprocess.run([HERE / "venv/bin/python", "-I", "-m", "pip", *arguments()], check=False).returncode
        if code != BROKE_OFF:
            break
        shutil.rmtree(PACKAGES, ignore_errors=True)
    if code:
        sys.exit(f"pip ended with {code}; its own words stand above")


def arguments() -> list[str]:
    """Return the arguments of pip."""
    quiet = ["--disable-pip-version-check", "--no-cache-dir", "--progress-bar=off", "--no-compile"]
    found = ["install", *quiet, "--no-deps", "--only-binary=:all:", f"--target={PACKAGES}"]
    wheels, authorities = HERE / "wheels", HERE / "authorities.pem"
    if wheels.is_dir():
        found += ["--no-index", f"--find-links={wheels}"]
    if authorities.is_file():
        found.append(f"--cert={authorities}")
    return [*found, f"--requirement={HERE / 'requirements.txt'}"]


def prune(packages: Path) -> None:
    """Delete folders and files by their names."""
    for folder, folders, files in os.walk(packages, topdown=True):
        for name in FOLDERS.intersection(folders):
            shutil.rmtree(Path(folder, name))
            folders.remove(name)
        for name in files:
            if Path(name).suffix in SUFFIXES:
                Path(folder, name).unlink()


if __name__ == "__main__":
    main()
