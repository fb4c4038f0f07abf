"""Delivers what there is to look at in the format that was asked for."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from opdeploy import words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opdeploy.cli.options import Format
    from opdeploy.ui import Show

Record = dict[str, Any]


class Sight(NamedTuple):
    """The ways to look at one thing; each is made only when it is asked for."""

    show: Show
    records: Callable[[], list[Record]]
    picture: Callable[[Literal["svg", "png"]], bytes]
    page: Callable[[], str]
    rows: Callable[[], list[Record]] | None = None
    """Flat records for CSV, where `records` are not flat."""


def deliver(sight: Sight, form: Format, file: Path | None) -> None:
    """Write it to a file, or to stdout."""
    from opdeploy import ui

    match form:
        case "table":
            ui.tables(sight.show, file)
        case "json":
            ui.deliver(json.dumps(sight.records(), indent=2), file)
        case "csv":
            ui.deliver(_csv((sight.rows or sight.records)()), file)
        case "svg" | "png":
            ui.deliver(sight.picture(form), file)
        case "html":
            ui.deliver(sight.page(), file)


def _csv(records: list[Record]) -> str:
    """Write comma-separated values as RFC 4180 has them, but for line ends."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _flat(value) for name, value in record.items()} for record in records)
    return out.getvalue()


def _flat(value: object) -> object:
    """Write for CSV what is neither a number nor text: true and false as JSON has them, a list's items with commas."""
    match value:
        case bool():
            return json.dumps(value)
        case list() | dict():
            return words.shown(value)
        case _:
            return value
