"""What was done, step by step, on disk before and after each: a cache beside the workload file."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from opdeploy.deploy import cache
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.plan import Plan

_FILE = "journal.jsonl"


class Unfinished(NamedTuple):
    """An operation that was begun and has not ended."""

    operation: str
    version: int | None
    """That was to be current."""
    at: str
    step: str | None
    """The title of the last step that was begun."""


class Journal:
    """A file of events of one deployment, a line each, that are on disk before what they tell goes on."""

    def __init__(self, folder: Path, target: str, deployment: str) -> None:
        """Take the folder of the cache; it is made when something is written."""
        self._root = folder
        self._path = folder / target / deployment / _FILE

    def begin(self, plan: Plan) -> None:
        """Note that a plan is about to be carried out; raises OpdeployError where that cannot be written."""
        try:
            self._begin(plan)
        except OSError as error:
            raise OpdeployError(
                f"{self._path}: cannot be written: {error.strerror or error}; name another folder with --state"
            ) from error

    def _begin(self, plan: Plan) -> None:
        self._write("begin", operation=plan.operation, version=plan.version, before=plan.before)

    def step(self, step: str, title: str, state: str, **more: object) -> None:
        """Note that a step is `begun`, `done` or `failed`."""
        with suppress(OSError):  # a full disk is no reason to break off, or to hide why a step failed
            self._write("step", step=step, title=title, state=state, **more)

    def end(self, how: str) -> None:
        """Note that the operation is over: `done`, `returned` to what was before, or `failed`."""
        with suppress(OSError):
            self._write("end", how=how)

    def unfinished(self) -> Unfinished | None:
        """Return the operation that was begun last, where it has not ended."""
        found: Unfinished | None = None
        for event in self._events():
            match event.get("event"):
                case "begin":
                    version = event.get("version")
                    number = version if isinstance(version, int) else None
                    found = Unfinished(str(event.get("operation")), number, str(event.get("at")), None)
                case "step" if found:
                    found = found._replace(step=str(event.get("title")))
                case "end":
                    found = None
        return found

    def _events(self) -> list[dict[str, object]]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (FileNotFoundError, UnicodeDecodeError):
            return []
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:  # the last one, of a process that was killed while it wrote
                continue
            if isinstance(event, dict):
                events.append(event)
        return events

    def _write(self, event: str, **more: object) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        cache.made(self._root, *self._path.parent.relative_to(self._root).parts)
        with self._path.open("a+b") as file:
            start = "\n" if _is_torn(file) else ""
            file.write(f"{start}{json.dumps({'event': event, 'at': at, **more})}\n".encode())
            file.flush()
            os.fsync(file.fileno())


def _is_torn(file: BinaryIO) -> bool:
    """Tell whether the last line has no end: a process was killed while it wrote it."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
