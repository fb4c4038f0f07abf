"""Everything that is printed: the only user of rich. Data goes to stdout, talk to stderr."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opdeploy import files
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from opdeploy.deploy.execute import Progress

    Show = Callable[[Console], None]
    """Prints tables to a console."""

PLAIN_WIDTH = 110
"""Columns of a table that does not go to a terminal."""
_ASCII = str.maketrans("─┬│├└▲■◆●✚▼→†…✗", "-+||`^#%@&v>!~x")
"""What stands for our signs where the encoding has no others."""
CLEARED = "\r\x1b[K"
"""Clears the line of a terminal."""
NARROW = 80
"""Columns below which a table that would cut words is shown row by row: a choice of ours."""
_WIDEST = 10_000
_TICK_S = 1.0
"""Seconds between two looks of the line that counts them."""
READABLE = 100
"""The most columns of a paragraph."""


def deliver(content: str | bytes, file: Path | None = None) -> None:
    """Write data to a file, or to stdout.

    Raises InputError for bytes that would go to a terminal, and what `files.write` raises.
    """
    if isinstance(content, str) and not content.endswith("\n"):
        content += "\n"
    if file is not None:
        files.write(file, content.encode() if isinstance(content, str) else content)
    elif isinstance(content, str):
        sys.stdout.write(content)
    elif sys.stdout.isatty():
        raise InputError("a picture in bytes is nothing for a terminal; name a file with --file")
    else:
        sys.stdout.buffer.write(content)


def tables(show: Show, file: Path | None = None, *, err: bool = False) -> None:
    """Print tables to a file, to stdout, or as talk to stderr: coloured on a terminal, plain elsewhere."""
    console = _console(plain=file is not None, err=err)
    with console.capture() as captured:
        show(console)
    ascii_only = file is None and console.options.ascii_only
    text = captured.get().translate(_ASCII) if ascii_only else captured.get()
    if err:
        with _LIVE.lock:
            _LIVE.clear()
            sys.stderr.write(text)
    else:
        deliver(text, file)


def document(markdown: str, file: Path | None = None) -> None:
    """Print Markdown: rendered on a terminal, as it is elsewhere."""
    if file is not None or not sys.stdout.isatty():
        deliver(markdown, file)
        return
    from rich.markdown import Markdown

    tables(lambda console: console.print(Markdown(markdown), width=min(console.width, READABLE)))


def error(message: str) -> None:
    """Print one line of error, red on a terminal."""
    _talk("error: " + message, "31")


def say(message: str) -> None:
    """Print one line of talk."""
    _talk(message)


def warn(message: str) -> None:
    """Print one line of warning, yellow on a terminal."""
    _talk("warning: " + message, "33")


class _Live:
    """The last line of a terminal, which shows how far something has come; other talk takes its place."""

    def __init__(self) -> None:
        self._shown = False
        self._ended: threading.Event | None = None
        self.lock = threading.RLock()
        """Held by who writes: what is counted is so in a thread of its own."""

    def show(self, text: str, *, counts: bool = False) -> None:
        """Show a text instead of the last one, on demand with the seconds since; nothing where no terminal is."""
        self.end()
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            return
        self._write(text, " …")
        if counts:
            self._ended = threading.Event()
            threading.Thread(target=self._count, args=(text, self._ended), daemon=True).start()

    def _count(self, text: str, ended: threading.Event) -> None:
        began = time.monotonic()
        while not ended.wait(_TICK_S):
            with self.lock:
                if not ended.is_set():
                    self._write(text, f" … {time.monotonic() - began:.0f} s")

    def _write(self, text: str, end: str) -> None:
        room = shutil.get_terminal_size().columns - len(end) - 1  # what is longer would stay above the next one
        sys.stderr.write(f"{CLEARED}{text[:room]}{end}")
        sys.stderr.flush()
        self._shown = True

    def end(self) -> None:
        """Clear what is shown, and count no more."""
        with self.lock:
            if self._ended:
                self._ended.set()
                self._ended = None
            self.clear()

    def clear(self) -> None:
        """Clear what is shown."""
        if self._shown:
            sys.stderr.write(CLEARED)
            self._shown = False


_LIVE = _Live()


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Give a function that says on a terminal what is being done; elsewhere it says nothing."""
    try:
        yield lambda step: _LIVE.show(f"{what}: {printable(step)}")
    finally:
        _LIVE.clear()


@contextmanager
def steps() -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows the steps of a plan: as they go on a terminal, when they are done elsewhere."""

    def watch(progress: Progress) -> None:
        line = f"[{progress.number}/{progress.steps}] {printable(progress.step.title)}"
        _LIVE.end()
        if progress.seconds is None:
            _LIVE.show(line, counts=progress.step.action == "check")
        else:
            how = "interrupted after " if progress.interrupted else "failed after " if progress.failed else ""
            say(f"{line}: {how}{progress.seconds:.1f} s")

    try:
        yield watch
    finally:
        _LIVE.end()


def printable(message: str) -> str:
    """Return a text on one line, without what would steer a terminal: names in files may hold anything."""
    return "".join(char if char.isprintable() else " " for char in " ".join(message.split()))


def show_table(console: Console, table: Table) -> None:
    """Print a table of texts; where little room would cut words, each row as lines of its own."""
    from rich.measure import Measurement

    least = Measurement.get(console, console.options.update(max_width=_WIDEST), table).minimum
    if console.width >= NARROW or least <= console.width:
        console.print(table)
        return
    headers = [str(column.header) for column in table.columns]
    longest = max(map(len, headers))
    rows = zip(*(column.cells for column in table.columns), strict=True)
    for number, (row, cells) in enumerate(zip(table.rows, rows, strict=True)):
        if number:
            console.print()
        for header, cell in zip(headers, cells, strict=True):
            if str(cell):
                hanging(console, f"{header:<{longest}}  ", str(cell), str(row.style or ""))


def hanging(console: Console, sign: str, message: str, style: str = "") -> None:
    """Print a text behind a sign, further lines of it as far to the right."""
    from rich.text import Text

    indent = sign
    for line in Text(printable(message)).wrap(console, max(1, console.width - len(sign))):
        console.print(Text(f"{indent}{line.plain.rstrip()}"), style=style, soft_wrap=True)
        indent = " " * len(sign)


def _talk(message: str, colour: str = "") -> None:
    line = printable(message)
    coloured = colour and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    with _LIVE.lock:
        _LIVE.clear()
        sys.stderr.write(f"\x1b[{colour}m{line}\x1b[0m\n" if coloured else line + "\n")


def _console(*, plain: bool, err: bool = False) -> Console:
    from rich.console import Console

    columns, lines = shutil.get_terminal_size((PLAIN_WIDTH, 25))
    # rich takes 80 columns for a dumb terminal's width unless it is told the height too.
    width = PLAIN_WIDTH if plain else columns
    return Console(
        width=width, height=lines, highlight=False, emoji=False, force_terminal=False if plain else None, stderr=err
    )


def new_table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table of the one look that all have."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table
