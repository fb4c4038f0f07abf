"""Templates and values become files, in memory; one function writes them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.catalogue import data
from opdeploy.errors import InputError, OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    Bundle = Mapping[str, bytes | Path]
    """Content by path, with `/` between folders: bytes, or the file that has them, where they may be many."""

_SUFFIX = ".j2"
_THEN = 315_532_800
"""1980-01-01."""


def render(template: str, context: Mapping[str, object]) -> dict[str, bytes | Path]:
    """Return the files of a folder of `templates/`: those that end in `.j2` rendered, the others as they are.

    Raises jinja2.UndefinedError where a template uses a value that the context has not.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # noqa: S701 - no HTML: every value passes a filter of its language
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["dockerfile"] = dockerfile
    environment.filters["yaml"] = json.dumps  # a JSON string in ASCII is a YAML scalar, whatever it holds
    made: dict[str, bytes | Path] = {}
    for path, file in walk(data("templates") / template):
        content = file.read_bytes()
        if path.endswith(_SUFFIX):
            content = environment.from_string(content.decode()).render(context).encode()
        made[path.removesuffix(_SUFFIX)] = content
    return made


def dockerfile(value: str) -> str:
    r"""Write a value as one word of a Dockerfile, in which nothing is looked up and which no line ends.

    Raises InputError for a value that no line can hold.
    """
    if not value.isprintable():
        raise InputError(f"{value!r}: an image's label is one line of printable text; shorten it to that")
    for char in '\\"$':
        value = value.replace(char, f"\\{char}")
    return f'"{value}"'


def walk(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield the files below a folder with their paths, in order, but none that Python compiled."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{above}{entry.name}"
        if entry.is_file():
            yield path, entry
        elif entry.name != "__pycache__":
            yield from walk(entry, f"{path}/")


def write(bundle: Bundle, folder: Path) -> None:
    """Write files to a folder: readable by all, for who runs an image is another user, and all of one time.

    The folder itself stays as private as it is: no image holds it. Raises OpdeployError where the writing fails.
    """
    for path, content in bundle.items():
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                target.write_bytes(content)
            else:
                shutil.copyfile(content, target)
        except OSError as error:
            raise OpdeployError(f"{target}: was not written: {error.strerror or error}; make room") from error
    for entry in folder.rglob("*"):
        entry.chmod(0o755 if entry.is_dir() else 0o644)
        os.utime(entry, (_THEN, _THEN))  # layers hold times: what is equal is to be stored and pushed once


def write_new(bundle: Bundle, folder: Path) -> None:
    """Write files to a folder that is not there yet, or is empty: whole, or not at all.

    Raises InputError where something is there, OpdeployError where the writing fails.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is there already, and not empty; name another folder")
    if not folder.parent.is_dir():
        raise InputError(f"{folder}: there is no folder {folder.parent}; make it, or name another")
    with tempfile.TemporaryDirectory(prefix=".opdeploy-", dir=folder.parent) as temporary:
        whole = Path(temporary) / "files"
        whole.mkdir()
        write(bundle, whole)
        try:
            if folder.exists():
                folder.rmdir()
            whole.rename(folder)
        except OSError as error:
            raise OpdeployError(f"{folder}: was not written: {error.strerror or error}; name another") from error
