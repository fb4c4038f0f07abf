"""Images that are folders: a build context, laid out as its Dockerfile says, without what its RUN lines would do."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import sys
import tarfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


OWN = re.compile(r"(?<![\w.])(?:0\.0\.0\.0|127\.0\.0\.1|localhost)(?![\w.-])")
"""What a process calls the machine that it is on."""


@dataclass(frozen=True)
class Image:
    """What a container is started of; `root` has its files."""

    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    root: Path | None = None
    port: int | None = None
    digest: str = ""
    last: Path | None = None
    """The folder that was copied last, of which the last layer is made."""

    def at(self, address: str, mounts: Mapping[str, Path] | None = None) -> Place:
        """Return where a container of it runs."""
        return Place(self, address, mounts or {})


@dataclass(frozen=True)
class Place:
    """A container's network and files, which are here an address and some folders."""

    image: Image
    address: str
    mounts: Mapping[str, Path]

    def words(self, command: Sequence[str] | None, arguments: Sequence[str] | None = None) -> list[str]:
        """Return what is run here, by this interpreter where it is Python.

        A command takes the place of all that the image says, arguments only of its own.
        """
        default = arguments or self.image.arguments
        found = [
            self.text(each)
            for each in ([*command, *(arguments or ())] if command else [*self.image.entrypoint, *default])
        ]
        return [sys.executable if found[0] in {"python", "python3"} else found[0], *found[1:]]

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of the image with those that are given."""
        return {name: self.text(value) for name, value in {**self.image.environment, **given}.items()}

    def text(self, text: str) -> str:
        """Return a text whose absolute paths, with colons between, and own addresses are here."""
        if text == "::":
            return self.address
        return ":".join(self._path(part) for part in OWN.sub(self.address, text).split(":"))

    def _path(self, path: str) -> str:
        if not path.startswith("/"):
            return path
        for start, folder in self.mounts.items():
            if f"{path}/".startswith(start.rstrip("/") + "/"):
                return str(folder / path[len(start.rstrip("/")) :].lstrip("/"))
        inside = self.image.root / path.lstrip("/") if self.image.root else None
        return str(inside) if inside and inside.exists() else path


@dataclass
class _Stage:
    """What a stage of a Dockerfile has by now."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    port: int | None = None
    last: Path | None = None


class Images:
    """The images that are there, by their names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, Image] = {}

    def add(self, name: str, source: Path | Sequence[str], variables: Mapping[str, str] | None = None) -> Image:
        """Have an image, also under its digest."""
        if isinstance(source, Path):
            found = self._built(source, "Dockerfile")
        else:
            text = json.dumps([list(source), dict(variables or {})])
            found = Image(tuple(source), (), dict(variables or {}), digest=_digest(text.encode()))
        self._keep(name, found)
        return found

    def build(self, name: str, context: bytes, dockerfile: str) -> Image:
        """Have an image of a packed build context; raises ValueError for one that has no such Dockerfile."""
        digest = _digest(context)
        folder = self._folder / "contexts" / digest[-16:]
        with tarfile.open(fileobj=BytesIO(context)) as packed:
            packed.extractall(folder, filter="data")
        found = self._built(folder, dockerfile, digest)
        self._keep(name, found)
        return found

    def get(self, name: str) -> Image | None:
        """Return an image by its name with a tag, or with a digest."""
        return self._found.get(name if "@" in name or ":" in name.rsplit("/", 1)[-1] else f"{name}:latest")

    def found(self) -> list[tuple[str, Image]]:
        """Return all images, by their names."""
        return [*self._found.items()]

    def found_as(self, name: str, image: Image) -> None:
        """Have an image under one more name."""
        self._found[name] = image

    def remove(self, name: str) -> None:
        """Have an image no longer under a name."""
        self._found.pop(name, None)

    def _keep(self, name: str, image: Image) -> None:
        self._found[name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"] = image
        self._found[f"{re.sub(r':[^/:]*$', '', name)}@{image.digest}"] = image

    def _built(self, context: Path, dockerfile: str, digest: str = "") -> Image:
        file = context / dockerfile
        if not file.is_file():
            raise ValueError(f"unable to evaluate symlinks in Dockerfile path: lstat {dockerfile}: no such file")
        stages: dict[str, _Stage] = {}
        stage = _Stage(self._folder)
        for line in re.sub(r"\\\n", " ", file.read_text(encoding="utf-8")).splitlines():
            word, _, rest = line.strip().partition(" ")
            if word == "FROM":
                root = self._folder / "roots" / f"{len(list(self._folder.glob('roots/*')))}"
                root.mkdir(parents=True)
                stage = _Stage(root)
                stages[rest.split()[-1].lower()] = stage
            elif word == "COPY":
                _copy(rest, context, stage, stages)
            elif word == "ENV":
                stage.environment |= dict(item.split("=", 1) for item in shlex.split(rest))
            elif word in {"ENTRYPOINT", "CMD"}:
                words = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]
                setattr(stage, "entrypoint" if word == "ENTRYPOINT" else "command", words)
            elif word == "EXPOSE":
                stage.port = int(rest.split("/")[0])
        words = tuple(stage.entrypoint), tuple(stage.command)
        digest = digest or _digest(str(context).encode())
        return Image(*words, stage.environment, stage.root, stage.port, digest, stage.last)


def _copy(rest: str, context: Path, stage: _Stage, stages: Mapping[str, _Stage]) -> None:
    """Copy what is there: what a RUN line would have made is not."""
    *options, source, target = shlex.split(rest)
    start = next((stages[each[7:].lower()].root for each in options if each.startswith("--from=")), context)
    found, into = start / source.lstrip("/"), stage.root / target.lstrip("/")
    if found.is_dir():
        stage.last = found
        shutil.copytree(found, into, dirs_exist_ok=True)
    elif found.is_file():
        into = into / found.name if target.endswith("/") else into
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(found, into)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
